"""Starting, stopping, further event loops, and whatever goes wrong inside: the scheduler ends in time, and never stalls."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool, get_injector
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import ExecutionFailed, SchedulerError, create_scheduler_agent
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.testing import toolkit
from agentoolkit.wiring import Toolkit

RUN = {"agentool_name": "probe", "input_data": {"operation": "run"}}
PATIENCE = 5.0
"""Seconds of real time after which a test gives up waiting."""


class NapInput(BaseOperationInput):
    operation: Literal["nap"]


class Nap:
    """An AgenTool that sleeps until it is woken, on whatever event loop."""

    def __init__(self) -> None:
        self.started: list[asyncio.Event] = []

    async def nap(self) -> None:
        self.started[-1].set()
        await asyncio.Event().wait()


async def nap_nap(ctx: RunContext[Nap]) -> None:
    await ctx.deps.nap()


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


# Start and stop


async def test_stopped_scheduler_fires_nothing(kit, scheduler, probe):
    """Between stop and start nothing fires, and jobs are kept."""
    await scheduler.add("1 hour", job_id="job")
    await scheduler("stop")
    await kit.advance(hours=3)
    assert (probe.calls, (await scheduler("list"))["count"]) == ([], 1)


async def test_started_again_it_fires_on_and_accounts_for_the_gap(kit, scheduler, probe):
    """After start the job fires again, and the due times during the stop are recorded as missed."""
    await scheduler.add("1 hour", job_id="job")
    await scheduler("stop")
    await kit.advance(hours=2.5)
    assert (await scheduler("start"))["running"]
    await kit.advance(hours=1)
    assert await scheduler.statuses("job") == ["missed", "success"]
    assert (await scheduler.history("job"))[0]["due_count"] == 2


@pytest.mark.parametrize("operation", ["start", "stop"])
async def test_start_and_stop_twice_do_no_harm(scheduler, operation):
    """A second start or stop answers like the first."""
    assert (await scheduler(operation))["running"] == (await scheduler(operation))["running"]


async def test_job_scheduled_while_stopped_is_pending(kit, scheduler, probe):
    """A job may be scheduled while the scheduler is stopped; it is pending, and fires after start."""
    await scheduler("stop")
    await scheduler.add("1 hour", job_id="job")
    pending = (await scheduler("get_job", job_id="job"))["pending"]
    await scheduler("start")
    await kit.advance(hours=1)
    assert (pending, len(probe.calls)) == (True, 1)


async def test_run_now_while_stopped_is_refused(scheduler, probe):
    """A stopped scheduler runs nothing, and says how to start it."""
    await scheduler("stop")
    with pytest.raises(SchedulerError, match="'start'"):
        await scheduler("run_now", **RUN)
    assert probe.calls == []


async def test_stop_lets_running_handlers_end(kit, scheduler, probe):
    """A handler that runs when stop is called may end, and its outcome is recorded and delivered."""
    probe.blocks()
    await scheduler.add("now", job_id="job", result_queue="results")
    await kit.advance()
    stopping = scheduler.begin("stop")
    await kit.clock.let_run()
    probe.may_end.set()
    await stopping
    assert await scheduler.statuses("job") == ["success"]
    assert len(await scheduler.messages("results")) == 1


async def test_stop_cancels_handlers_that_do_not_end(kit, scheduler, probe):
    """A handler that does not end in time is cancelled, and its record says so."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    await kit.scheduler.stop(seconds=0.05)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["reason"], probe.running) == ("cancelled", "the scheduler stopped", 0)


async def test_stop_ends_though_handlers_refuse_to(kit, scheduler, probe, monkeypatch):
    """stop ends within its time with handlers running that swallow every cancellation; no record says they run."""
    may_end = asyncio.Event()

    async def stubborn(**given):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(probe, "run", stubborn)
    for number in range(5):
        await scheduler.add("now", job_id=f"job{number}")
    await kit.advance()
    began = time.monotonic()
    await kit.scheduler.stop(seconds=0.5)
    took = time.monotonic() - began
    statuses = {record["status"] for record in await scheduler.history()}
    may_end.set()
    await kit.clock.let_run()
    assert (took < 0.7, statuses) == (True, {"cancelled"})


async def test_stop_ends_though_the_queue_hangs(kit, scheduler, monkeypatch):
    """stop ends within its time though a delivery does not; the message stays in the outbox."""

    async def hangs(*args):
        await asyncio.Event().wait()

    monkeypatch.setattr(kit.queue, "enqueue", hangs)
    await scheduler.add("1 minute", job_id="job", result_queue="results")
    await kit.clock.advance(minutes=1)
    began = time.monotonic()
    await kit.scheduler.stop(seconds=0.5)
    assert time.monotonic() - began < 0.7
    assert len(await kit.scheduler.store.outbox(10)) == 1


async def test_waiting_executions_are_cancelled_by_stop(kit, probe, scheduler):
    """An execution that still waits for room when the scheduler stops is recorded as cancelled before it started."""
    probe.blocks()
    kit.scheduler.engine.executor._concurrency = 1
    for job_id in ("first", "second"):
        await scheduler.add("now", job_id=job_id)
        await kit.advance()
    assert (await scheduler("status"))["waiting"] == 1
    await kit.scheduler.stop(seconds=0.05)
    reasons = {record["job_id"]: record["reason"] for record in await scheduler.history()}
    assert reasons == {"first": "the scheduler stopped", "second": "the scheduler stopped before it started"}


async def test_concurrency_limits_what_runs_at_once():
    """No more executions than the setting run at once; the others wait and run as there is room."""
    async with toolkit(settings=Settings(timezone="UTC", concurrency=2)) as kit:
        naps, create = Nap(), []

        async def nap():
            create.append(asyncio.Event())
            await create[-1].wait()

        naps.nap = nap
        create_agentool("nap", NapInput, {"nap": nap_nap}, deps=naps, injector=kit.injector)
        for number in range(5):
            job = {"operation": "schedule", "job_id": f"j{number}", "schedule": "1 minute"}
            await kit.injector.run("scheduler", {**job, "agentool_name": "nap", "input_data": {"operation": "nap"}})
        await kit.advance(minutes=1)
        at_once = len(create)
        for place in range(5):
            create[place].set()
            await kit.advance()
        assert (at_once, len(create)) == (2, 5)


async def test_run_now_ends_with_its_caller(kit, scheduler, probe):
    """If the caller of run_now is cancelled, so is the handler, and the record says why."""
    probe.blocks()
    running = scheduler.begin("run_now", job_id="label", **RUN)
    await kit.advance()
    running.cancel()
    await asyncio.wait([running])
    await kit.advance()
    (record,) = await scheduler.history("label")
    assert (running.cancelled(), record["status"], probe.running) == (True, "cancelled", 0)


# Event loops


def nap_tool(injector):
    """Register the AgenTool `nap`."""
    naps = Nap()
    create_agentool("nap", NapInput, {"nap": nap_nap}, deps=naps, injector=injector)
    return naps


async def until_napping(naps, **fields):
    """Schedule a nap and wait until it has begun."""
    naps.started.append(asyncio.Event())
    job = {"operation": "schedule", "agentool_name": "nap", "input_data": {"operation": "nap"}, **fields}
    await get_injector().run("scheduler", job)
    async with asyncio.timeout(PATIENCE):
        await naps.started[-1].wait()


async def records(job_id):
    """Return how a job's executions stand."""
    answer = await get_injector().run("scheduler", {"operation": "get_history", "job_id": job_id})
    return [record["status"] for record in answer.data["history"]]


def test_second_event_loop_works():
    """After a first asyncio.run a second one schedules and runs; what the first left unfinished is recorded, not gone."""
    with Injector().activate() as injector:
        create_scheduler_agent()
        naps = nap_tool(injector)
        asyncio.run(until_napping(naps, job_id="first", schedule="now"))
        asyncio.run(until_napping(naps, job_id="second", schedule="now"))
        assert asyncio.run(records("first"))[0] in ("cancelled", "lost")
        assert asyncio.run(records("second"))[0] in ("cancelled", "lost")


def test_job_of_the_first_event_loop_fires_in_the_second():
    """A recurring job scheduled in one event loop goes on in the next."""
    with Injector().activate() as injector:
        create_scheduler_agent()
        naps = nap_tool(injector)

        async def schedule():
            job = {"operation": "schedule", "job_id": "job", "schedule": "1 second", "agentool_name": "nap"}
            await injector.run("scheduler", {**job, "input_data": {"operation": "nap"}})

        async def wait():
            naps.started.append(asyncio.Event())
            await injector.run("scheduler", {"operation": "status"})
            async with asyncio.timeout(PATIENCE):
                await naps.started[-1].wait()

        asyncio.run(schedule())
        asyncio.run(wait())


def test_run_sync_works_on_the_default_injector():
    """injector.run_sync, which makes an event loop for each call, schedules and lists."""
    with Injector().activate() as injector:
        create_scheduler_agent()
        nap_tool(injector)
        job = {"operation": "schedule", "schedule": "1 hour", "agentool_name": "nap", "input_data": {"operation": "nap"}}
        injector.run_sync("scheduler", job)
        assert injector.run_sync("scheduler", {"operation": "list"}).data["count"] == 1


async def test_many_toolkits_leave_nothing_behind():
    """Fifty toolkits in a row, each of which ran a job, leave no task, thread or warning."""
    tasks, threads = asyncio.all_tasks(), threading.enumerate()
    for _ in range(50):
        async with toolkit() as kit:
            job = {"operation": "schedule", "schedule": "1 minute", "agentool_name": "queue", "result_queue": "results"}
            await kit.injector.run("scheduler", {**job, "input_data": {"operation": "list_queues"}})
            await kit.advance(minutes=2)
    gc.collect()
    assert (asyncio.all_tasks(), threading.enumerate()) == (tasks, threads)


def test_many_event_loops_leave_nothing_behind():
    """Toolkits on the machine's own clock, each with an event loop of its own, leave no thread or warning."""
    threads = threading.enumerate()

    async def use():
        async with Toolkit() as kit:
            await kit.injector.run("scheduler", {"operation": "status"})

    for _ in range(10):
        asyncio.run(use())
    gc.collect()
    assert threading.enumerate() == threads


async def test_closed_toolkit_can_be_read():
    """After its block a toolkit's jobs can still be listed, and nothing starts again by that."""
    async with toolkit() as kit:
        pass
    assert (await kit.injector.run("scheduler", {"operation": "status"})).data["running"] is False


# What goes wrong inside


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
async def test_schedule_that_cannot_be_computed_breaks_its_job_only(kit, scheduler, probe, monkeypatch, fault):
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
    assert (info["state"], "cannot be computed" in info["reason"]) == ("broken", True)
    assert await scheduler.statuses("good") == ["success"] * 20


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
    await kit.scheduler.close()
    raising_once(kit.scheduler.store, "open", monkeypatch)
    with pytest.raises(OSError, match="disk full"):
        await kit.scheduler.open()
    await kit.scheduler.open()
    assert (await scheduler("run_now", **RUN))["result"] == "done"


async def test_execution_failed_names_the_execution(scheduler, probe):
    """ExecutionFailed carries the execution's id, by which its record is found."""
    probe.raises = ValueError("x")
    with pytest.raises(ExecutionFailed) as failed:
        await scheduler("run_now", **RUN)
    assert (await scheduler("get_execution", execution_id=failed.value.value))["error"]["type"] == "ValueError"
