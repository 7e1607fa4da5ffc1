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


async def test_a_start_behind_one_that_hangs_is_given_up_with_it(kit, monkeypatch):
    """A stop after two starts leaves neither under way."""
    life = kit.scheduler.lifecycle
    async with hanging_start(life, monkeypatch) as starting:
        again = asyncio.create_task(life.start())
        await asyncio.sleep(0)
        await life.stop(0.1)
        await asyncio.gather(starting, again)
    assert life.engine is None


async def test_a_stop_in_the_middle_of_a_restart_comes_after_its_stop(kit, monkeypatch):
    """A stop that gives up the start of a restart does not stop the engine beside the restart that stops it."""
    life, stop, may_end, stops = kit.scheduler.lifecycle, Engine.stop, asyncio.Event(), list[float]()

    async def slow(engine: Engine, seconds: float) -> None:
        stops.append(seconds)
        await may_end.wait()
        await stop(engine, seconds)

    monkeypatch.setattr(Engine, "stop", slow)
    restarting = asyncio.create_task(life.restart(1.0))
    async with asyncio.timeout(PATIENCE):
        while not stops:  # noqa: ASYNC110  the engine tells nobody
            await asyncio.sleep(0)
    stopping = asyncio.create_task(life.stop(0.02))
    await asyncio.wait({stopping}, timeout=0.3)
    meanwhile = list(stops)
    may_end.set()
    await asyncio.wait({restarting, stopping}, timeout=PATIENCE)
    assert (meanwhile, life.engine) == ([1.0], None)
