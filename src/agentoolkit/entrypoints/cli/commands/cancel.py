"""``agentool cancel``."""

from __future__ import annotations

from agentoolkit.entrypoints.cli.options import Job


def cancel(job: Job) -> None:
    """Cancel a job for good. Its history stays readable."""
    from agentoolkit.entrypoints.cli.opening import answer
    from agentoolkit.entrypoints.cli.printing import say

    say(answer("cancel", job_id=job).message)
