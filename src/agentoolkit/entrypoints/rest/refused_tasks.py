"""What else is wrong with a task whose body is refused: all is told at once, so that nobody corrects it in rounds."""

from __future__ import annotations

from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from agentool.base import read_without
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.rest.asking import tools_of
from agentoolkit.entrypoints.rest.models import NewTask, TaskChanges


async def also_refused(request: Request, error: RequestValidationError, kind: Any) -> AgenToolError | None:
    """Leave out the fields that a body cannot have, and return what the scheduler refuses of the others, if it does.

    Args:
        request: What was refused.
        error: Why.
        kind: What its body was to be: of others than a task, and changes to one, nothing more is told.
    """
    places = [cast("tuple[object, ...]", each["loc"]) for each in error.errors()]
    faulty = {str(place[1]) for place in places if len(place) > 1 and place[0] == "body"}
    task: NewTask | TaskChanges | None = read_without(faulty, error.body, kind) if kind in (NewTask, TaskChanges) else None
    if task is None:
        return None
    asked: dict[str, Any] = {"job_id": request.path_params.get("task_id"), "version": getattr(task, "version", None), **task.given()}
    if isinstance(task, NewTask):
        asked |= {**task.scheduler_input(), "job_id": task.task_id, "replace": task.replace or None}
    tools = await tools_of(request)
    try:
        await tools.scheduler(asked.pop("operation", "update"), **asked, dry_run=True)
    except AgenToolError as refused:
        return refused
    return None
