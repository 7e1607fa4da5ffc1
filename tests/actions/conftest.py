"""What the tests of the actions share: a toolkit whose clock is moved, with a folder to work in, and AgenTools that note their calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.testing import TestToolkit, toolkit

START = "2030-01-01T00:00:00+00:00"
"""A Tuesday."""


class NoteInput(BaseOperationInput):
    operation: Literal["take", "fail", "wait"]
    value: Any = None


class Notes:
    """What the AgenTool ``note`` was called with, in order."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.together = 0
        self._inside = 0

    async def wait(self) -> None:
        """Take two turns of the event loop, and note how many do so at once."""
        self._inside += 1
        self.together = max(self.together, self._inside)
        for _ in range(2):
            await asyncio.sleep(0)
        self._inside -= 1


async def note_take(ctx: RunContext[Notes], value: Any = None) -> dict[str, Any]:
    """Note a value and answer with it."""
    ctx.deps.taken.append(value)
    return {"value": value, "items": [{"number": 7}], "passed": True}


async def note_wait(ctx: RunContext[Notes], value: Any = None) -> dict[str, Any]:
    """Note a value after a moment."""
    await ctx.deps.wait()
    return await note_take(ctx, value)


async def note_fail(ctx: RunContext[Notes], value: Any = None) -> dict[str, Any]:
    """Note a value and fail."""
    ctx.deps.taken.append(value)
    raise RuntimeError(f"failed on {value}")


def create_note(injector: Injector) -> Notes:
    notes = Notes()
    handlers = {"take": note_take, "fail": note_fail, "wait": note_wait}
    create_agentool("note", NoteInput, handlers, deps=notes, injector=injector)
    return notes


@pytest.fixture
async def kit() -> AsyncIterator[TestToolkit]:
    """A toolkit that stands at the beginning of Tuesday, 1 January 2030, UTC."""
    async with toolkit(at=START) as kit:
        yield kit


@pytest.fixture
def notes(kit: TestToolkit) -> Notes:
    """The AgenTool ``note`` of the toolkit."""
    return create_note(kit.injector)
