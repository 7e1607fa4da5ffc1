"""The common part of every page: its viewer, clock, frame, headers, guard and errors."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from agentool.caller import Scope
from agentool.core.injector import Injector, get_injector
from agentoolkit.entrypoints.dashboard.moments import PageClock, known_zone
from agentoolkit.entrypoints.dashboard.rendering import render
from agentoolkit.entrypoints.dashboard.shared_pages import shared_pages_of
from agentoolkit.entrypoints.rest.access import admit, caller_of, is_admitted, limited, needs
from agentoolkit.entrypoints.rest.batches import batches_of
from agentoolkit.entrypoints.rest.problems import ApiError, problem_of
from agentoolkit.entrypoints.rest.request_tools import Tools
from agentoolkit.entrypoints.rest.routing import NamingRoute, rules_of
from agentoolkit.entrypoints.rest.session_cookie import session_of
from agentoolkit.newest import keep_newest
from agentoolkit.system.scheduler.errors import JobNotFound

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}
MAX_FIELDS = 20_000
"""Fields of one form at most."""
FRESH_FOR = timedelta(seconds=15)
"""Age up to which the number of troubles is reused on pages that do not list them."""
MAX_VIEWERS = 1_000
"""Viewers whose numbers of troubles are remembered."""
WRITES = {"x-scope": "write"}
"""Of a form or a question: only those who may send it see it."""
_TITLES = {422: "Not understood"}
"""Titles in plain words, by the HTTP status whose own words are not."""
_PACKED_FROM = 1_000
"""Bytes from which a page is compressed."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer of a page: the request, and the AgenTools and the clock for it."""

    request: Request
    tools: Tools
    clock: PageClock

    def may(self, scope: str) -> bool:
        """Tell whether the viewer has a scope. Buttons that need another one are left out."""
        return scope in self.tools.caller.scopes or self.tools.caller.is_admin

    async def scheduler(self, operation: str, /, **fields: Any) -> dict[str, Any]:
        """Perform an operation of the scheduler and return its data."""
        return await self.tools.scheduler(operation, **fields)

    async def history(self, job_id: str, limit: int) -> list[dict[str, Any]]:
        """Return the latest executions of a job, without results. Empty if the job is gone: pages list what may outlive it."""
        try:
            return (await self.scheduler("list_executions", job_id=job_id, limit=limit, with_results=False))["history"]
        except JobNotFound:
            return []

    async def form(self) -> dict[str, str]:
        """Return the fields of the submitted form."""
        return dict(await self.form_items())

    async def form_items(self) -> list[tuple[str, str]]:
        """Return the fields of the submitted form; a name may occur several times."""
        return await form_of(self.request)

    async def page(self, name: str, /, *, title: str, status: int = 200, **values: Any) -> Response:
        """Render a page within the common frame."""
        caller, state = self.tools.caller, self.request.app.state
        done = batches_of(state).get(self.request.query_params.get("done", ""), caller.name)
        troubles, found_at = _known_troubles(self).get(caller.name, (0, None))
        if found_at is None or self.clock.now - found_at > FRESH_FOR:
            from agentoolkit.entrypoints.dashboard.attention import find_troubles  # it imports this module

            troubles = len(await find_troubles(self))
            remember_troubles(self, troubles)
        frame = {
            "viewer": self,
            "clock": self.clock,
            "path": self.request.url.path,
            "status": await self.scheduler("status"),
            "signed_in": bool(session_of(self.request)),
            "troubles_count": troubles,
            "notice": f"{done.past} {done.items[0] if done.noun != 'scheduler' else 'the scheduler'}." if done else "",
        }
        return answer(self.request, render(name, title=title, **frame, **values), status)


def remember_troubles(viewer: Viewer, number: int) -> None:
    """Remember the viewer's number of troubles for the other pages."""
    known = _known_troubles(viewer)
    known.pop(viewer.tools.caller.name, None)
    known[viewer.tools.caller.name] = (number, viewer.clock.now)
    keep_newest(known, MAX_VIEWERS)


def _known_troubles(viewer: Viewer) -> dict[str, tuple[int, datetime]]:
    """Return the numbers of troubles by viewer, and when they were found."""
    state = viewer.request.app.state
    known: dict[str, tuple[int, datetime]] | None = getattr(state, "troubles", None)
    if known is None:
        known = state.troubles = {}
    return known


async def form_of(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a submitted form. Raises `ApiError` if there are too many."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise ApiError(422, "invalid-request", f"A form has {MAX_FIELDS:,} fields at most.", remedy="Choose fewer at once.") from error


def answer(request: Request, html: str, status: int) -> Response:
    """Return a page as a response, compressed if the browser accepts it."""
    body = html.encode()
    headers = dict(HEADERS)
    if len(body) >= _PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 4, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(body, status, headers)


def go_to(address: str) -> Response:
    """Redirect the browser to another page after an action."""
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})


async def viewer_of(request: Request) -> Viewer:
    """Return the viewer's tools and clock for a request."""
    injector: Injector = getattr(request.app.state, "injector", None) or get_injector()
    caller = caller_of(request.scope)
    zone = known_zone(request.cookies.get("agentool_zone")) if request.cookies.get("agentool_times") == "mine" else None
    tools = Tools(injector, caller.at("page"))
    return Viewer(request, tools, PageClock(injector.get("scheduler").deps.now(), zone))


Viewing = Annotated[Viewer, Depends(viewer_of)]


class PageRoute(NamingRoute):
    """A route that is guarded like the API's routes, and answers every error with a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        scope: Scope | None = (self.openapi_extra or {}).get("x-scope")

        async def guarded(request: Request) -> Response:
            try:
                if not is_admitted(request.scope):
                    rules = rules_of(request)
                    await admit(request.scope, rules)
                    request = Request(request.scope, limited(request.receive, rules.max_body))
                needs(request, scope or ("read" if request.method in ("GET", "HEAD") else "write"))
                return await shared_pages_of(request.app.state).draw(request, handle)
            except Exception as error:
                return refusal(request, error)

        return guarded


class PublicRoute(NamingRoute):
    """A route that needs no session, and answers every error with a page: else the server would log each as its own."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                return refusal(request, error)

        return answered


def refusal(request: Request, error: Exception) -> Response:
    """Return the page that tells an error. A query that was refused stands in a field, to be corrected."""
    problem = problem_of(error)
    title, query = _TITLES.get(problem.status, problem.title), request.query_params.get("q", "")
    page = render("error.html", problem=problem, title=title, path=request.url.path, query=query)
    refused = answer(request, page, problem.status)
    refused.headers.update(getattr(error, "headers", None) or {})
    return refused


def page_router(*tags: str) -> APIRouter:
    """Return a router of guarded pages."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, tags=list(tags))


async def all_of(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Await several coroutines at once, and cancel all if one fails."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
