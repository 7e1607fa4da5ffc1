"""Serve the pages' static files: compressed once, and cached by browsers until they change."""

from __future__ import annotations

import gzip
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agentoolkit.entrypoints.rest.problems import ApiError

router = APIRouter(include_in_schema=False)

_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "vendor/pico.min.css": "text/css; charset=utf-8",
    "quiet.svg": "image/svg+xml",
    "trouble.svg": "image/svg+xml",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


class StaticFile(NamedTuple):
    """A static file, plain and compressed."""

    plain: bytes
    packed: bytes
    digest: str


@lru_cache
def static_file(name: str) -> StaticFile:
    """Return a file by its name below ``static``."""
    plain = files("agentoolkit.entrypoints.dashboard").joinpath("static", *name.split("/")).read_bytes()
    if name == "style.css":
        plain = plain.replace(b"vendor/pico.min.css", address_of("vendor/pico.min.css").removeprefix("/static/").encode())
    return StaticFile(plain, gzip.compress(plain, 9, mtime=0), sha256(plain).hexdigest()[:12])


def address_of(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    return f"/static/{name}?v={static_file(name).digest}"


@router.get("/static/{name:path}")
async def get_static(name: str, request: Request) -> Response:
    """Send a static file."""
    if name not in _TYPES:
        raise ApiError(404, "no-such-file", "There is no such file.")
    found = static_file(name)
    headers = {"Cache-Control": _FOR_A_YEAR, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=_TYPES[name], headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.plain, media_type=_TYPES[name], headers=headers)
