"""Tasks and executions that fit a query, a page at a time.

An index answers ``status`` and ``job``. The other terms are compared with what it finds, the newest first, so one page looks at
`MAX_LOOKED_AT` records at most, and its cursor goes on from there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import NamedTuple

from agentoolkit.entrypoints.rest.asking import Tools
from agentoolkit.entrypoints.rest.models import ScheduledTask, TaskExecution, execution_of, task_of_summary
from agentoolkit.entrypoints.search import TASK_STATUSES, Search, read_search
from agentoolkit.system.scheduler.jobs import ExecutionStatus

MAX_LOOKED_AT = 5_000
"""Records that one page of a search looks at."""
_PAGE = 500


class FoundTasks(NamedTuple):
    """A page of tasks."""

    tasks: list[ScheduledTask]
    cursor: str | None


class FoundExecutions(NamedTuple):
    """A page of executions."""

    executions: list[TaskExecution]
    cursor: str | None


def search_of(tools: Tools, query: str) -> Search:
    """Read a query of the caller's. Raises `InvalidInput`."""
    return read_search(query, me=tools.caller.name, now=datetime.now(UTC))  # noqa: DTZ  who asks means the time at which they ask


async def find_tasks(tools: Tools, search: Search, limit: int, cursor: str | None = None) -> FoundTasks:
    """Return tasks that fit, the oldest first."""
    status = search.only("status")
    wanted = {"scheduled": "active"}.get(status or "", status) if status in TASK_STATUSES else None
    found: list[ScheduledTask] = []
    looked_at = 0
    while looked_at < MAX_LOOKED_AT:
        data = await tools.scheduler("list", job_status=wanted, owner=_owner(search), limit=min(_PAGE, limit - len(found)), cursor=cursor)
        page = [task_of_summary(job) for job in data["jobs"]]
        found += [task for task in page if search.matches_task(task.model_dump())]
        looked_at, cursor = looked_at + len(page), data["cursor"]
        if cursor is None or len(found) >= limit:
            break
    return FoundTasks(found, cursor)


async def find_executions(
    tools: Tools, search: Search, limit: int, cursor: str | None = None, *, with_results: bool = False
) -> FoundExecutions:
    """Return executions that fit, those due latest first."""
    ids = {task.task_id async for task in all_tasks(tools, search)} if search.needs_tasks else None
    found: list[TaskExecution] = []
    page: list[TaskExecution] = []
    looked_at = 0
    while looked_at < MAX_LOOKED_AT:
        data = await tools.scheduler(
            "list_executions",
            job_id=_exact(search.only("job")),
            execution_status=status if (status := search.only("status")) in set(ExecutionStatus) else None,
            limit=min(_PAGE, limit - len(found)),
            cursor=cursor,
            with_results=with_results or search.needs_results,
        )
        page = [execution_of(record) for record in data["history"] if ids is None or record["job_id"] in ids]
        found += [execution for execution in page if search.matches_execution(execution.model_dump())]
        looked_at, cursor = looked_at + len(data["history"]), data["cursor"]
        if cursor is None or len(found) >= limit or _is_too_old(search, page):
            break
    return FoundExecutions(found, None if _is_too_old(search, page) else cursor)


async def all_tasks(tools: Tools, search: Search) -> AsyncGenerator[ScheduledTask]:
    """Find every task that fits the terms which only a task can answer, also of those that are over."""
    for status in (None, "done", "cancelled"):
        cursor: str | None = None
        while True:
            data = await tools.scheduler("list", job_status=status, owner=_owner(search), limit=1_000, cursor=cursor)
            for task in map(task_of_summary, data["jobs"]):
                if search.matches_tasks_part(task.model_dump()):
                    yield task
            cursor = data["cursor"]
            if cursor is None:
                break


def _owner(search: Search) -> str | None:
    owner = _exact(search.only("owner"))
    return search.me if owner == "me" else owner


def _exact(value: str | None) -> str | None:
    """Return a value that has no stars, so that an index can be asked for it."""
    return None if value is None or any(sign in value for sign in "*?[") else value


def _is_too_old(search: Search, page: list[TaskExecution]) -> bool:
    """Has a page come to what was due before ``since``? All that follows is older."""
    since = search.only("since")
    if since is None or not page:
        return False
    oldest = page[-1].model_dump()
    return not Search(tuple(term for term in search.terms if term.key == "since"), search.me, search.now).matches_execution(oldest)
