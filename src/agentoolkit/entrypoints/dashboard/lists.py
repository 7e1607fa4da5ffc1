"""Jobs and executions as pages list them: a page of those that are wanted, or all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.page import View, Viewing, go_to, page_router
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.paging import all_pages

Noun = Literal["job", "execution"]

_PAGE = 1_000
"""Items that are asked for at once where all are wanted."""

router = page_router("lists")


class Listed(NamedTuple):
    """Some of what is wanted."""

    items: list[dict[str, Any]]
    cursor: str | None
    """Asks for what follows; None: that was all."""


async def find_page(view: View, noun: Noun, wanted: Mapping[str, Any], limit: int, cursor: str | None = None) -> Listed:
    """Return a page of the jobs or executions that are wanted: by the fields of the operation that lists them.

    Raises:
        InvalidInput: Its query cannot be read.
    """
    if noun == "job":
        data = await view.scheduler("list", **wanted, limit=limit, cursor=cursor)
        return Listed(data["jobs"], data["cursor"])
    data = await view.scheduler("list_executions", **wanted, limit=limit, cursor=cursor, with_results=False)
    return Listed(data["history"], data["cursor"])


async def find_all(view: View, noun: Noun, wanted: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """Return all jobs or executions that are wanted, so many at most. Raises as `find_page` does."""
    found: list[dict[str, Any]] = []
    async for page in all_pages(lambda cursor: find_page(view, noun, wanted, min(_PAGE, most), cursor)):
        found += page.items
        if len(found) >= most:
            break
    return found[:most]


async def saved_views(view: View, page: str) -> list[Any]:
    """Return the searches that the viewer keeps for a page."""
    return (await view.tools.run("saved_views", "list", page=page)).views


@router.post("/views", openapi_extra={"x-scope": "read"})
async def change_views(view: Viewing) -> Response:
    """Keep a search under a name, or forget it. Who may look may keep what it looks for."""
    given = {"page": "", "name": "", "query": "", **await view.form()}
    if given["page"] not in ("jobs", "executions"):
        raise ApiError(422, "invalid-request", "There is no such page.", field="page", value=given["page"])
    named = {"page": given["page"], "name": given["name"].strip()}
    if given.get("do") == "forget":
        await view.tools.run("saved_views", "delete", **named)
        return go_to(f"/{given['page']}?all=yes")
    await view.tools.run("saved_views", "save", **named, query=given["query"], is_default=given.get("is_default") == "on")
    return go_to(list_address(given["page"], given["query"]))


def list_address(page: str, query: str) -> str:
    """Return the address of what fits a query."""
    return f"/{page}?{urlencode({'q': query})}"
