"""What becomes of executions that were cut short: decisions without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agentoolkit.system.scheduler.decisions.recovery import recover, release
from agentoolkit.system.scheduler.decisions.retry import plan_retry
from agentoolkit.system.scheduler.execution_records import Attempt, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, Policies
from agentoolkit.system.scheduler.schedules import Schedule

NOW = datetime(2030, 1, 1, tzinfo=UTC)
JOB = Job(
    job_id="job",
    job_name="job",
    agentool_name="work",
    input_data={},
    schedule=Schedule(kind="once", text=NOW.isoformat(), timezone="UTC"),
    created_at=NOW,
)
RUNNING = Execution("job@x", "job", "work", NOW, status=ExecutionStatus.RUNNING, started_at=NOW, owner="before")


def test_interruptions_use_up_no_retries():
    """An execution that was cut short once and then raises has all of its retries still."""
    again = recover(RUNNING, JOB, "me", NOW)._replace(status=ExecutionStatus.RUNNING, started_at=NOW)
    retry = plan_retry(again, OSError("no"), Policies(max_retries=1), NOW)
    assert retry is not None
    assert (retry.status, retry.attempt, retry.reason[:14]) == (ExecutionStatus.RETRYING, 3, "attempt 2 of 3")
    assert plan_retry(retry, OSError("no"), Policies(max_retries=1), NOW) is None


def test_retries_use_up_no_interruptions():
    """Attempts that raised do not count as ones that ended their process."""
    raised = Attempt(1, NOW, NOW, ErrorRecord("OSError", "no"))
    often = RUNNING._replace(attempt=5, attempts=(raised,) * 4)
    assert recover(often, JOB, "me", NOW).status is ExecutionStatus.QUEUED


def test_proper_stops_count_as_neither():
    """An execution that was released at every stop of the scheduler is started again as often as it takes."""
    execution = RUNNING
    for _ in range(10):
        execution = release(execution, NOW)._replace(status=ExecutionStatus.RUNNING, owner="me")
    assert recover(execution, JOB, "me", NOW).status is ExecutionStatus.QUEUED
    assert plan_retry(execution, OSError("no"), Policies(max_retries=1), NOW) is not None


@pytest.mark.parametrize("status", [ExecutionStatus.QUEUED, ExecutionStatus.RUNNING])
def test_run_now_is_not_run_by_another_process(status: ExecutionStatus):
    """Nobody waits for it any more: it is lost, begun or not."""
    assert recover(RUNNING._replace(status=status, trigger="run_now"), JOB, "me", NOW).status is ExecutionStatus.LOST


def test_execution_without_a_job_is_lost():
    """What belongs to no job cannot be started again."""
    assert recover(RUNNING._replace(status=ExecutionStatus.QUEUED), None, "me", NOW).status is ExecutionStatus.LOST


def test_on_interrupt_fail_is_lost_only_if_it_ran():
    """An execution that was claimed and not begun is started, also where interrupted ones are declared lost."""
    careful = replace(JOB, policies=Policies(on_interrupt="fail"))
    found = [
        recover(RUNNING._replace(status=status), careful, "me", NOW).status for status in (ExecutionStatus.QUEUED, ExecutionStatus.RUNNING)
    ]
    assert found == [ExecutionStatus.QUEUED, ExecutionStatus.LOST]
