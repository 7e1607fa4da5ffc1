"""``Idempotency-Key``: a repeated request gets the first answer again and has no second effect.

This process remembers the latest answers of each caller for a day: `MAX_REMEMBERED`, and `MAX_BYTES` together. No caller's answers push
out another's, whose repeated request would then be done twice.
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
MAX_BYTES = 10_000_000
"""Bytes of the answers of one caller; the newest one is remembered whatever its size."""
MAX_KEY_LENGTH = 255
SECONDS = 86_400.0


@dataclass(slots=True)
class _Answered:
    """A request with a key, and its answer once there is one."""

    digest: str
    at: float
    response: Response | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def size(self) -> int:
        """Bytes of the answer."""
        return 0 if self.response is None else len(self.response.body)


class _Answers(OrderedDict[str, _Answered]):
    """One caller's answers by key, the oldest first."""

    size = 0
    """Bytes of the answers together. Counted as they come and go: adding up ten thousand for each request would take milliseconds."""

    def keep(self, key: str, answered: _Answered, response: Response) -> Response:
        """Remember an answer, and drop the oldest ones beyond `MAX_BYTES`."""
        kept = self.setdefault(key, answered)
        self.size -= kept.size
        kept.response = response
        self.size += kept.size
        while self.size > MAX_BYTES and len(self) > 1:
            self.drop_oldest()
        return response

    def drop_oldest(self) -> None:
        """Forget the oldest answer."""
        self.size -= self.popitem(last=False)[1].size


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
    held = _held(request)
    answered = _entry(held, given, digest)
    if answered.digest != digest:
        remedy = "Use a new key for a new request."
        raise ApiError(422, "key-reused", "A different request had this key.", field="Idempotency-Key", remedy=remedy)
    async with answered.lock:
        if answered.response is None:
            response = await handle(request)
            if response.status_code >= 500:
                return response  # not remembered: the client may try again
            if response.status_code >= 400:
                held.pop(given, None)
                return response
            answered.response = held.keep(given, answered, response)
        kept = answered.response
        return Response(bytes(kept.body), kept.status_code, dict(kept.headers))  # a copy: middleware changes headers


def _entry(held: _Answers, key: str, digest: str) -> _Answered:
    """Return the entry of a key, after dropping entries that are too many or older than a day."""
    now = time.monotonic()
    while held and (len(held) >= MAX_REMEMBERED or next(iter(held.values())).at < now - SECONDS):
        held.drop_oldest()
    return held.setdefault(key, _Answered(digest, now))


def _held(request: Request) -> _Answers:
    """Return the remembered answers of a request's caller."""
    answers: dict[str, _Answers] | None = getattr(request.app.state, "answered", None)
    if answers is None:
        answers = request.app.state.answered = dict[str, _Answers]()
    return answers.setdefault(caller_of(request.scope).name, _Answers())
