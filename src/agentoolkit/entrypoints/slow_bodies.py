"""Refuse bodies that come slowly, also drop by drop: each would hold a connection for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

BODY_SECONDS = 30.0
"""Time for a body to arrive."""
BODY_PACE = 10_000
"""Bytes that give a body one more second."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""Of ASGI: returns the next part of a request."""


class SlowBody(TimeoutError):
    """The body did not come in time."""

    def __init__(self) -> None:
        super().__init__(f"The body comes too slowly: it has {BODY_SECONDS:g} s, and one more for each {BODY_PACE:,} bytes.")


def in_time(receive: Receive) -> Receive:
    """Return a `receive` that raises `SlowBody` for a body that is not whole in time."""
    deadline, is_whole = 0.0, False

    async def receive_in_time() -> MutableMapping[str, Any]:
        nonlocal deadline, is_whole
        if is_whole:
            return await receive()
        deadline = deadline or asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise SlowBody from error
        deadline += len(message.get("body", b"")) / BODY_PACE
        is_whole = not message.get("more_body", False)
        return message

    return receive_in_time
