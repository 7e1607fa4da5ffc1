"""The ids of executions. Each is computed, so that one cause never becomes two executions."""

from __future__ import annotations

from datetime import datetime


def execution_id(job_id: str, due: datetime) -> str:
    """Compute the id of a due time's execution: the same due time can never become two of them."""
    return f"{job_id}@{due.isoformat()}"


def names_execution(id_: str) -> bool:
    """Is this the id of an execution rather than of a job? No job's id has an ``@``."""
    return "@" in id_


def job_id_of(execution_id: str) -> str:
    """Return the id of the job that an execution belongs to."""
    return execution_id.partition("@")[0]
