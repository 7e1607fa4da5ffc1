"""Decides which downstream jobs start when an execution or the scheduler's start ends: pure functions, shared by all stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b

from agentoolkit.system.scheduler.decisions.decision_records import Decision, Scribe
from agentoolkit.system.scheduler.decisions.due_or_late import runs_left
from agentoolkit.system.scheduler.decisions.overlap import start_or_skip
from agentoolkit.system.scheduler.decisions.pausing import end_pause
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.execution_ids import comes_after_any, downstream_execution_id
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.schedules.after import ANY, START

MAX_ID_LENGTH = 2_000
"""Maximum bytes of an execution's id, which contains its upstream ids: PostgreSQL cannot index longer ones."""

_SUCCEEDED = frozenset({ExecutionStatus.SUCCESS})
_FAILED = frozenset({ExecutionStatus.FAILED, ExecutionStatus.LOST})
_COUNT: dict[str, frozenset[ExecutionStatus]] = {"succeeded": _SUCCEEDED, "failed": _FAILED, "ended": _SUCCEEDED | _FAILED}


def decide_downstream(job: Job, state: JobState, ended: Sequence[Execution], unfinished: int, owner: str = "") -> Decision:
    """Decide which ended executions of its upstream job start this job. An outcome it does not wait for leaves no record.

    Args:
        job: The definition, with its policies.
        state: The job's state. An inactive job gets no decision.
        ended: Finished executions of the upstream job.
        unfinished: Number of the job's executions that run or wait.
        owner: The process that owns the records.
    """
    now = max(map(_end, ended))
    scribe = Scribe(job, now, owner)
    try:
        if state.status is JobStatus.PAUSED:
            state = end_pause(job, state, now)
        if state.status is not JobStatus.ACTIVE:
            return Decision((), state)
        due = [_start_after(scribe, end) for end in ended if _is_awaited(job, end)]
    except Exception as error:
        return Decision((), state._replace(status=JobStatus.BROKEN, reason=f"what it comes after cannot be computed: {error!r}"))
    room = runs_left(job, state)
    runs, records = start_or_skip(scribe, filter(_fits, due), unfinished, room)
    too_long = [scribe.skipped(_shortened(execution), "too many jobs come one after another") for execution in due if not _fits(execution)]
    status = JobStatus.DONE if runs >= room or job.schedule.is_over(now) else JobStatus.ACTIVE
    return Decision([*too_long, *records], state._replace(status=status, runs=state.runs + runs))


def check_circle(job: Job, upstream_of: Callable[[str], str | None]) -> None:
    """Refuse a job that would be downstream of itself. `upstream_of` returns the upstream job of another job.

    Raises:
        InvalidSchedule: The job would come after itself.
    """
    way = [job.job_id]
    before = job.upstream_id
    while before is not None and before not in way:
        way.append(before)
        before = upstream_of(before)
    if before == job.job_id:
        said = ", ".join(f"{later!r} after {earlier!r}" for later, earlier in zip(way, [*way[1:], before], strict=True))
        problem = f"the job would come after itself: {said}."
        raise InvalidSchedule(problem, field="schedule", value=job.schedule.text, remedy="Let one of them come after no other.")


def scheduler_start(now: datetime) -> Execution:
    """Return the event that starts the jobs of a scheduler's start. Its id is unique to this start."""
    return Execution(f"{START}-{now.isoformat()}", START, "scheduler", now, status=ExecutionStatus.SUCCESS, finished_at=now)


def _is_awaited(job: Job, ended: Execution) -> bool:
    before = job.schedule.after
    if before is None or ended.status not in _COUNT[before.outcome] or not job.schedule.admits(_end(ended)):
        return False
    if before.job_id != ANY:
        return True
    # The end of an execution that came after any job starts no other such job, or two would start each other for ever.
    return ended.job_id not in (job.job_id, START) and not comes_after_any(ended.execution_id)


def _end(execution: Execution) -> datetime:
    return execution.finished_at or execution.scheduled_at


def _fits(execution: Execution) -> bool:
    return len(execution.execution_id.encode()) <= MAX_ID_LENGTH


def _shortened(execution: Execution) -> Execution:
    digest = blake2b(execution.execution_id.encode(), digest_size=16).hexdigest()
    after_any = comes_after_any(execution.execution_id)
    return execution._replace(execution_id=downstream_execution_id(execution.job_id, digest, after_any=after_any))


def _start_after(scribe: Scribe, ended: Execution) -> Execution:
    job = scribe.job
    if ended.job_id == START:
        id_ = f"{job.job_id}{ended.execution_id}"
        return Execution(id_, job.job_id, job.agentool_name, _end(ended), trigger="start", owner=scribe.owner)
    id_ = downstream_execution_id(job.job_id, ended.execution_id, after_any=job.upstream_id == ANY)
    return Execution(id_, job.job_id, job.agentool_name, _end(ended), trigger="after", owner=scribe.owner)
