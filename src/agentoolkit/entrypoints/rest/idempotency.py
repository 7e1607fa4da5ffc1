"""``Idempotency-Key``: a request that is sent again is answered as the first time, and does nothing a second time.

Answers are remembered for a day by this process, as many as `MAX_REMEMBERED`, and each for its caller alone.
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
    """A request that was answered, or is being answered."""

    digest: str
    at: float
    response: Response | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def answered_once(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Handle a request, unless it has a key under which it was answered already.

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
    answered = _entry(request, (caller_of(request.scope).name, given), digest)
    if answered.digest != digest:
        remedy = "Use a new key for a new request."
        raise ApiError(422, "key-reused", "A different request had this key.", field="Idempotency-Key", remedy=remedy)
    async with answered.lock:
        if answered.response is None:
            response = await handle(request)
            if response.status_code >= 500:
                return response  # it may be tried again
            answered.response = response
        return _copy(answered.response)


def _entry(request: Request, key: Key, digest: str) -> _Answered:
    """Return what is remembered under a key; the oldest, and what is older than a day, is forgotten."""
    held: OrderedDict[Key, _Answered] | None = getattr(request.app.state, "answered", None)
    if held is None:
        held = request.app.state.answered = OrderedDict[Key, _Answered]()
    now = time.monotonic()
    while held and (len(held) >= MAX_REMEMBERED or next(iter(held.values())).at < now - SECONDS):
        held.popitem(last=False)
    return held.setdefault(key, _Answered(digest, now))


def _copy(response: Response) -> Response:
    return Response(bytes(response.body), response.status_code, dict(response.headers))
