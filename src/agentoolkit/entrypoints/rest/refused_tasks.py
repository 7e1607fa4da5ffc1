"""Find the further faults of a refused task, so that one answer names all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from agentool.base import read_without
from agentool.errors import AgenToolError
from agentool.references import has_references
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
    stand_ins = _stand_ins(faulty) if kind is NewTask else {}
    given: Any = error.body
    body: dict[str, Any] = {**given, **stand_ins} if isinstance(given, dict) else {}
    task: NewTask | TaskChanges | None = read_without(faulty - stand_ins.keys(), body, kind) if kind in (NewTask, TaskChanges) else None
    if task is None or ("schedule" in stand_ins and has_references(task.input_data, to="after")):
        return None
    asked: dict[str, Any] = {"job_id": request.path_params.get("task_id"), "version": getattr(task, "version", None), **task.given()}
    if isinstance(task, NewTask):
        asked |= {**task.scheduler_input(), "job_id": task.task_id, "replace": task.replace or None}
    tools = await tools_of(request)
    try:
        await tools.scheduler(asked.pop("operation", "update"), **asked, dry_run=True)
    except AgenToolError as refused:
        return _without(stand_ins, refused)
    return None


def _stand_ins(faulty: set[str]) -> dict[str, Any]:
    """Return values for the required fields that a task lacks or has wrongly, so that its other fields can be checked."""
    return {name: value for name, value in {"name": f"task {uuid4()}", "schedule": "* * * * *"}.items() if name in faulty}


def _without(fields: Mapping[str, Any], refused: AgenToolError) -> AgenToolError | None:
    """Return a refusal without what it says of some fields; None if nothing is left."""
    left = [each for each in refused.one_by_one() if each.field not in fields]
    if left:
        left[0].also = tuple(left[1:])
    return left[0] if left else None
