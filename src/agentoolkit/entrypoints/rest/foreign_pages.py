"""Refuse foreign hosts and origins: pages of other sites must not reach this server through a user's browser."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import SplitResult, urlsplit

from agentoolkit.entrypoints.from_here import is_loopback
from agentoolkit.entrypoints.rest.problems import ApiError

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def check_host(headers: Mapping[str, str], hosts: Collection[str]) -> None:
    """Refuse a Host that is not one of this server's: a foreign site may point its own name here."""
    host = headers.get("host", "")
    name = _parts(f"//{host}").hostname or ""
    if is_loopback(name) or host in hosts or name in hosts:
        return
    raise ApiError(421, "foreign-host", f"This server is not {host[:100]!r}.", field="Host", remedy="AGENTOOL_REST_HOSTS names its hosts.")


def check_origin(method: str, headers: Mapping[str, str], origins: Collection[str]) -> None:
    """Refuse a request from a page of another site."""
    origin = headers.get("origin")
    if origin is None:
        if method in _UNSAFE and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise _foreign_origin(headers["sec-fetch-site"])
        return
    if origin not in origins and _parts(origin).netloc != headers.get("host"):
        raise _foreign_origin(origin)


def _parts(url: str) -> SplitResult:
    """Split a URL; a malformed one has empty parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _foreign_origin(origin: str) -> ApiError:
    remedy = "AGENTOOL_REST_ORIGINS names origins whose pages may call it."
    return ApiError(403, "foreign-origin", f"Pages of {origin[:100]!r} may not call this server.", field="Origin", remedy=remedy)
