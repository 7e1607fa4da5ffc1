"""Executions that are sent to workers: sent once, cancelled through the store, and watched until they are over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agentool import Injector
from agentoolkit import wiring
from agentoolkit.setting_groups import CelerySettings
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.executors.celery import CeleryCourier
from agentoolkit.system.scheduler.executors.choice import Executors
from agentoolkit.system.scheduler.executors.sending_to_workers import SEND_AGAIN_SECONDS, RemoteExecutor
from agentoolkit.system.scheduler.ports import Claimed, Ending, Order, Portion, Route
from agentoolkit.wiring import Toolkit

LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}


class Courier:
    """Notes what it is to bring, and brings nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, portions: Sequence[Portion]) -> None:
        for portion in portions:
            self.sent += portion.execution_ids

    def close(self) -> None:
        """Hold nothing."""


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
async def kit(courier: Courier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A toolkit that has Celery alone, and a job that is due tomorrow."""
    monkeypatch.setattr(wiring, "executors_of", lambda *_, **__: Executors({"celery": lambda: courier}, {"rq": "Set it up."}))
    async with Toolkit(Settings(database=str(tmp_path / "jobs.db"), timezone="UTC", executor="celery")) as kit:
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "every hour", **LIST})
        yield kit


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  the database's thread tells nothing
            await asyncio.sleep(0.01)


async def waits_for_retry(kit: Any, seconds: float) -> Claimed:
    """Write down an execution of ours that waits for a retry so many seconds from now."""
    now, store = datetime.now(UTC), kit.scheduler.store
    waiting = Execution("job@1", "job", "queue", now, status=ExecutionStatus.RETRYING, attempt=2, retry_at=now + timedelta(seconds=seconds))
    await store.insert([waiting._replace(owner=store.owner)])
    stored = await store.find("job")
    return Claimed(stored.job, waiting._replace(owner=store.owner))


async def test_a_due_retry_is_sent_once(kit: Any, courier: Courier):
    """It is queued before it is sent, so that the watch does not hold it to be given back."""
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    dispatch.take_over(await waits_for_retry(kit, 0))
    await until(lambda: bool(courier.sent))
    ends = time.monotonic() + 1
    await until(lambda: time.monotonic() > ends)
    row = await kit.scheduler.store.execution("job@1")
    assert (courier.sent, dispatch.executor.running, row.status.value, row.retry_at) == (["job@1"], 1, "queued", None)


async def test_a_later_retry_of_what_was_sent_waits_for_its_time(kit: Any, courier: Courier):
    """Taken over before the watch has seen that its worker gave it back, it is not sent at once."""
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    waiting = await waits_for_retry(kit, 600)
    dispatch.start(waiting)  # as it was sent the first time
    dispatch.take_over(waiting)
    assert ("job@1" in dispatch.active, dispatch.holds("job@1")) == (False, True)


async def run_now_is_sent(kit: Any, courier: Courier) -> asyncio.Task[Any]:
    waits = asyncio.create_task(kit.injector.run("scheduler", {"operation": "run_now", "job_id": "job"}))
    await until(lambda: bool(courier.sent))
    return waits


async def test_what_a_caller_waits_for_is_cancelled_after_it_was_sent(kit: Any, courier: Courier):
    """Its record says that it is over, and its caller is told."""
    waits = await run_now_is_sent(kit, courier)
    await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": courier.sent[0]})
    row = await kit.scheduler.store.execution(courier.sent[0])
    assert row.status is ExecutionStatus.CANCELLED
    async with asyncio.timeout(20):
        with suppress(Exception):
            await waits
    assert waits.done()


async def test_what_was_sent_ends_with_its_caller(kit: Any, courier: Courier):
    """Where the caller goes away, no worker begins it any more."""
    waits = await run_now_is_sent(kit, courier)
    waits.cancel()
    await asyncio.wait({waits})
    rows: dict[str, ExecutionStatus] = {}
    async with asyncio.timeout(20):
        while rows.get(courier.sent[0]) is not ExecutionStatus.CANCELLED:
            rows = await kit.scheduler.store.statuses(courier.sent)
    assert (await kit.scheduler.store.execution(courier.sent[0])).reason == "its caller went away"


async def test_what_was_claimed_is_looked_for_if_one_of_it_fails(kit: Any, monkeypatch: pytest.MonkeyPatch):
    """A worker whose store refuses the end of one execution looks again for the others, which are its own by then."""
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    (_, waiting) = await waits_for_retry(kit, 0)

    async def claim(*_: Any) -> list[Claimed]:
        dispatch.active.in_doubt = False
        return [Claimed(None, waiting)]

    async def refuse(*_: Any) -> None:
        raise OSError("no store")

    monkeypatch.setattr(dispatch._store, "claim_executions", claim)
    monkeypatch.setattr(dispatch._unstarted, "end", refuse)
    with pytest.raises(OSError, match="no store"):
        await dispatch.run_claimed(["job@1"])
    assert dispatch.active.in_doubt


class Attempts:
    """Knows executions, and says how they stand when it is let."""

    def __init__(self) -> None:
        self.asked, self.answers = 0, asyncio.Event()
        self.forgotten: list[str] = []
        self.ran: list[str] = []
        self.fails = 0

    def begin(self, execution_ids: Any) -> Any:
        return asyncio.sleep(0, [True] * len(execution_ids))

    async def run(self, execution_id: str) -> None:
        self.ran.append(execution_id)

    def forget(self, execution_ids: Any) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("no room in the table")
        self.forgotten += execution_ids

    async def statuses(self, execution_ids: Any) -> dict[str, ExecutionStatus]:
        self.asked += 1
        await self.answers.wait()
        return dict.fromkeys(execution_ids, ExecutionStatus.SUCCESS)


async def test_what_is_ordered_anew_while_the_store_answers_is_another(courier: Courier):
    """The answer is of what was sent before: the attempt that runs here now keeps its place."""
    attempts = Attempts()
    executor = RemoteExecutor(attempts, 10, {"celery": lambda: courier}, 10)
    executor.submit(Order("x", route=Route("celery")))
    await until(lambda: attempts.asked == 1)
    executor.submit(Order("x"))
    attempts.answers.set()
    await until(lambda: attempts.ran == ["x"])
    await until(lambda: executor._watching is None)
    assert attempts.forgotten == []
    await executor.drain(1, 1)


async def test_the_watch_goes_on_after_an_error(courier: Courier):
    """An error of one look ends no watch: what is over is found at the next."""
    attempts = Attempts()
    attempts.fails = 1
    attempts.answers.set()
    executor = RemoteExecutor(attempts, 10, {"celery": lambda: courier}, 10)
    executor.submit(Order("x", route=Route("celery")))
    await until(lambda: attempts.forgotten == ["x"])
    await until(lambda: executor._watching is None)
    assert executor.running == 0
    await executor.drain(1, 1)


async def test_couriers_are_made_in_a_thread(courier: Courier):
    """The event loop goes on while an engine is imported; it is made once, however many messages wait for it."""
    made: list[threading.Thread] = []

    def make() -> Courier:
        made.append(threading.current_thread())
        return courier

    executor = RemoteExecutor(Attempts(), 10, {"celery": make}, 10)
    for number in range(3):
        executor.submit(Order(f"x{number}", route=Route("celery")))
    await until(lambda: len(courier.sent) == 3)
    assert [thread is threading.main_thread() for thread in made] == [False]
    await executor.drain(1, 1)


async def test_messages_after_a_failed_one_are_sent_again(courier: Courier, monkeypatch: pytest.MonkeyPatch):
    """Of sixty messages fifty are handed over together. The engine goes away then: the other ten are sent again soon, and only they."""
    executor, send = RemoteExecutor(Attempts(), 10, {"celery": lambda: courier}, 100), courier.send

    async def once(portions: Sequence[Portion]) -> None:
        if courier.sent:
            raise OSError("no broker")
        await send(portions)

    monkeypatch.setattr(courier, "send", once)
    for number in range(60):
        executor.submit(Order(f"x{number}", route=Route("celery")))
    soon = asyncio.get_running_loop().time() + SEND_AGAIN_SECONDS / 2
    await until(lambda: any(sent.again_at < soon for sent in executor._sent.values()))
    assert [id_ for id_, sent in executor._sent.items() if sent.again_at < soon] == [f"x{number}" for number in range(50, 60)]
    await executor.drain(1, 1)


async def test_a_queue_that_is_refused_holds_up_no_other(
    courier: Courier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Of three queues one cannot be declared: what is in the others is sent, once, and the log says what the engine has against it."""
    executor, send = RemoteExecutor(Attempts(), 10, {"celery": lambda: courier}, 100), courier.send

    async def refuse_bad(portions: Sequence[Portion]) -> None:
        if any(portion.route.queue == "bad" for portion in portions):
            raise OSError("batch failed") from ConnectionError("access refused")
        await send(portions)

    monkeypatch.setattr(courier, "send", refuse_bad)
    for queue in ("a", "bad", "c"):
        executor.submit(Order(queue, route=Route("celery", queue)))
    await until(lambda: len(courier.sent) == 2 and bool(caplog.messages))
    assert (courier.sent, caplog.messages[0].partition("again: ")[2]) == (["a", "c"], "batch failed: access refused")
    await executor.drain(1, 1)


async def test_what_is_given_up_while_it_is_on_its_way_is_not_sent(courier: Courier, monkeypatch: pytest.MonkeyPatch):
    """Nor is what waits on its way put there once more, as it is late: the engine is slow, and has not had it yet."""
    executor, send, answers = RemoteExecutor(Attempts(), 10, {"celery": lambda: courier}, 100), courier.send, asyncio.Event()

    async def slowly(portions: Sequence[Portion]) -> None:
        await answers.wait()
        await send(portions)

    monkeypatch.setattr(courier, "send", slowly)
    for number in range(60):
        executor.submit(Order(f"x{number}", route=Route("celery")))
    await until(lambda: len(executor._sent) == 60)
    executor.abandon("x55")
    executor._send(dict(executor._sent))
    answers.set()
    await until(lambda: not any(sent.is_on_its_way for sent in executor._sent.values()))
    assert courier.sent == [f"x{number}" for number in range(60) if number != 55]
    await executor.drain(1, 1)


def test_a_courier_that_is_closed_hands_no_more_over(monkeypatch: pytest.MonkeyPatch):
    """A broker that confirms slowly keeps a process that stops for one message, not for fifty."""
    courier, handed = CeleryCourier(CelerySettings.model_construct(broker=SecretStr("memory://"))), []

    def send(_: Any, portion: Portion) -> None:
        handed.append(portion)
        courier.close()

    monkeypatch.setattr(courier, "_send", send)
    courier.bring([Portion([f"x{number}"], Route("celery")) for number in range(50)])
    assert len(handed) == 1


async def test_what_is_not_known_does_not_begin(kit: Any):
    """Of two that have room, the one that is gone is answered for too, so that each gets its own answer."""
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    dispatch.start(await waits_for_retry(kit, 0))
    assert list(await dispatch.attempts.begin(["gone", "job@1"])) == [False, True]


async def of_rq(kit: Any) -> Any:
    """Let the job be one of RQ, as another process has scheduled it that has RQ."""
    store = kit.scheduler.store
    stored = await store.find("job")
    job = replace(stored.job, policies=replace(stored.job.policies, executor="rq"))
    assert await store.replace(job, stored.state, stored.state)
    return job


async def test_what_this_process_cannot_send_is_kept_with_a_reason(kit: Any, caplog: pytest.LogCaptureFixture):
    """A stored job of RQ, where there is Celery alone, is kept and named with the way out."""
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    (_, waiting) = await waits_for_retry(kit, 0)
    dispatch.start(Claimed(await of_rq(kit), waiting))
    dispatch.waiting.missing_tools.look()
    assert (dispatch.holds("job@1"), "job@1" in dispatch.active) == (True, False)
    assert "Execution job@1 waits: nothing is sent to workers of 'rq' from here. Set it up." in caplog.text


async def test_nobody_waits_for_what_this_process_cannot_send(kit: Any):
    """To run such a job now is refused, instead of never answered."""
    await of_rq(kit)
    with pytest.raises(SchedulerError, match="Set it up"):
        async with asyncio.timeout(10):
            await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "job"})


async def test_listeners_are_told_what_workers_did(kit: Any, courier: Courier):
    """Once per outcome, marked as another process's: the metrics here count it, and the event bus has it from the worker."""
    told: list[Any] = []
    kit.scheduler.subscribe(told.append)
    await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "job", "run_key": "once"})
    await until(lambda: bool(courier.sent))
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC", executor="celery"), runs_jobs=False) as worker:
        await worker.scheduler.executions.run_claimed(courier.sent)
    await until(lambda: any(event.elsewhere for event in told))
    (event,) = [event for event in told if event.elsewhere]
    assert (event.type, event.execution.execution_id) == ("scheduler.task.success", courier.sent[0])
    shown = await kit.injector.run("metrics", {"operation": "export", "format": "prometheus"})
    assert 'agentool_executions_total{agentool="queue",status="success"} 1' in shown.text


async def test_how_late_a_first_attempt_began_elsewhere_is_told_though_it_is_retried(kit: Any, courier: Courier):
    """It is in the status and in the metrics, once: the retry is no start of its due time."""
    asked = {"agentool_name": "queue", "input_data": {"operation": "peek", "queue_name": "missing"}}
    fails = {"schedule": "now", "max_retries": 1, "retry_backoff": 0.01, **asked}
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "fails", **fails})
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC", executor="celery"), runs_jobs=False) as worker:
        for attempt in (1, 2):
            await until(lambda number=attempt: len(courier.sent) == number)
            await worker.scheduler.executions.run_claimed(courier.sent[-1:])
    await until(lambda: "fails@" not in " ".join(kit.scheduler.lifecycle.engine.dispatch.active))
    await until(lambda: not kit.scheduler.lifecycle.engine.dispatch.tasks)
    lateness = kit.scheduler.lifecycle.engine.dispatch.active.lateness
    shown = await kit.injector.run("metrics", {"operation": "export", "format": "prometheus"})
    assert (len(lateness._starts), "agentool_execution_lateness_seconds_count 1" in shown.text) == (1, True)


async def test_a_worker_leaves_alone_what_it_has_no_tool_for(kit: Any, courier: Courier):
    """It owns nothing of it afterwards, so the next leader finds it, and another worker can claim it."""
    await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "job", "run_key": "once"})
    await until(lambda: bool(courier.sent))
    owner = kit.scheduler.store.owner
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC"), runs_jobs=False) as worker:
        sent = worker.scheduler.lifecycle.running_engine().dispatch._received
        sent._parts = replace(worker.scheduler.parts, injector=Injector())
        await worker.scheduler.executions.run_claimed(courier.sent)
        row = await kit.scheduler.store.execution(courier.sent[0])
        assert (row.owner, row.status) == (owner, ExecutionStatus.QUEUED)
        assert not worker.scheduler.lifecycle.running_engine().dispatch.holds(courier.sent[0])


async def start_run(kit: Any, courier: Courier) -> str:
    """Let the job run once, by a worker that has the message and does nothing; return its execution's id."""
    await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "job", "run_key": "once"})
    await until(lambda: bool(courier.sent))
    return courier.sent[0]


async def told_of(kit: Any, ends: Callable[[str], Any], courier: Courier) -> list[str]:
    """Return what listeners are told of an execution that was sent, after this process has ended it and looked for it no more."""
    execution_id = await start_run(kit, courier)
    told: list[str] = []
    kit.scheduler.subscribe(lambda event: event.execution is not None and told.append(event.type))
    executor = kit.scheduler.lifecycle.engine.dispatch.executor
    await ends(execution_id)
    await until(lambda: executor._watching is None and not executor._sending and executor.running == 0)
    await until(lambda: not list(kit.scheduler.lifecycle.engine.dispatch.tasks))
    return told


async def test_what_was_cancelled_here_is_told_once(kit: Any, courier: Courier):
    """The process that sent an execution, and ends it before a worker has begun it, does not tell of it as another's work too."""

    async def ends(execution_id: str) -> None:
        await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": execution_id})

    assert await told_of(kit, ends, courier) == ["scheduler.task.cancelled"]


async def test_what_ends_with_its_job_is_told_once(kit: Any, courier: Courier):
    """So it is where its job is cancelled."""

    async def ends(execution_id: str) -> None:
        await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "job"})

    assert await told_of(kit, ends, courier) == ["scheduler.task.cancelled"]


@pytest.mark.parametrize("noticed_first", [False, True])
async def test_what_was_lost_with_its_worker_is_told_once(kit: Any, courier: Courier, noticed_first: bool):
    """So it is where a worker's process has ended, and what it ran is lost; also if the watch sees its record before that is told."""

    async def ends(execution_id: str) -> None:
        store, dispatch = kit.scheduler.store, kit.scheduler.lifecycle.engine.dispatch
        row, stored = await store.execution(execution_id), await store.find("job")
        lost = row._replace(status=ExecutionStatus.LOST, finished_at=datetime.now(UTC), reason="its process ended")
        await store.finish([Ending(lost)])
        if noticed_first:
            dispatch.attempts.forget([execution_id])
            await asyncio.gather(*dispatch.tasks)
        dispatch.take_over(Claimed(stored.job, lost))

    assert await told_of(kit, ends, courier) == ["scheduler.task.failure"]
