"""From a request to a job: everything that can be checked is checked here, before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from agentool.core.injector import Injector
from agentool.errors import AgenToolError, FieldProblem, InvalidInput, excerpt, sentence
from agentool.references import PREFIX, has_references
from agentoolkit.system.scheduler.jobs import CatchUp, Job, JobState, OnInterrupt, Overlap, Policies, Priority, Standing
from agentoolkit.system.scheduler.outcomes import UnrecordableResult, recordable
from agentoolkit.system.scheduler.schedules import Kind, Reading, read_schedule

_LONGEST_ID = 200


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


class Plan(NamedTuple):
    """A job that can be stored as it is."""

    job: Job
    standing: Standing
    reading: Reading


def plan(request: JobRequest, injector: Injector, now: datetime, default_timezone: str | None = None) -> Plan:
    """Check a request and make its job.

    Raises:
        UnknownAgenTool: The target, or the ``queue`` AgenTool that an outcome queue needs, does not exist.
        InvalidInput: The input does not fit the target, a policy is out of range, or an id cannot be one.
        InvalidSchedule: The schedule, its zone or its bounds cannot be read, or nothing would ever be due.
    """
    check_target(request.agentool_name, request.input_data, injector)
    if request.result_queue or request.error_queue:
        injector.get("queue")
    job_id = _checked_id(request.job_id) if request.job_id else id_from_name(request.job_name)
    reading = read_schedule(
        request.schedule,
        now=now,
        kind=request.schedule_type,
        timezone=request.timezone or default_timezone,
        start_at=request.start_at,
        end_at=request.end_at,
        jitter=request.jitter,
        jitter_key=job_id,
        exclude=request.exclude,
    )
    job = Job(
        job_id=job_id,
        job_name=request.job_name or job_id,
        agentool_name=request.agentool_name,
        input_data=request.input_data,
        schedule=reading.schedule,
        policies=_policies(request),
        result_queue=request.result_queue,
        error_queue=request.error_queue,
        description=request.description,
        tags=tuple(request.tags),
        created_at=now,
    )
    state = JobState.PAUSED if request.paused else JobState.ACTIVE
    return Plan(job, Standing(state, reading.schedule.first_from(now)), reading)


def check_target(agentool_name: str, input_data: dict[str, Any], injector: Injector) -> None:
    """Refuse a target that does not exist, or an input that it would refuse when the time comes.

    Values that are references cannot be checked before they are resolved, so they are taken on trust.
    """
    agentool = injector.get(agentool_name)
    _check_json(input_data)
    try:
        agentool.check(input_data)
    except InvalidInput as error:
        problems = [problem for problem in error.problems if not _is_reference(problem.value)]
        if problems or not has_references(input_data):
            raise _about_input_data(agentool_name, error, problems) from error


def id_from_name(job_name: str | None) -> str:
    """Make a job's id from its name, so that it can be found by either; without a name, make a new one."""
    if job_name is None:
        return f"job-{uuid4().hex[:12]}"
    return _checked_id(re.sub(r"\s+", "-", job_name.strip()))


def _checked_id(job_id: str) -> str:
    if not (0 < len(job_id) <= _LONGEST_ID) or not job_id.isprintable() or "@" in job_id:
        raise InvalidInput(
            f"{excerpt(job_id)} cannot be a job's id.",
            field="job_id",
            value=job_id,
            remedy=f"Use 1 to {_LONGEST_ID} printable characters other than '@'.",
        )
    return job_id


def _policies(request: JobRequest) -> Policies:
    given: dict[str, Any] = {field.name: getattr(request, field.name) for field in fields(Policies)}
    # True and False are Celery's words for "a second, doubled" and "at once". Source: *Scheduler Service*, "Error Handling".
    policies = Policies(**{**given, "retry_backoff": float(request.retry_backoff), "retry_on": tuple(request.retry_on)})
    limits: dict[str, tuple[float | None, float]] = {
        "max_instances": (policies.max_instances, 1),
        "misfire_grace_time": (policies.misfire_grace_time, 0),
        "max_runs": (policies.max_runs, 1),
        "timeout": (policies.timeout, 0.001),
        "max_retries": (policies.max_retries, 0),
        "retry_backoff": (policies.retry_backoff, 0),
        "catch_up_window": (policies.catch_up_window, 0),
    }
    for name, (value, least) in limits.items():
        if value is not None and value < least:
            raise InvalidInput(f"{value!r} is too small.", field=name, value=value, remedy=f"The least is {least}.")
    return policies


def _check_json(input_data: dict[str, Any]) -> None:
    try:
        recordable(input_data)
    except UnrecordableResult as error:
        raise InvalidInput("It holds something that is not JSON.", field="input_data", value=input_data) from error


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _about_input_data(agentool_name: str, error: AgenToolError, problems: Sequence[FieldProblem]) -> InvalidInput:
    inside = tuple(replace(problem, field=f"input_data.{problem.field}") for problem in problems)
    said = sentence(inside) if inside else str(error)
    return InvalidInput(
        f"AgenTool {agentool_name!r} would refuse this input: {said}",
        value=inside[0].value if inside else None,
        remedy=f"Correct input_data so that injector.run({agentool_name!r}, input_data) accepts it.",
        problems=inside,
    )
