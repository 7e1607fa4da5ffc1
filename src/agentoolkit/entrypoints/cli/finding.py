"""What a command lists: every page of it as one, chosen by the search grammar of every door."""

from __future__ import annotations

from collections.abc import Sequence

from agentoolkit.entrypoints.cli.session import PAGE, Toolkit, call
from agentoolkit.system.scheduler.schemas import ExecutionInfo, History, JobList, JobSummary


def query_of(words: Sequence[str] | None, **conditions: str | None) -> str | None:
    """Return a query: words as they were written, and conditions that options give by themselves; None if there are neither."""
    given = (f'{key}:"{value}"' for key, value in conditions.items() if value is not None)
    return " ".join([*(words or ()), *given]) or None


async def find_jobs(kit: Toolkit, query: str | None = None) -> JobList:
    """Return all jobs that fit, the oldest first.

    Raises:
        InvalidInput: The query cannot be read.
    """
    jobs: list[JobSummary] = []
    cursor: str | None = None
    while True:
        page = await call(kit, JobList, "list", limit=PAGE, cursor=cursor, query=query)
        jobs += page.jobs
        cursor = page.cursor
        if cursor is None:
            return JobList(jobs=jobs, count=len(jobs))


async def find_executions(kit: Toolkit, query: str | None, limit: int, job_id: str | None = None, status: str | None = None) -> History:
    """Return the executions that fit, those due latest first.

    Raises:
        InvalidInput: The query cannot be read.
        JobNotFound: There is neither such a job nor a record of it.
    """
    history: list[ExecutionInfo] = []
    cursor: str | None = None
    while True:
        asked = {"job_id": job_id, "execution_status": status, "query": query}
        page = await call(kit, History, "list_executions", **asked, limit=limit - len(history), cursor=cursor)
        history += page.history
        cursor = page.cursor
        if cursor is None or len(history) >= limit:
            return History(job_id=job_id, history=history, count=len(history))
