"""An address that guesses tokens is refused at the MCP server's door too."""

from __future__ import annotations

from contextvars import ContextVar

from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agentoolkit.entrypoints.guess_limit import TOO_MANY, Guesses


class TooManyGuesses(Exception):
    """An address has shown too many wrong tokens."""


_found: ContextVar[AccessToken | None] = ContextVar("agentool_mcp_token", default=None)


class FoundToken:
    """Gives the SDK what `GuessLimit` has found of the request's token: it is looked up once."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose the token of this request is; None if it is nobody's."""
        found = _found.get()
        return found if found is not None and found.token == token else None


class GuessLimit:
    """ASGI middleware that refuses an address which has shown too many wrong tokens, before the SDK looks at what it asks.

    Args:
        app: What is guarded.
        tokens: Knows whose a token is.
    """

    def __init__(self, app: ASGIApp, tokens: TokenVerifier) -> None:
        self._app = app
        self._tokens = tokens
        self._guesses = Guesses(TooManyGuesses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        app, found = self._app, None
        if shown.lower().startswith("bearer "):
            try:
                found = await self._guesses.check(scope, shown[len("bearer ") :], self._tokens.verify_token)
            except TooManyGuesses as error:
                app = PlainTextResponse(TOO_MANY, 429, {"Retry-After": str(error)})
        _found.set(found)
        await app(scope, receive, send)
