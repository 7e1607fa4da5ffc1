"""Checks the parts of a job before anything is stored: target, input, queues, executor, id, references and times."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agentool import references
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, FieldProblem, InvalidInput, UnknownAgenTool, excerpt, sentence
from agentool.references import PREFIX, STEP_PREFIX, has_references, lookalikes
from agentoolkit.json_values import NotJson, json_copy
from agentoolkit.system.scheduler.delivery_calls import delivery
from agentoolkit.system.scheduler.errors import InvalidJob, InvalidSchedule, UnknownTarget, invalid_job_as
from agentoolkit.system.scheduler.job_fields import MAX_NAME_LENGTH, NEEDED, JobFields
from agentoolkit.system.scheduler.jobs import USUAL_POLICIES, ExecutorName, Gate, Policies
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.system.scheduler.schedules.after import START
from agentoolkit.system.scheduler.schedules.moments import moment_of
from agentoolkit.system.scheduler.schedules.zones import within_the_calendar

MAX_INPUT_SIZE = 1_000_000
"""Maximum characters of an input as JSON."""
RESERVED_QUEUE = "amq"
"""RabbitMQ reserves names that begin with ``amq.``, as the names of its workers' queues would: name, dot and priority."""


class CheckedInput(NamedTuple):
    """A copy of an input that is JSON."""

    values: dict[str, Any]
    may_refer: bool
    """False if no text in it looks like a reference or a step's result. Most inputs have none, and need no further look."""


def checked_input(agentool_name: str, input_data: dict[str, Any], injector: Injector) -> CheckedInput:
    """Refuse a target that does not exist, or an input that it would refuse at the run. Return a copy of the input.

    References cannot be checked before they are resolved, so problems of their values are ignored.
    """
    try:
        agentool = injector.get(agentool_name)
    except UnknownAgenTool as error:
        raise UnknownTarget(error.problem, field="agentool_name", value=agentool_name, remedy=error.remedy) from None
    checked = json_input(input_data)
    copy = checked.values
    try:
        agentool.check(copy)
    except InvalidInput as error:
        problems = [problem for problem in error.problems if not (isinstance(problem.value, str) and has_references(problem.value))]
        if problems or not has_references(copy):
            raise _about_input_data(agentool_name, error, problems) from error
    except Exception as error:  # its precheck may raise any error
        raise _refused_by(agentool_name, error) from error
    return checked


def _refused_by(agentool_name: str, error: Exception, *, is_first: bool = True) -> InvalidJob:
    """Return the refusal of a job whose target's own check raised. Only the first of several says whose check it was."""
    said = f"AgenTool {agentool_name!r} would refuse this input: " if is_first else ""
    if not isinstance(error, AgenToolError):
        return InvalidJob(f"{said}{type(error).__name__}: {error}", field="input_data")
    where = f"input_data.{error.field}" if error.field else "input_data"
    refused = invalid_job_as(type(error))(f"{said}{error.problem}", field=where, value=error.value, remedy=error.remedy)
    refused.also = tuple(_refused_by(agentool_name, other, is_first=False) for other in error.also)
    return refused


def json_input(input_data: dict[str, Any]) -> CheckedInput:
    """Return a copy of an input that is JSON, neither nested too deeply nor too large. Raises `InvalidJob`."""
    try:
        copy = json_copy(input_data, "input_data")
    except NotJson as error:
        remedy = "Use text, finite numbers, true, false, null, lists and objects; write times as ISO 8601 text."
        raise InvalidJob(error.problem, field=error.field, value=error.value, remedy=remedy) from None
    text = json.dumps(copy)
    if (size := len(text)) > MAX_INPUT_SIZE:
        remedy = f"Use at most {MAX_INPUT_SIZE:,}; refer to more by '{PREFIX}…' or by a path."
        raise InvalidJob(f"It has {size:,} characters as JSON.", field="input_data", value=input_data, remedy=remedy)
    return CheckedInput(copy, PREFIX in text or STEP_PREFIX in text)


def check_new_references(field: str, new: object, held: object = None) -> None:
    """Refuse a malformed reference, unless the job holds the same already: what was stored before goes on running."""
    if new == held:
        return
    try:
        references.check_references(new)
    except InvalidInput as error:
        raise InvalidJob(error.problem, field=field, value=error.value, remedy=error.remedy) from None


def check_upstream_references(schedule: Schedule, input_data: dict[str, Any]) -> None:
    """Refuse an input that refers to the upstream execution in a job that has none."""
    if (schedule.after is None or schedule.after.job_id == START) and has_references(input_data, to="after"):
        remedy = "Give it a schedule like 'after extract', or an input without '!ref:after:…'."
        problem = "It refers to the execution before, and this job comes after none."
        raise InvalidJob(problem, field="input_data", value=input_data, remedy=remedy)


def check_lookalikes(field: str, input_data: dict[str, Any]) -> None:
    """Refuse a text from a result that looks like a reference: once stored, it would be resolved as one."""
    for where, text in lookalikes(input_data, field):
        remedy = "Keep it with storage_kv and refer to it there, by '!ref:storage_kv:<key>': what a reference gives stays text."
        problem = f"{excerpt(text)} came out of a result, and a job would look it up as a reference."
        raise InvalidJob(problem, field=where, value=text, remedy=remedy)


def check_gate(injector: Injector, gate: Gate | None) -> None:
    """Refuse a gate whose AgenTool does not exist, or would refuse its input."""
    if gate is None:
        return
    try:
        checked_input(gate["agentool_name"], gate["input_data"], injector)
    except (InvalidJob, UnknownTarget) as error:
        refused = type(error)(error.problem, field="gate", value=gate, remedy=error.remedy)
        refused.also = error.also
        raise refused from error
    check_lookalikes("gate.input_data", gate["input_data"])


def check_queues(injector: Injector, **queues: str | None) -> None:
    """Refuse a destination of outcomes that its AgenTool would refuse at the delivery. The error names its field."""
    for field, queue_name in queues.items():
        if queue_name is None:
            continue
        name, call = delivery(Message("checked", queue_name, {}))
        try:
            agentool = injector.get(name)
        except UnknownAgenTool:
            problem = f"It needs the AgenTool {name!r}, which is not registered."
            remedy = f"Register it with create_{name}_agent(), or leave out result_queue and error_queue."
            raise UnknownTarget(problem, field=field, value=queue_name, remedy=remedy) from None
        try:
            agentool.check(call)
        except Exception as error:
            remedy = "Give a queue's name that 'enqueue' accepts, or an address that 'http' may reach."
            raise InvalidJob(str(error), field=field, value=queue_name, remedy=remedy) from error


def check_executor(policies: Policies, default: ExecutorName, unavailable: Mapping[ExecutorName, str]) -> None:
    """Refuse an executor that is not available here, and a queue that no worker would consume."""
    executor = policies.executor or default
    if (remedy := unavailable.get(executor)) is not None:
        raise InvalidJob(f"There are no workers of {executor!r} here.", field="executor", value=policies.executor, remedy=remedy)
    if policies.queue is not None and executor == "local":
        remedy = "Give 'executor' with it, 'celery' or 'rq', or leave it out; where outcomes go says 'result_queue'."
        raise InvalidJob("Workers take from queues, and it runs without workers.", field="queue", value=policies.queue, remedy=remedy)
    if policies.queue == RESERVED_QUEUE:
        problem = f"RabbitMQ makes no queue whose name begins with '{RESERVED_QUEUE}.', as those of its workers would."
        raise InvalidJob(problem, field="queue", value=policies.queue, remedy="Give the queue another name.")


def check_needed(given: Mapping[str, Any], policies: Policies, schedule: Schedule) -> None:
    """Refuse a field that was given and does nothing in this job. The field's default, and False, count as not given."""
    for name, needed in NEEDED.items():
        value = given.get(name)
        if value and value != getattr(USUAL_POLICIES, name, None) and not any(_is_set(other, policies, schedule) for other in needed):
            others = " or ".join("catch_up 'latest' or 'all'" if other == "catch_up" else other for other in needed)
            raise InvalidJob(f"It does nothing without {others}.", field=name, value=value, remedy=f"Give that too, or leave {name!r} out.")


def _is_set(name: str, policies: Policies, schedule: Schedule) -> bool:
    """Tell whether a job has a field of its policies or of its schedule."""
    value = getattr(policies, name, None) or getattr(schedule, name, None)
    return bool(value) and value != "none"


def describe_unknown_errors(names: Sequence[str]) -> list[str]:
    """Return a remark for each name that no exception class has so far: a module that is imported later may define it."""
    if not names:  # the walk is long, and almost no job names classes
        return []
    known = _exception_names()
    unknown = [name for name in names if name not in known]
    return [f"no exception class is named {name!r} here. {_meant(name, known)}".rstrip() for name in unknown]


def _exception_names() -> set[str]:
    known: set[str] = set()
    pending: list[type[BaseException]] = [BaseException]
    while pending:
        kind = pending.pop()
        if kind.__name__ not in known:
            known.add(kind.__name__)
            pending += type.__subclasses__(kind)
    return known


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"Did you mean {near[0]!r}?" if near else ""


def checked_id(job_id: str) -> str:
    """Return a job's id if it is valid. One or two dots are invalid, because they are removed from web addresses."""
    if not (0 < len(job_id) <= MAX_NAME_LENGTH) or not job_id.isprintable() or "@" in job_id or job_id in (".", ".."):
        remedy = f"Use 1 to {MAX_NAME_LENGTH} printable characters other than '@', and not dots alone."
        raise InvalidJob(f"{excerpt(job_id)} cannot be a job's id.", field="job_id", value=job_id, remedy=remedy)
    return job_id


def check_fields(given: Mapping[str, object]) -> None:
    """Refuse fields of a job that `JobFields` would refuse. Raises `InvalidJob`."""
    try:
        JobFields.model_validate(given)
    except ValidationError as error:
        raise InvalidJob.from_validation("scheduler", error, JobFields.model_fields) from error


def _about_input_data(agentool_name: str, error: InvalidInput, problems: Sequence[FieldProblem], *, is_first: bool = True) -> InvalidJob:
    """Return the refusal of an input. Only the first of several says which AgenTool refuses, and the last what to do."""
    inside = tuple(replace(problem, field=f"input_data.{problem.field}") for problem in problems)
    said = sentence(inside) if inside else str(error)
    further = error.also if inside else ()
    refused = InvalidJob(
        f"AgenTool {agentool_name!r} would refuse this input: {said}" if is_first else said,
        field=None if inside else "input_data",
        value=None if inside else error.value,
        remedy=f"Correct input_data so that injector.run({agentool_name!r}, input_data) accepts it.",
        problems=inside,
    )
    for other in further:
        is_input = isinstance(other, InvalidInput)
        refused.also = (
            *refused.also,
            _about_input_data(agentool_name, other, other.problems, is_first=False)
            if is_input
            else _refused_by(agentool_name, other, is_first=False),
        )
    return refused


def checked_moment(text: str, field: str, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 time; without an offset it is in the zone. Raises `InvalidJob`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "Write ISO 8601, e.g. '2026-12-25T09:00:00'."
        raise InvalidJob(f"{excerpt(text)} is no time.", field=field, value=text, remedy=remedy) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def checked_end(text: str, field: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Read a future time in ISO 8601 or in words: ``next friday at 18:00``. Raises `InvalidJob`."""
    try:
        moment = moment_of(text, field, zone.key, now)
        if moment is not None:
            with within_the_calendar(field, text):  # in both zones in which it is shown
                moment = moment.astimezone(UTC).astimezone(zone)
    except InvalidSchedule as refused:
        raise InvalidJob(refused.problem, field=field, value=text, remedy=refused.remedy) from refused
    if moment is None or moment <= now:
        remedy = f"Give a time after {now.astimezone(zone).isoformat(timespec='seconds')}, or leave it out."
        raise InvalidJob(f"{excerpt(text)} is not in the future.", field=field, value=text, remedy=remedy)
    return moment
