"""A start that hangs, as on a store that does not answer, holds up what is asked for after it no longer than that may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from agentoolkit.system.scheduler.engine.engine import Engine
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle

PATIENCE = 20.0
"""Seconds of real time after which a test gives up waiting: a start that hangs is never done."""


@asynccontextmanager
async def hanging_start(lifecycle: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[asyncio.Task[None]]:
    """Yield the task of a caller whose start hangs. Starts that begin after it do not."""
    hangs = asyncio.Event()

    async def never(engine: Engine) -> None:
        monkeypatch.undo()
        hangs.set()
        await asyncio.Event().wait()

    await lifecycle.stop()
    monkeypatch.setattr(Engine, "start", never)
    starting = asyncio.create_task(lifecycle.start())
    await hangs.wait()
    try:
        async with asyncio.timeout(PATIENCE):
            yield starting
    finally:
        starting.cancel()


async def test_stop_gives_up_a_start_that_hangs(kit, monkeypatch):
    """stop ends though the start under way does not, and the scheduler does not run."""
    life = kit.scheduler.lifecycle
    async with hanging_start(life, monkeypatch):
        await life.stop(0.1)
    assert life.engine is None


async def test_restart_gives_up_a_start_that_hangs(kit, scheduler, probe, monkeypatch):
    """restart ends though the start under way does not, and what is due fires afterwards."""
    life = kit.scheduler.lifecycle
    async with hanging_start(life, monkeypatch):
        await life.restart(0.1)
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["success"]


async def test_a_start_right_after_a_stop_leaves_the_stop_its_patience(kit, monkeypatch):
    """A stop gives up a start that hangs, also if the next start is asked for before the stop has begun."""
    life = kit.scheduler.lifecycle
    async with hanging_start(life, monkeypatch):
        await asyncio.gather(life.stop(0.1), life.start())
    assert life.engine is not None
