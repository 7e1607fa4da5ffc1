"""``agentool pause``."""

from __future__ import annotations

from typing import Annotated

from agentoolkit.entrypoints.cli.options import Job, Reason, optional


def pause(
    job: Job,
    until: Annotated[str | None, optional("--until", "TIME", "ISO 8601 time at which it resumes by itself.")] = None,
    reason: Reason = None,
) -> None:
    """Keep a job and let it not fire, for good or until a time."""
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import say

    data = ask("pause", job_id=job, until=until, reason=reason)
    ends = f" until {until}" if until and data["state"] == "paused" else ""
    say(f"Job {data['job_id']} is {data['state']}{ends}.")
