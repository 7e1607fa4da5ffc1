"""Guard the API: refuse foreign pages, bound bodies, and find the caller by a bearer token.

On a loopback address no token is needed: a local user can run programs here anyway. On any other address, and by a proxy,
each request needs a token. A page of another site must not reach the API through a user's browser, so a foreign Host or Origin is
refused on loopback too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentool.caller import Caller
from agentool.caller import Scope as CallerScope
from agentoolkit.entrypoints.from_here import is_from_here
from agentoolkit.entrypoints.guess_limit import TOO_MANY, Guesses
from agentoolkit.entrypoints.rest.foreign_pages import check_host, check_origin
from agentoolkit.entrypoints.rest.problems import ApiError, problem_response
from agentoolkit.entrypoints.rest.session_cookie import forgetting, session_of
from agentoolkit.entrypoints.slow_bodies import SlowBody, in_time
from agentoolkit.sessions import Sessions

MAX_BODY = 2_000_000
"""Bytes of a request's body, unless set otherwise."""
MAX_PUBLIC_BODY = 10_000
"""Bytes of the body of a request that needs no token, such as the login."""
LOCAL = Caller("local", door="rest")
"""The caller on a loopback address without a token."""
_STATE = "agentool_caller"

CheckToken = Callable[[str], Awaitable[Caller | None]]
"""Returns the caller of a token; None if the token is not valid."""


def too_many_guesses(wait: int) -> ApiError:
    """Return the refusal of an address that has sent too many wrong tokens."""
    return ApiError(429, "too-many-failures", TOO_MANY, headers={"Retry-After": str(wait)}, remedy=f"Come again in {wait} s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """How an application is guarded."""

    hosts: Collection[str] = ()
    """Host names that it answers to, besides loopback ones; with or without a port."""
    origins: Collection[str] = ()
    """Origins whose pages may call it, besides its own."""
    token_needed: bool = True
    """False only on a loopback address, and then for requests from this machine: those by a proxy need one too."""
    check_token: CheckToken | None = None
    sessions: Sessions | None = None
    """Sessions of people who sign in to the pages; None: nobody can sign in."""
    guesses: Guesses = field(default_factory=lambda: Guesses(too_many_guesses), compare=False)
    max_body: int = MAX_BODY


class Access:
    """ASGI middleware that admits the requests that the rules allow, and notes their callers."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        pages: Pages | None = getattr(scope["app"].state, "pages", None)
        rules = self._rules
        try:
            if pages is not None and pages.are_public(scope):
                rules = replace(rules, max_body=min(rules.max_body, MAX_PUBLIC_BODY))
                check_source(Request(scope), rules)
            else:
                await admit(scope, rules)
        except ApiError as error:
            refused = pages.refusal(scope, error) if pages is not None else None
            await (refused or problem_response(error))(scope, receive, send)
            return
        await self._app(scope, limited(receive, rules.max_body), send)


class Pages(Protocol):
    """What the dashboard's pages need from the guard."""

    def are_public(self, scope: Scope) -> bool:
        """Tell whether a path can be requested without a token, such as the login."""
        ...

    def refusal(self, scope: Scope, error: ApiError) -> Response | None:
        """Return a page as the answer to a refused request; None: answer with a problem."""
        ...


async def admit(scope: Scope, rules: AccessRules) -> None:
    """Check a request and note its caller.

    Raises:
        ApiError: The request is refused.
    """
    request = Request(scope)
    check_source(request, rules)
    scope.setdefault("state", {})[_STATE] = await _caller(request, rules)


def check_source(request: Request, rules: AccessRules) -> None:
    """Refuse a request from a foreign page, to a foreign host, or with a too large body. Raises `ApiError`."""
    check_host(request.headers, rules.hosts)
    check_origin(request.method, request.headers, rules.origins)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > rules.max_body:
        raise too_large(rules.max_body)


def too_large(most: int) -> ApiError:
    """Return the refusal of a body that is too large."""
    return ApiError(413, "body-too-large", f"A body may have {most:,} bytes at most.", field="body", remedy="Send it in parts.")


def limited(receive: Receive, most: int) -> Receive:
    """Return a `receive` that refuses a body of more bytes, and a body that comes slowly."""
    size, timed = 0, in_time(receive)

    async def limited_receive() -> Message:
        nonlocal size
        try:
            message = await timed()
        except SlowBody as error:
            raise ApiError(408, "body-too-slow", str(error), remedy="Send it again.") from error
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > most:
                raise too_large(most)
        return message

    return limited_receive


async def _caller(request: Request, rules: AccessRules) -> Caller:
    """Return the caller of a request's bearer token, or of a browser's session."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    session = session_of(request)
    if scheme.lower() == "bearer":  # other schemes are for a proxy that asks for a password
        caller = await rules.guesses.check(request.scope, token.strip(), rules.check_token) if rules.check_token else None
        return caller or _refuse("The token is not known, was revoked, or has expired.")
    if not rules.token_needed and is_from_here(request.scope):
        return LOCAL
    if not session:
        return _refuse("This server needs a token.")
    caller = await rules.guesses.check(request.scope, session, rules.sessions.check) if rules.sessions else None
    return caller or _refuse("The session is over: sign in again.", forgetting(request))


def _refuse(detail: str, headers: Mapping[str, str] | None = None) -> NoReturn:
    remedy = "Send 'Authorization: Bearer TOKEN'; `agentool token create` makes one."
    raise ApiError(401, "no-token", detail, remedy=remedy, headers={"WWW-Authenticate": 'Bearer realm="agentool"', **(headers or {})})


def caller_of(scope: MutableMapping[str, Any]) -> Caller:
    """Return the caller of an admitted request. Raises `ApiError` if it was not admitted."""
    caller = scope.get("state", {}).get(_STATE)
    if caller is None:
        _refuse("The request was not admitted.")
    return caller


def is_admitted(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether a request was admitted already."""
    return _STATE in scope.get("state", {})


def needs(request: Request, scope: CallerScope) -> None:
    """Refuse a caller who does not have a scope. Raises `ApiError`."""
    caller = caller_of(request.scope)
    if not caller.may(scope):
        have = ", ".join(sorted(caller.scopes)) or "none"
        remedy = f"Use a token with the scope {scope!r}; this one has: {have}."
        raise ApiError(403, "scope-missing", f"This needs the scope {scope!r}.", field="Authorization", remedy=remedy)
