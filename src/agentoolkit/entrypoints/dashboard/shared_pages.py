"""Pages that many keep open are drawn once for all of them: who only refreshes one may be given what was drawn a moment ago."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from agentoolkit.entrypoints.rest.access import caller_of
from agentoolkit.entrypoints.rest.session_cookie import session_of
from agentoolkit.newest import keep_newest

REFRESHES = "agentool-refresh"
"""The header by which the pages' script says that nobody asked for this page just now."""
SHARED_SECONDS = 1.0
"""How old a page may be that a refresh is given."""
MAX_SHARED = 100
"""Pages that are remembered; the newest."""


class SharedPages:
    """The pages that were drawn last."""

    def __init__(self) -> None:
        self._drawn: dict[Hashable, tuple[float, Response]] = {}

    async def draw(self, request: Request, draw: Callable[[Request], Awaitable[Response]]) -> Response:
        """Return a page: for a refresh one that was drawn a moment ago, if there is one."""
        key = _depends_on(request)
        drawn_at, drawn = self._drawn.get(key, (0.0, None))
        if drawn is not None and REFRESHES in request.headers and time.monotonic() - drawn_at < SHARED_SECONDS:
            return _copy(drawn)
        began = time.monotonic()
        drawn = await draw(request)
        if request.method == "GET" and drawn.status_code == 200 and type(drawn) is HTMLResponse:
            self._drawn.pop(key, None)
            self._drawn[key] = began, _copy(drawn)
            keep_newest(self._drawn, MAX_SHARED)
        return drawn


def shared_pages_of(state: Any) -> SharedPages:
    """Return the pages of an application."""
    pages: SharedPages | None = getattr(state, "shared_pages", None)
    if pages is None:
        pages = state.shared_pages = SharedPages()
    return pages


def _depends_on(request: Request) -> Hashable:
    """Return all that a page depends on besides what it shows: who looks at what, in whose zone, and how it is packed."""
    caller, cookies = caller_of(request.scope), request.cookies
    zone = cookies.get("agentool_zone"), cookies.get("agentool_times")
    packed = "gzip" in request.headers.get("accept-encoding", "")
    return request.method, str(request.url), caller.name, caller.scopes, bool(session_of(request)), zone, packed


def _copy(page: Response) -> Response:
    return HTMLResponse(page.body, page.status_code, page.headers)
