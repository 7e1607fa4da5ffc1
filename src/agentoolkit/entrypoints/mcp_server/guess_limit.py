"""An address that guesses tokens is refused at the MCP server's door too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agentoolkit.entrypoints.guesses import TOO_MANY, Guesses


class TooManyGuesses(Exception):
    """An address has shown too many wrong tokens."""


class GuessLimit:
    """ASGI middleware that refuses an address which has shown too many wrong tokens, before the SDK looks at what it asks.

    Args:
        app: What is guarded.
        look_up: Returns whose a token is; None: nobody's.
    """

    def __init__(self, app: ASGIApp, look_up: Callable[[str], Awaitable[object | None]]) -> None:
        self._app = app
        self._look_up = look_up
        self._guesses = Guesses(TooManyGuesses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        app = self._app
        if shown.lower().startswith("bearer "):
            try:
                await self._guesses.check(scope, shown[len("bearer ") :], self._look_up)
            except TooManyGuesses as error:
                app = PlainTextResponse(TOO_MANY, 429, {"Retry-After": str(error)})
        await app(scope, receive, send)
