"""Everything out of one store and into another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentool import InvalidInput
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import Attempt, DeliveryStatus, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Ending, Message
from agentoolkit.testing import ManualTime
from agentoolkit.transfer import Arrived, Everything, backup, export_lines, import_lines
from agentoolkit.transfer.records import execution_record
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CALL = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
DONE = Execution("hourly@1", "hourly", "queue", NOW, status=ExecutionStatus.SUCCESS, result={"a": [1]}, finished_at=NOW, duration=0.5)
FAILED = DONE._replace(
    execution_id="hourly@2",
    status=ExecutionStatus.FAILED,
    result=None,
    error=ErrorRecord("ValueError", "no", "trace"),
    attempts=(Attempt(1, NOW, NOW, ErrorRecord("OSError", "first")),),
)


@asynccontextmanager
async def opened(path: Path | str) -> AsyncIterator[Toolkit]:
    """Open a database as a visitor."""
    async with Toolkit(Settings(database=str(path), timezone="UTC"), time=ManualTime(NOW), runs_jobs=False) as kit:
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
    assert json.loads(header) == {"format": "agentool", "version": 3, "exported_at": NOW.isoformat()}


async def test_jobs_and_executions_arrive_unchanged(tmp_path: Path) -> None:
    """Definitions, where jobs stand, results, errors and earlier attempts are the same on the other side."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, tags=["x"], max_retries=3, retry_on=["OSError"], start_at="2031-01-01", exclude=["2031-12-25"])
        await add_job(kit, "resting", paused=True)
        await kit.scheduler.store.insert([DONE, FAILED])
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
        await kit.scheduler.store.insert([DONE._replace(status=ExecutionStatus.QUEUED, finished_at=None, owner=owner)])
        await kit.scheduler.store.finish([Ending(DONE._replace(owner=owner), Message("hourly@1", "results", {"result": 1}))])
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db")
    assert before == after
    records = [json.loads(line) for line in after]
    assert [record["job"]["job_id"] for record in records if "job" in record] == ["count", "hourly"]
    assert {record["execution"]["execution_id"] for record in records if "execution" in record} == {"hourly@1", "count@after-hourly@1"}


async def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    """An import can be repeated."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await kit.scheduler.store.insert([DONE])
        lines = await exported(kit)
        assert await import_lines(held(kit), lines, NOW) == Arrived()


async def test_a_message_under_way_arrives(tmp_path: Path) -> None:
    """What was still to be delivered is delivered by the other side."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        owner = kit.scheduler.store.owner
        await kit.scheduler.store.insert([DONE._replace(status=ExecutionStatus.QUEUED, finished_at=None, owner=owner)])
        await kit.scheduler.store.finish([Ending(DONE._replace(owner=owner), Message("hourly@1", "results", {"result": 1}))])
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        assert await import_lines(held(kit), lines, NOW) == Arrived(1, 1, 1)
        (message,) = await kit.scheduler.store.messages(10)
        execution = await kit.scheduler.store.execution("hourly@1")
    assert message == Message("hourly@1", "results", {"result": 1})
    assert execution is not None
    assert (execution.delivery, execution.result, execution.status) == (DeliveryStatus.PENDING, {"a": [1]}, ExecutionStatus.SUCCESS)


@pytest.mark.parametrize(("on_interrupt", "status"), [("retry", ExecutionStatus.QUEUED), ("fail", ExecutionStatus.LOST)])
async def test_an_execution_under_way_is_an_interrupted_one(tmp_path: Path, on_interrupt: str, status: ExecutionStatus) -> None:
    """What had not ended is run again on the other side, or lost, as its job says."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, on_interrupt=on_interrupt)
        await kit.scheduler.store.insert([DONE._replace(status=ExecutionStatus.RUNNING, started_at=NOW, finished_at=None, owner="there")])
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


async def test_a_queue_that_is_deleted_meanwhile_ends_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are exported, as every record that was made before."""
    async with opened(tmp_path / "a.db") as kit:
        for name in ("a", "b", "c"):
            await ask(kit, "queue", "create_queue", queue_name=name)
        contents = kit.queue.backend.contents

        async def delete_next(queue_name: str, now: datetime) -> Any:
            if queue_name == "a":
                await kit.queue.backend.delete("b", now)
            return await contents(queue_name, now)

        monkeypatch.setattr(kit.queue.backend, "contents", delete_next)
        lines = await exported(kit)
    assert [record["queue"]["queue_name"] for record in map(json.loads, lines) if "arrivals" in record] == ["a", "c"]


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
        with pytest.raises(InvalidInput, match=r"^file: Line 4: queued\.message_id: "):
            await import_lines(held(kit), lines, NOW)
        assert len(await exported(kit)) == 1


async def test_everything_moves_to_postgres_and_back(tmp_path: Path, postgres_url: str) -> None:
    """Back ends read what others wrote."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        await kit.scheduler.store.insert([DONE, FAILED])
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


HEADER = '{"format": "agentool", "version": 2}'
QUEUED = {"message_id": "m", "queue_name": "q", "body": "1", "enqueued_at": NOW.isoformat(), "available_at": NOW.isoformat()}
VALUE = {"text": "1", "expires_at": None}
EXECUTION = {"execution_id": "a@1", "job_id": "a", "agentool_name": "queue", "scheduled_at": NOW.isoformat()}
ATTEMPT = {"attempt": 1, "started_at": "2030-01-01T00:00:00", "finished_at": None, "error": None}
QUEUE = {"queue_name": "q", "settings": {"max_size": 1}, "created_at": NOW.isoformat()}
JOB = {
    "job_id": "a",
    "job_name": "a",
    "agentool_name": "queue",
    "input_data": {"operation": "list_queues"},
    "schedule": {"kind": "once", "text": NOW.isoformat(), "timezone": "UTC"},
    "policies": {},
    "tags": [],
    "created_at": NOW.isoformat(),
}


def value(**fields: Any) -> dict[str, Any]:
    return {"value": VALUE, "namespace": "n", "key": "k", **fields}


def job(**fields: Any) -> dict[str, Any]:
    return {"job": {**JOB, **fields}, "standing": {}}


DAMAGED = [
    ("queued.body", {"queued": {**QUEUED, "body": "{bad"}}),
    ("queued.body", {"queued": {**QUEUED, "body": "[" * 100_000}}),
    ("queued.enqueued_at", {"queued": {**QUEUED, "enqueued_at": "2030-01-01T00:00:00"}}),
    ("queued.message_id", {"queued": {**QUEUED, "message_id": ""}}),
    ("value.text", value(value={"text": "{not json"})),
    ("value.text", value(value={"text": "NaN"})),
    ("value.expires_at", value(value={"text": "1", "expires_at": "2031-01-01T00:00:00"})),
    ("value.key", value(key="\x1b[2J")),
    ("value.namespace", value(namespace="a\nb")),
    ("value.key", value(key="k" * 501)),
    ("value.key", value(key=None)),
    ("execution.job_id", {"execution": {**EXECUTION, "job_id": "a\nb"}}),
    ("execution.scheduled_at", {"execution": {**EXECUTION, "scheduled_at": "2030-01-01T00:00:00"}}),
    ("execution.attempts.0.started_at", {"execution": {**EXECUTION, "attempts": [ATTEMPT]}}),
    ("message.execution_id", {"message": {"execution_id": "\x1b", "queue_name": "q", "payload": {}}}),
    ("queue.max_size", {"queue": {**QUEUE, "settings": {"max_size": -1}}}),
    ("queue.queue_name", {"queue": {**QUEUE, "queue_name": ""}}),
    ("standing", {"job": JOB}),
    ("standing.next_run_at", {"job": JOB, "standing": {"next_run_at": "2030-01-01T00:00:00"}}),
    ("job.job_id", job(job_id="evil\x1b[2J\n")),
    ("job.job_id", job(job_id=7)),
    ("job.created_at", job(created_at="2030-01-01T00:00:00")),
    ("job.schedule", job(schedule=5)),
    ("job.schedule", job(schedule={**JOB["schedule"], "kind": "never"})),
    ("job.policies.max_instances", job(policies={"max_instances": "many"})),
    ("job.max_retries", job(policies={"max_retries": -1})),
    ("job.input_data", job(input_data=[])),
    ("job.input_data", job(input_data={"a": json.loads("[" * 200 + "]" * 200)})),
    ("job.tags.0", job(tags=["x" * 1_000])),
    ("job", {"job": []}),
]


@pytest.mark.parametrize(("field", "record"), DAMAGED)
async def test_a_record_that_no_tool_would_have_let_in_is_refused(tmp_path: Path, field: str, record: dict[str, Any]) -> None:
    """The refusal names line, field and way out, and nothing is added: not even what stands before it."""
    async with opened(tmp_path / "a.db") as kit:
        with pytest.raises(InvalidInput) as refused:
            await import_lines(held(kit), [HEADER, json.dumps(value()), json.dumps(record)], NOW)
        assert len(await exported(kit)) == 1
    told = str(refused.value)
    assert (told.startswith(f"file: Line 3: {field}"), "Correct the line" in told, "\n" in told) == (True, True, False), told


@pytest.mark.parametrize("line", ["[" * 200_000, '{"value": NaN}', f'{{"a": {"1" * 5_000}}}'])
async def test_a_line_that_is_no_json_is_refused(tmp_path: Path, line: str) -> None:
    """Nested without an end, with numbers that JSON does not have, or longer than any number."""
    async with opened(tmp_path / "a.db") as kit:
        with pytest.raises(InvalidInput, match=r"Line 2 is not JSON: .* Correct the line"):
            await import_lines(held(kit), [HEADER, line], NOW)


@pytest.mark.parametrize("record", [job(), value(), {"queue": QUEUE}, {"queued": QUEUED}, {"execution": EXECUTION}])
async def test_the_least_that_a_record_may_be_is_taken(tmp_path: Path, record: dict[str, Any]) -> None:
    """What is refused above is refused for what is said there."""
    async with opened(tmp_path / "a.db") as kit:
        *counts, left_out = await import_lines(held(kit), [HEADER, json.dumps(record)], NOW)
        assert (sum(counts), left_out) == (1, ())


async def test_a_value_written_otherwise_is_kept_in_the_one_form(tmp_path: Path) -> None:
    """Equal values are equal text, so compare_and_set finds one that was written by hand."""
    async with opened(tmp_path / "a.db") as kit:
        await import_lines(held(kit), [HEADER, json.dumps(value(value={"text": '{"b": 1, "a": 2}'}))], NOW)
        swap = {"operation": "compare_and_set", "namespace": "n", "key": "k", "expected": {"a": 2, "b": 1}, "value": 3}
        await kit.injector.run("storage_kv", swap)
        assert (await kit.injector.run("storage_kv", {"operation": "get", "namespace": "n", "key": "k"})).value == 3


async def fill_a_whole_queue(kit: Toolkit) -> None:
    """A full queue with messages in every state, letters that died at one instant, and ids of what is gone."""
    await ask(kit, "queue", "create_queue", queue_name="full", max_size=3, max_retries=2, description="mine")
    for name in ("b", "a", "gone"):
        await ask(kit, "queue", "enqueue", queue_name="full", message={"n": name}, message_id=name)
    for name in ("b", "a"):
        await ask(kit, "queue", "move_to_dlq", queue_name="full", message_id=name, reason=f"poison {name}")
    await ask(kit, "queue", "ack", queue_name="full", message_id="gone")
    await ask(kit, "queue", "enqueue", queue_name="full", message=1, delay=60, priority=7)
    for number in range(2):
        await ask(kit, "queue", "enqueue", queue_name="full", message=number)
    await ask(kit, "queue", "dequeue", queue_name="full")
    await ask(kit, "storage_kv", "set", key="a", value="\ud800", ttl=60)


async def test_export_and_import_are_inverse(tmp_path: Path, database_url: str) -> None:
    """Out, in and out again gives the same bytes: a full queue, dead letters in their order, remembered ids, values."""
    async with opened(tmp_path / "a.db") as kit:
        await fill_a_whole_queue(kit)
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db" if database_url.endswith(".db") else database_url)
    assert "\n".join(before).encode() == "\n".join(after).encode()


async def test_memory_takes_and_gives_the_same(tmp_path: Path) -> None:
    """The stores in memory too."""
    async with opened(tmp_path / "a.db") as kit:
        await fill_a_whole_queue(kit)
        before = await exported(kit)
    async with Toolkit(Settings(timezone="UTC"), time=ManualTime(NOW), runs_jobs=False) as kit:
        await import_lines(held(kit), before, NOW)
        assert await exported(kit) == before


async def test_what_died_stays_dead_and_what_is_known_stays_known(tmp_path: Path) -> None:
    """A dead letter keeps its reason, and an id of what is gone adds nothing."""
    async with opened(tmp_path / "a.db") as kit:
        await fill_a_whole_queue(kit)
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        letters = (await ask(kit, "queue", "get_dlq", queue_name="full")).data["messages"]
        assert [(letter["message_id"], letter["reason"]) for letter in letters] == [("b", "poison b"), ("a", "poison a")]
        assert (await ask(kit, "queue", "enqueue", queue_name="full", message=1, message_id="gone")).data["duplicate"]


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Nothing at all, or only blank lines, is no export."""
    async with opened(tmp_path / "a.db") as kit:
        for lines in ([], ["", "  "]):
            with pytest.raises(InvalidInput, match="empty"):
                await import_lines(held(kit), lines, NOW)


@pytest.mark.parametrize("field", ["attempts", "arrival"])
@pytest.mark.parametrize("number", [10**30, -1])
async def test_a_count_that_no_database_holds_is_refused(tmp_path: Path, field: str, number: int) -> None:
    """The line is named, and nothing is added: not even the messages before it."""
    async with opened(tmp_path / "a.db") as kit:
        lines = [HEADER, json.dumps({"queued": QUEUED}), json.dumps({"queued": {**QUEUED, "message_id": "n", field: number}})]
        with pytest.raises(InvalidInput, match=f"Line 3: queued.{field}"):
            await import_lines(held(kit), lines, NOW)
        assert len(await exported(kit)) == 1


async def test_a_file_of_the_version_before_is_read(tmp_path: Path) -> None:
    """Its dead letters come in the order of their times, and its messages are known afterwards."""
    dead = {"state": "dead", "reason": "no"}
    lines = [HEADER] + [
        json.dumps({"queued": {**QUEUED, "message_id": name, **dead, "died_at": (NOW + timedelta(seconds=at)).isoformat()}})
        for name, at in (("late", 2), ("early", 1))
    ]
    async with opened(tmp_path / "a.db") as kit:
        assert (await import_lines(held(kit), lines, NOW)).messages == 2
        letters = (await ask(kit, "queue", "get_dlq", queue_name="q")).data["messages"]
        assert [letter["message_id"] for letter in letters] == ["early", "late"]
        assert await import_lines(held(kit), lines, NOW) == Arrived()


async def test_damaged_rows_are_left_out(tmp_path: Path) -> None:
    """One damaged message, one damaged value: the others are exported."""
    async with opened(tmp_path / "a.db") as kit:
        for name in ("good", "bad"):
            await ask(kit, "queue", "enqueue", queue_name="q", message=1, message_id=name)
            await ask(kit, "storage_kv", "set", key=name, value=1)
        await kit.database.write(lambda session: session.run("UPDATE agentool_queue_messages SET body = '{' WHERE message_id = 'bad'"))
        await kit.database.write(lambda session: session.run("UPDATE agentool_values SET value = '{' WHERE key = 'bad'"))
        found = [json.loads(line) for line in await exported(kit)]
    assert [record["queued"]["message_id"] for record in found if "queued" in record] == ["good"]
    assert [record["key"] for record in found if "value" in record] == ["good"]


TEXTS = [
    ("execution", "owner"),
    ("execution", "agentool_name"),
    ("execution", "trigger"),
    ("job", "created_by", "name"),
    ("job", "schedule", "jitter_key"),
    ("job", "description"),
    ("job", "tags", 0),
]


@pytest.mark.parametrize("place", TEXTS, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("evil", ["\ud800", "\0"], ids=["surrogate", "nul"])
async def test_text_that_no_store_holds_is_refused(tmp_path: Path, place: tuple[str | int, ...], evil: str) -> None:
    """Wherever it is in a record, the line and the field are named, and nothing is added."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, tags=["x"])
        await kit.scheduler.store.insert([DONE])
        lines = await exported(kit)
    number = next(number for number, line in enumerate(lines) if place[0] in json.loads(line))
    record = inner = json.loads(lines[number])
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = f"a{evil}"
    lines[number] = json.dumps(record)
    async with opened(tmp_path / "b.db") as kit:
        with pytest.raises(InvalidInput, match=rf"Line {number + 1}: .*{'.'.join(map(str, place))}"):
            await import_lines(held(kit), lines, NOW)
        assert len(await exported(kit)) == 1


async def test_result_with_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    """No answer could show it; a handler's own never has one."""
    line = json.dumps({"format": "agentool", "version": 3}), execution_line({"a": "\ud800"})
    async with opened(tmp_path / "a.db") as kit:
        with pytest.raises(InvalidInput, match=r"Line 2: execution.result.a: "):
            await import_lines(held(kit), line, NOW)


def execution_line(result: object) -> str:
    return json.dumps(execution_record(DONE._replace(result=result)))


async def test_what_a_handler_said_is_taken_as_it_is(tmp_path: Path) -> None:
    """An error's message may hold anything: an export writes it with escapes, and an import reads that."""
    async with opened(tmp_path / "a.db") as kit:
        await kit.scheduler.store.insert([FAILED._replace(error=ErrorRecord("ValueError", "a\ud800b", "trace"))])
    before, after = await moved(tmp_path / "a.db", tmp_path / "b.db")
    assert before == after
    assert "\\ud800" in before[1]


async def test_an_import_is_written_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with a commit for each job and each execution."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit)
        many = [DONE._replace(execution_id=f"hourly@{number}", finished_at=NOW + timedelta(seconds=number)) for number in range(90)]
        await kit.scheduler.store.insert(many)
        lines = await exported(kit)
    commits: list[int] = []
    transaction = DatabaseThread._transaction
    monkeypatch.setattr(DatabaseThread, "_transaction", lambda thread, batch: commits.append(thread._writes) or transaction(thread, batch))
    async with opened(tmp_path / "b.db") as kit:
        commits.clear()
        assert (await import_lines(held(kit), lines, NOW)).executions == 90
        assert sum(commits) < 10


async def test_jobs_of_an_export_are_those_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that moves to another job meanwhile is in the file once, so that no job is lost on the other side."""
    monkeypatch.setattr("agentoolkit.transfer.backup._PAGE", 1)
    monkeypatch.setattr("agentoolkit.transfer.backup.AT_ONCE", 1)
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, "first", job_id="a")
        await add_job(kit, "second", job_id="b")
        lines: list[str] = []
        async for line in export_lines(held(kit), NOW):
            lines.append(line)
            if len(lines) == 2:
                await ask(kit, "scheduler", "update", job_id="a", job_name="third")
                await ask(kit, "scheduler", "update", job_id="b", job_name="first")
    assert [json.loads(line)["job"]["job_name"] for line in lines[1:3]] == ["first", "second"]


async def lines_of(path: Path, *names: str) -> list[dict[str, Any]]:
    """Return the records of an export of hourly jobs, without the header."""
    async with opened(path) as kit:
        for name in names:
            await add_job(kit, name, job_id=f"id-{name}")
        return [json.loads(line) for line in (await exported(kit))[1:]]


async def refusal_of(path: Path, records: Sequence[dict[str, Any]]) -> InvalidInput:
    """Import records; return how they were refused, after a look that nothing was added."""
    async with opened(path) as kit:
        before = [stored.job.job_id for stored in await kit.scheduler.store.jobs()]
        with pytest.raises(InvalidInput, match="nothing was added") as refused:
            await import_lines(held(kit), map(json.dumps, [{"format": "agentool", "version": 3}, *records]), NOW)
        assert [stored.job.job_id for stored in await kit.scheduler.store.jobs()] == before
    return refused.value


def after(record: dict[str, Any], upstream: str) -> dict[str, Any]:
    """Return the record of a job with another schedule: after another job."""
    schedule = record["job"]["schedule"] | {"kind": "after", "text": f"after {upstream} succeeded"}
    return record | {"job": record["job"] | {"schedule": schedule}}


async def test_two_lines_with_one_job_are_refused(tmp_path: Path) -> None:
    """Which of the two is meant, nobody can tell."""
    first, second = await lines_of(tmp_path / "a.db", "first", "second")
    assert "Line 4: the job on line 2 has the id or name" in str(
        await refusal_of(tmp_path / "b.db", [first, second, first | {"job": first["job"] | {"job_name": "third"}}])
    )


async def test_two_jobs_with_one_name_are_refused(tmp_path: Path) -> None:
    """Only one of them could be added, and the other would be lost."""
    first, second = await lines_of(tmp_path / "a.db", "first", "second")
    second["job"]["job_name"] = "first"
    assert "Line 3: the job on line 2 has the id or name 'first' too" in str(await refusal_of(tmp_path / "b.db", [first, second]))


async def test_ended_job_may_have_the_name_of_another(tmp_path: Path) -> None:
    """A name is free again when its job is done; an export holds both."""
    first, second = await lines_of(tmp_path / "a.db", "first", "second")
    first["job"]["job_name"], first["standing"]["state"] = "second", "done"
    async with opened(tmp_path / "b.db") as kit:
        lines = map(json.dumps, [{"format": "agentool", "version": 3}, first, second])
        assert (await import_lines(held(kit), lines, NOW)).jobs == 2


async def test_jobs_that_come_after_each_other_are_refused(tmp_path: Path) -> None:
    """A circle among the jobs of a file is found before the first of them is added."""
    first, second, third = await lines_of(tmp_path / "a.db", "first", "second", "third")
    circle = [first, after(second, "id-third"), after(third, "id-second")]
    assert "come after itself" in str(await refusal_of(tmp_path / "b.db", circle))


async def test_circle_by_way_of_a_job_that_is_there_is_refused(tmp_path: Path) -> None:
    """A job that is there stays as it is, so what it comes after counts, and not what the file says of it."""
    first, second = await lines_of(tmp_path / "a.db", "first", "second")
    async with opened(tmp_path / "b.db") as kit:
        await add_job(kit, "second", job_id="id-second")
        await add_job(kit, "first", job_id="id-first")
        await ask(kit, "scheduler", "update", job_id="id-second", schedule="after id-first")
        await ask(kit, "scheduler", "cancel", job_id="id-first")
    assert "come after itself" in str(await refusal_of(tmp_path / "b.db", [second, after(first, "id-second")]))


async def test_a_circle_that_others_close_meanwhile_leaves_out_the_job_that_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for circles and the write another process may change what is there: the rest of the file arrives all the same."""
    first, second, third = await lines_of(tmp_path / "a.db", "first", "second", "third")
    async with opened(tmp_path / "b.db") as kit, opened(tmp_path / "b.db") as other:
        await add_job(kit, "second", job_id="id-second")
        new_jobs = backup._Importer._new_jobs

        async def then_changed(importer: Any) -> Any:
            new = await new_jobs(importer)
            await add_job(other, "first", job_id="id-first")
            await ask(other, "scheduler", "update", job_id="id-second", schedule="after id-first")
            await ask(other, "scheduler", "cancel", job_id="id-first")
            return new

        monkeypatch.setattr(backup._Importer, "_new_jobs", then_changed)
        lines = map(json.dumps, [{"format": "agentool", "version": 3}, after(first, "id-second"), second, third])
        arrived = await import_lines(held(kit), lines, NOW)
        there = [stored.job.job_id for stored in await kit.scheduler.store.jobs()]
    assert (arrived.jobs, sorted(there)) == (1, ["id-second", "id-third"])
    assert arrived.left_out == ("id-first",)


async def test_executions_of_a_job_that_is_left_out_are_left_out(tmp_path: Path) -> None:
    """Nothing would ever run, show or forget them: they have no job there. Those of the other jobs, and outcomes, arrive."""
    async with opened(tmp_path / "a.db") as kit:
        owner = kit.scheduler.store.owner
        for name in ("taken", "free"):
            await add_job(kit, name, job_id=f"id-{name}")
            running = DONE._replace(
                execution_id=f"{name}@1", job_id=f"id-{name}", status=ExecutionStatus.QUEUED, finished_at=None, owner=owner
            )
            await kit.scheduler.store.insert([running])
            ended = running._replace(status=ExecutionStatus.SUCCESS, finished_at=NOW)
            await kit.scheduler.store.finish([Ending(ended, Message(f"{name}@1", "results", {}))])
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await add_job(kit, "taken", job_id="another")
        assert await import_lines(held(kit), lines, NOW) == Arrived(1, 1, 1, left_out=("id-taken",))
        there = [each.execution_id for each in await kit.scheduler.store.executions(None, 10)]
        under_way = [message.execution_id for message in await kit.scheduler.store.messages(10)]
    assert (there, under_way) == (["free@1"], ["free@1"])


async def test_job_after_one_that_is_nowhere_is_taken(tmp_path: Path) -> None:
    """What it comes after was cancelled, or is added later."""
    (first,) = await lines_of(tmp_path / "a.db", "first")
    async with opened(tmp_path / "b.db") as kit:
        lines = map(json.dumps, [{"format": "agentool", "version": 3}, after(first, "gone")])
        assert (await import_lines(held(kit), lines, NOW)).jobs == 1
