"""Executions that a worker was sent by their ids, and what comes between their claim and its answer: they are begun by then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database.session import DatabaseError

from .stepped import Pause, Process, World, patched, some_turns, until_ended

RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}
ANSWER = "claim_executions after"


class Sent:
    """A process that leads and runs nothing, and a worker that is sent what waits in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leader, self.worker = world.add("leader"), world.add("worker")
        self.calls: Counter[str] = Counter()

    async def wait(self, *job_ids: str, **policies: Any) -> None:
        """Let an execution of each of these jobs wait."""
        await self.world.do(self.leader.service.open())
        self.leader.service.engine.dispatch.executor._concurrency = 0
        for job_id in job_ids:
            await self.world.do(self.leader.ask("schedule", job_id=job_id, schedule="now", **RUN, **policies))
        await self.world.advance(0.5)
        await self.world.do(self.worker.service.open())

    def send(self, process: Process | None = None) -> asyncio.Task[None]:
        """Send them all to the worker, in one message."""
        ids = [id_ for (id_,) in self.world.query("SELECT execution_id FROM agentool_executions ORDER BY execution_id")]
        return self.world.begin((process or self.worker).kit.scheduler.executions.run_claimed(ids))

    async def until_claimed(self) -> None:
        """Send them, and stop where the claim is committed and its answer has not come."""
        self.send()
        self.world.gate.held_points.add(ANSWER)
        await some_turns(self.world, 50)
        assert any(one.point == ANSWER for one in self.world.gate.waiting)

    async def go_on(self, seconds: float = 12.0) -> None:
        self.world.gate.held_points.clear()
        await self.world.advance(seconds)

    def let_the_leader_run(self) -> None:
        executor = self.leader.service.engine.dispatch.executor
        executor._concurrency = 10
        if executor._waiting:
            executor._admit_soon()

    def rows(self) -> list[Any]:
        return self.world.query("SELECT status, attempt FROM agentool_executions ORDER BY execution_id")

    def count_calls(self) -> None:
        def choose(number: int, pause: Pause) -> None:
            method, _, place = pause.point.partition(" ")
            if pause.process == "worker" and place == "before" and method in ("claim_executions", "begin"):
                self.calls[method] += 1

        self.world.gate.choose = choose


@pytest.fixture
async def sent(tmp_path: Path) -> AsyncIterator[Sent]:
    with patched():
        world = World(tmp_path)
        yield Sent(world)
        await world.end()


@pytest.mark.parametrize(
    ("policies", "begins"), [({}, 0), ({"overlap": "allow"}, 0), ({"on_interrupt": "fail"}, 1), ({"concurrency_key": "one"}, 3)]
)
async def test_a_portion_is_claimed_and_begun_in_one_write(sent: Sent, policies: dict[str, Any], begins: int):
    """Where there is room nothing more is written until they end; those that would be lost, or wait for a key, are begun apart."""
    await sent.wait("x", "y", "z", **policies)
    sent.count_calls()
    sent.send()
    await sent.world.settle()
    assert (sent.rows(), sent.calls["claim_executions"], sent.calls["begin"]) == ([("success", 1)] * 3, 1, begins)


async def _one_runs_after_the_other(sent: Sent, *held: str) -> None:
    """Send two executions; the second is queued while the first is held at work, and both succeed at their first attempt."""
    sent.world.gate.held_jobs |= set(held)
    sent.send()
    await some_turns(sent.world, 50)
    assert (sorted(sent.rows()), sent.world.running["worker"]) == ([("queued", 1), ("running", 1)], 1)
    sent.world.gate.held_jobs.clear()
    await sent.world.settle()
    assert sent.rows() == [("success", 1)] * 2


async def test_what_has_no_room_waits(sent: Sent):
    """A worker with room for one begins one with its claim, and the second when the first has ended."""
    await sent.wait("x", "y")
    sent.worker.service.engine.dispatch.executor._concurrency = 1
    await _one_runs_after_the_other(sent, "x", "y")


async def test_executions_of_one_job_keep_its_limit(sent: Sent):
    """Of two executions of a job that come in one message, one is at work at a time."""
    await sent.wait("x", max_instances=1)
    await sent.world.do(sent.leader.ask("start_run", job_id="x", run_key="again"))
    await _one_runs_after_the_other(sent, "x")


async def test_the_start_is_told_once(sent: Sent):
    """Who listens hears that an execution runs, and that it has succeeded, each once."""
    await sent.wait("x")
    told: list[str] = []
    sent.worker.kit.scheduler.subscribe(lambda event: told.append(event.execution.status.value))
    sent.send()
    await sent.world.settle()
    assert told == ["running", "success"]


async def test_a_message_that_comes_twice_runs_once(sent: Sent):
    """Also where the second comes before the first has been answered."""
    await sent.wait("x")
    await sent.until_claimed()
    sent.send()
    await sent.go_on()
    assert (sent.rows(), list(sent.world.starts.values())) == ([("success", 1)], [1])


async def test_a_look_for_abandoned_work_leaves_it_alone(sent: Sent):
    """It is the worker's own by then, and running, and nobody works on it yet: it is not taken for what a handler left behind."""
    await sent.wait("x")
    await sent.until_claimed()
    sent.worker.service.engine.dispatch.active.in_doubt = True
    await sent.world.clock.advance(seconds=2.0)
    await some_turns(sent.world, 50)
    await sent.go_on()
    assert (sent.rows(), list(sent.world.starts.values())) == ([("success", 1)], [1])


@pytest.mark.parametrize("by", ["leader", "worker"])
@pytest.mark.parametrize("policies", [{}, {"on_interrupt": "fail"}])
async def test_a_cancellation_before_the_answer_is_heard(sent: Sent, by: str, policies: dict[str, Any]):
    """Whoever asks for it: the execution is cancelled, and its handler is never called."""
    await sent.wait("x", **policies)
    await sent.until_claimed()
    (execution_id,) = sent.world.query("SELECT execution_id FROM agentool_executions")[0]
    asking = sent.world.begin(sent.world.processes[by].ask("cancel_execution", execution_id=execution_id, reason="no more"))
    await sent.world.clock.advance(seconds=2.0)
    await some_turns(sent.world, 80)
    await sent.go_on()
    assert asking.exception() is None
    assert (sent.rows(), sum(sent.world.starts.values())) == ([("cancelled", 1)], 0)


@pytest.mark.parametrize("end", ["stop", "close"])
async def test_a_stop_before_the_answer_gives_it_back(sent: Sent, end: str):
    """What was begun and not started is started by another process, once."""
    await sent.wait("x")
    await sent.until_claimed()
    ending = sent.world.begin(getattr(sent.worker.service, end)(1.0))
    await until_ended(sent.world, ending)
    if end == "stop":
        await sent.world.do(sent.leader.service.start())
    sent.let_the_leader_run()
    await sent.go_on(30.0)
    assert ([status for status, _ in sent.rows()], list(sent.world.starts.values())) == (["success"], [1])


@pytest.mark.parametrize(("policies", "attempt"), [({}, 2), ({"on_interrupt": "fail"}, 1)])
async def test_a_worker_that_is_killed_before_its_first_line_loses_nothing(sent: Sent, policies: dict[str, Any], attempt: int):
    """It may have begun its handler for all that is known: another attempt; one that may not be repeated was not begun yet."""
    await sent.wait("x", **policies)
    await sent.until_claimed()
    sent.world.kill("worker")
    sent.world.requests.clear()
    sent.let_the_leader_run()
    await sent.go_on(30.0)
    assert (sent.rows(), [key[1] for key in sent.world.starts]) == ([("success", attempt)], [attempt])


@pytest.mark.parametrize("policies", [{}, {"on_interrupt": "fail"}])
@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_claim_that_is_refused_or_not_answered_is_looked_for(sent: Sent, place: str, policies: dict[str, Any]):
    """Whichever: the execution runs once, at its first attempt, and its worker holds no room for it any more."""
    await sent.wait("x", **policies)
    failed: list[str] = []

    def choose(number: int, pause: Pause) -> DatabaseError | None:
        if failed or pause.point != f"claim_executions {place}":
            return None
        failed.append(pause.point)
        return DatabaseError("refused for once")

    sent.world.gate.choose = choose
    message = sent.send()
    await sent.world.settle()
    assert isinstance(message.exception(), DatabaseError)
    sent.send()
    await sent.go_on(30.0)
    executor = sent.worker.service.engine.dispatch.executor
    assert (sent.rows(), list(sent.world.starts.values())) == ([("success", 1)], [1])
    assert (executor._reserved, executor._rooms) == ({}, {})
