"""Share rendered pages: an automatic refresh may get a page that was rendered up to a second ago."""

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
"""Header that the pages' script sends with an automatic refresh."""
SHARED_SECONDS = 1.0
"""Age up to which a page is shared."""
MAX_SHARED = 100
"""Newest pages that are remembered."""


class SharedPages:
    """The pages that were rendered last."""

    def __init__(self) -> None:
        self._drawn: dict[Hashable, tuple[float, Response]] = {}

    async def draw(self, request: Request, draw: Callable[[Request], Awaitable[Response]]) -> Response:
        """Render a page, or return a recent one for an automatic refresh."""
        caller, cookies, headers = caller_of(request.scope), request.cookies, request.headers
        viewer = caller.name, caller.scopes, bool(session_of(request)), cookies.get("agentool_zone"), cookies.get("agentool_times")
        key = request.method, str(request.url), *viewer, "gzip" in headers.get("accept-encoding", "")  # what a page's text depends on
        drawn_at, drawn = self._drawn.get(key, (0.0, None))
        if drawn is not None and REFRESHES in headers and time.monotonic() - drawn_at < SHARED_SECONDS:
            return _copy(drawn)
        began = time.monotonic()
        drawn = await draw(request)
        if request.method == "GET" and drawn.status_code == 200 and type(drawn) is HTMLResponse:
            self._drawn.pop(key, None)
            self._drawn[key] = began, _copy(drawn)
            keep_newest(self._drawn, MAX_SHARED)
        return drawn


def shared_pages_of(state: Any) -> SharedPages:
    """Return an application's shared pages."""
    pages: SharedPages | None = getattr(state, "shared_pages", None)
    if pages is None:
        pages = state.shared_pages = SharedPages()
    return pages


def _copy(page: Response) -> Response:
    return HTMLResponse(page.body, page.status_code, page.headers)
