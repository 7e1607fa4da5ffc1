"""Whose the token of a request over HTTP is, and that an address which guesses tokens is refused here too."""

from __future__ import annotations

from contextvars import ContextVar

from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agentool.caller import Caller
from agentoolkit.entrypoints.guess_limit import TOO_MANY, Guesses
from agentoolkit.entrypoints.mcp_server.host import Host
from agentoolkit.wiring import Toolkit


class TooManyGuesses(Exception):
    """An address has shown too many wrong tokens."""


_found: ContextVar[AccessToken | None] = ContextVar("agentool_mcp_token", default=None)


class KeptTokens:
    """Knows the tokens that `agentool token create` has made.

    Args:
        host: Where the toolkit runs that keeps them.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose a token is; None if it is nobody's, or was revoked, or has expired."""

        async def check(kit: Toolkit) -> Caller | None:
            return await kit.tokens.check(token, "mcp")

        found = await self._host.call(check)
        if found is None:
            return None
        return AccessToken(token=token, client_id=found.name, scopes=sorted(found.scopes), subject=found.name)


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
