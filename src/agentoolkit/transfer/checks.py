"""Check the records of an export: the stores may hold only what the AgenTools themselves would accept."""

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
from agentoolkit.system.scheduler.checks import checked_id, json_input
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.execution_records import ErrorRecord
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.text import storable

T = TypeVar("T")

_UNCHECKED = frozenset({"reason", "payload", "result", "input_data"})
"""Fields with text from a handler, or with JSON that has checks of its own."""


def read(kind: TypeAdapter[T], name: str, record: object) -> T:
    """Validate a record, its times and its texts. Raises `InvalidInput`, which names the fields."""
    try:
        found = kind.validate_python(record)
    except ValidationError as error:
        raise damaged(name, error) from error
    check_values(name, found)
    return found


def damaged(name: str, error: ValidationError) -> InvalidInput:
    """Return the error that names the wrong fields of a record."""
    problems = InvalidInput.from_validation(name, error).problems
    placed = tuple(replace(problem, field=f"{name}.{problem.field}") for problem in problems)
    return InvalidInput(sentence(placed), problems=placed)


def check_values(field: str, value: object) -> None:
    """Refuse a time without an offset, or a text that some store cannot hold, anywhere in a record."""
    if isinstance(value, str):
        try:
            storable(value)
        except ValueError as error:
            raise InvalidInput(
                f"{excerpt(value)} has {error}.", field=field, value=value, remedy="Write a text that can be kept."
            ) from error
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            remedy = f"Write '{value.isoformat()}+00:00' if it is in UTC."
            raise InvalidInput(f"{value.isoformat()} has no offset.", field=field, value=value, remedy=remedy)
    else:
        for name, entry in _entries(value):
            check_values(f"{field}.{name}", entry)


def _entries(value: object) -> list[tuple[object, object]]:
    """Return the entries of a record by name or place. A handler's text is left out: stores write as much of it as they can."""
    if isinstance(value, ErrorRecord):
        return []
    if isinstance(value, Mapping):
        named = list(cast("Mapping[object, object]", value).items())
    elif isinstance(value, (tuple, list)):
        entries = cast("tuple[object, ...] | list[object]", value)
        named = list(zip(getattr(entries, "_fields", range(len(entries))), entries, strict=True))
    else:
        named = []
    return [(name, entry) for name, entry in named if name not in _UNCHECKED]


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
    """Refuse a job whose id, input, texts or numbers ``schedule`` would refuse."""
    try:
        checked_id(job.job_id)
        json_input(job.input_data)
        texts = {name: getattr(job, name) for name in ("job_name", "agentool_name", "result_queue", "error_queue", "description")}
        check_job_fields({**texts, **asdict(job.policies), "tags": list(job.tags), "retry_on": list(job.policies.retry_on)})
    except InvalidJob as error:
        raise InvalidInput(error.problem, field=f"job.{error.field}", value=error.value, remedy=error.remedy) from error


def is_encodable(text: str) -> bool:
    """Tell whether a text can be written as UTF-8. A lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def count_in(field: str, value: Any) -> int:
    """Return a count. Refuse a value that is not a whole number from 0 to 2**62 - 1, which databases can hold."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise InvalidInput(f"{excerpt(value)} is not a count.", field=field, value=value, remedy="Write a whole number from 0 on.")
    return value


def json_in(field: str, text: str) -> Any:
    """Read JSON; NaN and Infinity are refused. Raises `InvalidInput`."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        problem = f"{excerpt(text)} is not JSON: {error}."
        raise InvalidInput(problem, field=field, value=text, remedy="Write it as `agentool export` does.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")
