"""From a request to a job: everything that can be checked is checked here, before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from agentool.core.injector import Injector
from agentoolkit.system.scheduler.checks import (
    MAX_DESCRIPTION_LENGTH,
    check_gate,
    check_lookalikes,
    check_queues,
    check_ranges,
    check_references,
    check_tags,
    check_text,
    checked_id,
    checked_input,
)
from agentoolkit.system.scheduler.jobs import CatchUp, Gate, Job, JobState, JobStatus, OnInterrupt, Overlap, Policies, Priority
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.system.scheduler.schedules import Kind, Reading, preview, read_schedule

_WHEN = frozenset({"schedule", "schedule_type", "timezone", "start_at", "end_at", "jitter", "exclude"})
"""The fields that make a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What somebody asks to have scheduled, as they said it. Fields and defaults: see `SchedulerInput`."""

    schedule: str
    agentool_name: str
    input_data: dict[str, Any]
    job_id: str | None = None
    job_name: str | None = None
    schedule_type: Kind | None = None
    timezone: str | None = None
    anchor: datetime | None = None
    """Instant that an interval counts from; now, if not given."""
    start_at: datetime | str | None = None
    end_at: datetime | str | None = None
    jitter: float = 0.0
    exclude: Sequence[str] = ()
    max_runs: int | None = None
    timeout: float | None = None
    max_retries: int = 0
    retry_backoff: float | bool = 1.0
    retry_on: Sequence[str] = ()
    overlap: Overlap = "skip"
    catch_up: CatchUp | None = None
    catch_up_window: int | None = None
    on_interrupt: OnInterrupt = "retry"
    concurrency_key: str | None = None
    priority: Priority = "medium"
    gate: Gate | None = None
    paused: bool = False
    max_instances: int = 1
    misfire_grace_time: int | None = 30
    coalesce: bool = True
    result_queue: str | None = None
    error_queue: str | None = None
    description: str = ""
    tags: Sequence[str] = ()

    @classmethod
    def again(cls, job: Job) -> JobRequest:
        """Return the request that would make this job, as the start of a change to it."""
        when = job.schedule
        policies = {field.name: getattr(job.policies, field.name) for field in fields(Policies)}
        return cls(
            schedule=when.text,
            schedule_type=when.kind,
            timezone=when.timezone,
            anchor=when.anchor,
            start_at=when.start_at,
            end_at=when.end_at,
            jitter=when.jitter,
            exclude=when.exclude,
            agentool_name=job.agentool_name,
            input_data=job.input_data,
            job_id=job.job_id,
            job_name=job.job_name,
            result_queue=job.result_queue,
            error_queue=job.error_queue,
            description=job.description,
            tags=job.tags,
            **policies,
        )


_WANTED = frozenset(field.name for field in fields(JobRequest)) - {"job_id", "anchor", "paused"}
"""What makes two requests different; where a job stands is not part of it."""


class Plan(NamedTuple):
    """A job that can be stored as it is."""

    job: Job
    standing: JobState
    reading: Reading


def plan(request: JobRequest, injector: Injector, now: datetime, default_timezone: str | None = None) -> Plan:
    """Check a request and make its job.

    Raises:
        UnknownTarget: The target, or the ``queue`` AgenTool that an outcome queue needs, does not exist.
        InvalidJob: The input does not fit the target, a field is out of range, or an id cannot be one.
        InvalidSchedule: The schedule, its zone or its bounds cannot be read, or nothing would ever be due.
    """
    _check_texts(request)
    job_id = id_from_name(request.job_name) if request.job_id is None else checked_id(request.job_id)
    reading = _read(request, job_id, now, default_timezone)
    job = _job(request, job_id, reading, injector, now)
    state = JobStatus.PAUSED if request.paused else JobStatus.ACTIVE
    return Plan(job, JobState(state, reading.schedule.first_from(now)), reading)


def replan(stored: StoredJob, changes: Mapping[str, Any], injector: Injector, now: datetime, default_timezone: str | None) -> Plan:
    """Check the changes to a job and make the changed one. What is not named stays, its next due time included.

    Raises:
        UnknownTarget, InvalidJob, InvalidSchedule: See `plan`.
    """
    job, standing = stored
    if "schedule" in changes:
        changes = {"schedule_type": None, "anchor": None, **changes}
    elif "start_at" in changes:
        changes = {"anchor": None, **changes}
    request = replace(JobRequest.again(job), **changes)
    _check_texts(request)
    if _WHEN.isdisjoint(changes):
        reading = Reading(job.schedule, preview(job.schedule, now=now, count=0).words, ())
    else:
        reading = _read(request, job.job_id, now, default_timezone)
    changed = _job(request, job.job_id, reading, injector, job.created_at)
    return Plan(changed, _standing(changed, standing, changes, now), reading)


def changes_wanted(job: Job, request: JobRequest, injector: Injector, default_timezone: str | None) -> dict[str, Any]:
    """Return what has to change for a job to be what is asked for; nothing, if it is.

    The schedule is read as of when the job was made, so that 'tomorrow at 9am' in a file is the same task the day after.

    Raises:
        UnknownTarget, InvalidJob, InvalidSchedule: See `plan`.
    """
    before, asked = JobRequest.again(job), JobRequest.again(plan(request, injector, job.created_at, default_timezone).job)
    different = {name for name in _WANTED if getattr(asked, name) != getattr(before, name)}
    if not _WHEN.isdisjoint(different):
        different |= _WHEN
    return {name: getattr(request, name) for name in different}


def _standing(job: Job, before: JobState, changes: Mapping[str, Any], now: datetime) -> JobState:
    if {*_WHEN, "max_runs", "paused"}.isdisjoint(changes):
        return before
    paused = changes.get("paused", before.state is JobStatus.PAUSED)
    due = job.schedule.first_from(now)
    if job.schedule.is_over(now) or (job.policies.max_runs is not None and before.runs >= job.policies.max_runs):
        return before._replace(state=JobStatus.DONE, next_run_at=None)
    return before._replace(state=JobStatus.PAUSED if paused else JobStatus.ACTIVE, next_run_at=due, reason="")


def _read(request: JobRequest, job_id: str, now: datetime, default_timezone: str | None) -> Reading:
    return read_schedule(
        request.schedule,
        now=now,
        kind=request.schedule_type,
        timezone=request.timezone or default_timezone,
        anchor=request.anchor,
        start_at=request.start_at,
        end_at=request.end_at,
        jitter=request.jitter,
        jitter_key=job_id,
        exclude=request.exclude,
    )


def _job(request: JobRequest, job_id: str, reading: Reading, injector: Injector, created_at: datetime) -> Job:
    input_data = checked_input(request.agentool_name, request.input_data, injector)
    check_lookalikes("input_data", input_data)
    check_references(reading.schedule, input_data)
    check_gate(injector, request.gate)
    check_queues(injector, result_queue=request.result_queue, error_queue=request.error_queue)
    return Job(
        job_id=job_id,
        job_name=job_id if request.job_name is None else request.job_name,
        agentool_name=request.agentool_name,
        input_data=input_data,
        schedule=reading.schedule,
        policies=_policies(request),
        result_queue=request.result_queue,
        error_queue=request.error_queue,
        description=request.description,
        tags=tuple(request.tags),
        created_at=created_at,
    )


def id_from_name(job_name: str | None) -> str:
    """Make a job's id from its name, so that it can be found by either; without a name, make a new one."""
    if job_name is None:
        return f"job-{uuid4().hex[:12]}"
    return checked_id(re.sub(r"\s+", "-", job_name.strip()))


def _check_texts(request: JobRequest) -> None:
    check_text("job_name", request.job_name, least=1)
    check_text("description", request.description, MAX_DESCRIPTION_LENGTH)
    check_text("concurrency_key", request.concurrency_key, least=1)
    check_tags(request.tags)


def _policies(request: JobRequest) -> Policies:
    given: dict[str, Any] = {field.name: getattr(request, field.name) for field in fields(Policies)}
    # True and False are Celery's words for "a second, doubled" and "at once". Source: *Scheduler Service*, "Error Handling".
    given |= {"retry_backoff": float(request.retry_backoff), "retry_on": tuple(request.retry_on)}
    policies = Policies(**given)
    check_ranges(policies)
    return policies
