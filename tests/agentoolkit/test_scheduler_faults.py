"""Whatever goes wrong inside, in the store, a listener, a schedule or the clock, is survived, and nothing runs twice or is lost."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from agentool import ConfigurationError
from agentoolkit.system.scheduler import ExecutionFailed
from agentoolkit.system.scheduler.schedules import Schedule

RUN = {"agentool_name": "probe", "input_data": {"operation": "run"}}
PATIENCE = 5.0
"""Seconds of real time after which a test gives up waiting."""


def raising_once(target, name, monkeypatch):
    """Let a method of the store, or of what else, raise at its first call; return the calls."""
    original, calls = getattr(target, name), []

    async def wrapped(*args, **more):
        calls.append(args)
        if len(calls) == 1:
            raise OSError("disk full")
        return await original(*args, **more)

    monkeypatch.setattr(target, name, wrapped)
    return calls


async def test_claim_that_fails_once_runs_the_job_exactly_once(kit, scheduler, probe, monkeypatch):
    """If the store refuses a claim, the due time is claimed a little later, and runs once."""
    await scheduler.add("1 minute", job_id="job")
    claims = raising_once(kit.scheduler.store, "claim", monkeypatch)
    await kit.advance(seconds=119)
    assert (len(claims), await scheduler.statuses("job")) == (2, ["success"])


@pytest.mark.parametrize("method", ["begin", "finish"])
async def test_write_that_fails_once_is_repeated(kit, scheduler, monkeypatch, method):
    """If the store refuses to write that an execution began or ended, it is written a little later, and the job ran once."""
    ended = asyncio.Event()
    kit.scheduler.subscribe(lambda event: ended.set() if event.type == "scheduler.task.success" else None)
    writes = raising_once(kit.scheduler.store, method, monkeypatch)
    await scheduler.add("now", job_id="job")
    await kit.advance()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    assert (len(writes), await scheduler.statuses("job")) == (2, ["success"])


@pytest.mark.parametrize("method", ["begin", "finish"])
async def test_what_the_store_cannot_take_holds_nobody_back(kit, scheduler, monkeypatch, method):
    """Of two executions that begin and end together one is refused by the store for ever: the other one's outcome is written."""
    ended, original = asyncio.Event(), getattr(kit.scheduler.store, method)
    kit.scheduler.subscribe(lambda event: ended.set() if event.type == "scheduler.task.success" else None)

    async def picky(items):
        if "bad@" in repr(items):
            raise OSError("no such thing can be written")
        return await original(items)

    monkeypatch.setattr(kit.scheduler.store, method, picky)
    for job_id in ("bad", "good"):
        await scheduler.add("1 minute", job_id=job_id)
    await kit.advance(minutes=1)
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    assert (await scheduler.statuses("good"), "success" in await scheduler.statuses("bad")) == (["success"], False)


async def test_outcome_refused_once_as_the_scheduler_stops_is_written(kit, scheduler, probe, monkeypatch):
    """Stopping waits for an outcome that the store has to be asked to take again."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    writes = raising_once(kit.scheduler.store, "finish", monkeypatch)
    probe.may_end.set()
    await kit.scheduler.lifecycle.stop()
    (record,) = await kit.scheduler.store.executions("job", 10)
    assert (len(writes), record.status) == (2, "success")


async def test_handler_that_ends_in_no_ordinary_way_leaves_its_room(kit, scheduler, probe):
    """What is raised to end a coroutine, not to tell of a failure, keeps neither room nor lock, and stopping ends."""
    probe.raises = GeneratorExit()
    await scheduler.add("now", job_id="job", concurrency_key="one")
    await kit.advance()
    probe.raises = None
    await scheduler.add("now", job_id="other", concurrency_key="one")
    await kit.advance()
    engine = kit.scheduler.lifecycle.engine
    assert (await scheduler.statuses("other"), engine.dispatch.executor.running) == (["success"], 0)
    async with asyncio.timeout(PATIENCE):
        await kit.scheduler.lifecycle.stop()


async def test_execution_runs_in_no_other_ones_context(kit, scheduler, monkeypatch, probe):
    """What a handler sets in a context variable is not there for the one that gets its room."""
    left, found = ContextVar("left", default=""), []

    async def leave(**given):
        found.append(left.get())
        left.set("something")

    monkeypatch.setattr(probe, "run", leave)
    kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 1
    for job_id in ("a", "b", "c"):
        await scheduler.add("1 minute", job_id=job_id, max_runs=1)
    await kit.advance(minutes=1)
    assert found == ["", "", ""]


async def test_listener_that_raises_stops_nothing(kit, scheduler, probe):
    """A listener that raises is called again, the others are called too, and jobs run."""
    heard = []

    def broken(event):
        raise ZeroDivisionError

    kit.scheduler.subscribe(broken)
    kit.scheduler.subscribe(lambda event: heard.append(event.type.rpartition(".")[2]))
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=2)
    assert heard == ["scheduled", "started", "success", "started", "success"]


async def test_listener_can_leave(kit, scheduler):
    """What subscribe returned ends the calls, and may be called twice."""
    heard = []
    leave = kit.scheduler.subscribe(heard.append)
    leave()
    leave()
    await scheduler.add("1 minute", job_id="job")
    assert heard == []


async def test_what_listens_to_portions_harms_no_other(kit, scheduler):
    """What it is told it cannot take from others; one that it removes is told nothing more."""
    heard = []

    def hostile(events):
        leave()
        events.clear()

    kit.scheduler.subscribe_to_portions(hostile)
    leave = kit.scheduler.subscribe_to_portions(heard.append)
    kit.scheduler.subscribe(lambda event: heard.append(event.type))
    await scheduler.add("1 minute", job_id="job")
    assert heard == ["scheduler.task.scheduled"]


async def test_what_listens_to_portions_is_not_asynchronous(kit):
    """It is refused as any other listener is."""

    async def nobody_waits(events):
        pass

    with pytest.raises(ConfigurationError, match="asynchronous"):
        kit.scheduler.subscribe_to_portions(nobody_waits)


async def test_listener_hears_nothing_of_a_moment_in_which_it_left(kit, scheduler, probe):
    """Of two executions that begin at once, a listener that leaves on the first is not told of the second; one that raises is."""
    heard, raised = [], []

    def leaves(event):
        heard.append(event.type)
        leave()

    def raises(event):
        raised.append(event.type)
        raise ZeroDivisionError

    for name in ("one", "two"):
        await scheduler.add("1 minute", job_id=name, job_name=name)
    leave = kit.scheduler.subscribe(leaves)
    kit.scheduler.subscribe(raises)
    await kit.advance(minutes=1)
    assert heard == ["scheduler.task.started"]
    assert raised == ["scheduler.task.started"] * 2 + ["scheduler.task.success"] * 2


async def test_listeners_hear_every_outcome(kit, scheduler, probe):
    """A failure, a skipped and a missed due time, and a cancelled job are each told."""
    heard = []
    kit.scheduler.subscribe(lambda event: heard.append(event.type.rpartition(".")[2]))
    probe.blocks()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=2)
    probe.raises = ValueError()
    probe.may_end.set()
    await kit.advance()
    kit.clock.jump(kit.clock.now().replace(minute=10))
    await kit.advance()
    await scheduler("cancel", job_id="job")
    assert heard[:5] == ["scheduled", "started", "skipped", "failure", "missed"]
    assert heard[-1] == "cancelled"


@pytest.mark.parametrize("fault", ["raises", "stands still"])
async def test_schedule_that_cannot_be_computed_breaks_its_job_only(kit, scheduler, probe, monkeypatch, fault, figure):
    """A job whose schedule raises, or gives the same time again, is broken and says why; another beside it goes on."""
    next_after = Schedule.next_after

    def faulty(schedule, moment):
        if schedule.text != "7 minutes":
            return next_after(schedule, moment)
        if fault == "raises":
            raise ZeroDivisionError("no next time")
        return moment

    await scheduler.add("7 minutes", job_id="faulty")
    await scheduler.add("1 minute", job_id="good", max_instances=2)
    monkeypatch.setattr(Schedule, "next_after", faulty)
    await kit.advance(minutes=20)
    info = (await scheduler("get_job", job_id="faulty"))["info"]
    good = await scheduler.statuses("good")
    figure(14, f"a trigger that {fault}: its job is {info['state']}, {20 - good.count('success')} of 20 others missed")
    assert (info["state"], "cannot be computed" in info["reason"]) == ("broken", True)
    assert good == ["success"] * 20


async def test_broken_job_is_mended_by_a_new_schedule(kit, scheduler, probe, monkeypatch):
    """update with a schedule that works makes a broken job active."""
    await scheduler.add("7 minutes", job_id="job")
    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "next_after", lambda schedule, moment: 1 / 0)
        await kit.advance(minutes=7)
    await scheduler("update", job_id="job", schedule="1 minute")
    await kit.advance(minutes=1)
    info = (await scheduler("get_job", job_id="job"))["info"]
    assert (info["state"], info["reason"], len(probe.calls)) == ("active", "", 1)


async def test_time_that_goes_back_repeats_nothing(kit, scheduler, probe):
    """If the clock is set back, a due time that ran does not run again."""
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=2)
    kit.clock.jump(kit.clock.now().replace(minute=0))
    await kit.advance(minutes=2.5)
    assert len(probe.calls) == 2


async def test_failed_start_is_raised_and_can_be_repeated(kit, scheduler, monkeypatch):
    """If the store cannot be opened, the first use says so, and a later one tries again."""
    await kit.scheduler.lifecycle.close()
    raising_once(kit.scheduler.store, "open", monkeypatch)
    with pytest.raises(OSError, match="disk full"):
        await kit.scheduler.lifecycle.open()
    await kit.scheduler.lifecycle.open()
    assert (await scheduler("run_now", **RUN))["result"] == "done"


async def test_stop_ends_though_the_store_hangs(kit, scheduler, probe, monkeypatch):
    """stop ends within its time though a claim does not."""

    async def hangs(*args):
        await asyncio.Event().wait()

    await scheduler.add("1 minute", job_id="job")
    monkeypatch.setattr(kit.scheduler.store, "claim", hangs)
    await kit.clock.advance(minutes=1)
    async with asyncio.timeout(PATIENCE):
        await kit.scheduler.lifecycle.stop(seconds=0.1)
    assert probe.calls == []


async def test_execution_failed_names_the_execution(scheduler, probe):
    """ExecutionFailed carries the execution's id, by which its record is found."""
    probe.raises = ValueError("x")
    with pytest.raises(ExecutionFailed) as failed:
        await scheduler("run_now", **RUN)
    assert (await scheduler("get_execution", execution_id=failed.value.value))["error"]["type"] == "ValueError"
