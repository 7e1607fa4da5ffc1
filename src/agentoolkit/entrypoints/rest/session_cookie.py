"""The cookie that keeps a session in a browser. Over HTTPS its name's prefix prevents other hosts of the domain from setting it."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "agentool_session"


def session_of(request: Request) -> str:
    """Return the browser's secret; empty if there is none."""
    return request.cookies.get(_name(request), "")


def keep_session(response: Response, request: Request, secret: str, lifetime: timedelta) -> None:
    """Store a secret in the browser. Scripts cannot read it, and forms of other sites do not send it."""
    seconds = int(lifetime.total_seconds())
    response.set_cookie(_name(request), secret, seconds, httponly=True, samesite="lax", secure=_is_secure(request))


def forget_session(response: Response, request: Request) -> None:
    """Remove the secret from the browser."""
    response.delete_cookie(_name(request), httponly=True, samesite="lax", secure=_is_secure(request))


def forgetting(request: Request) -> dict[str, str]:
    """Return the header that removes the secret from the browser."""
    response = Response()
    forget_session(response, request)
    return {"Set-Cookie": response.headers["set-cookie"]}


def _name(request: Request) -> str:
    return f"__Host-{COOKIE}" if _is_secure(request) else COOKIE


def _is_secure(request: Request) -> bool:
    """Tell whether the request came by HTTPS, also through a trusted proxy (`RestSettings.proxies`)."""
    return request.url.scheme == "https"
