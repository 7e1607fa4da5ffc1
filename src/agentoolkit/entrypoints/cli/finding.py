"""What a command lists: every page of it as one, chosen by the search grammar of every door."""

from __future__ import annotations

from collections.abc import Sequence

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.entrypoints.cli.session import PAGE, Toolkit, ask_open, call
from agentoolkit.system.scheduler.schemas import ExecutionInfo, History, JobList, JobSummary


def query_of(words: Sequence[str] | None, **conditions: str | None) -> str | None:
    """Return a query: words as they were written, and conditions that options give by themselves; None if there are neither."""
    given = (f'{key}:"{value}"' for key, value in conditions.items() if value is not None)
    return " ".join([*(words or ()), *given]) or None


async def find_jobs(kit: Toolkit, query: str | None = None, view: str | None = None) -> JobList:
    """Return all jobs that fit a query and a view, the oldest first.

    Raises:
        InvalidInput: The query cannot be read, or there is no such view.
    """
    query = await with_view(kit, query, "jobs", view)
    jobs: list[JobSummary] = []
    cursor: str | None = None
    while True:
        page = await call(kit, JobList, "list", limit=PAGE, cursor=cursor, query=query)
        jobs += page.jobs
        cursor = page.cursor
        if cursor is None:
            return JobList(jobs=jobs, count=len(jobs))


async def find_executions(
    kit: Toolkit, query: str | None, limit: int, job_id: str | None = None, status: str | None = None, view: str | None = None
) -> History:
    """Return the executions that fit a query and a view, those due latest first.

    Raises:
        InvalidInput: The query cannot be read, or there is no such view.
        JobNotFound: There is neither such a job nor a record of it.
    """
    query = await with_view(kit, query, "executions", view)
    history: list[ExecutionInfo] = []
    cursor: str | None = None
    while True:
        asked = {"job_id": job_id, "execution_status": status, "query": query}
        page = await call(kit, History, "list_executions", **asked, limit=limit - len(history), cursor=cursor)
        history += page.history
        cursor = page.cursor
        if cursor is None or len(history) >= limit:
            return History(job_id=job_id, history=history, count=len(history))


async def with_view(kit: Toolkit, query: str | None, page: str, view: str | None) -> str | None:
    """Return a query with the terms of a view before it. Raises `InvalidInput` if there is no such view."""
    if view is None:
        return query
    kept = {found.name: str(found.query) for found in (await ask_open(kit, "saved_views", "list", page=page)).views}
    if view not in kept:
        remedy = did_you_mean(view, list(kept)) or "`agentool views list` shows them."
        raise InvalidInput(f"No view of {page} is named {excerpt(view)}.", field="view", value=view, remedy=remedy)
    return " ".join(filter(None, [kept[view], query]))
