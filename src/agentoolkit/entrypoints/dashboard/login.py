"""``/login`` and ``/logout``: begin and end a session, which a browser keeps as a cookie instead of a bearer token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Scope

from agentoolkit.entrypoints.dashboard.page import PublicRoute, answer, form_of, go_to
from agentoolkit.entrypoints.dashboard.rendering import render
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.session_cookie import forget_session, keep_session, session_of

LOGIN = "/login"
LOGOUT = "/logout"

router = APIRouter(route_class=PublicRoute, include_in_schema=False)
"""Routes that need no session. `access.Access` still checks the source of each request."""


@router.get(LOGIN)
async def ask_token(request: Request, next: str = "/") -> Response:
    """Ask for a token."""
    return _login_page(request, _local(next))


@router.post(LOGIN)
async def sign_in(request: Request) -> Response:
    """Begin a session for a valid token, and go to the requested page."""
    given = dict(await form_of(request))
    rules: AccessRules = request.app.state.access
    following, sessions = _local(given.get("next", "/")), rules.sessions
    if sessions is None:
        return _login_page(request, following, "Nobody can sign in here: the server keeps no sessions.", 403)
    try:
        secret = await rules.guesses.check(request.scope, given.get("token", "").strip(), sessions.begin)
    except ApiError as error:
        return _login_page(request, following, error.problem.detail, error.status_code, error.headers)
    if secret is None:
        return _login_page(request, following, "The token is not known, was revoked, or has expired.", 401)
    redirect = go_to(following)
    keep_session(redirect, request, secret, sessions.lifetime)
    return redirect


@router.post(LOGOUT)
async def sign_out(request: Request) -> Response:
    """End the session and remove its cookie, also if it has ended already."""
    rules: AccessRules = request.app.state.access
    if rules.sessions is not None:
        await rules.sessions.end(session_of(request))
    redirect = go_to(LOGIN)
    forget_session(redirect, request)
    return redirect


def _login_page(
    request: Request, following: str, problem: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    page = answer(request, render("login.html", title="Sign in", following=following, problem=problem), status)
    page.headers.update(headers or {})
    return page


class SignIn:
    """The dashboard's part in the guard of an application. See `access.Pages`."""

    def are_public(self, scope: Scope) -> bool:
        """Tell whether a path is the login, the logout or a static file."""
        return scope["path"] in (LOGIN, LOGOUT) or scope["path"].startswith("/static/")

    def refusal(self, scope: Scope, error: ApiError) -> Response | None:
        """Redirect a browser without a session to the login, which returns to the requested page."""
        request = Request(scope)
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if error.status_code != 401 or not wants_page or scope["path"].startswith("/api/"):
            return None
        wanted = f"{scope['path']}?{request.url.query}" if request.url.query else scope["path"]
        asking = go_to(f"{LOGIN}?{urlencode({'next': wanted})}")
        asking.headers.update({name: value for name, value in (error.headers or {}).items() if name == "Set-Cookie"})
        return asking


def _local(path: str) -> str:
    """Return a path of this server unchanged, and the home page for any other address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
