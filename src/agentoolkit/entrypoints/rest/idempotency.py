"""``Idempotency-Key``: a repeated request gets the first answer again and has no second effect.

This process remembers the latest `MAX_REMEMBERED` answers for a day, each for its caller only.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request
from starlette.responses import Response

from agentoolkit.entrypoints.rest.access import caller_of
from agentoolkit.entrypoints.rest.problems import ApiError

MAX_REMEMBERED = 10_000
MAX_KEY_LENGTH = 255
SECONDS = 86_400.0

Key = tuple[str, str]


@dataclass(slots=True)
class _Answered:
    """A request with a key, and its answer once there is one."""

    digest: str
    at: float
    response: Response | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def answered_once(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Handle a request, or return the remembered answer for its key. A refused request frees its key, because it did nothing.

    Raises:
        ApiError: The key belongs to a different request.
    """
    given = request.headers.get("idempotency-key")
    if given is None or request.method != "POST":
        return await handle(request)
    if not 0 < len(given) <= MAX_KEY_LENGTH:
        problem = f"A key has 1 to {MAX_KEY_LENGTH} characters."
        raise ApiError(422, "invalid-key", problem, field="Idempotency-Key", remedy="Send a UUID.")
    body = await request.body()
    digest = hashlib.sha256(b"\0".join((request.url.path.encode(), request.url.query.encode(), body))).hexdigest()
    key = caller_of(request.scope).name, given
    answered = _entry(request, key, digest)
    if answered.digest != digest:
        remedy = "Use a new key for a new request."
        raise ApiError(422, "key-reused", "A different request had this key.", field="Idempotency-Key", remedy=remedy)
    async with answered.lock:
        if answered.response is None:
            response = await handle(request)
            if response.status_code >= 500:
                return response  # not remembered: the client may try again
            if response.status_code >= 400:
                _held(request).pop(key, None)
                return response
            answered.response = _held(request).setdefault(key, answered).response = response
        kept = answered.response
        return Response(bytes(kept.body), kept.status_code, dict(kept.headers))  # a copy: middleware changes headers


def _entry(request: Request, key: Key, digest: str) -> _Answered:
    """Return the entry of a key, after dropping entries that are too many or older than a day."""
    held = _held(request)
    now = time.monotonic()
    while held and (len(held) >= MAX_REMEMBERED or next(iter(held.values())).at < now - SECONDS):
        held.popitem(last=False)
    return held.setdefault(key, _Answered(digest, now))


def _held(request: Request) -> OrderedDict[Key, _Answered]:
    """Return the remembered answers of this application."""
    held: OrderedDict[Key, _Answered] | None = getattr(request.app.state, "answered", None)
    if held is None:
        held = request.app.state.answered = OrderedDict[Key, _Answered]()
    return held
