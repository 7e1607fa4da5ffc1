"""Executions that no worker takes: their records say why, and what workers refuse for long ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector
from agentoolkit import wiring
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.answers import job_summary
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.executors import sending_to_workers
from agentoolkit.system.scheduler.executors.choice import Executors
from agentoolkit.system.scheduler.executors.sending_to_workers import RemoteExecutor
from agentoolkit.system.scheduler.jobs import ExecutorName
from agentoolkit.system.scheduler.lookup import JobLookup
from agentoolkit.system.scheduler.ports import Route
from agentoolkit.wiring import Toolkit

from .test_scheduler_sent_away import LIST, Attempts, Courier, start_run, until

HAS_NOT = "waits for a worker that has AgenTool 'queue': name its plugin there by AGENTOOL_PLUGINS"

NOT_TAKEN = "waits for a worker: none has taken it from queue 'gpu' of celery yet"


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
async def kit(courier: Courier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A toolkit whose messages reach nobody by themselves, and are sent again soon."""
    monkeypatch.setattr(wiring, "executors_of", lambda *_, **__: Executors({"celery": lambda: courier}, {}))
    monkeypatch.setattr(sending_to_workers, "SEND_AGAIN_SECONDS", 0.1)
    async with Toolkit(Settings(database=str(tmp_path / "jobs.db"), timezone="UTC", executor="celery")) as kit:
        asked = {"operation": "schedule", "job_id": "job", "schedule": "every hour", "error_queue": "failures"}
        await kit.injector.run("scheduler", {**asked, **LIST, "queue": "gpu"})
        yield kit


EVERYWHERE = {"default": {}, "away": {"executor": "celery"}, "here": {"executor": "local"}}
LACKS = "AgenTool 'queue' is not registered here; what is due waits for it"


async def schedule_everywhere(kit: Any) -> None:
    """Schedule a job that names no executor, one of workers, and one that runs here."""
    for name, executor in EVERYWHERE.items():
        asked = {"operation": "schedule", "job_id": name, "schedule": "every hour", **executor}
        await kit.injector.run("scheduler", {**asked, **LIST})


async def reasons(kit: Any, parts: Parts) -> dict[str, str]:
    """Return what a list says of these jobs in a process of such parts."""
    return {name: job_summary(await kit.scheduler.store.find(name), parts).reason for name in EVERYWHERE}


async def record(kit: Any, execution_id: str, holds: Callable[[Execution], bool]) -> Execution:
    """Wait until an execution's record is as it is to be."""
    async with asyncio.timeout(20):
        while not holds(row := await kit.scheduler.store.execution(execution_id)):  # noqa: ASYNC110  the database's thread tells nothing
            await asyncio.sleep(0.01)
    return row


async def refuse(kit: Any, *execution_ids: str, has_tool: bool = False) -> None:
    """Let a worker be sent them, which has no AgenTool at all if it has not this one."""
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC"), runs_jobs=False) as worker:
        if not has_tool:
            sent = worker.scheduler.lifecycle.running_engine().dispatch._received
            sent._parts = replace(worker.scheduler.parts, injector=Injector())
        for _ in range(2):
            await worker.scheduler.executions.run_claimed(execution_ids)


async def test_the_record_says_that_nobody_takes_it(
    kit: Any, courier: Courier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Where no worker takes from a queue, the record names the queue, which is told once; and it waits on, however long."""
    monkeypatch.setattr(sending_to_workers, "MAX_SEND_AGAIN_SECONDS", 0.4)
    execution_id = await start_run(kit, courier)
    row = await record(kit, execution_id, lambda row: bool(row.reason))
    assert row.reason == NOT_TAKEN
    await until(lambda: courier.sent.count(execution_id) >= 6)
    assert (await kit.scheduler.store.execution(execution_id)).status is ExecutionStatus.QUEUED
    assert caplog.text.count("none has taken it from queue 'gpu'") == 1


async def test_the_record_says_which_tool_is_missing(kit: Any, courier: Courier, caplog: pytest.LogCaptureFixture):
    """A worker that has not the AgenTool says so in the record, and once in its log, however often it is sent it."""
    execution_id = await start_run(kit, courier)
    await refuse(kit, execution_id)
    row = await kit.scheduler.store.execution(execution_id)
    assert (row.status, row.reason, row.owner) == (ExecutionStatus.QUEUED, HAS_NOT, kit.scheduler.store.owner)
    assert caplog.text.count("is left to another worker") == 1


async def test_what_workers_refuse_for_long_has_failed(kit: Any, courier: Courier, monkeypatch: pytest.MonkeyPatch):
    """It ends once, with the reason, at the process that sent it; its error queue and its listeners are told, and it is sent no more."""
    monkeypatch.setattr(sending_to_workers, "MAX_SEND_AGAIN_SECONDS", 0.4)
    told: list[Any] = []
    kit.scheduler.subscribe(told.append)

    def ends() -> list[str]:
        return [event.type for event in told if event.execution is not None and event.execution.finished]

    execution_id = await start_run(kit, courier)
    await refuse(kit, execution_id)
    row = await record(kit, execution_id, lambda row: row.finished)
    reason = "no worker was found that has AgenTool 'queue': name its plugin there by AGENTOOL_PLUGINS"
    assert (row.status, row.reason, row.started_at, row.error.message) == (ExecutionStatus.FAILED, reason, None, reason)
    executor = kit.scheduler.lifecycle.engine.dispatch.executor
    await until(lambda: executor.running == 0 and bool(ends()))
    await kit.scheduler.lifecycle.wait_idle()
    messages = (await kit.injector.run("queue", {"operation": "peek", "queue_name": "failures"})).data["messages"]
    assert [message["message"]["reason"] for message in messages] == [reason]
    assert ends() == ["scheduler.task.failure"]


async def test_a_worker_that_has_the_tool_runs_it_after_all(kit: Any, courier: Courier):
    """What one worker refused is another's, and nothing of the refusal is left in its record."""
    execution_id = await start_run(kit, courier)
    await refuse(kit, execution_id)
    await refuse(kit, execution_id, has_tool=True)
    row = await kit.scheduler.store.execution(execution_id)
    assert (row.status, row.reason, row.attempt) == (ExecutionStatus.SUCCESS, "", 1)


@pytest.mark.parametrize("said", ["", HAS_NOT])
async def test_what_a_worker_has_claimed_is_left_to_it(kit: Any, courier: Courier, monkeypatch: pytest.MonkeyPatch, said: str):
    """While it waits there for room, whoever sent it says nothing of it and ends it never, whatever another worker has said."""
    monkeypatch.setattr(sending_to_workers, "MAX_SEND_AGAIN_SECONDS", 0.2)
    execution_id = await start_run(kit, courier)
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC"), runs_jobs=False) as worker:
        store = worker.scheduler.store
        await store.claim_executions([execution_id], datetime.now(UTC))
        await store.write(lambda tx: tx.session.run("UPDATE agentool_executions SET reason = :said", {"said": said}))
        sent = courier.sent.count(execution_id)
        await until(lambda: courier.sent.count(execution_id) >= sent + 4)
        row = await store.execution(execution_id)
        assert (row.status, row.reason, row.owner) == (ExecutionStatus.QUEUED, said, store.owner)


async def test_a_job_that_a_worker_cannot_read_is_left(kit: Any, courier: Courier):
    """A worker of an older version ends nothing: the record says what it cannot do."""
    execution_id = await start_run(kit, courier)
    sql = "UPDATE agentool_jobs SET definition = REPLACE(definition, 'input_data', 'input_of_tomorrow'), revision = revision + 1000"
    await kit.scheduler.store.write(lambda tx: tx.session.run(sql))
    await refuse(kit, execution_id, has_tool=True)
    row = await kit.scheduler.store.execution(execution_id)
    assert (row.status, row.reason) == (ExecutionStatus.QUEUED, "waits for a worker that can read its job: an older one cannot")


async def test_what_is_refused_is_read_where_one_looks(kit: Any, courier: Courier):
    """The record of the job's history names the reason, as every list and page shows it."""
    execution_id = await start_run(kit, courier)
    await refuse(kit, execution_id)
    listed = (await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": "job"})).data["history"]
    assert [one["reason"] for one in listed] == [HAS_NOT]


async def test_a_job_of_workers_waits_for_no_tool_here(kit: Any):
    """What workers have, another process cannot tell: it says of its own jobs alone that they wait for an AgenTool that it has not."""
    await schedule_everywhere(kit)
    bare = replace(kit.scheduler.parts, injector=Injector())
    assert await reasons(kit, bare) == {"default": "", "away": "", "here": LACKS}


async def test_a_job_of_workers_may_name_its_executor_alone(kit: Any):
    """Where jobs run here unless they say otherwise, only those that say so are of workers."""
    await schedule_everywhere(kit)
    bare = replace(kit.scheduler.parts, injector=Injector(), default_executor="local")
    assert await reasons(kit, bare) == {"default": LACKS, "away": "", "here": LACKS}


@pytest.mark.parametrize(("executor", "waiting"), [("celery", ["here"]), ("local", ["default", "here"])])
async def test_jobs_of_workers_are_not_without_their_tool(kit: Any, executor: ExecutorName, waiting: list[str]):
    """Of an AgenTool that is not registered here, the lookup names the jobs that run here, whatever else needs it."""
    await schedule_everywhere(kit)
    bare = replace(kit.scheduler.parts, injector=Injector(), default_executor=executor)
    found = await JobLookup(bare, kit.scheduler.lifecycle).without_tool((name, "queue") for name in EVERYWHERE)
    assert found == [(name, "queue") for name in waiting]


async def test_a_job_that_nobody_can_read_goes_the_default_way(kit: Any):
    """A damaged job, and one that is gone, do not keep the others from being looked at."""
    await schedule_everywhere(kit)
    sql = "UPDATE agentool_jobs SET definition = '{', revision = revision + 1000 WHERE job_id = 'away'"
    await kit.scheduler.store.write(lambda tx: tx.session.run(sql))
    bare = replace(kit.scheduler.parts, injector=Injector(), default_executor="local")
    found = await JobLookup(bare, kit.scheduler.lifecycle).without_tool((name, "queue") for name in ("away", "gone", "here"))
    assert found == [("away", "queue"), ("gone", "queue"), ("here", "queue")]


async def test_what_was_sent_to_workers_waits_for_no_tool_here(kit: Any, courier: Courier):
    """A history says nothing of an AgenTool that only workers have: not where one looks for one execution, nor for many."""
    execution_id = await start_run(kit, courier)
    async with Toolkit(Settings(database=kit.settings.database, timezone="UTC", executor="celery"), runs_jobs=False) as visitor:
        visitor.injector.unregister("queue")
        asked = [("get_job", {"job_id": "job"}), ("list_executions", {"job_id": "job"}), ("get_execution", {"execution_id": execution_id})]
        job, listed, one = [(await visitor.injector.run("scheduler", {"operation": name, **fields})).data for name, fields in asked]
    reasons = [job["info"]["reason"], job["recent_history"][0]["reason"], listed["history"][0]["reason"], one["reason"]]
    assert set(reasons) <= {"", NOT_TAKEN}  # it says so as soon as it is sent again, which a busy machine may reach first


class Unbegun(Attempts):
    """Says of all that no worker has begun it, and notes when it is told to look why."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self.now = now
        self.looks: list[tuple[int, bool]] = []
        """After how many seconds, and was it too long?"""

    async def statuses(self, execution_ids: Any) -> dict[str, ExecutionStatus]:
        return dict.fromkeys(execution_ids, ExecutionStatus.QUEUED)

    def unclaimed(self, routes: Any, *, too_long: bool) -> None:
        self.looks.append((round(self.now()), too_long))


async def test_it_takes_an_hour_to_be_too_long(courier: Courier, monkeypatch: pytest.MonkeyPatch):
    """Each pause is twice the one before, and what would be sent only once an hour from now on has waited for an hour too."""
    loop, moved, began = asyncio.get_running_loop(), 0.0, 0.0
    attempts = Unbegun(lambda: moved - began)
    executor = RemoteExecutor(attempts, 1, {"celery": lambda: courier}, 1)
    began = moved = loop.time()
    monkeypatch.setattr(loop, "time", lambda: moved)
    executor._sent["x"] = sending_to_workers.Sent(Route("celery"))
    executor._send(executor._sent)
    for _ in range(8):
        moved = executor._sent["x"].again_at
        await executor._look()
    monkeypatch.undo()
    await executor.drain(1, 1)
    waited = [30, 90, 210, 450, 930, 1_890]
    assert attempts.looks == [*((seconds, False) for seconds in waited), (3_810, True), (7_410, True)]


async def test_a_worker_on_another_database_says_so(kit: Any, courier: Courier, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """It takes each message, and there is nothing that it could run: the sender only sees that nobody has begun."""
    execution_id = await start_run(kit, courier)
    async with Toolkit(Settings(database=str(tmp_path / "other.db"), timezone="UTC"), runs_jobs=False) as worker:
        for _ in range(2):
            await worker.scheduler.executions.run_claimed([execution_id])
    assert caplog.text.count("The executions of a message (1) are not in this database") == 1
    assert "AGENTOOL_DATABASE" in caplog.text


@pytest.mark.parametrize("has_tool", [True, False])
async def test_a_worker_on_the_same_database_says_nothing_of_it(
    kit: Any, courier: Courier, caplog: pytest.LogCaptureFixture, has_tool: bool
):
    """Also if it cannot run an execution, or if a message comes again when its execution has ended."""
    await refuse(kit, await start_run(kit, courier), has_tool=has_tool)
    assert "not in this database" not in caplog.text
