"""``agentool resume``."""

from __future__ import annotations

from agentoolkit.entrypoints.cli.options import Job


def resume(job: Job) -> None:
    """Let a paused job fire again, from now on."""
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import long_time, moment_of, say

    data = ask("resume", job_id=job)
    due = moment_of(data["next_run"])
    say(f"Job {data['job_id']} is {data['state']}{f', next {long_time(due)}' if due else ''}.")
