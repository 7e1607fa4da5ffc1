"""What becomes of a job's due times: pure functions, so that every store decides alike.

Each due time ends in exactly one record. One that is not run leaves a record that says why; several
that are passed over together share one, which counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from agentoolkit.system.scheduler.jobs import Execution, Job, JobState, Standing, Status, execution_id
from agentoolkit.system.scheduler.schedules import Schedule


class DueTimes(NamedTuple):
    """All due times of a schedule up to a moment, and the one after it."""

    times: Sequence[datetime]
    following: datetime | None


class Decision(NamedTuple):
    """What a claim writes down: new records, and where the job stands after them."""

    executions: Sequence[Execution]
    standing: Standing


def due_times(schedule: Schedule, first: datetime, now: datetime) -> DueTimes:
    """Walk from a job's stored next due time to the first one that is still to come."""
    times = [first]
    following = _next_after(schedule, first)
    while following is not None and following <= now:
        times.append(following)
        following = _next_after(schedule, following)
    return DueTimes(times, following)


def decide(job: Job, standing: Standing, now: datetime, running: int) -> Decision:
    """Decide which of a job's due times run.

    Args:
        job: The definition, with its policies.
        standing: Where it stands; an inactive job, or one that is not due, gets no decision.
        now: The present instant.
        running: How many executions of the job are unfinished.
    """
    if standing.state is not JobState.ACTIVE or standing.next_run_at is None or standing.next_run_at > now:
        return Decision((), standing)
    try:
        due = due_times(job.schedule, standing.next_run_at, now)
    except Exception as error:
        # One job that cannot be computed must not stop the others, and must not vanish.
        return Decision((), standing._replace(state=JobState.BROKEN, reason=f"its due times cannot be computed: {error!r}"))
    left = None if job.policies.max_runs is None else job.policies.max_runs - standing.runs
    passed_over, chosen = _choose(job, due.times, now)
    to_run = chosen[:left]
    records = [*passed_over, *_start_or_skip(job, to_run, running)]
    runs = standing.runs + len(to_run)
    exhausted = due.following is None or runs == job.policies.max_runs
    after = standing._replace(
        next_run_at=None if exhausted else due.following,
        runs=runs,
        state=JobState.DONE if exhausted else JobState.ACTIVE,
    )
    return Decision(records, after)


def _next_after(schedule: Schedule, due: datetime) -> datetime | None:
    following = schedule.next_after(due)
    if following is not None and following <= due:
        raise ValueError(f"{following} does not come after {due}")
    return following


def _choose(job: Job, times: Sequence[datetime], now: datetime) -> tuple[Iterable[Execution], Sequence[datetime]]:
    grace = job.policies.misfire_grace_time
    if len(times) == 1 and (grace is None or (now - times[0]).total_seconds() <= grace):
        return (), times
    oldest_accepted = now - timedelta(seconds=grace) if grace is not None else times[0]
    late = [due for due in times if due < oldest_accepted]
    fresh = [due for due in times if due >= oldest_accepted]
    records = list(_missed(job, late, f"noticed more than {grace} s after the due time (misfire_grace_time)"))
    if job.policies.coalesce and len(fresh) > 1:
        records += _missed(job, fresh[:-1], f"coalesced into the run due {fresh[-1].isoformat()}")
        fresh = fresh[-1:]
    return records, fresh


def _missed(job: Job, times: Sequence[datetime], reason: str) -> Iterable[Execution]:
    if not times:
        return
    span = f"; {len(times)} due times from {times[0].isoformat()} to {times[-1].isoformat()}" if len(times) > 1 else ""
    yield _record(job, times[-1])._replace(status=Status.MISSED, reason=reason + span, due_count=len(times))


def _start_or_skip(job: Job, times: Sequence[datetime], running: int) -> Iterable[Execution]:
    limit = job.policies.max_instances
    for due in times:
        if running < limit:
            running += 1
            yield _record(job, due)
        else:
            reason = f"{running} of at most {limit} executions still run (max_instances)"
            yield _record(job, due)._replace(status=Status.SKIPPED, reason=reason)


def _record(job: Job, due: datetime) -> Execution:
    return Execution(execution_id(job.job_id, due), job.job_id, job.agentool_name, due)
