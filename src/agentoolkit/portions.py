"""Work on many things, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 512
"""Things that are worked on together, unless somebody says otherwise: they share the commits and the statements of the database."""
IN_A_TURN = 16
"""Things that are worked on together where others share the event loop: to schedule as many jobs keeps it for eight milliseconds."""


async def in_portions(items: Iterable[T], size: int) -> AsyncGenerator[list[T]]:
    """Yield items in lists of at most `size`; between two of them others on the event loop have their turn."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion
        if len(portion) == size:
            await asyncio.sleep(0)


async def done_in_portions(do: Callable[[T], Awaitable[R]], items: Iterable[T], size: int) -> list[R]:
    """Do something with each item, `size` at once, so that those of a portion share a commit. Return the answers in their order.

    Of a portion in which something fails all ends first; then the failure of its first item is raised, and no further portion begins.
    """
    done: list[R] = []
    async for portion in in_portions(items, size):
        # Whoever is told of a failure may close what the others still work on.
        for answer in await asyncio.gather(*map(do, portion), return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            done.append(answer)
    return done
