"""Find jobs and executions for commands: by the search grammar, over all pages."""

from __future__ import annotations

from collections.abc import Sequence

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.entrypoints.cli.session import PAGE, Toolkit, ask_open, call
from agentoolkit.paging import all_pages
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo, History, JobDetails, JobList, JobSummary
from agentoolkit.system.scheduler.errors import ExecutionNotFound, JobNotFound
from agentoolkit.system.scheduler.search import KEYS


def query_of(words: Sequence[str] | None, **conditions: str | None) -> str | None:
    """Return a query of words and of the conditions that options set; None if there are neither."""
    given = (f'{key}:"{value}"' for key, value in conditions.items() if value is not None)
    return " ".join([*(words or ()), *given]) or None


async def find_jobs(kit: Toolkit, query: str | None = None, view: str | None = None) -> JobList:
    """Return all jobs that match a query and a view, the oldest first.

    Raises:
        InvalidInput: The query cannot be read, or there is no such view.
    """
    query = await with_view(kit, query, "jobs", view)
    jobs: list[JobSummary] = []
    async for page in all_pages(lambda cursor: call(kit, JobList, "list", limit=PAGE, cursor=cursor, query=query)):
        jobs += page.jobs
    return JobList(jobs=jobs, count=len(jobs))


async def find_executions(
    kit: Toolkit, query: str | None, limit: int, job_id: str | None = None, status: str | None = None, view: str | None = None
) -> History:
    """Return the executions that match a query and a view, the latest due first.

    Raises:
        InvalidInput: The query cannot be read, or there is no such view.
        JobNotFound: There is neither such a job nor a record of it.
    """
    query = await with_view(kit, query, "executions", view)
    history: list[ExecutionInfo] = []
    asked = {"job_id": job_id, "execution_status": status, "query": query, "limit": limit}
    async for page in all_pages(lambda cursor: call(kit, History, "list_executions", **asked, cursor=cursor)):
        history += page.history
        if len(history) >= limit:
            break
    return History(job_id=job_id, history=history[:limit], count=len(history[:limit]))


def job_and_query(words: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the job that the first word names, unless it is a condition, and the query in the other words."""
    names_job = bool(words) and words[0].partition(":")[0].lstrip("-") not in KEYS
    job, terms = (words[0], words[1:]) if names_job else (None, words)
    return job, query_of(terms)


async def find_job(kit: Toolkit, name: str) -> JobDetails:
    """Return a job by its id or name, or by an unambiguous beginning of its id.

    Raises:
        JobNotFound: There is no such job, or several ids begin so.
    """
    try:
        return await call(kit, JobDetails, "get_job", job_id=name)
    except JobNotFound:
        found = await jobs_beginning(kit, name, 2)
        if len(found) != 1:
            raise
        return await call(kit, JobDetails, "get_job", job_id=found[0])


async def find_execution(kit: Toolkit, name: str) -> ExecutionInfo:
    """Return an execution by its id, or by an unambiguous beginning of it.

    Raises:
        ExecutionNotFound: There is no such execution, or several ids begin so.
    """
    try:
        return await call(kit, ExecutionInfo, "get_execution", execution_id=name)
    except ExecutionNotFound as error:
        found = await executions_beginning(kit, name, 3) if "@" in name else []
        if not found:
            raise
        if len(found) > 1:
            remedy = f"Write more of the id: {', '.join(found)}."
            raise ExecutionNotFound("Several ids of executions begin so.", field="execution_id", value=name, remedy=remedy) from error
        return await call(kit, ExecutionInfo, "get_execution", execution_id=found[0])


async def jobs_beginning(kit: Toolkit, text: str, most: int) -> list[str]:
    """Return the ids of jobs that begin with a text; finished jobs count too."""
    statuses = "status:scheduled,paused,broken,done,cancelled"
    name = text.replace('"', "?")
    query, found = f'job:"{name}*" {statuses}', list[str]()
    async for page in all_pages(lambda cursor: call(kit, JobList, "list", query=query, limit=most, cursor=cursor)):
        found += [job.job_id for job in page.jobs if job.job_id.startswith(text)]
        if len(found) >= most:
            break
    return found[:most]


async def executions_beginning(kit: Toolkit, text: str, most: int) -> list[str]:
    """Return the ids of a job's executions that begin with a text, the latest due first."""
    job, _, _ = text.partition("@")
    found = await call(kit, History, "list_executions", job_id=job, limit=PAGE, with_results=False)
    return [execution.execution_id for execution in found.history if execution.execution_id.startswith(text)][:most]


async def count_executions(kit: Toolkit, status: str, unless: str = "\0") -> int:
    """Count the executions with a status, except those whose reason begins with `unless`."""
    asked = {"execution_status": status, "with_results": False, "limit": PAGE}
    pages = all_pages(lambda cursor: call(kit, History, "list_executions", **asked, cursor=cursor))
    return sum([sum(not execution.reason.startswith(unless) for execution in page.history) async for page in pages])


async def with_view(kit: Toolkit, query: str | None, page: str, view: str | None) -> str | None:
    """Return the query of a view followed by another query. Raises `InvalidInput` if there is no such view."""
    if view is None:
        return query
    kept = {found.name: str(found.query) for found in (await ask_open(kit, "saved_views", "list", page=page)).views}
    if view not in kept:
        remedy = did_you_mean(view, list(kept)) or "`agentool views list` shows them."
        raise InvalidInput(f"No view of {page} is named {excerpt(view)}.", field="view", value=view, remedy=remedy)
    return " ".join(filter(None, [kept[view], query]))
