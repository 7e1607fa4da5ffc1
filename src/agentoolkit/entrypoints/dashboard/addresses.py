"""The addresses of the pages of one job, execution or queue."""

from __future__ import annotations

from urllib.parse import quote


def job_address(job_id: str) -> str:
    """Return the address of a job's page."""
    return f"/jobs/{quote(job_id, safe='')}"


def execution_address(execution_id: str) -> str:
    """Return the address of an execution's page."""
    return f"/executions/{quote(execution_id, safe='@:+')}"


def queue_address(name: str) -> str:
    """Return the address of a queue's page."""
    return f"/queues/{quote(name, safe='')}"
