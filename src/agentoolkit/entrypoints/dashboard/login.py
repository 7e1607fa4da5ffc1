"""``/login``: a browser, which sends no bearer token by itself, keeps one as a cookie."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response
from starlette.types import Scope

from agentoolkit.entrypoints.dashboard.page import answer, form_of, page_router
from agentoolkit.entrypoints.dashboard.rendering import render
from agentoolkit.entrypoints.rest.access import COOKIE, AccessRules, note_failure
from agentoolkit.entrypoints.rest.problems import ApiError

LOGIN = "/login"
KEPT_SECONDS = 30 * 86_400
"""How long a browser keeps a token; it may expire before."""

router = APIRouter(include_in_schema=False)
guarded = page_router("login")


@router.get(LOGIN)
async def ask_token(request: Request, next: str = "/") -> Response:
    """Ask for a token."""
    return answer(request, render("login.html", title="Sign in", following=_local(next), problem=""), 200)


@router.post(LOGIN)
async def sign_in(request: Request) -> Response:
    """Keep a token that is good, and go where its holder wanted to go."""
    given = dict(await form_of(request))
    rules: AccessRules = request.app.state.access
    token, following = given.get("token", "").strip(), _local(given.get("next", "/"))
    if rules.check_token is None or await rules.check_token(token) is None:
        note_failure(request.scope)
        problem = "The token is not known, was revoked, or has expired."
        return answer(request, render("login.html", title="Sign in", following=following, problem=problem), 401)
    signed = RedirectResponse(following, 303, headers={"Cache-Control": "no-store"})
    signed.set_cookie(COOKIE, token, KEPT_SECONDS, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return signed


@guarded.post("/logout", openapi_extra={"x-scope": "read"})
async def sign_out() -> Response:
    """Let the browser forget its token."""
    left = RedirectResponse(LOGIN, 303, headers={"Cache-Control": "no-store"})
    left.delete_cookie(COOKIE)
    return left


class SignIn:
    """What the guard of an application does for who has no token yet. See `access.Pages`."""

    def are_public(self, scope: Scope) -> bool:
        """The page that asks for a token, and what it looks like."""
        return scope["path"] == LOGIN or scope["path"].startswith("/static/")

    def refusal(self, scope: Scope, error: ApiError) -> Response | None:
        """Ask a person who wants to see a page for a token, and go on to that page then."""
        request = Request(scope)
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if error.status_code != 401 or not wants_page or scope["path"].startswith("/api/"):
            return None
        wanted = f"{scope['path']}?{request.url.query}" if request.url.query else scope["path"]
        return RedirectResponse(f"{LOGIN}?{urlencode({'next': wanted})}", 303, headers={"Cache-Control": "no-store"})


def _local(path: str) -> str:
    """Return an address of this server; its home page for any other."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
