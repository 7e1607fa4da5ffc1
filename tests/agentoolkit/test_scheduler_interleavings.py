"""Deadlines, cancellations, stops and limits that meet: each fault was found by trying, and is a kind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest
from pydantic import BaseModel, model_serializer

from agentoolkit.system.scheduler import ExecutionFailed
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Work
from agentoolkit.system.scheduler.stores.sql.leader_lease_and_owners import Ownership
from agentoolkit.testing import ManualTime

RUN = {"agentool_name": "probe", "input_data": {"operation": "run"}}
PATIENCE = 5.0


async def until(holds):
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0)


# Deadlines


@pytest.mark.parametrize(
    ("timeouts", "starts"),
    [((100, 90, 80), (1, 91, 171)), ((10, 10, 5), (0, 4, 6)), ((300, 1, 299), (0, 250, 260)), ((5, 50, 7), (0, 1, 2))],
)
async def test_each_deadline_is_kept(timeouts, starts):
    """However timeouts follow each other, each handler is told at its own instant, and not when a later one's is due."""
    clock, told = ManualTime("2030-01-01T00:00:00+00:00"), {}
    table = ActiveExecutions(clock, lambda active: told.setdefault(active.execution.execution_id, clock.monotonic()))
    at = 0
    for number, (timeout, start) in enumerate(zip(timeouts, starts, strict=True)):
        await clock.advance(seconds=start - at)
        at = start
        execution = Execution(str(number), "job", "probe", clock.now())
        active = ActiveExecution(Work("probe", {}), execution, timeout)
        table[execution.execution_id] = active
        table.watch(active)
    await clock.advance(seconds=1_000)
    assert told == {str(number): start + timeout for number, (timeout, start) in enumerate(zip(timeouts, starts, strict=True))}


async def test_a_zombie_keeps_no_caller(kit, scheduler, probe, monkeypatch):
    """run_now of a handler that ignores its cancellation fails when it is given up, as its record says."""
    may_end = asyncio.Event()

    async def stubborn(**given):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(probe, "run", stubborn)
    running = scheduler.begin("run_now", job_id="label", timeout=1, **RUN)
    await kit.advance(seconds=60)
    ended = running.done()
    may_end.set()
    await asyncio.wait({running})
    (record,) = await scheduler.history("label")
    assert (ended, record["status"], isinstance(running.exception(), ExecutionFailed)) == (True, "failed", True)


# Who a process is


@pytest.mark.parametrize("other", ["host", "boot", "namespace"])
def test_a_pid_means_something_only_where_it_counts(other):
    """A pid that is not there tells that a process has ended only on the same host, since the same boot, in the same namespace."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ownership = Ownership(ManualTime("2030-01-01T00:00:00+00:00"))
    host, _, where = ownership.place.partition(" ")
    boot, _, namespace = where.partition(".")
    places = {"host": f"x{host} {where}", "boot": f"{host} x{boot}.{namespace}", "namespace": f"{host} {boot}.{namespace}1"}
    assert ownership._has_ended(ownership.place, ended.pid, 0, 0)
    assert not ownership._has_ended(places[other], ended.pid, 0, 0)


# A handler's own doing


@pytest.mark.parametrize("own", ["cancels its task", "CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"])
async def test_what_a_handler_does_to_itself_is_its_failure(kit, scheduler, probe, monkeypatch, own):
    """Whatever a handler raises, or does to its own task, is a failure of that attempt, and is not tried again unasked."""
    calls = []

    async def ends_itself(**given):
        calls.append(1)
        if own == "cancels its task":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        raise {"CancelledError": asyncio.CancelledError, "GeneratorExit": GeneratorExit, "KeyboardInterrupt": KeyboardInterrupt}.get(
            own, SystemExit
        )

    monkeypatch.setattr(probe, "run", ends_itself)
    await scheduler.add("now", job_id="job")
    await kit.advance(minutes=1)
    assert (await scheduler.statuses("job"), len(calls)) == (["failed"], 1)


async def test_a_job_that_runs_itself_is_told_so(kit, scheduler, probe, monkeypatch):
    """A handler that asks for its own job by run_now, and waits, is refused at once."""

    async def again(**given):
        await scheduler("run_now", job_id="job")

    await scheduler.add("now", job_id="job")
    monkeypatch.setattr(probe, "run", again)
    await kit.advance()
    (record,) = await scheduler.history("job")
    assert (record["status"], "would wait for itself" in record["error"]["message"]) == ("failed", True)


async def test_a_job_without_a_key_holds_no_key(kit, scheduler, probe, monkeypatch):
    """A concurrency key that is called "None" is a key like any other: a job without one may wait for it."""
    outer = []

    async def once(**given):
        if not outer:
            outer.append(1)
            await scheduler("run_now", job_id="inner")

    await scheduler.add("1 hour", job_id="inner", concurrency_key="None")
    await scheduler.add("now", job_id="outer")
    monkeypatch.setattr(probe, "run", once)
    await kit.advance()
    assert await scheduler.statuses("outer") == ["success"]


async def test_jobs_that_run_each_other_in_a_circle_are_told_so(kit, scheduler, probe, monkeypatch):
    """Also where one job lies between, and where it is the concurrency key that both hold."""
    asked = []

    async def next_one(**given):
        asked.append(1)
        await scheduler("run_now", job_id="b" if len(asked) == 1 else "a")

    for job_id in ("a", "b"):
        await scheduler.add("1 hour", job_id=job_id)
    monkeypatch.setattr(probe, "run", next_one)
    with pytest.raises(ExecutionFailed):
        await scheduler("run_now", job_id="a")
    assert len(asked) == 2


async def test_foreign_code_while_recording_is_survived(kit, scheduler, probe):
    """An error whose attributes raise is recorded as a failure all the same."""

    class Odd(Exception):
        @property
        def retry_after(self):
            raise RuntimeError("no")

        def __str__(self):
            raise RuntimeError("no text")

    probe.raises = Odd()
    await scheduler.add("now", job_id="job", max_retries=1)
    await kit.advance(minutes=5)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["failed"], 2)


async def test_a_result_that_raises_when_it_is_read_is_a_failure(kit, scheduler, probe):
    """What a handler returned is read by our code, and raises there: the attempt has failed."""

    class Odd(BaseModel):
        a: int = 1

        @model_serializer
        def read(self) -> dict[str, int]:
            raise ZeroDivisionError

    probe.returns = Odd()
    await scheduler.add("now", job_id="job")
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["failed"]


# Cancelling


async def test_what_is_cancelled_while_its_retry_is_written_ends(kit, scheduler, probe, monkeypatch):
    """A cancellation that is answered while a retry is being written is not forgotten."""
    retry = kit.scheduler.store.retry

    async def cancelled_meanwhile(execution, *more):
        answer = await retry(execution, *more)
        assert kit.scheduler.lifecycle.engine.dispatch.cancelling.cancel(execution.execution_id, "no more")
        return answer

    monkeypatch.setattr(kit.scheduler.store, "retry", cancelled_meanwhile)
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=3)
    await kit.advance(hours=1)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["cancelled"], 1)


async def test_cancel_running_spares_a_callers_run(kit, scheduler, probe):
    """A due time does not cancel what somebody asked for by run_now and waits for."""
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running")
    probe.blocks()
    running = scheduler.begin("run_now", job_id="job")
    await kit.advance(minutes=1)
    probe.may_end.set()
    assert (await running)["result"] == "done"


async def test_cancel_running_leaves_room_for_max_instances(kit, scheduler, probe):
    """Three may run at once: only the fourth due time cancels one, the oldest."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", max_instances=3, timeout=3600)
    await kit.advance(minutes=3)
    three = (probe.running, await scheduler.statuses("job"))
    await kit.advance(minutes=1)
    assert three == (3, ["running"] * 3)
    assert await scheduler.statuses("job") == ["cancelled", "running", "running", "running"]


# Limits by name


async def test_an_execution_that_began_under_another_policy_holds_its_room(kit, scheduler, probe):
    """After a change from skip to queue_one the next due time waits for the one that runs."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", timeout=3600)
    await kit.advance(minutes=1)
    await scheduler("update", job_id="job", overlap="queue_one")
    await kit.advance(minutes=1)
    assert (probe.running, await scheduler.statuses("job")) == (1, ["running", "queued"])


async def test_run_now_waits_for_its_concurrency_key(kit, scheduler, probe):
    """Executions that share a key run one at a time, whoever asked for them."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="a", concurrency_key="one")
    await scheduler.add("1 hour", job_id="b", concurrency_key="one")
    await kit.advance(minutes=1)
    running = scheduler.begin("run_now", job_id="b")
    await kit.advance()
    during = probe.running
    probe.may_end.set()
    await kit.advance()
    assert (during, (await running)["result"], probe.most_running) == (1, "done", 1)


async def test_more_instances_start_the_oldest_first(kit, scheduler, probe):
    """When max_instances is raised, what waits longest starts before what comes due then."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="queue_all", timeout=36000)
    await kit.advance(minutes=3)
    await scheduler("update", job_id="job", max_instances=2)
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["running", "running", "queued", "queued"]


# One transition at a time


async def test_a_cancelled_stop_goes_on(kit, scheduler, probe):
    """The caller of stop goes away, and start follows: the old handler has ended before anything starts again."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="allow")
    await kit.advance(minutes=1)
    stopping = asyncio.ensure_future(kit.scheduler.lifecycle.stop(0.2))
    await asyncio.sleep(0)
    stopping.cancel()
    await kit.scheduler.lifecycle.start()
    assert (probe.running, kit.scheduler.lifecycle.engine is not None) == (0, True)


async def test_start_while_a_stop_drains_waits_for_it(kit, scheduler, probe):
    """Nothing that the old engine still runs is started again, or written down as what it is not."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    stopping = asyncio.ensure_future(kit.scheduler.lifecycle.stop(0.3))
    await asyncio.sleep(0)
    starting = asyncio.ensure_future(kit.scheduler.lifecycle.start())
    await asyncio.gather(stopping, starting)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["reason"], len(probe.calls)) == ("cancelled", "the scheduler stopped", 1)


async def test_an_opening_whose_caller_leaves_while_a_stop_drains_opens(kit, scheduler, probe):
    """It was asked for after the stop, so the scheduler runs afterwards, before anybody uses it."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    stopping = asyncio.ensure_future(kit.scheduler.lifecycle.stop(0.3))
    await asyncio.sleep(0)
    opening = asyncio.ensure_future(kit.scheduler.lifecycle.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait({stopping, opening})
    await kit.advance()
    assert kit.scheduler.lifecycle.engine is not None


async def test_close_while_a_stop_drains_keeps_the_outcome(kit, scheduler, probe):
    """The store is closed when the stop has ended, and not under it."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    stopping = asyncio.ensure_future(kit.scheduler.lifecycle.stop(2.0))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(kit.scheduler.lifecycle.close())
    await asyncio.sleep(0)
    probe.may_end.set()
    await asyncio.gather(stopping, closing)
    assert await scheduler.statuses("job") == ["success"]


@pytest.mark.parametrize("after", ["close", "close close", "stop start close"])
async def test_a_start_counts_though_a_close_follows(kit, scheduler, probe, after):
    """A start that was asked for after a stop lets all go on, also where a close comes before it was begun."""
    await kit.scheduler.lifecycle.stop()
    await asyncio.gather(kit.scheduler.lifecycle.start(), *(getattr(kit.scheduler.lifecycle, name)() for name in after.split()))
    await kit.scheduler.lifecycle.open()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["success"]


@pytest.mark.parametrize("operation", ["stop", "restart"])
async def test_a_handler_may_ask_for_a_stop(kit, scheduler, probe, monkeypatch, operation):
    """The handler that asked is not cancelled for it, and what it asked for comes true."""

    async def asks(**given):
        await scheduler(operation)
        return "asked"

    await scheduler.add("now", job_id="job")
    monkeypatch.setattr(probe, "run", asks)
    began = time.monotonic()
    await kit.advance()
    await until(
        lambda: (kit.scheduler.lifecycle.engine is not None) is (operation == "restart") and kit.scheduler.lifecycle._pending() is None
    )
    record = (await scheduler.history("job"))[0]
    assert (record["status"], time.monotonic() - began < 3) == ("success", True)


async def test_callers_of_a_failing_start_are_told_the_same(kit, scheduler, monkeypatch):
    """Three that start at once get the store's error, all of them; the next start works."""
    await kit.scheduler.lifecycle.close()
    store_open, calls = kit.scheduler.store.open, []

    async def fails():
        calls.append(1)
        await asyncio.sleep(0)
        raise OSError("disk full")

    monkeypatch.setattr(kit.scheduler.store, "open", fails)
    answers = await asyncio.gather(*(kit.scheduler.lifecycle.open() for _ in range(3)), return_exceptions=True)
    monkeypatch.setattr(kit.scheduler.store, "open", store_open)
    await kit.scheduler.lifecycle.open()
    assert [type(answer) for answer in answers] == [OSError] * 3


async def test_two_suspensions_end_with_the_second(kit, scheduler, probe):
    """Of two blocks that suspend claims the first to be left does not end the other's."""
    first, second = kit.scheduler.lifecycle.claims_suspended(), kit.scheduler.lifecycle.claims_suspended()
    await first.__aenter__()
    await second.__aenter__()
    await scheduler.add("now", job_id="job")
    await first.__aexit__(None, None, None)
    await kit.advance(seconds=5)
    held = list(probe.calls)
    await second.__aexit__(None, None, None)
    await kit.advance(seconds=5)
    assert (held, len(probe.calls)) == ([], 1)


async def test_nothing_is_delivered_after_a_close(kit, scheduler, monkeypatch):
    """After a stop no round of deliveries begins, whatever a timer or a late answer wants."""
    engine = kit.scheduler.lifecycle.engine
    await kit.scheduler.lifecycle.stop()
    asked = []
    monkeypatch.setattr(kit.scheduler.store, "outbox", lambda limit: asked.append(limit))
    engine.deliveries.wake()
    engine.deliveries._retry_after(0.0)
    await kit.advance(minutes=1)
    assert asked == []
