"""What else is wrong with a task whose body is refused: all is told at once, so that nobody corrects it in rounds."""

from __future__ import annotations

from typing import cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.rest.asking import tools_of
from agentoolkit.entrypoints.rest.models import NewTask


async def also_refused(request: Request, error: RequestValidationError) -> AgenToolError | None:
    """Leave out the fields that a new task's body cannot have, and return what the scheduler refuses of the others, if it does."""
    task = _without_faults(error)
    if task is None:
        return None
    tools = await tools_of(request)
    given = {name: value for name, value in task.scheduler_input().items() if name != "operation"}
    try:
        await tools.scheduler("schedule", **{**given, "job_id": task.task_id, "replace": task.replace or None, "dry_run": True})
    except AgenToolError as refused:
        return refused
    return None


def _without_faults(error: RequestValidationError) -> NewTask | None:
    """Read what is left of a body without the fields at fault; None where that is no task."""
    places = [cast("tuple[object, ...]", each["loc"]) for each in error.errors()]
    faulty = {place[1] for place in places if len(place) > 1 and place[0] == "body"}
    body: object = error.body
    if not isinstance(body, dict) or not faulty:
        return None
    left = {name: value for name, value in cast("dict[str, object]", body).items() if name not in faulty}
    try:
        return NewTask.model_validate(left)
    except ValidationError:
        return None
