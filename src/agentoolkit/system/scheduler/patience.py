"""How long somebody waits for tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any


async def all_done(tasks: Callable[[], Iterable[asyncio.Task[Any]]], seconds: float | None = None) -> None:
    """Wait for tasks, and for those that come while it waits, for so many seconds in all at most; None: for ever."""
    clock = asyncio.get_running_loop().time
    deadline = None if seconds is None else clock() + seconds
    while unfinished := {task for task in tasks() if not task.done()}:
        left = None if deadline is None else deadline - clock()
        if left is not None and left <= 0:
            break
        await asyncio.wait(unfinished, timeout=left)
