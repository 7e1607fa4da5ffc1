"""Read lists of jobs and executions, a page or all, and save searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.page import Viewer, Viewing, go_to, page_router
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.paging import all_pages
from agentoolkit.system.scheduler.search import status_word

Noun = Literal["job", "execution"]

_PAGE = 1_000
"""Items of one page when all are read."""

router = page_router("lists")


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list. A job or an execution is listed if it passes all of them."""

    noun: Noun
    q: str = ""
    """A query."""
    status: str = ""
    """A state of jobs, or an outcome of executions."""
    job: str = ""
    """The job of executions."""

    @property
    def wanted(self) -> dict[str, Any]:
        """The fields of the operation that lists them."""
        return {
            "query": self.q.strip() or None,
            f"{self.noun}_status": self.status or None,
            **({"job_id": self.job or None} if self.noun == "execution" else {}),
        }

    @property
    def text(self) -> str:
        """All filters as one query, to save it or to act on all that match."""
        status = f"status:{status_word(self.status)}" if self.status else ""  # first, because it decides which jobs are searched
        job = f'job:"{self.job}"' if self.job else ""
        return " ".join(filter(None, [status, job, self.q.strip()]))

    @property
    def address(self) -> str:
        """The address of the filtered list."""
        return f"/{self.noun}s{self.query_string or '?all=yes'}"

    @property
    def query_string(self) -> str:
        """The filters in an address; empty without any."""
        given = {"q": self.q, "state" if self.noun == "job" else "status": self.status, "job": self.job}
        text = urlencode({name: value for name, value in given.items() if value})
        return f"?{text}" if text else ""


class Listed(NamedTuple):
    """One page of a list."""

    items: list[dict[str, Any]]
    cursor: str | None
    """Cursor of the next page; None after the last page."""


async def find_page(viewer: Viewer, noun: Noun, wanted: Mapping[str, Any], limit: int, cursor: str | None = None) -> Listed:
    """Return a page of jobs or executions, filtered by fields of the operation that lists them.

    Raises:
        InvalidInput: The query cannot be read.
    """
    if noun == "job":
        data = await viewer.scheduler("list", **wanted, limit=limit, cursor=cursor)
        return Listed(data["jobs"], data["cursor"])
    data = await viewer.scheduler("list_executions", **wanted, limit=limit, cursor=cursor, with_results=False)
    return Listed(data["history"], data["cursor"])


async def find_all(viewer: Viewer, noun: Noun, wanted: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """Return the first `most` jobs or executions, filtered as in `find_page`. Raises as `find_page`."""
    found: list[dict[str, Any]] = []
    async for page in all_pages(lambda cursor: find_page(viewer, noun, wanted, min(_PAGE, most), cursor)):
        found += page.items
        if len(found) >= most:
            break
    return found[:most]


async def saved_views(viewer: Viewer, page: str) -> list[Any]:
    """Return the viewer's saved searches for a page."""
    return (await viewer.tools.run("saved_views", "list", page=page)).views


@router.post("/views", openapi_extra={"x-scope": "read"})
async def change_views(viewer: Viewing) -> Response:
    """Save or delete a search. The scope ``read`` is enough."""
    given = {"page": "", "name": "", "query": "", **await viewer.form()}
    if given["page"] not in ("jobs", "executions"):
        raise ApiError(422, "invalid-request", "There is no such page.", field="page", value=given["page"])
    named = {"page": given["page"], "name": given["name"].strip()}
    if given.get("do") == "forget":
        await viewer.tools.run("saved_views", "delete", **named)
        return go_to(f"/{given['page']}?all=yes")
    await viewer.tools.run("saved_views", "save", **named, query=given["query"], is_default=given.get("is_default") == "on")
    return go_to(list_address(given["page"], given["query"]))


def list_address(page: str, query: str) -> str:
    """Return the address of a list filtered by a query."""
    return f"/{page}?{urlencode({'q': query})}"
