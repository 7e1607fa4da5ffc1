"""What a change of a job came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentoolkit.system.scheduler.jobs import Execution, Job, JobState
from agentoolkit.system.scheduler.schedules import Reading


class Added(NamedTuple):
    """A job that is scheduled now."""

    job: Job
    state: JobState
    reading: Reading
    created: bool
    """False if the very same job was there already."""
    changed: bool = False
    """True if it was there, and other than it is now."""


class Cancelled(NamedTuple):
    """A job that is cancelled now."""

    job: Job
    reason: str
    cancelled: Sequence[Execution]
    """Executions of it that waited, and do not run."""
    running: Sequence[Execution]
    """Executions of it that still run."""
