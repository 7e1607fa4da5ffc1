"""Jobs and executions that fit a query, in the search grammar that all doors share."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.dashboard.page import View
from agentoolkit.entrypoints.rest.finding import find_executions, find_tasks, search_of


async def find_job_page(view: View, query: str, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of jobs that fit, as a list has them, and where the next one begins.

    Raises:
        InvalidInput: The query cannot be read.
    """
    found = await find_tasks(view.tools, search_of(view.tools, query), limit, cursor)
    jobs = [task.model_dump() for task in found.tasks]
    for job in jobs:
        state = "active" if job["status"] == "scheduled" else job["status"]
        job.update(job_id=job["task_id"], job_name=job["name"], state=state, schedule_type=job["type"])
    return jobs, found.cursor


async def find_execution_page(view: View, query: str, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of executions that fit, as a list has them, and where the next one begins.

    Raises:
        InvalidInput: The query cannot be read.
    """
    found = await find_executions(view.tools, search_of(view.tools, query), limit, cursor)
    executions = [one.model_dump() for one in found.executions]
    for execution in executions:
        execution["job_id"] = execution["task_id"]
    return executions, found.cursor
