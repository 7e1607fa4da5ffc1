"""Find the further faults of a refused task, so that one answer names all of them."""

from __future__ import annotations

from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from agentool.base import read_without
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.rest.models import NewTask, TaskChanges
from agentoolkit.entrypoints.rest.request_tools import tools_of


async def also_refused(request: Request, error: RequestValidationError, kind: Any) -> AgenToolError | None:
    """Return the scheduler's refusal of a task without its invalid fields; None if the scheduler would accept the others.

    Args:
        request: The refused request.
        error: The reason.
        kind: The model of the body. Only tasks and changes to tasks are checked.
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
