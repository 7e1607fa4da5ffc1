"""Converts jobs and executions to answers: times in the job's zone, values as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from agentoolkit.system.scheduler.answer_schemas import (
    AttemptInfo,
    AuditInfo,
    CancelledJob,
    ErrorInfo,
    ExecutionInfo,
    JobDetails,
    JobRef,
    JobSummary,
    Scheduled,
    Timing,
)
from agentoolkit.system.scheduler.decisions.admission import ends_soon
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.job_writer import Added, Cancelled
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, StoredJob
from agentoolkit.system.scheduler.schedules import Reading, preview
from agentoolkit.system.scheduler.schedules.left_out import calendar_end_note
from agentoolkit.system.scheduler.schemas import SchedulerOutput
from agentoolkit.text import counted

NEXT_RUNS = 5
"""Number of due times in an answer."""
RECENT = 10
"""Number of executions in the answer to ``get_job``."""


def output(operation: str, message: str, result: BaseModel) -> SchedulerOutput:
    """Return the output of an operation."""
    return SchedulerOutput(operation=operation, message=message, data=result.model_dump(mode="json"))


def local(moment: datetime | None, timezone: str) -> str | None:
    """Write an instant in a zone, with its offset."""
    return moment.astimezone(ZoneInfo(timezone)).isoformat() if moment else None


def with_next_run(text: str, next_run: str | None = None) -> str:
    """Add the next due time to a sentence, if there is one."""
    return f"{text}, next at {next_run}" if next_run else text


def describe_change(done: str, job: Scheduled) -> str:
    """Describe what was done to a job, when it is due, and why it is paused if it is."""
    paused = f" It is paused: {job.reason}." if job.reason else ""
    return f"{done} {job.job_id!r}: {with_next_run(job.words, job.next_run)}.{paused}"


_ENDS_PAUSED = "Nothing of it is due after the pause: it ends then, and does not run."


def describe_state(job: JobRef) -> str:
    """Describe the state of a job after ``pause`` or ``resume``."""
    if job.state == JobStatus.DONE:
        return f"Job {job.job_id!r} is done, and stays so: nothing of it is due any more. Operation 'update' can give it a new schedule."
    until = f" until {job.paused_until}" if job.paused_until else ""
    state = with_next_run(f"{job.job_id!r} is {job.state}{until}", job.next_run if job.state == JobStatus.ACTIVE else None)
    return " ".join([f"Job {state}.", *job.remarks])


def timing(reading: Reading, now: datetime, count: int = NEXT_RUNS) -> Timing:
    """Return a schedule in words, with its next due times."""
    return Timing(**_timing(reading, now, count))


def _timing(reading: Reading, now: datetime, count: int) -> dict[str, Any]:
    """Return the fields of a `Timing`."""
    schedule = reading.schedule
    shown = preview(schedule, now=now, count=count)
    return {
        "schedule_type": schedule.kind,
        "schedule": schedule.text,
        "timezone": schedule.timezone,
        "words": reading.words,
        "next_runs": [moment.isoformat() for moment in shown.next_runs],
        "remarks": list(dict.fromkeys([*reading.remarks, *shown.warnings])),  # without duplicates
    }


def scheduled(added: Added, now: datetime) -> Scheduled:
    """Return the answer to ``schedule`` and ``update``."""
    job, state = added.job, added.state
    resumed = state.paused_until if state.status is JobStatus.PAUSED else None
    since = resumed or min(now, state.next_run_at or now)  # a job due at once is due already
    most = job.policies.max_runs
    fields = _timing(added.reading, since, runs_to_come(NEXT_RUNS, most, state.runs))
    fields["words"] = with_most_runs(fields["words"], job.schedule.kind, most)
    reason = state.reason if state.status is JobStatus.PAUSED else ""
    if reason:  # first, because long lists of remarks are cut, and this one matters most
        fields["remarks"].insert(0, f"paused, {reason}")
    return Scheduled(
        **fields,
        job_id=job.job_id,
        job_name=job.job_name,
        next_run=_next_run(job, state),
        state=state.status,
        reason=reason,
        created=added.created,
        changed=added.changed,
        version=state.version,
    )


def runs_to_come(count: int, most: int | None, runs: int) -> int:
    """Return how many of the next `count` due times run, if a job runs at most so many times and did so often."""
    return count if most is None else max(0, min(count, most - runs))


def with_most_runs(words: str, kind: str, most: int | None) -> str:
    """Add the maximum number of runs to a schedule in words, if there is one and the schedule can run more than once."""
    return words if most is None or kind == "once" else f"{words}, at most {counted(most, 'run')}"


def job_ref(stored: StoredJob) -> JobRef:
    """Return the answer to ``pause`` and ``resume``."""
    job, state = stored
    return JobRef(
        job_id=job.job_id,
        state=state.status,
        next_run=_next_run(job, state),
        paused_until=local(state.paused_until, job.schedule.timezone),
        remarks=[_ENDS_PAUSED] if state.paused_until and job.schedule.is_over(state.paused_until) else [],
    )


def job_summary(stored: StoredJob, parts: Parts, last_outcome: ExecutionStatus | None = None) -> JobSummary:
    """Return a job as a line of a list. `parts` knows the AgenTools and executors of this process."""
    job, state = stored
    return JobSummary(
        job_id=job.job_id,
        job_name=job.job_name,
        state=state.status,
        agentool_name=job.agentool_name,
        schedule_type=job.schedule.kind if job.readable else "",
        schedule=job.schedule.text if job.readable else "",
        timezone=job.schedule.timezone,
        next_run=_next_run(job, state),
        reason=_reason_of(job, state, parts),
        last_outcome=last_outcome,
        ended_at=local(state.ended_at, job.schedule.timezone),
        owner=job.owner,
        tags=list(job.tags),
        description=job.description,
        created_at=job.created_at.isoformat(),
    )


def cancelled_job(cancelled: Cancelled) -> CancelledJob:
    """Return the answer to ``cancel``."""
    return CancelledJob(
        job_id=cancelled.job.job_id,
        state=JobStatus.CANCELLED,
        reason=cancelled.reason,
        cancelled=[execution.execution_id for execution in cancelled.cancelled],
        running=[execution.execution_id for execution in cancelled.running],
    )


def job_details(
    stored: StoredJob, executions: Sequence[Execution], downstream: Sequence[str], parts: Parts, *, pending: bool
) -> JobDetails:
    """Return a job with all details; `parts` as for `job_summary`."""
    job, state = stored
    return JobDetails(
        job_id=job.job_id,
        job_name=job.job_name,
        next_run=_next_run(job, state),
        pending=pending,
        info={
            **definition(job),
            "created_at": job.created_at.isoformat(),
            "created_by": job.created_by.to_json(),
            "changed_by": job.changed_by.to_json() if job.changed_by else None,
            "state": state.status.value,
            "runs": state.runs,
            "version": state.version,
            "reason": _reason_of(job, state, parts),
            "ended_at": local(state.ended_at, job.schedule.timezone),
            "paused_until": local(state.paused_until, job.schedule.timezone),
        },
        recent_history=[
            execution_info(execution, waits=parts.waits_for_tool(execution.agentool_name, job.policies)) for execution in executions
        ],
        upstream=before.job_id if (before := job.schedule.after) and before.names_job else None,
        downstream=list(downstream),
    )


def execution_info(execution: Execution, *, waits: bool = False) -> ExecutionInfo:
    """Return one record of a history. `waits` is true if a queued execution waits for its AgenTool to be registered here."""
    return ExecutionInfo(
        execution_id=execution.execution_id,
        job_id=execution.job_id,
        agentool_name=execution.agentool_name,
        trigger=execution.trigger,
        status=execution.status,
        reason=execution.reason or (_waits_for(execution.agentool_name) if waits and execution.status is ExecutionStatus.QUEUED else ""),
        success=execution.status is ExecutionStatus.SUCCESS,
        scheduled_at=execution.scheduled_at.isoformat(),
        started_at=execution.started_at.isoformat() if execution.started_at else None,
        finished_at=execution.finished_at.isoformat() if execution.finished_at else None,
        duration=execution.duration,
        attempt=execution.attempt,
        due_count=execution.due_count,
        result=execution.result,
        error=_error_info(execution.error),
        delivery=execution.delivery,
        attempts=[
            AttemptInfo(
                attempt=attempt.attempt,
                started_at=attempt.started_at.isoformat() if attempt.started_at else None,
                finished_at=attempt.finished_at.isoformat() if attempt.finished_at else None,
                error=_error_info(attempt.error),
            )
            for attempt in execution.attempts
        ],
        retry_at=execution.retry_at.isoformat() if execution.retry_at else None,
    )


def _error_info(error: ErrorRecord | None) -> ErrorInfo | None:
    return ErrorInfo(type=error.type, message=error.message, traceback=error.traceback) if error else None


def _reason_of(job: Job, state: JobState, parts: Parts) -> str:
    if state.reason or state.status is not JobStatus.ACTIVE:
        return state.reason
    ends = calendar_end_note(job.schedule, state.next_run_at) if state.next_run_at and job.schedule.excludes else None
    waits = parts.waits_for_tool(job.agentool_name, job.policies)
    return (_waits_for(job.agentool_name) if waits else "") or ends or ends_soon(job, state)


def _waits_for(agentool_name: str) -> str:
    return f"AgenTool {agentool_name!r} is not registered here; what is due waits for it"


def _next_run(job: Job, state: JobState) -> str | None:
    due = state.next_run_at
    if state.status is JobStatus.PAUSED:  # due times during the pause do not count
        due = job.schedule.first_from(state.paused_until) if state.paused_until else None
    return local(due, job.schedule.timezone)


def definition(job: Job) -> dict[str, Any]:
    """Return the definition of a job by field name."""
    return {
        "agentool_name": job.agentool_name,
        "input_data": job.input_data,
        "schedule_type": job.schedule.kind,
        **job.schedule.to_json(),
        "schedule": job.schedule.text,
        **asdict(job.policies),
        "result_queue": job.result_queue,
        "error_queue": job.error_queue,
        "description": job.description,
        "tags": list(job.tags),
    }


def audit_info(entry: AuditEntry) -> AuditInfo:
    """Return an entry of the audit log."""
    return AuditInfo(
        at=entry.at.isoformat(),
        action=entry.action,
        job_id=entry.job_id,
        owner=entry.owner,
        execution_id=entry.execution_id,
        caller=entry.caller.to_json(),
        before=None if entry.before is None else dict(entry.before),
        after=None if entry.after is None else dict(entry.after),
    )
