"""Siblings of the grave faults of the engine: of the same kind as those that were found, and looked for afterwards."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from agentool.errors import AgenToolError
from agentoolkit.endings import EndedEarly
from agentoolkit.system.scheduler import ExecutionFailed

RUN = {"agentool_name": "probe", "input_data": {"operation": "run"}}
START = datetime(2030, 1, 1, tzinfo=UTC)


def seconds(record, field="finished_at"):
    return (datetime.fromisoformat(record[field]) - START).total_seconds()


# A1: every instant that is waited for comes


async def test_callers_timeouts_ring_each_at_its_instant(kit, scheduler, probe):
    """Three that began at 1, 91 and 171 seconds with 100, 90 and 80 to go are cancelled at 101, 181 and 251."""
    probe.blocks()
    running, at = [], 0
    for label, (begins, timeout) in {"a": (1, 100), "b": (91, 90), "c": (171, 80)}.items():
        await kit.advance(seconds=begins - at)
        running.append(scheduler.begin("run_now", job_id=label, timeout=timeout, **RUN))
        await kit.advance()
        at = begins
    await kit.advance(seconds=200)
    answers = await asyncio.gather(*running, return_exceptions=True)
    ended = [seconds(record) for label in "abc" for record in await scheduler.history(label)]
    assert (ended, [type(answer) for answer in answers]) == ([101, 181, 251], [ExecutionFailed] * 3)


async def test_retries_ring_each_at_its_instant(kit, scheduler, probe):
    """A retry that is due sooner than those that wait already takes none of them its time."""

    class Busy(OSError):
        retry_after = 0

    probe.raises, waits = Busy(), {"a": 500, "b": 40, "c": 200, "d": 3}
    for job_id, wait in waits.items():
        probe.raises.retry_after = wait
        await scheduler.add("now", job_id=job_id, max_retries=1)
        await kit.advance(seconds=1)
    probe.raises = None
    await kit.advance(seconds=1_000)
    started = {job_id: seconds((await scheduler.history(job_id))[0], "started_at") for job_id in waits}
    assert started == {job_id: place + wait for place, (job_id, wait) in enumerate(waits.items())}


async def test_each_attempt_has_its_whole_timeout(kit, scheduler, probe):
    """A retry begins with the job's timeout anew, whatever the first attempt took of it."""
    probe.blocks()
    await scheduler.add("now", job_id="job", timeout=60, max_retries=1, retry_backoff=False)
    await kit.advance(minutes=10)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["attempt"], len(probe.calls)) == ("failed", 2, 2)
    assert seconds(record) - seconds(record, "started_at") == 60


# A2: a stop that is asked for from inside


@pytest.mark.parametrize("operation", ["stop", "restart"])
async def test_a_task_of_a_handler_may_ask_for_a_stop(kit, scheduler, probe, monkeypatch, operation):
    """A handler that lets a task of its own ask, and waits for it, is as free as one that asks itself."""

    async def asks(**given):
        await asyncio.create_task(scheduler(operation))
        return "asked"

    await scheduler.add("now", job_id="job")
    monkeypatch.setattr(probe, "run", asks)
    await kit.advance()
    async with asyncio.timeout(5):
        while kit.scheduler.lifecycle._pending() is not None:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
    assert (await scheduler.statuses("job"), kit.scheduler.lifecycle.engine is not None) == (["success"], operation == "restart")


async def test_a_step_of_a_sequence_may_ask_for_a_restart(kit, scheduler):
    """The sequence in whose step somebody asks for a restart goes on to its end, and its job fires again afterwards."""
    steps = [
        {"name": "again", "agentool_name": "scheduler", "input_data": {"operation": "restart"}},
        {"name": "then", "agentool_name": "storage_kv", "input_data": {"operation": "increment", "key": "runs"}},
    ]
    sequence = {"agentool_name": "sequence", "input_data": {"operation": "run", "steps": steps}}
    await scheduler.add("1 minute", job_id="job", **sequence)
    for _ in range(2):
        await kit.advance(minutes=1)
        async with asyncio.timeout(5):
            while kit.scheduler.lifecycle._pending() is not None or "running" in await scheduler.statuses("job"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert await scheduler.statuses("job") == ["success", "success"]


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_restart_whose_caller_leaves_starts_again(kit, scheduler, probe, turns):
    """At whichever turn of the event loop a caller of restart leaves: the scheduler runs afterwards."""
    await scheduler.add("1 minute", job_id="job")
    restarting = scheduler.begin("restart")
    for _ in range(turns):
        await asyncio.sleep(0)
    restarting.cancel()
    await asyncio.wait({restarting})
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["success"]


# A4, A5: a job that is gone, or another


async def test_a_retry_does_not_outlive_what_was_exchanged(kit, scheduler, probe):
    """A single run that is replaced while it runs and then fails is not tried again as what replaced it."""
    probe.blocks()
    await scheduler.add("now", job_id="job", max_retries=3, retry_backoff=False)
    await kit.advance(seconds=1)
    await scheduler.add("in 1 hour", job_id="job", max_retries=3, replace=True)
    probe.raises = OSError("busy")
    probe.may_end.set()
    await kit.advance(minutes=30)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["failed"], 1)
    probe.raises = None
    await kit.advance(hours=1)
    assert await scheduler.statuses("job") == ["failed", "success"]


async def test_a_replacement_whose_caller_leaves_loses_no_job(scheduler):
    """At whichever turn of the event loop a caller of schedule(replace=True) leaves: the old job is there, or the new one."""
    for turns in range(40):
        await scheduler.add("2031-01-01T00:00:00", job_id="job", replace=True)
        replacing = scheduler.begin("schedule", schedule="2032-01-01T00:00:00", job_id="job", replace=True, **RUN)
        for _ in range(turns):
            await asyncio.sleep(0)
        replacing.cancel()
        await asyncio.wait({replacing})
        assert (await scheduler("get_job", job_id="job"))["next_run"][:4] in ("2031", "2032")


# A11: a cancellation that is answered comes true


async def test_a_job_that_is_cancelled_while_a_retry_is_written_is_retried_no_more(kit, scheduler, probe, monkeypatch):
    """Whether the job goes before the retry is written or after: nothing of it waits, and no attempt follows."""
    retry = kit.scheduler.store.retry
    for moment in ("before", "after"):

        async def meanwhile(execution, *more, moment=moment):
            if moment == "before":
                await scheduler("cancel", job_id="before")
            answer = await retry(execution, *more)
            if moment == "after":
                await scheduler("cancel", job_id="after")
            return answer

        monkeypatch.setattr(kit.scheduler.store, "retry", meanwhile)
        probe.raises = OSError("busy")
        await scheduler.add("now", job_id=moment, max_retries=3)
        await kit.advance(hours=1)
    assert [await scheduler.statuses("before"), await scheduler.statuses("after")] == [["failed"], ["cancelled"]]
    assert len(probe.calls) == 2


async def test_what_is_cancelled_while_its_start_is_written_does_not_start(kit, scheduler, probe, monkeypatch):
    """A cancellation that is answered while the store writes down that an attempt begins keeps the handler from being called."""
    begin = kit.scheduler.store.begin

    async def cancelled_meanwhile(executions):
        answer = await begin(executions)
        for execution in executions:
            assert kit.scheduler.lifecycle.engine.dispatch.cancelling.cancel(execution.execution_id, "no more")
        return answer

    monkeypatch.setattr(kit.scheduler.store, "begin", cancelled_meanwhile)
    await scheduler.add("now", job_id="job")
    await kit.advance(minutes=1)
    assert (await scheduler.statuses("job"), probe.calls) == (["cancelled"], [])


# A15: foreign code while an outcome is recorded


class Unreadable(AgenToolError):
    """Raises whenever one of its attributes is read that Python itself does not need."""

    def __getattribute__(self, name):
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise ZeroDivisionError(name)


class Unwilling(OSError):
    @property
    def retryable(self):
        raise ZeroDivisionError


class Uncomparable(OSError):
    @property
    def retry_after(self):
        class Number(int):
            def __ge__(self, other):
                raise ZeroDivisionError

        return Number(5)


@pytest.mark.parametrize("error", [Unreadable, Unwilling, Uncomparable])
async def test_an_error_that_answers_no_question_is_a_failure(kit, scheduler, probe, error):
    """Whatever an error raises when it is asked whether, and when, another attempt is worth it: the execution ends as failed."""
    probe.raises = error("no")
    await scheduler.add("now", job_id="job", max_retries=1)
    await kit.advance(hours=1)
    assert await scheduler.statuses("job") == ["failed"]


async def test_a_cancelled_handler_may_raise_what_cannot_be_read(kit, scheduler, probe, monkeypatch):
    """What it raises on its cancellation is asked for a result, and raises at that: it is cancelled all the same."""

    class Odd(asyncio.CancelledError):
        @property
        def result(self):
            raise ZeroDivisionError

    async def odd(**given):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Odd from None

    monkeypatch.setattr(probe, "run", odd)
    await scheduler.add("now", job_id="job")
    await kit.advance()
    (record,) = await scheduler.history("job")
    await scheduler("cancel_execution", execution_id=record["execution_id"])
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["cancelled"]


@pytest.mark.parametrize(("status", "reason"), [("running", "no"), ("skipped", {"no": "text"}), ("what", "no"), ("skipped", "\0\ud800")])
async def test_a_handler_that_ends_early_in_its_own_words_has_ended(kit, scheduler, probe, status, reason):
    """A status that is no end, and a reason that is no text, are what a handler may give: its execution has ended."""
    probe.raises = EndedEarly(status, reason)
    await scheduler.add("now", job_id="job")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["finished_at"] is not None) == ("skipped" if status == "skipped" else "failed", True)
    assert isinstance(record["reason"], str)


# A16: limits belong to their names


async def test_a_key_is_held_under_the_name_it_was_taken(kit, scheduler, probe):
    """A job that gets another key while it runs holds the one it began with until it ends."""
    probe.blocks()
    await scheduler.add("now", job_id="first", concurrency_key="one")
    await kit.advance()
    await scheduler("update", job_id="first", concurrency_key="two")
    await scheduler.add("now", job_id="second", concurrency_key="one")
    await kit.advance(seconds=5)
    waits = await scheduler.statuses("second")
    probe.may_end.set()
    await kit.advance(seconds=5)
    assert (waits, await scheduler.statuses("second"), probe.most_running) == (["queued"], ["success"], 1)


async def test_what_waits_waits_for_the_key_that_its_job_has_now(kit, scheduler, probe):
    """A job that gets a free key while it waits starts; one that gets a key that is held waits for that one."""
    probe.blocks()
    for key in ("one", "two"):
        await scheduler.add("now", job_id=key, concurrency_key=key)
    await kit.advance()
    for job_id in ("freed", "moved"):
        await scheduler.add("now", job_id=job_id, concurrency_key="one")
    await kit.advance()
    await scheduler("update", job_id="freed", concurrency_key="three")
    await scheduler("update", job_id="moved", concurrency_key="two")
    await kit.advance(seconds=5)
    statuses = [await scheduler.statuses(job_id) for job_id in ("freed", "moved")]
    running = probe.running
    probe.may_end.set()
    await kit.advance(seconds=5)
    assert (statuses, running) == ([["running"], ["queued"]], 3)


async def test_callers_of_one_job_hold_its_room(kit, scheduler, probe):
    """With max_instances=1 what comes due waits for what two callers have begun, and does not run beside it."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="queue_one", timeout=3600)
    running = [scheduler.begin("run_now", job_id="job") for _ in range(2)]
    await kit.advance(minutes=2)
    due = [record["status"] for record in await scheduler.history("job") if record["trigger"] == "schedule"]
    probe.may_end.set()
    await kit.advance(seconds=1)
    await asyncio.gather(*running)
    assert "running" not in due
