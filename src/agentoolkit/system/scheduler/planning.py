"""Creates jobs from their fields. Everything is checked here, before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import uuid4

from agentool.caller import get_caller
from agentool.core.injector import Injector
from agentool.errors import Refusals
from agentoolkit.system.scheduler.checks import (
    CheckedInput,
    check_gate,
    check_lookalikes,
    check_needed,
    check_new_references,
    check_queues,
    check_upstream_references,
    checked_id,
    checked_input,
    describe_unknown_errors,
)
from agentoolkit.system.scheduler.delivery_calls import is_address
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.job_fields import JobChanges, JobFields
from agentoolkit.system.scheduler.jobs import USUAL_POLICIES, Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.system.scheduler.schedules import BOUNDS, Bounds, Reading, ReadingHabits, Schedule, due_after_change, read_schedule
from agentoolkit.system.scheduler.schedules.cron import weeks_counted
from agentoolkit.system.scheduler.schedules.describe import describe

REQUIRED = ("schedule", "agentool_name", "input_data")
"""The required fields of a job."""
_SCHEDULE = frozenset({"schedule", "schedule_type", "timezone", *BOUNDS})
"""The fields of a schedule."""
_POLICIES = frozenset(field.name for field in fields(Policies))
_USUAL: Mapping[str, Any] = {"description": "", "tags": (), "jitter": 0.0, "exclude": (), "only": ()}
"""Fields that a job has none of, where that is not None."""
_QUEUES = ("result_queue", "error_queue")
_CALLED = ("agentool_name", "input_data", *_QUEUES)
_DEFINITION = frozenset({"job_name", "description", "tags", *_CALLED})


class Plan(NamedTuple):
    """A checked job that can be stored."""

    job: Job
    state: JobState
    reading: Reading


_PLAIN_HABITS = ReadingHabits()


def with_defaults(asked: JobFields, error_queue: str | None, pause_after_failures: int | None) -> JobFields:
    """Return the fields of a new job with defaults for missing ones.

    A web address is a default only for callers that may approve it: the jobs of others would wait for approval.
    """
    defaults: dict[str, Any] = {}
    if pause_after_failures is not None:
        defaults["pause_after_failures"] = pause_after_failures
    if error_queue is not None and (not is_address(error_queue) or get_caller().may("approve")):
        defaults["error_queue"] = error_queue
    missing = {name: value for name, value in defaults.items() if getattr(asked, name) is None or name not in asked.model_fields_set}
    return asked.model_copy(update=missing) if missing else asked


def plan(
    asked: JobFields,
    job_id: str | None,
    injector: Injector,
    now: datetime,
    habits: ReadingHabits = _PLAIN_HABITS,
    before: Job | None = None,
) -> Plan:
    """Check the fields of a new job and create it for the current caller, or for the owner that the caller acts for.

    It may take the place of a job, `before`.

    Raises:
        UnknownTarget: The target, or the ``queue`` AgenTool that an outcome queue needs, does not exist.
        InvalidJob: The input does not fit the target, a field is missing, or the id is invalid.
        InvalidSchedule: The schedule, its zone or its bounds cannot be read, or it would never fire.
    """
    given = asked.given()
    if missing := [field for field in REQUIRED if field not in given]:
        raise InvalidJob("It is required for a job.", field=missing[0], remedy=f"Give {', '.join(missing)}.")
    id_ = id_from_name(asked.job_name) if job_id is None else checked_id(job_id)
    values: dict[str, Any] = {"job_name": id_, **_definition(given)}
    policies = _policies(USUAL_POLICIES, given)
    reading, values["input_data"] = _checked(lambda: read_when(given, id_, now, habits), values, policies, given, injector, before)
    caller = get_caller()
    values |= {"created_by": caller.owner_of_new(), "changed_by": caller if caller.acts_for_another else None}
    job = Job(job_id=id_, schedule=reading.schedule, policies=policies, created_at=now, **values)
    status = JobStatus.PAUSED if asked.paused else JobStatus.ACTIVE
    return Plan(job, JobState(status, reading.schedule.first_from(now)), reading)


def replan(stored: StoredJob, changes: JobChanges, injector: Injector, now: datetime, habits: ReadingHabits) -> Plan:
    """Check the changes to a job and create the changed one. Fields that are neither given nor cleared stay, and so does the next due time.

    A schedule that equals the job's is no change: an interval continues to count from its anchor.

    Raises:
        UnknownTarget, InvalidJob, InvalidSchedule: See `plan`.
    """
    job, given = stored.job, _with_cleared(changes)
    values = {**{name: getattr(job, name) for name in _CALLED}, **_definition(given)}
    policies = _policies(job.policies, given)

    def read() -> Reading:
        return _unchanged(job) if _SCHEDULE.isdisjoint(given) else _reread(job, given, now, habits)

    reading, values["input_data"] = _checked(read, values, policies, given, injector, job)
    changed = replace(job, schedule=reading.schedule, policies=policies, **values)
    return Plan(changed, _state_after(stored, changed, changes.paused, now), reading)


def _with_cleared(changes: JobChanges) -> dict[str, Any]:
    """Return the fields that were given, and those that are taken back as a job has them that was given none."""
    given, cleared = changes.given(), changes.clear or ()
    if both := [name for name in cleared if name in given]:
        remedy = f"Give {both[0]!r}, or name it in 'clear', not both."
        raise InvalidJob(f"{both[0]!r} is to be taken back, and has a new value.", field="clear", value=changes.clear, remedy=remedy)
    return given | {name: getattr(USUAL_POLICIES, name, _USUAL.get(name)) for name in cleared}


def redefine(stored: StoredJob, asked: JobFields, injector: Injector, now: datetime, habits: ReadingHabits) -> Plan | None:
    """Turn an existing job into the requested one; None if both are identical.

    The schedule is read as of the job's creation, so that 'tomorrow at 9am' in a file is the same task the day after. If it
    differs from the job's, it is read again as of now; if that differs too, the job counts as created now.

    Raises:
        UnknownTarget, InvalidJob, InvalidSchedule: See `plan`.
    """
    job = stored.job
    wanted = plan(asked, job.job_id, injector, job.created_at, habits, job).job
    if wanted.same_as(job):
        return None
    reading, made_at, before = _unchanged(job), job.created_at, stored
    if not wanted.schedule.same_times(job.schedule):
        reading = _read_over(job.schedule, asked.given(), job.job_id, now, habits)
        made_at = job.created_at if reading.schedule.same_times(wanted.schedule) else now
        if stored.state.status is JobStatus.DONE:  # it begins anew: the runs of the one that is over are not its own
            before = StoredJob(job, stored.state._replace(runs=0))
    changed = replace(wanted, schedule=reading.schedule, created_at=made_at, created_by=job.created_by)
    return Plan(changed, _state_after(before, changed, None, now), reading)


def id_from_name(job_name: str | None) -> str:
    """Derive a job's id from its name, so that both find it; without a name, create a random one."""
    if job_name is None:
        return f"job-{uuid4().hex[:12]}"
    return checked_id(re.sub(r"\s+", "-", job_name.strip()))


def _state_after(stored: StoredJob, changed: Job, paused: bool | None, now: datetime) -> JobState:
    """Return the state of a changed job. If its due times did not change, the state stays."""
    job, before = stored
    schedule, most = changed.schedule, changed.policies.max_runs
    new_times = schedule != job.schedule
    is_paused = before.status is JobStatus.PAUSED
    if not new_times and most == job.policies.max_runs and paused in (None, is_paused) and before.status is not JobStatus.BROKEN:
        return before
    runs = 0 if new_times and schedule.kind == "once" else before.runs
    next_run_at, due_before = schedule.first_from(now), before.next_run_at
    if new_times and before.status is JobStatus.ACTIVE and due_before is not None:
        next_run_at = due_after_change(job.schedule, due_before, schedule, now)
    is_over = schedule.is_over(now) if schedule.kind == "after" else next_run_at is None
    if is_over or (most is not None and runs >= most):
        return before._replace(status=JobStatus.DONE, next_run_at=None, runs=runs)
    due = before._replace(next_run_at=next_run_at, runs=runs)
    if paused is None and is_paused:
        return due
    return due.paused() if paused else due.resumed()._replace(failures_from=now)


def _unchanged(job: Job) -> Reading:
    return Reading(job.schedule, describe(job.schedule), ())


def _reread(job: Job, given: Mapping[str, Any], now: datetime, habits: ReadingHabits) -> Reading:
    """Read a job's schedule with some of its fields changed."""
    when = job.schedule
    held: dict[str, Any] = {"schedule": when.text, "schedule_type": when.kind, "anchor": when.anchor}
    held |= {name: getattr(when, name) for name in ("timezone", *BOUNDS)}
    if "schedule" in given:
        held |= {"schedule_type": None, "anchor": None}
        if job.is_bounded and (free := _read_unbounded(job, {**held, **given}, given, now, habits)):
            return free
    elif "start_at" in given:
        held["anchor"] = None
    reading = _read_over(when, {**held, **given}, job.job_id, now, habits)
    return replace(reading, schedule=when) if reading.schedule.same_times(when) else reading


def _read_unbounded(job: Job, fields: Mapping[str, Any], given: Mapping[str, Any], now: datetime, habits: ReadingHabits) -> Reading | None:
    """Read a schedule that does not repeat without the end and the delay that the rules gave a repeating job; None if it repeats."""
    set_by_rules = {name: value for name, value in {"end_at": None, "jitter": 0.0}.items() if name not in given}
    reading = _read_over(job.schedule, {**fields, **set_by_rules}, job.job_id, now, habits)
    return reading if reading.schedule.kind in ("once", "after") else None


def _read_over(before: Schedule, given: Mapping[str, Any], job_id: str, now: datetime, habits: ReadingHabits) -> Reading:
    """Read fields that take the place of a schedule. The same weeks of the same weekdays go on, so that no job runs two weeks in a row."""
    reading = read_when(given, job_id, now, habits)
    after, counted = reading.schedule, weeks_counted(part.text for part in before.parts)
    anew = weeks_counted(part.text for part in after.parts)
    if not counted or not anew or after.anchor == before.anchor:
        return reading
    if counted == anew and after.start_at == before.start_at:
        return read_when({**given, "anchor": before.anchor}, job_id, now, habits)
    return replace(reading, remarks=(*reading.remarks, "weeks are counted anew, as the number of weeks, the weekdays or the start changed"))


def read_when(given: Mapping[str, Any], job_id: str, now: datetime, habits: ReadingHabits) -> Reading:
    """Read the fields of a job that make its schedule. Raises `InvalidSchedule`."""
    return read_schedule(
        given["schedule"],
        now=now,
        kind=given.get("schedule_type"),
        timezone=given.get("timezone"),
        anchor=given.get("anchor"),
        jitter_key=job_id,
        habits=habits,
        **cast(Bounds, {name: given[name] for name in BOUNDS if name in given}),
    )


def _definition(given: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: given[name] for name in _DEFINITION & given.keys()}
    return {**values, "tags": tuple(values["tags"])} if "tags" in values else values


def _policies(before: Policies, given: Mapping[str, Any]) -> Policies:
    values = {name: given[name] for name in _POLICIES & given.keys()}
    if "retry_on" in values:
        values["retry_on"] = tuple(values["retry_on"])
    return replace(before, **values) if values else before


def _checked(
    read: Callable[[], Reading],
    values: Mapping[str, Any],
    policies: Policies,
    given: Mapping[str, Any],
    injector: Injector,
    before: Job | None,
) -> tuple[Reading, dict[str, Any]]:
    """Read a job's schedule, and check that the job can run. All problems are refused together. Return the reading and a copied input."""
    refusals = Refusals()
    readings: list[Reading] = []
    inputs: list[CheckedInput] = []
    with refusals.collect():
        readings.append(read())
    with refusals.collect():
        inputs.append(checked_input(values["agentool_name"], values["input_data"], injector))
        if inputs[0].may_refer:
            _check_references(inputs[0].values, readings, before)
    with refusals.collect():
        for reading in readings:
            check_needed(given, policies, reading.schedule)
    with refusals.collect():
        check_gate(injector, policies.gate)
        check_new_references("gate", policies.gate, before and before.policies.gate)
    with refusals.collect():
        check_queues(injector, **{name: values.get(name) for name in _QUEUES})
    refusals.raise_all()
    remarks = describe_unknown_errors(given.get("retry_on", ()))
    reading = replace(readings[0], remarks=(*readings[0].remarks, *remarks)) if remarks else readings[0]
    return reading, inputs[0].values


def _check_references(input_data: dict[str, Any], readings: Sequence[Reading], before: Job | None) -> None:
    """Refuse references in a job's input that are malformed, that came out of a result, or to an upstream job that it has not."""
    check_lookalikes("input_data", input_data)
    check_new_references("input_data", input_data, before and before.input_data)
    for reading in readings:
        if before is None or (input_data, reading.schedule) != (before.input_data, before.schedule):
            check_upstream_references(reading.schedule, input_data)
