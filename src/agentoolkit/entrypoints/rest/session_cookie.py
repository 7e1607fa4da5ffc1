"""The cookie that keeps a session in a browser. Over HTTPS its name lets no other host of the domain set it."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "agentool_session"


def session_of(request: Request) -> str:
    """Return the secret that a browser has; empty: none."""
    return request.cookies.get(_name(request), "")


def keep_session(response: Response, request: Request, secret: str, lifetime: timedelta) -> None:
    """Let a browser keep a secret, which no script reads and no page of another site sends along with a form."""
    seconds = int(lifetime.total_seconds())
    response.set_cookie(_name(request), secret, seconds, httponly=True, samesite="lax", secure=_is_secure(request))


def forget_session(response: Response, request: Request) -> None:
    """Let a browser forget its secret."""
    response.delete_cookie(_name(request), httponly=True, samesite="lax", secure=_is_secure(request))


def forgetting(request: Request) -> dict[str, str]:
    """Return the header by which a browser forgets its secret."""
    response = Response()
    forget_session(response, request)
    return {"Set-Cookie": response.headers["set-cookie"]}


def _name(request: Request) -> str:
    return f"__Host-{COOKIE}" if _is_secure(request) else COOKIE


def _is_secure(request: Request) -> bool:
    """Did the request come by HTTPS, also to a proxy that is believed (`RestSettings.proxies`)?"""
    return request.url.scheme == "https"
