"""What a command lists, by the search grammar of every door (`agentoolkit.entrypoints.search`)."""

from __future__ import annotations

from collections.abc import Sequence

from agentool.caller import get_caller
from agentoolkit.entrypoints.cli.printing import present
from agentoolkit.entrypoints.cli.session import PAGE, Toolkit, call
from agentoolkit.entrypoints.search import TASK_STATUSES, Search, read_search
from agentoolkit.system.scheduler.jobs import ExecutionStatus
from agentoolkit.system.scheduler.schemas import ExecutionInfo, History, JobList, JobSummary

_STATES = {"scheduled": "active"}


def query_of(words: Sequence[str] | None, **conditions: str | None) -> str:
    """Return a query: words as they were written, and conditions that options give by themselves."""
    given = (f'{key}:"{value}"' for key, value in conditions.items() if value is not None)
    return " ".join([*(words or ()), *given])


async def find_jobs(kit: Toolkit, query: str = "") -> JobList:
    """Return all jobs that fit, the oldest first; those that are over where the query asks for their status.

    Raises:
        InvalidInput: The query cannot be read.
    """
    search = _read(query)
    status = search.only("status")
    asked: list[str | None] = [_STATES.get(status, status)] if status in TASK_STATUSES else [None]
    if status in set(ExecutionStatus):
        asked = [*dict.fromkeys([*asked, None, "done"])]  # a job that has run once is over, and may have failed
    jobs: dict[str, JobSummary] = {}
    for job_status in asked:
        cursor: str | None = None
        while True:
            page = await call(kit, JobList, "list", job_status=job_status, limit=PAGE, cursor=cursor)
            jobs |= {job.job_id: job for job in page.jobs if not search.terms or search.matches_task(job.model_dump())}
            cursor = page.cursor
            if cursor is None:
                break
    return JobList(jobs=list(jobs.values()), count=len(jobs))


async def find_executions(kit: Toolkit, query: str, limit: int, job_id: str | None = None, status: str | None = None) -> History:
    """Return the executions that fit, those due latest first.

    Raises:
        InvalidInput: The query cannot be read.
        JobNotFound: There is neither such a job nor a record of it.
    """
    if not query:
        return await call(kit, History, "list_executions", job_id=job_id, limit=limit, execution_status=status)
    search = _read(query)
    ids = {job.job_id for job in (await find_jobs(kit, "")).jobs if search.matches_tasks_part(job.model_dump())}
    status = status or (found if (found := search.only("status")) in set(ExecutionStatus) else None)
    history: list[ExecutionInfo] = []
    cursor: str | None = None
    while True:
        page = await call(kit, History, "list_executions", job_id=job_id, limit=_LOOKED_AT, execution_status=status, cursor=cursor)
        fitting = (record for record in page.history if search.matches_execution(record.model_dump()))
        history += [record for record in fitting if not search.needs_tasks or record.job_id in ids]
        cursor = page.cursor
        if cursor is None or len(history) >= limit:
            return History(job_id=job_id, history=history[:limit], count=len(history[:limit]))


_LOOKED_AT = 1_000
"""Executions that are read at once."""


def _read(query: str) -> Search:
    return read_search(query, me=get_caller().name, now=present())
