"""Everything out of one store and into another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentool import InvalidInput
from agentoolkit.moving import Arrived, Everything, export_lines, import_lines
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.jobs import Attempt, Delivery, ErrorRecord, Execution, Status
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.testing import ManualTime
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CALL = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
DONE = Execution("hourly@1", "hourly", "queue", NOW, status=Status.SUCCESS, result={"a": [1]}, finished_at=NOW, duration=0.5)
FAILED = DONE._replace(
    execution_id="hourly@2",
    status=Status.FAILED,
    result=None,
    error=ErrorRecord("ValueError", "no", "trace"),
    attempts=(Attempt(1, NOW, NOW, ErrorRecord("OSError", "first")),),
)


@asynccontextmanager
async def opened(path: Path | str) -> AsyncIterator[Toolkit]:
    """Open a database as a visitor."""
    async with Toolkit(Settings(database=str(path), timezone="UTC"), time=ManualTime(NOW), claims=False) as kit:
        yield kit


async def add_job(kit: Toolkit, name: str = "hourly", **fields: Any) -> None:
    await kit.injector.run("scheduler", {"operation": "schedule", "job_name": name, "schedule": "1 hour", **CALL, **fields})


def held(kit: Toolkit) -> Everything:
    return Everything(kit.scheduler.store, kit.queue.backend, kit.values)


async def exported(kit: Toolkit) -> list[str]:
    return [line async for line in export_lines(held(kit), NOW)]


async def moved(source: Path | str, target: Path | str) -> tuple[list[str], list[str]]:
    """Move everything, and return the lines of both sides."""
    async with opened(source) as kit:
        lines = await exported(kit)
    async with opened(target) as kit:
        await import_lines(held(kit), lines, NOW)
        return lines, await exported(kit)


async def test_the_header_says_what_it_is(tmp_path: Path) -> None:
    """The first line has the format's name, its version and the time."""
    async with opened(tmp_path / "a.db") as kit:
        (header,) = await exported(kit)
    assert json.loads(header) == {"format": "agentool", "version": 2, "exported_at": NOW.isoformat()}


async def test_jobs_and_executions_arrive_unchanged(tmp_path: Path) -> None:
    """Definitions, where jobs stand, results, errors and earlier attempts are the same on the other side."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, tags=["x"], max_retries=3, retry_on=["OSError"], start_at="2031-01-01", exclude=["2031-12-25"])
        await add_job(kit, "resting", paused=True)
        await kit.scheduler.store.record([DONE, FAILED])
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db")
    assert before == after
    assert len(before) == 5


async def test_jobs_after_others_arrive_unchanged(tmp_path: Path) -> None:
    """They keep their order with what they follow, their history too, and nothing is followed a second time."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, "count")
        await add_job(kit, "hourly")
        await kit.injector.run("scheduler", {"operation": "update", "job_id": "count", "schedule": "after hourly"})
        owner = kit.scheduler.store.owner
        await kit.scheduler.store.record([DONE._replace(status=Status.QUEUED, finished_at=None, owner=owner)])
        await kit.scheduler.store.finish(DONE._replace(owner=owner), Message("hourly@1", "results", {"result": 1}))
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db")
    assert before == after
    records = [json.loads(line) for line in after]
    assert [record["job"]["job_id"] for record in records if "job" in record] == ["count", "hourly"]
    assert {record["execution"]["execution_id"] for record in records if "execution" in record} == {"hourly@1", "count@after-hourly@1"}


async def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    """An import can be repeated."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await kit.scheduler.store.record([DONE])
        lines = await exported(kit)
        assert await import_lines(held(kit), lines, NOW) == Arrived()


async def test_a_message_under_way_arrives(tmp_path: Path) -> None:
    """What was still to be delivered is delivered by the other side."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        owner = kit.scheduler.store.owner
        await kit.scheduler.store.record([DONE._replace(status=Status.QUEUED, finished_at=None, owner=owner)])
        await kit.scheduler.store.finish(DONE._replace(owner=owner), Message("hourly@1", "results", {"result": 1}))
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        assert await import_lines(held(kit), lines, NOW) == Arrived(1, 1, 1)
        (message,) = await kit.scheduler.store.messages(10)
        execution = await kit.scheduler.store.execution("hourly@1")
    assert message == Message("hourly@1", "results", {"result": 1})
    assert execution is not None
    assert (execution.delivery, execution.result, execution.status) == (Delivery.PENDING, {"a": [1]}, Status.SUCCESS)


@pytest.mark.parametrize(("on_interrupt", "status"), [("retry", Status.QUEUED), ("fail", Status.LOST)])
async def test_an_execution_under_way_is_an_interrupted_one(tmp_path: Path, on_interrupt: str, status: Status) -> None:
    """What had not ended is run again on the other side, or lost, as its job says."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, on_interrupt=on_interrupt)
        await kit.scheduler.store.record([DONE._replace(status=Status.RUNNING, started_at=NOW, finished_at=None, owner="there")])
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        execution = await kit.scheduler.store.execution("hourly@1")
    assert execution is not None
    assert execution.status is status


async def test_a_job_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """An import changes no job of the other side."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await add_job(kit, description="mine")
        assert await import_lines(held(kit), lines, NOW) == Arrived()
        stored = await kit.scheduler.store.find("hourly")
    assert stored is not None
    assert stored.job.description == "mine"


@pytest.mark.parametrize(
    "lines",
    [
        ["{"],
        ["[]"],
        ['{"format": "other"}'],
        ['{"format": "agentool", "version": 99}'],
        ['{"format": "agentool", "version": 1}', '{"job": {"job_id": "a"}, "standing": {}}'],
        ['{"format": "agentool", "version": 1}', '{"execution": {}}'],
        ['{"format": "agentool", "version": 1}', '{"message": {}}'],
        ['{"format": "agentool", "version": 2}', '{"queue": {}}'],
        ['{"format": "agentool", "version": 2}', '{"queued": {}}'],
        ['{"format": "agentool", "version": 2}', '{"value": {"text": "1"}}'],
        ['{"format": "agentool", "version": 2}', '{"value": {}, "namespace": "a", "key": "b"}'],
        ['{"format": "agentool", "version": 2}', '{"something": {}}'],
    ],
)
async def test_a_damaged_file_is_refused(tmp_path: Path, lines: list[str]) -> None:
    """Another format, another version and a damaged line are refused."""
    async with opened(tmp_path / "a.db") as kit:
        with pytest.raises(InvalidInput):
            await import_lines(held(kit), lines, NOW)


async def ask(kit: Toolkit, name: str, operation: str, **fields: Any) -> Any:
    return await kit.injector.run(name, {"operation": operation, **fields})


async def fill_queues(kit: Toolkit) -> None:
    """Make a queue with a message in every state, each named after it."""
    await ask(kit, "queue", "create_queue", queue_name="q", max_size=50, max_retries=2, description="mine")
    for name in ("dead", "in_flight", "ready"):
        await ask(kit, "queue", "enqueue", queue_name="q", message={"n": name}, message_id=name)
    await ask(kit, "queue", "enqueue", queue_name="q", message=1, message_id="delayed", delay=60, priority=7)
    await ask(kit, "queue", "move_to_dlq", queue_name="q", message_id="dead", reason="poison")
    await ask(kit, "queue", "dequeue", queue_name="q")


async def test_queues_arrive_with_every_message(tmp_path: Path) -> None:
    """Limits, order, delays, payloads and dead letters with their reasons are the same; what somebody had taken is ready again."""
    async with opened(tmp_path / "a.db") as kit:
        await fill_queues(kit)
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        assert await import_lines(held(kit), lines, NOW) == Arrived(queues=1, messages=4)
        (status,) = await kit.queue.backend.queues(NOW)
        messages = {message.message_id: message for message in await kit.queue.backend.messages("q", NOW)}
    assert (status.queue.settings.max_size, status.queue.settings.max_retries, status.queue.settings.description) == (50, 2, "mine")
    assert {id_: message.state.value for id_, message in messages.items()} == {
        "dead": "dead",
        "in_flight": "ready",
        "ready": "ready",
        "delayed": "delayed",
    }
    assert (messages["dead"].reason, messages["dead"].died_at) == ("poison", NOW)
    assert (messages["delayed"].available_at, messages["delayed"].priority) == (NOW + timedelta(seconds=60), 7)
    assert [messages[id_].body for id_ in ("dead", "ready", "delayed")] == ['{"n":"dead"}', '{"n":"ready"}', "1"]


async def test_values_arrive_with_their_expiry(tmp_path: Path) -> None:
    """Every namespace, and how long each value lives; one that is there already stays."""
    async with opened(tmp_path / "a.db") as kit:
        await ask(kit, "storage_kv", "set", key="a", value={"b": [1]})
        await ask(kit, "storage_kv", "set", key="a", value=2, namespace="other", ttl=60)
        await ask(kit, "storage_kv", "set", key="taken", value="theirs")
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await ask(kit, "storage_kv", "set", key="taken", value="mine")
        assert await import_lines(held(kit), lines, NOW) == Arrived(values=2)
        found = {(value.namespace, value.key): value.entry for value in await kit.values.everything(NOW)}
    assert {place: entry.text for place, entry in found.items()} == {
        ("default", "a"): '{"b":[1]}',
        ("default", "taken"): '"mine"',
        ("other", "a"): "2",
    }
    assert found["other", "a"].expires_at == NOW + timedelta(seconds=60)


async def test_a_second_import_adds_no_message_and_no_value(tmp_path: Path) -> None:
    """An import can be repeated, also after a message that it brought was taken for good."""
    async with opened(tmp_path / "a.db") as kit:
        await fill_queues(kit)
        await ask(kit, "storage_kv", "set", key="a", value=1)
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        await ask(kit, "queue", "dequeue", queue_name="q", count=1, auto_ack=True)
        assert await import_lines(held(kit), lines, NOW) == Arrived()


async def test_a_damaged_line_is_named_and_nothing_is_added(tmp_path: Path) -> None:
    """A file is read whole before anything of it is written."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await fill_queues(kit)
        lines = await exported(kit)
    lines[3] = '{"queued": {}}'
    async with opened(tmp_path / "b.db") as kit:
        with pytest.raises(InvalidInput, match=r"^file: Line 4: queued: "):
            await import_lines(held(kit), lines, NOW)
        assert len(await exported(kit)) == 1


async def test_everything_moves_to_postgres_and_back(tmp_path: Path, postgres_url: str) -> None:
    """Back ends read what others wrote."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await kit.scheduler.store.record([DONE, FAILED])
        await ask(kit, "queue", "enqueue", queue_name="q", message={"n": 1}, message_id="m")
        await ask(kit, "storage_kv", "set", key="a", value=1, ttl=60)
    before, _ = await moved(tmp_path / "a.db", postgres_url)
    _, after = await moved(postgres_url, tmp_path / "b.db")
    assert before == after


async def test_times_keep_their_instant(tmp_path: Path) -> None:
    """A paused job keeps the time at which it resumes."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await kit.scheduler.pause("hourly", NOW + timedelta(days=3), "holidays")
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db")
    assert before[1] == after[1]
    assert "2030-01-04" in after[1]
