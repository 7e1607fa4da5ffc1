"""What a toolkit does that has nothing to do, and what it keeps."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from weakref import ref

import pytest

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit
from agentoolkit.wiring import Toolkit

MAX_WAKE_UPS = 15
"""A second. Each call by the clock is one, and each answer of the database's thread."""


class NoopInput(BaseOperationInput):
    operation: Literal["run"]


async def run(ctx: RunContext) -> None:
    """Do nothing."""


async def schedule(kit: TestToolkit, number: int, when: str) -> None:
    job = {"job_id": f"job-{number}", "schedule": when, "agentool_name": "noop", "input_data": {"operation": "run"}}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})


def counting(function: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(function.__name__)
        return function(*args, **kwargs)

    return counted


@pytest.mark.parametrize("jobs", [1, 50])
async def test_nothing_due_wakes_a_process_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int):
    """However many jobs wait for another day, a minute has few wake-ups, and each second as many as the one before."""
    async with toolkit(settings=Settings(timezone="UTC", database=str(tmp_path / "idle.db"))) as kit:
        create_agentool("noop", NoopInput, {"run": run}, injector=kit.injector)
        for number in range(jobs):
            await schedule(kit, number, "30 days")
        calls: list[str] = []
        monkeypatch.setattr(kit._time, "call_later", counting(kit._time.call_later, calls))
        for name in ("read", "write"):
            monkeypatch.setattr(kit.database, name, counting(getattr(kit.database, name), calls))
        for _ in range(60):
            await kit.advance(seconds=1)
    assert 0 < len(calls) <= MAX_WAKE_UPS * 60


async def test_the_length_of_histories_can_be_set():
    """Of each job's executions the newest are kept, as many as the setting says."""
    async with toolkit(settings=Settings(timezone="UTC", history=2)) as kit:
        create_agentool("noop", NoopInput, {"run": run}, injector=kit.injector)
        await schedule(kit, 1, "1 hour")
        for _ in range(4):
            await kit.advance(hours=1)
        found = await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": "job-1"})
    assert len(found.data["history"]) == 2


@pytest.mark.parametrize("freeze", [False, True])
async def test_memory_is_frozen_only_where_that_is_asked_for(freeze: bool):
    """A guest in somebody's process leaves garbage collection alone; a server leaves out of it what stays anyway."""
    gc.unfreeze()
    try:
        async with Toolkit(Settings(timezone="UTC", freeze=freeze)):
            assert (gc.get_freeze_count() > 0) == freeze
    finally:
        gc.freeze()  # the tests that follow look through none of what all tests hold


class Ring:
    """Refers to itself, so that only a collection takes it away."""

    def __init__(self) -> None:
        self.me = self


async def test_garbage_is_not_kept_by_an_opening():
    """What was garbage before a server opens is gone, not left out of collections for good."""
    gc.disable()
    try:
        garbage = ref(Ring())
        async with Toolkit(Settings(timezone="UTC", freeze=True)):
            assert garbage() is None
    finally:
        gc.enable()
        gc.freeze()


async def test_opening_is_held_up_by_one_collection():
    """It comes first; then nothing is collected: a hundred thousand alarms would be looked through several times."""
    collected: list[str] = []

    def note(phase: str, info: object) -> None:
        collected.append(phase)

    gc.callbacks.append(note)
    kit = Toolkit(Settings(timezone="UTC", freeze=True))
    try:
        collected.clear()
        async with kit:
            during = list(collected)
    finally:
        gc.callbacks.remove(note)
        gc.freeze()
    assert (during, gc.isenabled()) == (["start", "stop"], True)
