"""Executions that had not ended when everything was exported."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentool import InvalidInput
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import Attempt, DeliveryStatus, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.testing import toolkit
from agentoolkit.transfer import Arrived, import_lines
from agentoolkit.transfer.records import execution_record

from .test_backup import DONE, HEADER, NOW, add_job, exported, held, opened


def under_way(**fields: Any) -> Execution:
    return DONE._replace(
        status=ExecutionStatus.RUNNING, result=None, started_at=NOW, finished_at=None, duration=None, owner="there", **fields
    )


async def test_a_lost_execution_ends_as_after_a_crash(tmp_path: Path) -> None:
    """Its error queue is told, what comes after it starts, and its job pauses as it asked to."""
    policies = {"on_interrupt": "fail", "error_queue": "errors", "pause_after_failures": 1}
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, **policies)
        await add_job(kit, "mend", schedule="after hourly ended")
        await kit.scheduler.store.insert([under_way()])
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        assert await import_lines(held(kit), lines, NOW) == Arrived(2, 1, queues=1)
        (message,) = await kit.scheduler.store.messages(10)
        lost, mend = await kit.scheduler.store.execution("hourly@1"), await kit.scheduler.store.execution("mend@after-hourly@1")
        job = await kit.scheduler.store.find("hourly")
        assert await import_lines(held(kit), lines, NOW) == Arrived()
    assert (message.queue_name, message.payload["status"]) == ("errors", "lost")
    assert lost
    assert mend
    assert job
    assert (lost.status, lost.delivery, mend.status) == (ExecutionStatus.LOST, DeliveryStatus.PENDING, ExecutionStatus.QUEUED)
    assert job.state.status is JobStatus.PAUSED


async def test_a_call_of_somebody_who_waited_is_lost(tmp_path: Path) -> None:
    """Who waited for it is gone with its process; that is told to the error queue too."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, error_queue="errors")
        await kit.scheduler.store.insert([under_way(trigger="run_now")])
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        (message,) = await kit.scheduler.store.messages(10)
    assert "whoever waited" in str(message.payload["reason"])


async def test_an_execution_of_a_job_that_is_not_in_the_file_is_lost(tmp_path: Path) -> None:
    """Nobody can run it; there is no queue to tell."""
    async with opened(tmp_path / "b.db") as kit:
        record = execution_record(under_way())
        assert await import_lines(held(kit), [HEADER, json.dumps(record)], NOW) == Arrived(executions=1)
        lost = await kit.scheduler.store.execution("hourly@1")
        assert (lost and lost.status, await kit.scheduler.store.messages(10)) == (ExecutionStatus.LOST, [])


async def test_an_execution_that_waits_for_its_retry_waits_on(tmp_path: Path) -> None:
    """It is retried at its time, by the next process that serves: neither at once nor never."""
    failed = Attempt(1, NOW, NOW, ErrorRecord("OSError", "first"))
    waits = under_way()._replace(status=ExecutionStatus.RETRYING, attempt=2, attempts=(failed,), retry_at=NOW + timedelta(minutes=5))
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, max_retries=3, schedule="90 days")
        await kit.scheduler.store.insert([waits._replace(started_at=None)])
        lines = await exported(kit)
    async with toolkit(NOW, Settings(database=str(tmp_path / "b.db"), timezone="UTC")) as kit:
        await import_lines(held(kit), lines, NOW)
        await kit.advance(minutes=4, seconds=59)
        before = await kit.scheduler.store.execution("hourly@1")
        await kit.advance(seconds=2)
        after = await kit.scheduler.store.execution("hourly@1")
    assert before
    assert after
    assert (before.status, before.retry_at) == (ExecutionStatus.RETRYING, NOW + timedelta(minutes=5))
    assert (after.status, after.attempt, after.attempts) == (ExecutionStatus.SUCCESS, 2, (failed,))


async def test_what_was_to_be_cancelled_is_cancelled_by_the_move(tmp_path: Path) -> None:
    """Its handler would not end where it ran. Here it is not called: the record has the reason, and its error queue is told."""
    async with opened(tmp_path / "a.db") as kit:
        await add_job(kit, error_queue="errors")
        await kit.scheduler.store.insert([under_way()])
        assert await kit.scheduler.store.request_cancel("hourly@1", "too slow")
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        record = await kit.scheduler.store.execution("hourly@1")
        (message,) = await kit.scheduler.store.messages(10)
    assert record is not None
    assert (record.status, record.reason) == (ExecutionStatus.CANCELLED, "too slow")
    assert message.payload["status"] == "cancelled"


async def test_what_is_being_cancelled_in_memory_is_cancelled_by_the_move(tmp_path: Path) -> None:
    """A store in memory keeps the request too, as long as its execution runs."""
    async with toolkit(settings=Settings(timezone="UTC")) as kit:
        await add_job(kit)
        await kit.scheduler.store.insert([under_way()])
        await kit.scheduler.store.request_cancel("hourly@1", "too slow", is_carried_out=True)
        lines = await exported(kit)
    async with opened(tmp_path / "b.db") as kit:
        await import_lines(held(kit), lines, NOW)
        record = await kit.scheduler.store.execution("hourly@1")
    assert record is not None
    assert record.status is ExecutionStatus.CANCELLED


async def test_a_reason_to_cancel_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A damaged line is told with its number, and nothing is added."""
    line = json.dumps({**execution_record(under_way()), "cancel_reason": 5})
    async with opened(tmp_path / "a.db") as kit:
        with pytest.raises(InvalidInput, match=r"Line 2.*cancel_reason"):
            await import_lines(held(kit), [HEADER, line], NOW)
        assert await kit.scheduler.store.execution("hourly@1") is None
