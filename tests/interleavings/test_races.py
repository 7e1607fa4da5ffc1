"""Races that were found by trying, each with its siblings: who waits at the store, and what comes meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentoolkit.database.session import DatabaseError

from .stepped import Pause, Process, World, patched, turns

RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    with patched():
        world = World(tmp_path)
        yield world
        await world.end()


async def opened(world: World, name: str) -> Process:
    process = world.add(name)
    await world.do(process.service.open())
    return process


def refuse_once(world: World, point: str, process: str = "a") -> list[str]:
    """Let the store refuse the next call of a method; return the list that tells of it."""
    refused: list[str] = []

    def choose(number: int, pause: Pause) -> DatabaseError | None:
        if refused or (pause.point, pause.process) != (f"{point} before", process):
            return None
        refused.append(point)
        return DatabaseError("refused for once")

    world.gate.choose = choose
    return refused


async def until_waiting(world: World, point: str, process: str = "a") -> None:
    """Let everybody on until somebody waits at a point, who is left there."""
    world.gate.held_points.add(point)
    while not any((one.point, one.process) == (point, process) for one in world.gate.waiting):
        await turns()
        assert world.gate.let_on() or any(one.point == point for one in world.gate.waiting), f"nobody comes to {point!r}"


# The lead


@pytest.mark.parametrize("point", ["lead before", "lead after", "upcoming before", "take_over after"])
@pytest.mark.parametrize("end", ["stop", "close"])
async def test_a_stop_during_a_slow_start_leaves_no_lead(world: World, point: str, end: str):
    """A stop or a close that comes while a start waits for the store gives the lead back, wherever it waits."""
    process = world.add("a")
    starting = world.begin(process.service.open())
    await until_waiting(world, point)
    ending = world.begin(getattr(process.service, end)(1.0))
    await turns()
    world.gate.held_points.clear()
    await world.settle()
    assert (starting.done(), ending.done(), world.leader()) == (True, True, "")


@pytest.mark.parametrize("point", ["upcoming", "changes", "cancel_requests", "take_over"])
async def test_a_start_that_fails_gives_the_lead_back(world: World, point: str):
    """Whatever refuses after the lead was taken: nobody leads who does not serve, and the next start leads."""
    process = world.add("a")
    refuse_once(world, point)
    failed = await world.do(process.service.open())
    leader = world.leader()
    await world.do(process.service.start())
    assert (type(failed.exception()), leader, world.leader()) == (DatabaseError, "", "a")


# Other processes


@pytest.mark.parametrize("point", ["execution", "finish", "acknowledge_cancel"])
async def test_a_request_to_cancel_survives_a_refusal(world: World, point: str):
    """Two executions that wait are cancelled by another process, and the store refuses once: both end, neither runs."""
    first = await opened(world, "a")
    first.service.engine.dispatch.executor._concurrency = 0
    for job_id in ("x", "y"):
        await world.do(first.ask("schedule", job_id=job_id, schedule="now", **RUN))
    await world.advance(0.5)
    second = await opened(world, "b")
    world.query("UPDATE agentool_executions SET cancel_requested = 1, cancel_reason = 'no more'")
    refused = refuse_once(world, point)
    await world.advance(2.0)
    rows = world.query("SELECT status, reason FROM agentool_executions")
    assert (refused, rows, sum(world.starts.values())) == ([point], [("cancelled", "no more")] * 2, 0)
    assert second.service.engine is not None


async def test_a_stop_by_another_process_starts_nothing_more(world: World):
    """What waits for room in the leader is given back when another process stops all, and starts when one lets it go on."""
    first = await opened(world, "a")
    first.service.engine.dispatch.executor._concurrency = 1
    world.gate.held_jobs |= {f"job{number}" for number in range(4)}
    for number in range(4):
        await world.do(first.ask("schedule", job_id=f"job{number}", schedule="now", **RUN))
    await world.advance(0.5)
    second = await opened(world, "b")
    await world.do(second.service.stop(1.0))
    await world.advance(1.0)
    world.gate.held_jobs.clear()
    await world.advance(3.0)
    stopped = sum(world.starts.values())
    await world.do(second.service.start())
    await world.advance(8.0)
    statuses = [status for (status,) in world.query("SELECT status FROM agentool_executions")]
    assert (stopped, sum(world.starts.values()), statuses) == (1, 4, ["success"] * 4)


# Callers who leave


@pytest.mark.parametrize("point", ["insert before", "insert after", "begin before", "begin after"])
async def test_a_caller_of_run_now_who_leaves_is_told_of_truly(world: World, point: str):
    """Wherever the store is when the caller leaves: the record says cancelled, and what comes after a failure starts at most once."""
    process = await opened(world, "a")
    await world.do(process.ask("schedule", job_id="job", schedule="1 hour", **RUN))
    await world.do(process.ask("schedule", job_id="next", schedule="after job failed", **RUN))
    asking = world.begin(process.ask("run_now", job_id="job"))
    await until_waiting(world, point)
    asking.cancel()
    await turns()
    world.gate.held_points.clear()
    await world.advance(12.0)
    rows = world.query("SELECT status, reason FROM agentool_executions WHERE job_id = 'job'")
    assert rows in ([], [("cancelled", "its caller went away")]), rows
    assert sum(number for (id_, _), number in world.starts.items() if id_.startswith("job")) <= 1


# Looking again


@pytest.mark.parametrize("point", ["take_over before", "take_over after"])
async def test_a_doubt_during_a_take_over_is_looked_into(world: World, point: str):
    """What comes into doubt while a look for abandoned executions is under way is looked for by the next one, soon."""
    process = await opened(world, "a")
    process.service.engine.leadership.check_soon()
    await world.clock.advance(seconds=0.5)
    await until_waiting(world, point)
    process.service.engine.leadership.check_soon()
    world.gate.held_points.clear()
    looked: list[str] = []

    def choose(number: int, pause: Pause) -> None:
        looked.append(pause.point)

    await world.settle()
    world.gate.choose = choose
    await world.advance(1.0)
    assert "take_over before" in looked


# Claims


async def test_a_late_job_is_paused_without_waiting_for_others(world: World):
    """Of two late jobs one is paused while the claim of the other waits for the store."""
    process = await opened(world, "a")
    for job_id in ("x", "y"):
        await world.do(process.ask("schedule", job_id=job_id, schedule="1 second", **RUN))
    world.gate.held_points.add("begin before")
    await world.clock.advance(seconds=1.0)
    pausing = world.begin(process.ask("pause", job_id="x"))
    for _ in range(60):
        await turns()
        world.gate.let_on()
    assert pausing.done()
    assert pausing.exception() is None
    world.gate.held_points.clear()
    await world.settle()
