"""Admission rules: what a caller may do. The application's own code, the command line and admin tokens are exempt.

Language models schedule on behalf of a person. So their jobs have an owner, and limits of number, pace, depth and lifetime;
jobs that act outside wait for a person's approval. Callers cannot set any of this by arguments.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any, NamedTuple

from agentool.caller import Caller
from agentoolkit.system.scheduler.decisions.named_tools import UNTOLD, names_in
from agentoolkit.system.scheduler.delivery_calls import is_address
from agentoolkit.system.scheduler.errors import LimitExceeded, NotPermitted
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, Work
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.system.scheduler.schedules import firings

NEEDS_APPROVAL = "needs approval: "
"""Beginning of the reason of a job that waits for a person's approval."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_WARNED = 7 * _DAY
"""Time before a set end in which a job is reported to end soon; for short jobs, the last seventh of their life."""
_LOOKED_AT = 100
"""Number of due times that are searched for the shortest pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """Limits of callers without the scope ``admin``."""

    jobs: int = 50
    """Maximum number of jobs of one owner."""
    min_interval: float = 60.0
    """Minimum seconds between two runs of a job."""
    runs_per_day: int = 500
    """Maximum runs of one owner's jobs in a day."""
    max_depth: int = 0
    """How deep scheduled runs may schedule further jobs; 0 means not at all."""
    expiry_days: float = 90.0
    """Days after which a repeating job without an end ends."""
    frequent_expiry_days: float = 7.0
    """The same for jobs that run more often than hourly."""
    spread: float = 50.0
    """Seconds over which jobs on round minutes are spread."""
    approve: tuple[str, ...] = ("shell", "http", "mcp", "function", "celery_task", "storage_fs", "config")
    """AgenTools whose jobs wait for a person's approval."""


class Admitted(NamedTuple):
    """A job as it may be stored, and remarks for the caller."""

    job: Job
    state: JobState
    remarks: tuple[str, ...] = ()


def check_write(caller: Caller, rules: AdmissionRules) -> None:
    """Refuse a caller that may only read, or that is itself a scheduled run.

    Raises:
        NotPermitted: The caller may not change jobs.
    """
    if caller.is_admin:
        return
    if not caller.may("write"):
        raise NotPermitted(f"{caller.name!r} may look at jobs and change none.", field="caller", remedy="Ask whoever gave the access.")
    if caller.depth > rules.max_depth:
        problem = "A scheduled run may not schedule, change or start jobs."
        raise NotPermitted(problem, field="caller", remedy="Put what should be scheduled into the answer; a person decides.")


def check_admin(caller: Caller) -> None:
    """Refuse a caller without the scope ``admin``. Raises `NotPermitted`."""
    if not caller.is_admin:
        raise NotPermitted("Starting and stopping the scheduler concerns everybody's jobs.", field="caller", remedy="Ask an administrator.")


def admit(
    caller: Caller,
    job: Job,
    state: JobState,
    others: Sequence[StoredJob],
    rules: AdmissionRules,
    now: datetime,
    before: StoredJob | None = None,
) -> Admitted:
    """Return a job with the end and spread that the rules set, paused if its target needs approval.

    Args:
        caller: The caller.
        job: The job, checked.
        state: Its state.
        others: The owner's other jobs that can fire.
        rules: The limits.
        now: The current time.
        before: The stored job, if it is changed.

    Raises:
        NotPermitted: The caller may not schedule here.
        LimitExceeded: Too many jobs, too frequent, too many runs a day.
    """
    if caller.is_admin:
        return Admitted(job, state)
    check_write(caller, rules)
    if before is None and len(others) >= rules.jobs:
        problem = f"{caller.name!r} has {len(others)} jobs, as many as one owner may have."
        raise LimitExceeded(problem, field="job_name", value=job.job_name, remedy="Cancel one first.")
    if before is not None and job.schedule.end_at != before.job.schedule.end_at:
        job = replace(job, is_bounded=False)  # the caller sets the end now
    bounded, remarks = _bounded(job, rules, now)
    check_pace(bounded, others, rules, now)
    if bounded is not job and state.next_run_at is not None:  # a spread moves the first due time too
        state = state._replace(next_run_at=bounded.schedule.first_from(now))
    return _with_approval(caller, bounded, state, rules, before)._replace(remarks=remarks)


def _bounded(job: Job, rules: AdmissionRules, now: datetime) -> tuple[Job, tuple[str, ...]]:
    """Set the end of a repeating job, and a spread if it is due on round minutes."""
    schedule = job.schedule
    if schedule.kind not in ("cron", "interval", "list"):
        return job, ()
    days = rules.frequent_expiry_days if _shortest(job, now) < _HOUR else rules.expiry_days
    last = now + timedelta(days=days)
    remarks: list[str] = []
    changes: dict[str, Any] = {}
    if schedule.end_at is None or job.is_bounded:
        changes["end_at"] = last
        remarks.append(f"ends on {last:%Y-%m-%d}, as repeating jobs do that are given no end; schedule it anew then")
    if schedule.kind in ("cron", "list") and (not schedule.jitter or job.is_bounded) and rules.spread:
        changes["jitter"] = min(rules.spread, rules.min_interval or rules.spread)
    if not changes:
        return job, ()
    return replace(job, schedule=replace(schedule, **changes), is_bounded=True), tuple(remarks)


def ends_soon(job: Job, state: JobState) -> str:
    """Return a remark on a job that is near the end the rules set: when it ends and how it continues; else empty."""
    end, due = job.schedule.end_at, state.next_run_at
    if not job.is_bounded or end is None or due is None or end - due > min(_WARNED, (end - job.created_at) / 7):
        return ""
    return f"ends on {end:%Y-%m-%d}, as repeating jobs do that are given no end; schedule it again and it goes on"


def fires(state: JobState) -> bool:
    """Tell whether a job in this state fires, or will by itself after a pause."""
    return state.status is JobStatus.ACTIVE or state.due_at is not None


def check_pace(job: Job, others: Sequence[StoredJob], rules: AdmissionRules, now: datetime) -> None:
    """Refuse a job that fires too often, or too often together with the owner's others. Raises `LimitExceeded`."""
    shortest = _shortest(job, now)
    least = timedelta(seconds=rules.min_interval)
    if shortest < least:
        problem = f"It would run every {shortest.total_seconds():g} s, and {rules.min_interval:g} s are the least."
        raise LimitExceeded(problem, field="schedule", value=job.schedule.text, remedy="Say 'every 5 minutes'.")
    jobs = [job, *(stored.job for stored in others if fires(stored.state))]
    runs = islice((due for each in jobs for due in firings(each.schedule, now, now + _DAY)), rules.runs_per_day + 1)
    if sum(1 for _ in runs) > rules.runs_per_day:
        problem = f"With it the owner's jobs would run more than {rules.runs_per_day} times a day."
        raise LimitExceeded(
            problem, field="schedule", value=job.schedule.text, remedy="Run it less often, as 'every hour', or pause another for good."
        )


def _shortest(job: Job, now: datetime) -> timedelta:
    """Return the shortest pause between the next due times, without spread; a day if there is only one."""
    plain = replace(job.schedule, jitter=0.0)
    due = islice(firings(plain, now, now + 400 * _DAY), _LOOKED_AT)
    return min((later - earlier for earlier, later in pairwise(due)), default=_DAY)


def _with_approval(caller: Caller, job: Job, state: JobState, rules: AdmissionRules, before: StoredJob | None) -> Admitted:
    """Pause a job that needs approval, unless an approved job keeps its calls and times."""
    if caller.may("approve"):
        return Admitted(job, state)
    asked = _to_approve(targets(job), rules)
    waits = before is not None and is_waiting(before.state)
    if not asked:
        return Admitted(job, state.resumed() if waits else state)
    if before is not None and not waits and _what(before.job) == _what(job):
        return Admitted(job, state)
    reason = f"{NEEDS_APPROVAL}a person has to resume it, because it calls {', '.join(asked)}"
    return Admitted(job, state.paused(reason=reason))


def is_waiting(state: JobState) -> bool:
    """Tell whether the job waits for a person's approval."""
    return state.status is JobStatus.PAUSED and state.reason.startswith(NEEDS_APPROVAL)


def resuming(job_id: str) -> str:
    """Return the command line by which a person lets a waiting job run. An id that a model chose stays one argument."""
    return f"agentool resume {shlex.quote(job_id)}"


def check_not_waiting(caller: Caller, stored: StoredJob) -> None:
    """Refuse to run or resume a job that waits for approval, unless the caller may approve. Raises `NotPermitted`."""
    if is_waiting(stored.state) and not caller.may("approve"):
        problem = f"Job {stored.job.job_name!r} waits for a person's approval."
        remedy = f"Ask the user to allow it: by `{resuming(stored.job.job_id)}` in a terminal, or on the dashboard."
        raise NotPermitted(problem, field="job_id", value=stored.job.job_id, remedy=remedy)


def check_work(caller: Caller, work: Work, rules: AdmissionRules, approved: Work | None = None) -> None:
    """Refuse to run work at once that would need approval as a job. Raises `NotPermitted`.

    Args:
        caller: The caller.
        work: The work, and the queues of its outcome.
        rules: The limits.
        approved: The work of the stored job, if there is one: it may run unchanged.
    """
    if caller.may("approve") or (approved is not None and _does(work) == _does(approved)):
        return
    names = [*names_in(work.agentool_name, work.input_data), *_addresses(work.result_queue, work.error_queue)]
    if asked := _to_approve(names, rules):
        problem = f"Calling {', '.join(asked)} needs a person's approval."
        remedy = "Schedule it; a person can then resume the job."
        raise NotPermitted(problem, field="agentool_name", value=work.agentool_name, remedy=remedy)


def _does(work: Work) -> tuple[object, ...]:
    return work.agentool_name, work.input_data, work.result_queue, work.error_queue


def _to_approve(names: Iterable[str], rules: AdmissionRules) -> list[str]:
    """Return the names that need a person's approval. Unknown names need it too."""
    return sorted({*names} & {*rules.approve, UNTOLD}) if rules.approve else []


def targets(job: Job) -> Iterator[str]:
    """Yield the names of all AgenTools that a job calls: its own, its gate's, and those named anywhere in its input."""
    yield from names_in(job.agentool_name, job.input_data)
    if (gate := job.policies.gate) is not None:
        yield from names_in(gate["agentool_name"], gate["input_data"])
    yield from _addresses(job.result_queue, job.error_queue)


def _addresses(*queues: str | None) -> Iterator[str]:
    if any(queue is not None and is_address(queue) for queue in queues):
        yield "http"


def _what(job: Job) -> tuple[object, ...]:
    schedule = job.schedule
    times = (schedule.kind, schedule.text, schedule.timezone, schedule.exclude, schedule.only)
    return job.agentool_name, job.input_data, job.policies.gate, job.result_queue, job.error_queue, times


def narrowed(owner: Caller, caller: Caller) -> Caller:
    """Return the owner with the scopes of the caller that changed the job, so that no caller borrows scopes."""
    return owner if caller.is_admin else owner.at(owner.door, caller.scopes)
