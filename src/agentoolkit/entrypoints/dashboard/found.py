"""Jobs and executions that fit a query, in the search grammar that all doors share."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.dashboard.page import View


async def find_job_page(view: View, query: str, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of jobs that fit, as a list has them, and where the next one begins.

    Raises:
        InvalidInput: The query cannot be read.
    """
    data = await view.scheduler("list", query=query, limit=limit, cursor=cursor)
    return data["jobs"], data["cursor"]


async def find_execution_page(view: View, query: str, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of executions that fit, as a list has them, and where the next one begins.

    Raises:
        InvalidInput: The query cannot be read.
    """
    data = await view.scheduler("list_executions", query=query, limit=limit, cursor=cursor, with_results=False)
    return data["history"], data["cursor"]
