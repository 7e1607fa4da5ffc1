"""Starting and stopping, always in time; further event loops; and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool, get_injector
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import SchedulerError, create_scheduler_agent
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


async def test_what_is_due_while_jobs_are_added_waits_for_all_of_them(kit, scheduler, probe):
    """Inside `holding` nothing is claimed, so that a job that is due at once meets those that come after it."""
    async with kit.scheduler.lifecycle.claims_suspended():
        await scheduler.add("now", job_id="first")
        await kit.advance(seconds=5)
        held = list(probe.calls)
        await scheduler.add("after first", job_id="second")
    await kit.advance(seconds=1)
    assert (held, await scheduler.statuses("first"), await scheduler.statuses("second")) == ([], ["success"], ["success"])


@pytest.mark.parametrize("operation", ["pause", "cancel"])
async def test_a_change_while_claims_are_suspended_loses_no_due_time(kit, scheduler, operation):
    """Who changes a job that has come due meanwhile has its due time claimed first, as at any other time."""
    await scheduler.add("1 hour", job_id="job")
    async with kit.scheduler.lifecycle.claims_suspended():
        await kit.advance(hours=1.5)
        await scheduler(operation, job_id="job")
    await kit.advance(minutes=1)
    assert len(await scheduler.history("job")) == 1


async def test_holding_does_not_outlive_a_stop(kit, scheduler, probe):
    """A scheduler that is stopped inside the block stays stopped after it."""
    async with kit.scheduler.lifecycle.claims_suspended():
        await scheduler.add("1 minute", job_id="job")
        await scheduler("stop")
    await kit.advance(minutes=5)
    assert probe.calls == []


@pytest.mark.parametrize(("operation", "running"), [("start", True), ("stop", False)])
async def test_start_and_stop_twice_do_no_harm(scheduler, operation, running):
    """A second start or stop answers like the first: it runs, or it does not."""
    assert [(await scheduler(operation))["running"] for _ in range(2)] == [running, running]


async def test_first_question_for_its_status_starts_it():
    """The first operation of all may be status: it starts the scheduler, and says that it runs."""
    injector = Injector()
    create_scheduler_agent(injector=injector)
    answer = await injector.run("scheduler", {"operation": "status"})
    await injector.run("scheduler", {"operation": "stop"})
    assert (answer.message, answer.data["running"], answer.data["scheduler_state"]) == ("The scheduler is running, with 0 jobs.", True, 1)


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
    await kit.scheduler.lifecycle.stop(seconds=0.05)
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
    await kit.scheduler.lifecycle.stop(seconds=0.5)
    took = time.monotonic() - began
    statuses = {record["status"] for record in await scheduler.history()}
    may_end.set()
    await kit.clock.let_run()
    assert (took < 1.5, statuses) == (True, {"cancelled"})


async def test_stop_ends_though_the_queue_hangs(kit, scheduler, monkeypatch):
    """stop ends within its time though a delivery does not; the message stays in the outbox."""

    async def hangs(*args):
        await asyncio.Event().wait()

    monkeypatch.setattr(kit.queue, "enqueue", hangs)
    await scheduler.add("1 minute", job_id="job", result_queue="results")
    await kit.clock.advance(minutes=1)
    began = time.monotonic()
    await kit.scheduler.lifecycle.stop(seconds=0.5)
    assert time.monotonic() - began < 1.5
    assert len(await kit.scheduler.store.outbox(10)) == 1


async def test_waiting_executions_are_cancelled_by_stop(kit, probe, scheduler):
    """An execution that still waits for room when the scheduler stops is recorded as cancelled before it started."""
    probe.blocks()
    kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 1
    for job_id in ("first", "second"):
        await scheduler.add("now", job_id=job_id)
        await kit.advance()
    assert (await scheduler("status"))["waiting"] == 1
    await kit.scheduler.lifecycle.stop(seconds=0.05)
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


# Calls from threads


@pytest.fixture
def sync() -> Iterator[Injector]:
    """An injector with a scheduler in memory, for callers without an event loop; its engine ends with the test."""
    with Injector().activate() as injector:
        service = create_scheduler_agent().deps
        yield injector
        asyncio.run(service.lifecycle.close())


def asked(injector: Injector, operation: str, **fields: Any) -> dict[str, Any]:
    return injector.run_sync("scheduler", {"operation": operation, **fields}).data


def telling(injector: Injector, *, name: str = "teller") -> threading.Event:
    """Make an AgenTool that tells when it was called."""
    called = threading.Event()

    async def nap(ctx: RunContext[None]) -> str:
        called.set()
        return "told"

    create_agentool(name, NapInput, {"nap": nap}, injector=injector)
    return called


TELL = {"agentool_name": "teller", "input_data": {"operation": "nap"}}


def test_run_sync_schedules_and_lists(sync: Injector):
    """What one call schedules, the next one lists."""
    telling(sync)
    asked(sync, "schedule", schedule="1 hour", **TELL)
    assert asked(sync, "list")["count"] == 1


def test_a_job_of_run_sync_fires_after_the_call(sync: Injector):
    """A program without an event loop schedules, and goes on: the job fires meanwhile, and is not cut off by a further call."""
    called = telling(sync)
    asked(sync, "schedule", job_id="job", schedule="now", **TELL)
    assert called.wait(PATIENCE)


def test_run_now_by_run_sync_waits_for_its_result(sync: Injector):
    """`run_now` returns what the AgenTool did, and leaves history for the next call."""
    telling(sync)
    asked(sync, "schedule", job_id="job", schedule="1 hour", **TELL)
    assert asked(sync, "run_now", job_id="job")["result"] == "told"
    assert asked(sync, "get_history", job_id="job")["history"][0]["status"] == "success"


def test_many_threads_share_one_scheduler(sync: Injector):
    """Threads that call at the same time, as those of a web server do, meet one engine, and none disturbs another."""
    telling(sync)
    asked(sync, "schedule", job_id="job", schedule="1 hour", **TELL)
    with ThreadPoolExecutor(8) as threads:
        runs = [threads.submit(asked, sync, "run_now", job_id="job") for _ in range(40)]
    assert [run.result()["result"] for run in runs] == ["told"] * 40


async def test_a_call_from_a_thread_is_done_by_the_engine_that_runs(kit, probe):
    """A function in a thread schedules by `run_sync` while an event loop runs: the engine stays the one it was, and fires."""
    engine = kit.scheduler.lifecycle.engine
    job = {"operation": "schedule", "job_id": "job", "schedule": "1 hour", **RUN}
    await asyncio.to_thread(kit.injector.run_sync, "scheduler", job)
    assert kit.scheduler.lifecycle.engine is engine
    await kit.advance(hours=1)
    assert len(probe.calls) == 1


async def test_a_function_that_asks_the_scheduler_is_run_by_it(kit):
    """`run_now` of an AgenTool whose handler calls the scheduler from a thread does not wait for itself."""

    async def nap(ctx: RunContext[None]) -> int:
        return (await asyncio.to_thread(ctx.injector.run_sync, "scheduler", {"operation": "list"})).data["count"]

    create_agentool("lister", NapInput, {"nap": nap}, injector=kit.injector)
    call = {"operation": "run_now", "agentool_name": "lister", "input_data": {"operation": "nap"}}
    async with asyncio.timeout(PATIENCE):
        assert (await kit.injector.run("scheduler", call)).data["result"] == 0


async def test_a_blocked_event_loop_is_said_to_be(kit, monkeypatch):
    """A call from a thread that the scheduler's own event loop waits for, blocking, ends with an error and not never."""
    monkeypatch.setattr("agentoolkit.system.scheduler.event_loops.ANSWER_SECONDS", 0.05)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(kit.injector.run_sync, "scheduler", {"operation": "list"})
        with pytest.raises(SchedulerError, match="has not answered"):
            call.result(PATIENCE)


def test_run_sync_on_a_database_ends_with_a_close(sqlite_database):
    """A toolkit used by `run_sync` alone can be closed from another event loop, and leaves no thread of its own behind."""
    kit = Toolkit(Settings(database=str(sqlite_database), timezone="UTC"))
    kit.injector.run_sync("scheduler", {"operation": "status"})
    before = {thread.name for thread in threading.enumerate()}
    asyncio.run(kit.scheduler.lifecycle.close())
    asyncio.run(kit.queue.close())
    ending = {"agentool-writer", "agentool-reader", "agentool-heartbeat"}
    for thread in threading.enumerate():
        if thread.name in ending:
            thread.join(1.0)  # a thread says that it has ended a moment before it has
    after = {thread.name for thread in threading.enumerate()}
    assert before - after == ending


def test_a_toolkit_used_by_run_sync_can_be_opened():
    """A toolkit that `run_sync` started goes on inside its block on another event loop, with the same engine."""
    kit = Toolkit(Settings(timezone="UTC"))
    telling(kit.injector)
    job = {"operation": "schedule", "schedule": "1 hour", **TELL}
    kit.injector.run_sync("scheduler", job)

    async def use() -> tuple[int, bool]:
        async with kit:
            count = (await kit.injector.run("scheduler", {"operation": "list"})).data["count"]
            return count, (await kit.injector.run("scheduler", {"operation": "status"})).data["running"]

    assert asyncio.run(use()) == (1, True)
    assert kit.injector.run_sync("scheduler", {"operation": "status"}).data["running"] is False


# Nothing is left behind


async def test_many_toolkits_leave_nothing_behind():
    """Fifty toolkits in a row, each of which ran a job, leave no task, thread or warning."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    for _ in range(50):
        async with toolkit() as kit:
            job = {"operation": "schedule", "schedule": "1 minute", "agentool_name": "queue", "result_queue": "results"}
            await kit.injector.run("scheduler", {**job, "input_data": {"operation": "list_queues"}})
            await kit.advance(minutes=2)
    gc.collect()
    assert (asyncio.all_tasks() - tasks, set(threading.enumerate()) - threads) == (set(), set())


def test_many_event_loops_leave_nothing_behind():
    """Toolkits on the machine's own clock, each with an event loop of its own, leave no thread or warning."""
    threads = set(threading.enumerate())

    async def use():
        async with Toolkit(Settings(timezone="UTC")) as kit:
            await kit.injector.run("scheduler", {"operation": "status"})

    for _ in range(10):
        asyncio.run(use())
    gc.collect()
    assert set(threading.enumerate()) <= threads


async def test_closed_toolkit_can_be_read():
    """After its block a toolkit's jobs can still be listed, and nothing starts again by that."""
    async with toolkit() as kit:
        pass
    assert (await kit.injector.run("scheduler", {"operation": "status"})).data["running"] is False


# A handler that never ends


class EndlessInput(BaseOperationInput):
    operation: Literal["go"]


async def insist() -> None:
    """Go on whatever happens."""
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            continue


async def in_a_task() -> None:
    await asyncio.create_task(insist())


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(insist())


async def within_a_time() -> None:
    await asyncio.wait_for(insist(), 3600)


async def beside_others() -> None:
    await asyncio.gather(insist(), asyncio.sleep(3600))


@pytest.mark.parametrize("work", [insist, in_a_task, in_a_group, within_a_time, beside_others])
def test_a_program_ends_though_a_handler_does_not(work, caplog):
    """`asyncio.run` of a program of one's own ends after its toolkit, whatever a handler or a task that it has begun ignores."""
    ended = []

    async def stubborn(ctx: RunContext) -> None:
        await work()

    async def orderly(ctx: RunContext) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("orderly")

    async def program() -> None:
        async with Toolkit(Settings(timezone="UTC"), stop_seconds=0.3) as kit:
            for name, handler in (("stubborn", stubborn), ("orderly", orderly)):
                create_agentool(name, EndlessInput, {"go": handler})
                job = {"schedule": "now", "agentool_name": name, "input_data": {"operation": "go"}}
                await kit.injector.run("scheduler", {"operation": "schedule", "job_id": name, **job})
            await asyncio.sleep(0.1)

    program_thread = threading.Thread(target=lambda: (asyncio.run(program()), ended.append("program")), daemon=True)
    program_thread.start()
    program_thread.join(10)
    assert (ended, "stubborn" in caplog.text, "orderly" in caplog.text) == (["orderly", "program"], True, False)


async def test_a_handler_of_another_toolkit_is_not_left_behind(caplog):
    """Only handlers of the scheduler that stops are given up: one that cleans up in another toolkit on this event loop goes on."""
    tasks, may_end = list[asyncio.Task[None]](), asyncio.Event()

    async def cleans_up(ctx: RunContext) -> None:
        tasks.append(asyncio.current_task())
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    async with toolkit() as kit:
        create_agentool("thorough", EndlessInput, {"go": cleans_up}, injector=kit.injector)
        job = {"schedule": "now", "agentool_name": "thorough", "input_data": {"operation": "go"}}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", **job})
        await kit.advance(seconds=1)
        (record,) = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "job"})).data["history"]
        await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": record["execution_id"]})
        await asyncio.sleep(0)
        async with toolkit():
            pass
        assert (tasks[0] in asyncio.all_tasks(), "left behind" in caplog.text) == (True, False)
        may_end.set()


@pytest.mark.parametrize(
    "step", ["leadership.Leadership.stop", "dispatch.Dispatch.stop", "engine.leave_handlers_behind", "outbox.Deliveries.stop"]
)
async def test_the_lead_is_given_up_whatever_fails_to_stop(step, monkeypatch):
    """Other processes go on at once, though a step of the stop fails."""
    released = list[str]()

    async def fails(*_: object) -> None:
        raise RuntimeError("unexpected")

    with suppress(RuntimeError):
        async with toolkit() as kit:
            store = kit.scheduler.parts.store
            release = store.release_all

            async def release_all() -> None:
                released.append("all")
                await release()

            monkeypatch.setattr(store, "release_all", release_all)
            monkeypatch.setattr(f"agentoolkit.system.scheduler.engine.{step}", fails)
    assert released == ["all"]
