"""However a handler ends, its record says what happened, its queue is told, and the scheduler goes on."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

import pytest
from pydantic import BaseModel

from agentool import BaseOperationInput, RunContext, create_agentool

QUEUES = {"result_queue": "results", "error_queue": "errors"}


class Report(BaseModel):
    """What a handler may return."""

    rows: int
    made_at: datetime


class Unwritable:
    """What no JSON can hold."""


class TickInput(BaseOperationInput):
    operation: Literal["tick"]


async def tick(ctx: RunContext[None]) -> None:
    """Do nothing."""


@pytest.fixture
async def beside(kit, scheduler):
    """Another job that fires every minute beside the one that is tested; await it to see that it still does."""
    create_agentool("tick", TickInput, {"tick": tick}, injector=kit.injector)
    await scheduler.add("1 minute", job_id="beside", agentool_name="tick", input_data={"operation": "tick"})

    async def still_fires() -> bool:
        before = len(await scheduler.statuses("beside"))
        await kit.advance(minutes=2)
        statuses = await scheduler.statuses("beside")
        return len(statuses) == before + 2 and set(statuses) == {"success"}

    return still_fires


async def run_once(kit, scheduler, **fields):
    """Let the probe run once from a schedule; return its record."""
    await scheduler.add("now", job_id="job", **{**QUEUES, **fields})
    await kit.advance()
    (record,) = await scheduler.history("job")
    return record


# What handlers return


@pytest.mark.parametrize(
    ("returned", "recorded"),
    [
        (None, None),
        ("plain text", "plain text"),
        ("", ""),
        ("{not json", "{not json"),
        (7, 7),
        (True, True),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        (datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00Z"),
        (date(2030, 1, 1), "2030-01-01"),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, {"at": "2030-01-01T00:00:00Z"}),
        (Report(rows=3, made_at=datetime(2030, 1, 1, tzinfo=UTC)), {"rows": 3, "made_at": "2030-01-01T00:00:00Z"}),
        ([Report(rows=3, made_at=datetime(2030, 1, 1, tzinfo=UTC))], [{"rows": 3, "made_at": "2030-01-01T00:00:00Z"}]),
        (b"\xff\x00", {"encoding": "base64", "data": "/wA="}),
        ([{"a": b"\xff\x00", "b": b"text"}], [{"a": {"encoding": "base64", "data": "/wA="}, "b": "text"}]),
        (memoryview(b"\xff\x00"), {"encoding": "base64", "data": "/wA="}),
        (b"text", "text"),
        (math.nan, "NaN"),
        ([math.inf, -math.inf], ["Infinity", "-Infinity"]),
        ({1: "one"}, {"1": "one"}),
        (10**30, 10**30),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1}, [1]),
        ((1, 2), [1, 2]),
        ("ü\N{PILE OF POO}", "ü\N{PILE OF POO}"),
    ],
)
async def test_result_is_recorded_and_delivered_intact(kit, scheduler, probe, returned, recorded):
    """What a handler returns is in its record and in its result queue, as JSON that means the same; the run is a success."""
    probe.returns = returned
    record = await run_once(kit, scheduler)
    assert (record["status"], record["success"], record["result"], record["error"]) == ("success", True, recorded, None)
    (message,) = await scheduler.messages("results")
    assert (message["status"], message["result"], message["execution_id"]) == ("success", recorded, record["execution_id"])
    assert await scheduler.messages("errors") == []


def recursive() -> list:
    """Return a list that holds itself."""
    holder: list = []
    holder.append(holder)
    return holder


@pytest.mark.parametrize("made", [Unwritable(), recursive(), {"a": Unwritable()}, {Unwritable(): 1}, asyncio.sleep, "\ud800"], ids=type)
async def test_result_that_is_not_json_is_a_failure_that_says_so(kit, scheduler, probe, beside, made):
    """A result that cannot be JSON is no success: the record and the error queue say that the handler ran and what is wrong."""
    probe.returns = made
    record = await run_once(kit, scheduler)
    assert (record["status"], record["reason"], record["error"]["type"]) == (
        "failed",
        "its result could not be recorded",
        "UnrecordableResult",
    )
    (message,) = await scheduler.messages("errors")
    assert message["error"]["message"] == record["error"]["message"]
    assert "ran, and its result" in message["error"]["message"]
    assert await beside()


async def test_result_of_run_now_is_json_too(scheduler, probe):
    """run_now answers with the same JSON that the history holds."""
    probe.returns = Report(rows=3, made_at=datetime(2030, 1, 1, tzinfo=UTC))
    answer = await scheduler("run_now", agentool_name="probe", input_data={"operation": "run"})
    assert answer["result"] == {"rows": 3, "made_at": "2030-01-01T00:00:00Z"}


async def test_result_in_the_history_is_a_copy(kit, scheduler, probe):
    """Changing the object that was returned does not change the record."""
    probe.returns = {"list": [1]}
    await run_once(kit, scheduler)
    probe.returns["list"].append(2)
    assert (await scheduler.history("job"))[0]["result"] == {"list": [1]}


# What handlers raise


class Weird(Exception):
    """An error that cannot even be written."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Base(BaseException):
    """An error that `except Exception` does not catch."""


@pytest.mark.parametrize(
    ("raised", "type_"),
    [
        (ValueError("no such thing"), "ValueError"),
        (KeyError("key"), "KeyError"),
        (SystemExit(3), "SystemExit"),
        (asyncio.CancelledError(), "CancelledError"),
        (StopAsyncIteration(), "StopAsyncIteration"),
        (TimeoutError("theirs"), "TimeoutError"),
        (ExceptionGroup("many", [ValueError("one")]), "ExceptionGroup"),
        (RecursionError("deep"), "RecursionError"),
        (Weird(), "Weird"),
        (Base(), "Base"),
    ],
)
async def test_raised_error_is_recorded_and_delivered(kit, scheduler, probe, beside, raised, type_):
    """Whatever a handler raises, sys.exit() and CancelledError included, is a failure with its type, and others go on."""
    probe.raises = raised
    record = await run_once(kit, scheduler)
    assert (record["status"], record["success"], record["error"]["type"]) == ("failed", False, type_)
    (message,) = await scheduler.messages("errors")
    assert (message["status"], message["error"]["type"]) == ("failed", type_)
    assert await scheduler.messages("results") == []
    assert await beside()


async def test_record_of_an_error_has_its_traceback(kit, scheduler, probe):
    """A failed record has the message and the end of the traceback."""
    probe.raises = ValueError("no such thing")
    error = (await run_once(kit, scheduler))["error"]
    assert error["message"] == "no such thing"
    assert "ValueError: no such thing" in error["traceback"]


async def test_a_long_error_is_recorded_with_its_beginning_and_its_end(kit, scheduler, probe):
    """Of a message beyond 10,000 characters the middle is left out, and the record and the queue say how much that is."""
    probe.raises = ValueError("begin" + "x" * 1_000_000 + "end")
    error = (await run_once(kit, scheduler))["error"]
    assert (error["message"][:5], error["message"][-3:]) == ("begin", "end")
    assert " … (990,008 characters left out) … " in error["message"]
    assert len(error["message"]) < 10_100
    (message,) = await scheduler.messages("errors")
    assert message["error"]["message"] == error["message"]


async def test_a_long_traceback_is_recorded_with_its_beginning_and_its_end(kit, scheduler, probe):
    """Of a traceback beyond 50,000 characters the middle is left out."""
    probe.raises = ValueError("x" * 1_000_000 + "end")
    traceback = (await run_once(kit, scheduler))["error"]["traceback"]
    assert (traceback[:9], traceback[-4:], "characters left out" in traceback) == ("Traceback", "end\n", True)
    assert len(traceback) < 50_100


async def test_an_error_of_just_the_length_is_recorded_as_it_is(kit, scheduler, probe):
    """Up to the limit nothing is left out."""
    probe.raises = ValueError("x" * 10_000)
    assert (await run_once(kit, scheduler))["error"]["message"] == "x" * 10_000


async def test_input_that_no_longer_fits_is_a_failure(kit, scheduler, probe):
    """A target whose input became wrong after scheduling, by a reference, fails and says which field."""
    probe.returns = {"value": "not a number"}
    data = {"operation": "run", "number": "!ref:probe:x"}
    record = await run_once(kit, scheduler, input_data=data)
    assert (record["status"], record["error"]["type"]) == ("failed", "InvalidInput")


async def test_record_does_not_show_what_a_reference_gave(kit, scheduler, probe):
    """A secret that was referred to in the wrong field is nowhere in the record of the failure, its traceback included."""
    probe.returns = {"value": "S3CRET"}
    await kit.injector.run("storage_kv", {"operation": "set", "key": "key", "value": "S3CRET"})
    record = await run_once(kit, scheduler, input_data={"operation": "run", "number": "!ref:storage_kv:key"})
    assert (record["status"], record["error"]["type"], "number" in record["error"]["message"]) == ("failed", "InvalidInput", True)
    assert "S3CRET" not in json.dumps(record)


async def test_failing_job_fires_again(kit, scheduler, probe):
    """A failure does not end a recurring job."""
    probe.raises = ValueError()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=3)
    assert await scheduler.statuses("job") == ["failed"] * 3


# Handlers that do not end


async def test_handler_that_hangs_is_cancelled_at_its_timeout(kit, scheduler, probe, beside):
    """After its timeout a handler is cancelled and the record says so."""
    probe.blocks()
    await scheduler.add("now", job_id="job", timeout=5, **QUEUES)
    await kit.advance(seconds=4)
    assert await scheduler.statuses("job") == ["running"]
    await kit.advance(seconds=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["error"]["type"], probe.running) == ("failed", "HandlerTimeout", 0)
    assert "timeout of 5 s" in record["error"]["message"]
    (message,) = await scheduler.messages("errors")
    assert message["error"]["type"] == "HandlerTimeout"
    assert await beside()


async def test_a_slow_store_leaves_the_timeout_in_force(kit, scheduler, probe, monkeypatch):
    """Writing down that a handler begins may take longer than its timeout: that counts from its call, and ends it."""
    store, written = kit.scheduler.store, asyncio.Event()
    begin = store.begin

    async def slow_begin(*given):
        await written.wait()
        return await begin(*given)

    monkeypatch.setattr(store, "begin", slow_begin)
    probe.blocks()
    await scheduler.add("now", job_id="job", timeout=5)
    await kit.advance(seconds=10)
    written.set()
    await kit.advance()
    assert await scheduler.statuses("job") == ["running"]
    await kit.advance(seconds=5)
    assert await scheduler.statuses("job") == ["failed"]


async def test_no_change_of_the_clock_touches_a_timeout(kit, scheduler, probe):
    """Whoever sets the machine's clock forward an hour cuts no handler short; its timeout comes when its time has passed."""
    probe.blocks()
    await scheduler.add("now", job_id="job", timeout=1800)
    await kit.advance(seconds=1)
    kit.clock.jump(kit.clock.now() + timedelta(hours=1))
    await kit.advance(minutes=29)
    before = await scheduler.statuses("job")
    await kit.advance(minutes=1)
    assert (before, await scheduler.statuses("job")) == (["running"], ["failed"])


async def test_handler_that_swallows_its_cancellation_is_given_up(kit, scheduler, probe, beside, monkeypatch):
    """A handler that ignores its cancellation is given up after the grace, its record says so, and its job runs again."""
    ended = asyncio.Event()

    async def stubborn(**given):
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(probe, "run", stubborn)
    await scheduler.add("1 minute", job_id="job", timeout=10)
    await kit.advance(seconds=60 + 10 + 10)
    (record,) = await scheduler.history("job")
    assert (record["status"], "ignored its cancellation" in record["error"]["message"]) == ("failed", True)
    assert await beside()
    assert len(await scheduler.history("job")) == 3
    ended.set()
    await kit.advance()


async def test_outcome_of_a_given_up_handler_changes_nothing(kit, scheduler, probe, monkeypatch):
    """What a handler that was given up returns at last does not change its record, and delivers nothing."""
    ended = asyncio.Event()

    async def stubborn(**given):
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    monkeypatch.setattr(probe, "run", stubborn)
    await scheduler.add("now", job_id="job", timeout=10, **QUEUES)
    await kit.advance(minutes=1)
    ended.set()
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["failed"]
    assert await scheduler.messages("results") == []
    assert len(await scheduler.messages("errors")) == 1


async def test_handler_within_its_timeout_succeeds(kit, scheduler, probe):
    """A handler that ends in time is not disturbed by its timeout."""
    record = await run_once(kit, scheduler, timeout=5)
    await kit.advance(minutes=1)
    assert (record["status"], await scheduler.statuses("job")) == ("success", ["success"])


async def test_handler_that_ends_after_its_timeout_succeeds_late(kit, scheduler, probe, monkeypatch):
    """A handler that puts its cancellation off and then returns has succeeded, and its record says that it was late."""

    async def finishing(**given):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved"

    monkeypatch.setattr(probe, "run", finishing)
    await scheduler.add("now", job_id="job", timeout=10)
    await kit.advance(seconds=10)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["reason"]) == ("success", "ended after its timeout")
