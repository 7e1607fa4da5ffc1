"""Due jobs that the claim itself begins, and what comes between that write and its answer: they are running, and nobody works on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database.session import CommitUnknown, DatabaseError

from .stepped import START, Pause, World, patched, some_turns, until_ended

RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}
ANSWER = "claim after"


class Due:
    """A process with jobs that are due in a second."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.process = world.add("a")
        self.calls: Counter[str] = Counter()
        self.starts: list[str] = []

    async def schedule(self, *job_ids: str, **more: Any) -> None:
        if not self.process.kit.database.is_open:
            await self.world.do(self.process.service.open())
        for job_id in job_ids:
            fields = {"schedule": (START + timedelta(seconds=1)).isoformat(), "misfire_grace_time": None, **RUN, **more}
            assert (await self.world.do(self.process.ask("schedule", job_id=job_id, **fields))).exception() is None

    async def until_claimed(self) -> None:
        """Let them come due, and stop where the claim is committed and its answer has not come."""
        self.world.gate.held_points.add(ANSWER)
        await self.world.clock.advance(seconds=1.0)
        await some_turns(self.world)
        assert any(one.point == ANSWER for one in self.world.gate.waiting)

    async def go_on(self, seconds: float = 12.0) -> None:
        self.world.gate.held_points.clear()
        await self.world.advance(seconds)

    def rows(self) -> list[Any]:
        return self.world.query("SELECT status, attempt FROM agentool_executions ORDER BY execution_id")

    def count_calls(self) -> None:
        def choose(number: int, pause: Pause) -> None:
            method, _, place = pause.point.partition(" ")
            self.calls[method] += place == "before"
            if method == "handler":
                self.starts.append(place)

        self.world.gate.choose = choose

    @property
    def executor(self) -> Any:
        return self.process.service.engine.dispatch.executor


@pytest.fixture
async def due(tmp_path: Path) -> AsyncIterator[Due]:
    with patched():
        world = World(tmp_path)
        yield Due(world)
        await world.end()


@pytest.mark.parametrize(
    ("policies", "begins"),
    [
        ({}, 0),
        ({"overlap": "allow"}, 0),
        ({"overlap": "cancel_running"}, 0),
        ({"on_interrupt": "fail"}, 1),
        ({"concurrency_key": "one"}, 3),
    ],
)
async def test_a_due_time_is_claimed_and_begun_in_one_write(due: Due, policies: dict[str, Any], begins: int):
    """Where there is room nothing more is written until they end; those that would be lost, or wait for a key, are begun apart."""
    await due.schedule("x", "y", "z", **policies)
    due.count_calls()
    await due.world.advance(1.0)
    assert (due.rows(), due.calls["claim"], due.calls["begin"]) == ([("success", 1)] * 3, 1, begins)


async def test_where_not_all_have_room_the_urgent_go_first(due: Due):
    """Of three that are due together, two have room: those are the urgent ones, in whatever order they came due."""
    await due.schedule("x", priority="low")
    await due.schedule("y", "z", priority="critical")
    due.executor._concurrency = 2
    due.count_calls()
    await due.world.advance(1.0)
    assert (due.rows(), due.starts[2], due.calls["begin"] > 0) == ([("success", 1)] * 3, "x", True)


async def test_what_has_no_room_waits(due: Due):
    """While another job takes all the room, what comes due is claimed, and is begun when there is room."""
    due.world.gate.held_jobs.add("w")
    await due.schedule("w")
    await due.schedule("x", schedule=(START + timedelta(seconds=2)).isoformat())
    due.executor._concurrency = 1
    for _ in range(2):
        await due.world.clock.advance(seconds=1.0)
        await some_turns(due.world)
    assert due.rows() == [("running", 1), ("queued", 1)]
    due.world.gate.held_jobs.clear()
    await due.go_on(1.0)
    assert due.rows() == [("success", 1)] * 2


async def test_the_limit_of_a_job_holds(due: Due):
    """While an execution of a job runs, the next is not begun by its claim: it waits, as its `max_instances` says."""
    due.world.gate.held_jobs.add("x")
    await due.schedule("x", schedule="1 second", max_instances=1, overlap="queue_one", max_runs=2)
    await due.world.clock.advance(seconds=1.0)
    await some_turns(due.world)
    await due.world.clock.advance(seconds=1.0)
    await some_turns(due.world)
    assert (due.rows(), due.world.running["a"]) == ([("running", 1), ("queued", 1)], 1)
    due.world.gate.held_jobs.clear()
    await due.go_on(2.0)
    assert due.rows() == [("success", 1)] * 2


async def test_the_start_is_told_once(due: Due):
    """Who listens hears that an execution runs, and that it has succeeded, each once."""
    await due.schedule("x")
    told: list[str] = []
    due.process.kit.scheduler.subscribe(lambda event: told.append(event.execution.status.value))
    await due.world.advance(1.0)
    assert told == ["running", "success"]


async def test_a_look_for_abandoned_work_leaves_it_alone(due: Due):
    """It is running, and ours, and nobody works on it yet: it is not taken for what a handler left behind."""
    await due.schedule("x")
    await due.until_claimed()
    due.process.service.engine.dispatch.active.in_doubt = True
    await due.world.clock.advance(seconds=6.0)
    await some_turns(due.world)
    await due.go_on()
    assert (due.rows(), list(due.world.starts.values())) == ([("success", 1)], [1])


@pytest.mark.parametrize("policies", [{}, {"on_interrupt": "fail"}])
@pytest.mark.parametrize("by", ["a", "b"])
async def test_a_cancellation_before_the_answer_is_heard(due: Due, by: str, policies: dict[str, Any]):
    """Whoever asks for it: the execution is cancelled, and its handler is never called."""
    await due.schedule("x", **policies)
    await due.world.do(due.world.add("b").service.open())
    await due.until_claimed()
    (execution_id,) = due.world.query("SELECT execution_id FROM agentool_executions")[0]
    asking = due.world.begin(due.world.processes[by].ask("cancel_execution", execution_id=execution_id))
    await due.world.clock.advance(seconds=2.0)
    await some_turns(due.world, 100)
    await due.go_on()
    assert asking.exception() is None
    assert (due.rows(), sum(due.world.starts.values())) == ([("cancelled", 1)], 0)


@pytest.mark.parametrize(("policies", "row"), [({}, ("success", 1)), ({"on_interrupt": "fail"}, ("cancelled", 1))])
async def test_a_job_that_is_cancelled_before_the_answer_tells_what_runs(due: Due, policies: dict[str, Any], row: Any):
    """What its claim has begun runs to its end, as all that runs, and whoever cancels the job is told so; what waits is cancelled."""
    await due.schedule("x", **policies)
    await due.until_claimed()
    asking = due.world.begin(due.process.ask("cancel", job_id="x"))
    await some_turns(due.world, 100)
    await due.go_on()
    assert (due.rows(), len(asking.result()["running"])) == ([row], int(row[0] == "success"))


@pytest.mark.parametrize("end", ["stop", "close"])
async def test_a_stop_before_the_answer_gives_it_back(due: Due, end: str):
    """What was begun and not started is started by the next process, once."""
    await due.schedule("x")
    await due.until_claimed()
    ending = due.world.begin(getattr(due.process.service, end)(1.0))
    await until_ended(due.world, ending)
    other = due.world.add("b")
    await due.world.do(other.service.open())
    if end == "stop":
        await due.world.do(other.service.start())
    await due.go_on(30.0)
    assert ([status for status, _ in due.rows()], list(due.world.starts.values())) == (["success"], [1])


@pytest.mark.parametrize(("policies", "attempt"), [({}, 2), ({"on_interrupt": "fail"}, 1)])
async def test_a_process_that_is_killed_before_its_first_line_loses_nothing(due: Due, policies: dict[str, Any], attempt: int):
    """It may have begun its handler for all that is known: another attempt; one that may not be repeated was not begun yet."""
    await due.schedule("x", **policies)
    await due.until_claimed()
    due.world.kill("a")
    due.world.requests.clear()
    await due.world.do(due.world.add("b").service.open())
    await due.go_on(30.0)
    assert (due.rows(), [key[1] for key in due.world.starts]) == ([("success", attempt)], [attempt])


@pytest.mark.parametrize("policies", [{}, {"on_interrupt": "fail"}])
@pytest.mark.parametrize("looks_fail", [0, 2])
@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_claim_that_is_refused_or_not_answered_is_looked_for(due: Due, place: str, looks_fail: int, policies: dict[str, Any]):
    """Whichever, and however long the store is away then: it runs once, at its first attempt, and no room is held for it any more."""
    await due.schedule("x", **policies)
    failed: Counter[str] = Counter()
    wanted = {f"claim {place}": 1, "executions_by_id before": looks_fail}

    def choose(number: int, pause: Pause) -> DatabaseError | None:
        if failed[pause.point] >= wanted.get(pause.point, 0):
            return None
        failed[pause.point] += 1
        return CommitUnknown("nobody knows")

    due.world.gate.choose = choose
    await due.world.advance(15.0)
    assert failed == Counter({point: number for point, number in wanted.items() if number})
    assert (due.rows(), list(due.world.starts.values())) == ([("success", 1)], [1])
    assert (due.executor._reserved, due.executor._rooms) == ({}, {})


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE agentool_jobs SET definition = '{', revision = revision + 1000 WHERE job_id = ?",
        "DELETE FROM agentool_jobs WHERE job_id = ?",
        "UPDATE agentool_executions SET attempts = '{' WHERE job_id = ?",
    ],
    ids=["job", "no job", "record"],
)
async def test_what_cannot_be_read_holds_up_no_other(due: Due, damage: str):
    """Of a claim whose answer was lost, what is damaged ends by itself: the others run, and no room is held for any of them.

    Whether it is cancelled or lost says who came first: who looks for the claim, or who looks for what nobody works on.
    """
    await due.schedule("x", "y", "z")
    lost: list[Pause] = []

    def choose(number: int, pause: Pause) -> DatabaseError | None:
        if pause.point != ANSWER or lost:
            return None
        lost.append(pause)
        due.world.query(damage, "y")
        return CommitUnknown("nobody knows")

    due.world.gate.choose = choose
    await due.world.advance(15.0)
    x, y, z = due.rows()
    assert (len(lost), x, y[0] in ("cancelled", "lost"), z) == (1, ("success", 1), True, ("success", 1))
    assert (due.executor._reserved, due.executor._rooms, due.process.service.engine.claiming._unanswered) == ({}, {}, [])


async def test_a_store_that_stays_away_lets_the_scheduler_stop(due: Due):
    """Whoever looks for a claim whose answer was lost gives up at a stop; the next process runs it."""
    await due.schedule("x")
    due.world.gate.choose = lambda number, pause: (
        CommitUnknown("nobody knows") if pause.point in ("claim after", "executions_by_id before") else None
    )
    await due.world.clock.advance(seconds=1.0)
    await some_turns(due.world)
    await due.world.do(due.process.service.close())
    due.world.gate.choose = lambda number, pause: None
    await due.world.do(due.world.add("b").service.open())
    await due.go_on(30.0)
    assert ([status for status, _ in due.rows()], list(due.world.starts.values())) == (["success"], [1])


async def test_a_tool_that_is_gone_meanwhile_is_waited_for(due: Due):
    """What was begun and cannot start is given back, and starts when its AgenTool is there again."""
    await due.schedule("x")
    await due.until_claimed()
    injector = due.process.kit.injector
    tool = injector.get("work")
    injector.unregister("work")
    due.world.gate.held_points.clear()
    await some_turns(due.world)
    assert [status for status, _ in due.rows()] == ["queued"]
    injector.register(tool)
    await due.go_on(60.0)
    assert ([status for status, _ in due.rows()], list(due.world.starts.values())) == (["success"], [1])
