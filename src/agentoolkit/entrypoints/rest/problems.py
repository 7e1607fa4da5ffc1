"""Answer every error as ``application/problem+json`` (RFC 9457), with the field, the value and the way out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agentool.errors import (
    UNSHOWN,
    AgenToolError,
    ConfigurationError,
    InvalidInput,
    UnknownAgenTool,
    examples_for,
    problems_in,
    sentence,
)
from agentoolkit.database.session import DatabaseError
from agentoolkit.system.scheduler.errors import SchedulerStopped
from agentoolkit.text import name_call, name_operations

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_VALUE = 200
"""Characters of a wrong value that an answer repeats."""


class FieldError(BaseModel):
    """One problem with one field."""

    field: str
    problem: str


class Problem(BaseModel):
    """Why a request was refused or failed (RFC 9457)."""

    type: str = Field(description="Names the kind of problem", examples=["urn:agentool:job-not-found"])
    title: str = Field(description="The kind of problem in words", examples=["Not Found"])
    status: int = Field(description="The HTTP status", examples=[404])
    detail: str = Field(description="What is wrong, and the way out", examples=["No job has the id or name 'nightli'."])
    field: str | None = Field(default=None, description="The field or parameter concerned")
    value: str | None = Field(default=None, description="The value that was given, cut")
    remedy: str | None = Field(default=None, description="What to do instead", examples=["Did you mean 'nightly'?"])
    errors: list[FieldError] = Field(default=[], description="Each field concerned, where there are several")


class ApiError(HTTPException):
    """A refusal by the API itself, before it calls an AgenTool."""

    def __init__(self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        text = f"{detail} {more['remedy']}" if more.get("remedy") else detail
        self.problem = _problem(status, kind, text, **more)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status in (400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 500, 503)
}
RESPONSES[422]["model"] = Problem  # adds its schema, to which the others refer
"""Errors that every operation may answer."""


def problem_of(error: Exception) -> Problem:
    """Turn any error into a problem. An unexpected error is logged, and its text is hidden from the client."""
    if isinstance(error, ApiError):
        return error.problem
    if isinstance(error, HTTPException):
        return _problem(error.status_code, HTTPStatus(error.status_code).phrase, f"{str(error.detail).rstrip('.')}.")
    if isinstance(error, ClientDisconnect):  # nobody reads the answer, and the log is not for clients to fill
        return _problem(400, "body-cut-short", "The client left before its body was whole.")
    if not isinstance(error, AgenToolError):
        logger.error("A request failed", exc_info=error)
        return _problem(500, "internal-error", "The server failed; its log says why.")
    status = next(status for kinds, status in _STATUSES if isinstance(error, kinds))
    if status >= 500:
        logger.error("A request failed: %s", error)
    kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(error).__name__).lower()
    value = None if error.value is None or error.value is UNSHOWN else str(error.value)[:MAX_VALUE]
    errors = _all_faults(error) if error.also else _problems_of(error)
    return _problem(status, kind, str(error), field=error.field, value=value, remedy=error.remedy, errors=errors)


def problem_response(error: Exception, also: AgenToolError | None = None) -> Response:
    """Return the answer to a request that raised an error, together with a second error `also`."""
    problem = problem_of(error)
    if also is not None:
        told = {"detail": f"{problem.detail} {also}", "errors": [*problem.errors, *_all_faults(also)]}
        problem = problem.model_copy(update=told)
    headers = getattr(error, "headers", None)
    content = _in_api_words(problem).model_dump(mode="json", exclude_none=True)
    return Response(json.dumps(content, ensure_ascii=True), problem.status, headers, MEDIA_TYPE)


def _all_faults(error: AgenToolError) -> list[FieldError]:
    """Return the problem of each field in an error, and in the errors that it carries."""
    own = _problems_of(error) or [FieldError(field=error.field or "", problem=error.problem)]
    return [*own, *(found for other in error.also for found in _all_faults(other))]


def _problems_of(error: AgenToolError) -> list[FieldError]:
    return [FieldError(field=found.field, problem=found.problem) for found in error.problems] if isinstance(error, InvalidInput) else []


_STATUSES: Sequence[tuple[type | tuple[type, ...], int]] = (
    (PermissionError, 403),
    (UnknownAgenTool, 422),
    (KeyError, 404),
    ((ValueError, LookupError), 422),
    ((DatabaseError, SchedulerStopped), 503),
    (ConfigurationError, 500),
    (AgenToolError, 409),
)
"""HTTP statuses by class of error; the first class that fits counts."""


def invalid_request(error: RequestValidationError, known: Mapping[str, FieldInfo]) -> ApiError:
    """Turn an error of FastAPI into a refusal with fields, values and remedy.

    Args:
        error: The error.
        known: The fields of the body and the parameters, by their names in the API.
    """
    found = error.errors()
    if any(detail["type"] == "json_invalid" for detail in found):
        return ApiError(400, "invalid-json", "The body is not JSON.", remedy="Send one JSON object, as application/json.")
    problems = [
        replace(one, field="body", value=None) if one.field == "input" else one
        for one in problems_in([{**detail, "loc": _place(detail["loc"])} for detail in found], known)
    ]
    first, errors = problems[0], [FieldError(field=one.field, problem=one.problem) for one in problems]
    remedy = examples_for(problems, known)
    value = None if first.value is None else str(first.value)[:MAX_VALUE]
    return ApiError(422, "invalid-request", sentence(problems), field=first.field, value=value, errors=errors, remedy=remedy)


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the path of a field or parameter without its place in the request; empty for the whole body."""
    return location[1:] if location and location[0] in ("body", "query", "path", "header") else location


_NAMES = {"job_id": "task_id", "job_name": "name", "schedule_type": "type", "execution_status": "status"}
"""Fields of the scheduler that have another name in the API."""
_REQUESTS = {
    "update": "PATCH /tasks/{task_id}",
    "get_job": "GET /tasks/{task_id}",
    "cancel": "DELETE /tasks/{task_id}",
    "run_now": "POST /tasks/{task_id}/run",
    "list_executions": "GET /executions",
    "cancel_execution": "POST /executions/{execution_id}/cancel",
    "list_approvals": "GET /approvals",
    "start": "POST /start",
    "stop": "POST /stop",
}
"""Requests by the operation of the scheduler that an error's remedy names."""
_FIELD = re.compile(rf"(?<!['\w.])({'|'.join(_NAMES)})(?!['\w])")


def api_words(text: str) -> str:
    """Replace the scheduler's names of fields and operations by those of the API. Quoted text stays as it is."""
    named = name_call(name_operations(text, _REQUESTS), "GET /agentools/{0} shows what it takes.")
    return _FIELD.sub(lambda found: _NAMES[found[1]], named)


def _in_api_words(problem: Problem) -> Problem:
    errors = [FieldError(field=api_words(one.field), problem=api_words(one.problem)) for one in problem.errors]
    told = {name: said and api_words(said) for name in ("detail", "field", "remedy") if (said := getattr(problem, name)) is not None}
    return problem.model_copy(update={**told, "errors": errors})


def _problem(status: int, kind: str, detail: str, **more: Any) -> Problem:
    name = kind.lower().replace(" ", "-")
    return Problem(type=f"urn:agentool:{name}", title=HTTPStatus(status).phrase, status=status, detail=detail, **more)
