"""Decides which due times of a job run: pure functions, shared by all stores.

Each due time ends in exactly one record. A due time that does not run leaves a record that says why; several
that are skipped together share one record, which counts them.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.decisions.decision_records import Decision, Scribe, coalesced_into
from agentoolkit.system.scheduler.decisions.overlap import start_or_skip
from agentoolkit.system.scheduler.decisions.pausing import end_pause
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus, queued_execution
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.ports import Begins, Claimed, StoredJob, none_begins
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.system.scheduler.schedules.left_out import left_out_before

MAX_CAUGHT_UP = HISTORY_LENGTH - 1
"""Maximum late due times that can still run. Earlier ones are missed together, and their record still fits the history."""
GRACE = 30
"""Seconds after its due time from which an execution is late if the job does not set them."""


_ACTIVE, _PAUSED, _DONE, _QUEUED = JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.DONE, ExecutionStatus.QUEUED


class DueTimes(NamedTuple):
    """All due times of a schedule up to an instant, and the one after it."""

    first: datetime
    earlier: int
    """Number of due times before `times`."""
    last_earlier: datetime | None
    times: Sequence[datetime]
    """The latest ones, at most `MAX_CAUGHT_UP`."""
    following: datetime | None


_state, _decision = maker_of(JobState), maker_of(Decision)


def due_times(schedule: Schedule, first: datetime, now: datetime) -> DueTimes:
    """Walk from a job's stored next due time to the first one that is still to come.

    Raises:
        ValueError: The schedule gives a time that does not come after the one before it.
    """
    following = _next_after(schedule, first)
    if following is None or following > now:
        return DueTimes(first, 0, None, (first,), following)
    earlier, start = schedule.leap(first, now, keep=MAX_CAUGHT_UP)
    last_earlier: datetime | None = None
    times = deque([start])
    following = _next_after(schedule, start)
    while following is not None and following <= now:
        times.append(following)
        if len(times) > MAX_CAUGHT_UP:
            earlier, last_earlier = earlier + 1, times.popleft()
        following = _next_after(schedule, following)
    return DueTimes(first, earlier, last_earlier, tuple(times), following)


def decide(job: Job, state: JobState, now: datetime, unfinished: int, owner: str = "") -> Decision:
    """Decide which of a job's due times run.

    Args:
        job: The definition, with its policies.
        state: The job's state. A job that is inactive or not due gets no decision.
        now: The current instant.
        unfinished: Number of the job's executions that run or wait.
        owner: The process that owns the records.
    """
    try:
        if state.status is _PAUSED:
            paused, state = state, end_pause(job, state, now)
            if state.status is _DONE:
                return Decision(_missed_in_pause(Scribe(job, now, owner), paused), state)
        if state.status is not _ACTIVE or state.next_run_at is None or state.next_run_at > now:
            return Decision((), state)
        due = state.next_run_at
        following = _next_after(job.schedule, due)
        if (usual := _start_one(job, state, now, following, unfinished, owner)) is not None:
            return usual
        times = due_times(job.schedule, due, now)
        scribe = Scribe(job, now, owner)
        left_out = _left_out(scribe, times)
    except Exception as error:
        # A job whose due times cannot be computed must not stop the others, and must not vanish.
        return Decision((), state._replace(status=JobStatus.BROKEN, reason=f"its due times cannot be computed: {error!r}"))
    passed_over, chosen = _choose(scribe, times)
    room = runs_left(job, state)
    all_wait = run_in_turn(job.policies, chosen, now)
    runs, records = start_or_skip(scribe, map(scribe.starts, chosen), unfinished, room, all_wait=all_wait)
    exhausted = times.following is None or runs >= room
    status, following = (JobStatus.DONE, None) if exhausted else (JobStatus.ACTIVE, times.following)
    after = JobState(status, following, state.runs + runs, state.version, failures_from=state.failures_from)
    return Decision([*left_out, *passed_over, *records], after)


def _start_one(job: Job, state: JobState, now: datetime, following: datetime | None, unfinished: int, owner: str) -> Decision | None:
    """Decide the usual case quickly: one due time, not late, without overlap. The general way would decide the same.

    Return None for any other case.
    """
    due, policies = state.next_run_at, job.policies
    if (
        due is None
        or unfinished
        or job.schedule.excludes
        or policies.catch_up is not None
        or policies.max_runs is not None
        or (following and following <= now)
    ):
        return None
    grace = policies.misfire_grace_time
    if grace is not None and (now - due).total_seconds() > grace:
        return None
    status = _DONE if following is None else _ACTIVE
    after = _state((status, following, state.runs + 1, state.version, "", None, None, state.failures_from))
    return _decision(((queued_execution(job, due, owner),), after))


def _missed_in_pause(scribe: Scribe, paused: JobState) -> Sequence[Execution]:
    """Return a missed record of the due times in a pause after which nothing is due: without it the job would end without a trace."""
    first, until = paused.next_run_at, paused.paused_until
    if first is None or until is None:
        return ()
    return (_missed_until(scribe, first, until, f"paused until {until.isoformat(timespec='seconds')}, after which nothing was due"),)


def passed_over(before: StoredJob, after: JobState, now: datetime, owner: str) -> Sequence[Execution]:
    """Return a missed record of the due times up to now that a change of a job leaves to nobody; nothing if there are none.

    They are those that no process had noticed, as none was leading, and those in a pause after which nothing is due.
    """
    (job, state), scribe = before, Scribe(before.job, now, owner)
    first = state.next_run_at
    if first is None or first > now or (after.status is _ACTIVE and after.next_run_at is not None and after.next_run_at <= now):
        return ()
    if state.status is _ACTIVE and first < now:
        return (_missed_until(scribe, first, now, "its job was changed or paused before any process noticed"),)
    if state.status is _PAUSED and after.status is _DONE and job.schedule.is_over(now):
        return _missed_in_pause(scribe, state._replace(paused_until=now))
    return ()


def _missed_until(scribe: Scribe, first: datetime, last: datetime, why: str) -> Execution:
    due = due_times(scribe.job.schedule, first, last)
    return scribe.missed(first, due.times[-1], due.earlier + len(due.times), why)


def _left_out(scribe: Scribe, due: DueTimes) -> Sequence[Execution]:
    """Return a skipped record, with the reason, for each day before a due time that a calendar excludes."""
    schedule, since = scribe.job.schedule, scribe.job.created_at
    if not schedule.excludes:
        return ()
    days = [day for moment in dict.fromkeys((due.first, *due.times)) for day in left_out_before(schedule, moment, since)]
    return [scribe.skipped(scribe.starts(day.last), day.why)._replace(due_count=day.number) for day in sorted(days)]


def begin_some(job: Job, decision: Decision, now: datetime, begins: Begins) -> Decision:
    """Return the decision with those executions marked as begun for which `begins` is true."""
    if begins is none_begins:
        return decision
    executions = [one.begun(now) if one.status is _QUEUED and begins(one.execution_id, job) else one for one in decision.executions]
    return Decision(executions, decision.state)


def recount(job: Job, decision: Decision, new: Sequence[Execution]) -> JobState:
    """Return the job's state after a decision of which only these records are new: the others do not count as runs."""
    known = sum(not execution.finished for execution in decision.executions) - sum(not execution.finished for execution in new)
    state = decision.state._replace(runs=decision.state.runs - known)
    if known == 0 or state.status is not JobStatus.DONE:
        return state
    following = job.schedule.next_after(max(execution.scheduled_at for execution in decision.executions))
    return state if following is None else state._replace(status=JobStatus.ACTIVE, next_run_at=following)


def _next_after(schedule: Schedule, due: datetime) -> datetime | None:
    if schedule.kind == "once":  # even if its calendars have changed meanwhile
        return None
    following = schedule.next_after(due)
    if following is not None and following <= due:
        raise ValueError(f"{following} does not come after {due}")
    return following


def _choose(scribe: Scribe, due: DueTimes) -> tuple[Sequence[Execution], Sequence[datetime]]:
    """Return records of the due times that are too late, and the due times that may run."""
    times, now = due.times, scribe.now
    window, coalesce = _lateness(scribe.job.policies)
    if len(times) == 1 and due.earlier == 0 and (now - times[0]).total_seconds() <= window:
        return (), times
    oldest = now - timedelta(seconds=window) if window != math.inf else due.first
    fresh = [moment for moment in times if moment >= oldest]
    late = [moment for moment in times if moment < oldest]
    number = due.earlier + len(late)
    records: list[Execution] = []
    last = late[-1] if late else due.last_earlier
    if last is not None:
        why = f"noticed more than {window:g} s late" if late else f"more than {MAX_CAUGHT_UP} due times late"
        records.append(scribe.missed(due.first, last, number, why))
    if coalesce and len(fresh) > 1:
        records.append(scribe.missed(fresh[0], fresh[-2], len(fresh) - 1, coalesced_into(fresh[-1])))
        fresh = fresh[-1:]
    return records, fresh


def _lateness(policies: Policies) -> tuple[float, bool]:
    """Return how many seconds late a due time may run, and whether only the latest one runs."""
    grace = math.inf if policies.misfire_grace_time is None else policies.misfire_grace_time
    if policies.catch_up is None:
        return grace, policies.coalesce
    if policies.catch_up == "none":
        return min(grace, GRACE), True
    window = math.inf if policies.catch_up_window is None else policies.catch_up_window
    return window, policies.catch_up == "latest"


def runs_left(job: Job, state: JobState) -> float:
    """Return the number of runs that a job has left."""
    return math.inf if job.policies.max_runs is None else job.policies.max_runs - state.runs


def run_in_turn(policies: Policies, times: Sequence[datetime], now: datetime) -> bool:
    """Tell whether these due times run one after another, so that none is skipped by overlap and none replaces another.

    With ``catch_up: all`` late due times do; without coalescing, several due times of one claim do.
    """
    if policies.catch_up == "all":
        return len(times) > 1 or any((now - due).total_seconds() > GRACE for due in times)
    return policies.catch_up is None and not policies.coalesce and len(times) > 1


def replacing(claimed: Iterable[Claimed], now: datetime) -> frozenset[str]:
    """Return the jobs whose executions of one claim replace older ones (``overlap: cancel_running``): they are not caught up."""
    times: defaultdict[str, list[datetime]] = defaultdict(list)
    policies: dict[str, Policies] = {}
    for job, execution in claimed:
        if job is not None and job.policies.overlap == "cancel_running" and not execution.finished:
            policies[job.job_id] = job.policies
            times[job.job_id].append(execution.scheduled_at)
    return frozenset(job_id for job_id, due in times.items() if not run_in_turn(policies[job_id], due, now))
