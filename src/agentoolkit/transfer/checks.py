"""What a record of an export must be for the stores to hold it: what the AgenTools themselves would have let in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from agentool.base import BaseOperationInput
from agentool.errors import InvalidInput, excerpt, sentence
from agentoolkit.json_values import NotJson, json_copy
from agentoolkit.system.scheduler.checks import check_fields as check_job_fields
from agentoolkit.system.scheduler.checks import checked_id, checked_json
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.jobs import ErrorRecord, Job
from agentoolkit.text import storable

T = TypeVar("T")

_SAID = frozenset({"reason", "payload", "result", "input_data"})
"""Fields with what a handler said, or with JSON of their own rules."""


def read(kind: TypeAdapter[T], name: str, record: object) -> T:
    """Read a record as what it is to be, with times and texts that can be kept. Raises `InvalidInput`, which names the fields."""
    try:
        found = kind.validate_python(record)
    except ValidationError as error:
        raise damaged(name, error) from error
    check_values(name, found)
    return found


def damaged(name: str, error: ValidationError) -> InvalidInput:
    """Say which fields of a record are wrong."""
    problems = InvalidInput.from_validation(name, error).problems
    told = tuple(replace(problem, field=f"{name}.{problem.field}") for problem in problems)
    return InvalidInput(sentence(told), problems=told)


def check_values(field: str, value: object) -> None:
    """Refuse a time without an offset, and a text that some store cannot hold, anywhere in a record."""
    if isinstance(value, str):
        try:
            storable(value)
        except ValueError as error:
            raise InvalidInput(
                f"{excerpt(value)} has {error}.", field=field, value=value, remedy="Write a text that can be kept."
            ) from error
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            remedy = f"Write '{value.isoformat()}+00:00' if it is one of UTC."
            raise InvalidInput(f"{value.isoformat()} has no offset.", field=field, value=value, remedy=remedy)
    else:
        for name, entry in _entries(value):
            check_values(f"{field}.{name}", entry)


def _entries(value: object) -> list[tuple[object, object]]:
    """Return what a record holds, by names or places. What a handler said is left out: stores write it as far as they can."""
    if isinstance(value, ErrorRecord):
        return []
    if isinstance(value, Mapping):
        named = list(cast("Mapping[object, object]", value).items())
    elif isinstance(value, (tuple, list)):
        entries = cast("tuple[object, ...] | list[object]", value)
        named = list(zip(getattr(entries, "_fields", range(len(entries))), entries, strict=True))
    else:
        named = []
    return [(name, entry) for name, entry in named if name not in _SAID]


def check_name(field: str, text: str) -> None:
    """Refuse a name that is empty or does not print."""
    if not text or not text.isprintable():
        raise InvalidInput(f"{excerpt(text)} cannot be a name.", field=field, value=text, remedy="Use printable characters.")


def check_json(field: str, value: object) -> None:
    """Refuse JSON values that cannot be written as text."""
    try:
        json_copy(value, field)
    except NotJson as error:
        raise InvalidInput(error.problem, field=error.field, value=error.value, remedy="Write it as `agentool export` does.") from error


def check_fields(name: str, model: type[BaseOperationInput], fields: Mapping[str, Any]) -> None:
    """Refuse fields that the input model of their AgenTool would refuse."""
    try:
        model.model_validate(fields)
    except ValidationError as error:
        raise damaged(name, error) from error


def check_job(job: Job) -> None:
    """Refuse a job of which ``schedule`` would refuse the id, the input's form, a text or a number."""
    try:
        checked_id(job.job_id)
        checked_json(job.input_data)
        texts = {name: getattr(job, name) for name in ("job_name", "agentool_name", "result_queue", "error_queue", "description")}
        check_job_fields({**texts, **asdict(job.policies), "tags": list(job.tags), "retry_on": list(job.policies.retry_on)})
    except InvalidJob as error:
        raise InvalidInput(error.problem, field=f"job.{error.field}", value=error.value, remedy=error.remedy) from error


def is_encodable(text: str) -> bool:
    """Is there a form in bytes? A lone surrogate has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def count_in(field: str, value: Any) -> int:
    """Refuse what is not a number that a database counts with."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise InvalidInput(f"{excerpt(value)} is not a count.", field=field, value=value, remedy="Write a whole number from 0 on.")
    return value


def json_in(field: str, text: str) -> Any:
    """Read JSON, without the numbers that it does not have. Raises `InvalidInput`."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        problem = f"{excerpt(text)} is not JSON: {error}."
        raise InvalidInput(problem, field=field, value=text, remedy="Write it as `agentool export` does.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")
