"""Work on many items in portions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 512
"""Usual size of a portion. Its items share commits and database statements."""
IN_A_TURN = 16
"""Size of a portion if other tasks share the event loop: scheduling 16 jobs keeps the loop busy for eight milliseconds."""


async def in_portions(items: Iterable[T], size: int) -> AsyncGenerator[list[T]]:
    """Yield items in lists of at most `size`. Other tasks of the event loop run between two lists."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion
        if len(portion) == size:
            await asyncio.sleep(0)


async def done_in_portions(do: Callable[[T], Awaitable[R]], items: Iterable[T], size: int) -> list[R]:
    """Call `do` with each item, `size` at once, so that a portion shares a commit. Return the answers in the items' order.

    If a call fails, the rest of its portion ends first. Then the first item's error is raised, and no further portion starts.
    """
    done: list[R] = []
    async for portion in in_portions(items, size):
        # All end first: the handler of an error may close a resource that the other calls still use.
        for answer in await asyncio.gather(*map(do, portion), return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            done.append(answer)
    return done
