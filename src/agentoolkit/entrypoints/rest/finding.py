"""Tasks and executions that fit a query, a page at a time.

An index answers ``status`` and ``job``. The other terms are compared with what it finds, the newest first, so one page looks at
`MAX_LOOKED_AT` records at most, and its cursor goes on from there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agentoolkit.entrypoints.rest.asking import Tools
from agentoolkit.entrypoints.rest.models import ScheduledTask, TaskExecution, execution_of, task_of_summary
from agentoolkit.entrypoints.search import TASK_STATUSES, Search, moment_of, read_search
from agentoolkit.system.scheduler.jobs import ExecutionStatus
from agentoolkit.system.scheduler.paging import cursor_of
from agentoolkit.system.scheduler.ports import Position

MAX_LOOKED_AT = 5_000
"""Records that one page of a search looks at."""
_PAGE = 500
_ALL = 10_000
"""Tasks that are asked for at once: to choose an owner's, the scheduler looks at all of them."""


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
    data = await tools.scheduler("list", job_status=wanted, owner=_owner(search), limit=MAX_LOOKED_AT, cursor=cursor)
    for job in data["jobs"]:
        if search.matches_task(job):
            found.append(task_of_summary(job))
            if len(found) == limit:
                return FoundTasks(found, _cursor_at(job["created_at"], job["job_id"]))
    return FoundTasks(found, data["cursor"])


async def find_executions(
    tools: Tools, search: Search, limit: int, cursor: str | None = None, *, with_results: bool = False
) -> FoundExecutions:
    """Return executions that fit, those due latest first."""
    ids = {job_id async for job_id in all_task_ids(tools, search)} if search.needs_tasks else None
    status = search.only("status")
    asked = {
        "job_id": _exact(search.only("job")),
        "execution_status": status if status in set(ExecutionStatus) else None,
        "with_results": with_results or search.needs_results,
    }
    found: list[TaskExecution] = []
    for _ in range(0, MAX_LOOKED_AT, _PAGE):
        data = await tools.scheduler("list_executions", **asked, limit=_PAGE, cursor=cursor)
        for record in data["history"]:
            if (ids is None or record["job_id"] in ids) and search.matches_execution(record):
                found.append(execution_of(record))
                if len(found) == limit:
                    return FoundExecutions(found, _cursor_at(record["scheduled_at"], record["execution_id"]))
        cursor = data["cursor"]
        if cursor is None or _is_too_old(search, data["history"]):
            return FoundExecutions(found, None)
    return FoundExecutions(found, cursor)


async def all_task_ids(tools: Tools, search: Search) -> AsyncGenerator[str]:
    """Find the id of every task that fits the terms which only a task can answer, also of those that are over."""
    for status in (None, "done", "cancelled"):
        cursor: str | None = None
        while True:
            data = await tools.scheduler("list", job_status=status, owner=_owner(search), limit=_ALL, cursor=cursor)
            for job in data["jobs"]:
                if search.matches_tasks_part(job):
                    yield job["job_id"]
            cursor = data["cursor"]
            if cursor is None:
                break


def _cursor_at(at: str, id_: str) -> str | None:
    """Return the cursor that goes on after a record, in the middle of a page too."""
    return cursor_of(Position(datetime.fromisoformat(at), id_))


def _owner(search: Search) -> str | None:
    owner = _exact(search.only("owner"))
    return search.me if owner == "me" else owner


def _exact(value: str | None) -> str | None:
    """Return a value that has no stars, so that an index can be asked for it."""
    return None if value is None or any(sign in value for sign in "*?[") else value


def _is_too_old(search: Search, page: list[dict[str, Any]]) -> bool:
    """Has a page come to what was due before ``since``? All that follows is older."""
    since = search.only("since")
    if since is None or not page:
        return False
    return datetime.fromisoformat(page[-1]["scheduled_at"]) < moment_of(since, search.now)
