"""Answer every error as ``application/problem+json`` (RFC 9457), with the field, the value and the way out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from agentool.errors import UNSHOWN, AgenToolError, ConfigurationError, InvalidInput, UnknownAgenTool
from agentoolkit.database.session import DatabaseError
from agentoolkit.system.scheduler.errors import ExecutionNotFound, JobExists, JobNotFound, SchedulerError

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
        text = f"{detail} {more['remedy']}" if "remedy" in more else detail
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
    if isinstance(error, RequestValidationError):
        return _invalid_request(error)
    if isinstance(error, HTTPException):
        return _problem(error.status_code, HTTPStatus(error.status_code).phrase, f"{str(error.detail).rstrip('.')}.")
    if not isinstance(error, AgenToolError):
        logger.error("A request failed", exc_info=error)
        return _problem(500, "internal-error", "The server failed; its log says why.")
    status = _status(error)
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
        problem.detail = f"{problem.detail} {also}"
        problem.errors = [*problem.errors, *_all_faults(also)]
    headers = getattr(error, "headers", None)
    content = problem.model_dump(mode="json", exclude_none=True)
    return Response(json.dumps(content, ensure_ascii=True), problem.status, headers, MEDIA_TYPE)


def _all_faults(error: AgenToolError) -> list[FieldError]:
    """Return the problem of each field in an error, and in the errors that it carries."""
    own = _problems_of(error) or [FieldError(field=error.field or "", problem=error.problem)]
    return [*own, *(found for other in error.also for found in _all_faults(other))]


def _problems_of(error: AgenToolError) -> list[FieldError]:
    return [FieldError(field=found.field, problem=found.problem) for found in error.problems] if isinstance(error, InvalidInput) else []


def _status(error: AgenToolError) -> int:
    """Return the HTTP status of a refusal."""
    if isinstance(error, PermissionError):
        return 403
    if (
        isinstance(error, (JobNotFound, ExecutionNotFound))
        or type(error).__name__ == "NoSuchApproval"
        or (isinstance(error, KeyError) and not isinstance(error, UnknownAgenTool))
    ):
        return 404
    if isinstance(error, (JobExists, FileExistsError)) or type(error).__name__.endswith("Exists"):
        return 409
    if isinstance(error, (ValueError, LookupError)):
        return 422
    if isinstance(error, DatabaseError):
        return 503
    if isinstance(error, ConfigurationError):
        return 500
    if isinstance(error, SchedulerError):
        return 503 if "stopped" in error.problem else 409
    return 409


def _invalid_request(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(detail["type"] == "json_invalid" for detail in found):
        return _problem(400, "invalid-json", "The body is not JSON.", remedy="Send one JSON object, as application/json.")
    errors: list[FieldError] = []
    for each in found:
        place = each["loc"][1:] if each["loc"] and each["loc"][0] in ("body", "query", "path", "header") else each["loc"]
        field = ".".join(map(str, place)) or "body"
        errors.append(FieldError(field=field, problem=str(each["msg"]).removeprefix("Value error, ")))
    detail = "; ".join(f"{each.field}: {each.problem}" for each in errors)
    return _problem(422, "invalid-request", f"{detail}.", field=errors[0].field if errors else None, errors=errors)


def _problem(status: int, kind: str, detail: str, **more: Any) -> Problem:
    name = kind.lower().replace(" ", "-")
    return Problem(type=f"urn:agentool:{name}", title=HTTPStatus(status).phrase, status=status, detail=detail, **more)
