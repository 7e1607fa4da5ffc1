"""Check the tokens of requests over HTTP, and refuse addresses that guess tokens, and bodies that come slowly."""

from __future__ import annotations

from contextvars import ContextVar

from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agentool.caller import Caller
from agentoolkit.entrypoints.from_here import is_from_here
from agentoolkit.entrypoints.guess_limit import TOO_MANY, Guesses
from agentoolkit.entrypoints.mcp_server.host import Host
from agentoolkit.entrypoints.slow_bodies import SlowBody, in_time
from agentoolkit.wiring import Toolkit


class TooManyGuesses(Exception):
    """An address has sent too many wrong tokens."""


_found: ContextVar[AccessToken | None] = ContextVar("agentool_mcp_token", default=None)


class KeptTokens:
    """Checks tokens from `agentool token create`.

    Args:
        host: Hosts the toolkit with the tokens.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of a token; None if it is unknown, revoked or expired."""

        async def check(kit: Toolkit) -> Caller | None:
            return await kit.tokens.check(token, "mcp")

        found = await self._host.call(check)
        if found is None:
            return None
        return AccessToken(token=token, client_id=found.name, scopes=sorted(found.scopes), subject=found.name)


class FoundToken:
    """Gives the SDK the token that `GuessLimit` has checked, so that it is looked up once."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the access of this request's token; None if it is not valid."""
        found = _found.get()
        return found if found is not None and found.token == token else None


class GuessLimit:
    """ASGI middleware that refuses an address with too many wrong tokens, before the SDK reads its request.

    Args:
        app: The guarded application.
        tokens: Checks tokens.
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


class BodiesInTime:
    """ASGI middleware that refuses bodies that come slowly.

    Args:
        app: The guarded application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, in_time(receive), send)
        except SlowBody as error:
            await PlainTextResponse(str(error), 408)(scope, receive, send)


class FromHere:
    """ASGI middleware of a server without tokens, which refuses who does not come from this machine, or comes by a proxy.

    Args:
        app: The guarded application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and not is_from_here(scope):
            app = PlainTextResponse("By a proxy each request needs a token: start the server with --token.", 401)
        await app(scope, receive, send)
