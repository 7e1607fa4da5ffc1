"""``/act``: every change is asked for on a page of its own, and done after it is confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from uuid import uuid4

from fastapi import Request
from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.addresses import execution_address, job_address
from agentoolkit.entrypoints.dashboard.choices import MAX_CHOSEN, Choice
from agentoolkit.entrypoints.dashboard.lists import Noun
from agentoolkit.entrypoints.dashboard.page import WRITES, Viewer, Viewing, go_to, page_router
from agentoolkit.entrypoints.dashboard.rendering import editable, read_object
from agentoolkit.entrypoints.rest.access import needs
from agentoolkit.entrypoints.rest.batches import Batch, batches_of
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.redaction import restored
from agentoolkit.system.scheduler.execution_ids import job_id_of

DEFAULT_SPREAD = 300
"""Seconds over which due times are spread."""
SAMPLE = 10
"""Items that the question names."""

router = page_router("actions")


@dataclass(frozen=True, slots=True)
class Action:
    """An action on jobs, on executions, or on the scheduler."""

    operation: str
    """The operation of the scheduler that does it to one item."""
    verb: str
    past: str
    noun: Noun | Literal["scheduler"]
    effect: str
    """What the action does, for the question."""
    takes_reason: bool = False
    takes_until: bool = False
    takes_seconds: bool = False
    is_final: bool = False


ACTIONS = {
    "run": Action(
        "start_run", "Run", "Started a run of", "job", "Each job runs once as soon as there is room. Its schedule does not change."
    ),
    "pause": Action("pause", "Pause", "Paused", "job", "No run is due until the job is resumed.", takes_reason=True, takes_until=True),
    "resume": Action(
        "resume", "Resume", "Resumed", "job", "It is due again from now on. Due times that passed meanwhile are not caught up."
    ),
    "cancel": Action(
        "cancel",
        "Cancel",
        "Cancelled",
        "job",
        "It never runs again, and its waiting executions are cancelled. Its history stays.",
        takes_reason=True,
        is_final=True,
    ),
    "spread": Action(
        "update",
        "Spread",
        "Spread",
        "job",
        "Each job is due later than its schedule by a fixed part of these seconds, another part for each job.",
        takes_seconds=True,
    ),
    "again": Action(
        "start_run", "Run again", "Started a new run for", "execution", "The job of each execution runs again, with its present input."
    ),
    "end": Action(
        "cancel_execution",
        "End",
        "Ended",
        "execution",
        "Its handler is cancelled, and it counts as cancelled.",
        takes_reason=True,
        is_final=True,
    ),
    "stop": Action(
        "stop",
        "Stop",
        "Stopped",
        "scheduler",
        "No process on this database runs due jobs until the scheduler is started.",
        takes_reason=True,
        is_final=True,
    ),
    "start": Action("start", "Start", "Started", "scheduler", "Due jobs run again."),
}


@router.get("/act", openapi_extra=WRITES)
async def ask(viewer: Viewing, request: Request, do: str = "") -> Response:
    """Ask before an action: show the number of items, name some, and say what the action does."""
    action = _action(do)
    if action.noun == "scheduler":
        needs(request, "admin")
    choice = Choice.read(request.query_params.multi_items())
    items = await _items(viewer, action, choice)
    if action.noun != "scheduler" and len(items) == 1:  # of several, those that are gone are told afterwards
        await viewer.scheduler(f"get_{action.noun}", **{f"{action.noun}_id": items[0]})
    return await viewer.page(
        "act.html",
        title=f"{action.verb} {_number(action, items)}?",
        do=do,
        action=action,
        choice=choice,
        items=items,
        number=_number(action, items),
        sample=items[:SAMPLE],
        key=uuid4().hex[:16],
        most=MAX_CHOSEN,
    )


@router.post("/act")
async def act(viewer: Viewing, request: Request) -> Response:
    """Do a confirmed action. A form that is sent twice is done once."""
    sent = await viewer.form_items()
    given = dict(sent)
    action = _action(given.get("do", ""))
    if action.noun == "scheduler":
        needs(request, "admin")
    choice = Choice.read(sent)
    batches, me = batches_of(request.app.state), viewer.tools.caller.name
    key = given.get("key") or uuid4().hex[:16]
    if (batch := batches.get(key, me)) is None:
        items = await _items(viewer, action, choice)
        batch = batches.start(
            Batch(batch_id=key, owner=me, told=action.verb, past=action.past, noun=action.noun, items=items),
            lambda item: viewer.scheduler(action.operation, **_fields_for(action, item, given, key)),
        )
    if batch.total == 1 and batch.task is not None:  # go to the page of the single item
        await asyncio.wait([batch.task])  # awaited directly, the task would be cancelled with the request
        if batch.done:
            address = job_address(choice.jobs[0]) if choice.jobs else execution_address(choice.executions[0]) if choice.executions else "/"
            return go_to(f"{address}?done={batch.batch_id}")
    return go_to(f"/act/{batch.batch_id}")


@router.get("/act/{batch_id}")
async def get_batch(viewer: Viewing, request: Request, batch_id: str) -> Response:
    """Show the progress of an action, and its failures."""
    batch = _batch(viewer, request, batch_id)
    return await viewer.page("batch.html", title=f"{batch.told}: {batch.done} of {batch.total}", batch=batch)


@router.post("/act/{batch_id}/stop")
async def stop_batch(viewer: Viewing, request: Request, batch_id: str) -> Response:
    """Stop an action before its next item."""
    _batch(viewer, request, batch_id).abort()
    return go_to(f"/act/{batch_id}")


@router.get("/jobs/{job_id}/replay", openapi_extra=WRITES)
async def ask_replay(viewer: Viewing, job_id: str, of: str = "") -> Response:
    """Show the form to run a job once with another input: as a run of its own, or as a replay of an execution."""
    job = await viewer.scheduler("get_job", job_id=job_id)
    text, title = editable(job["info"]["input_data"]), f"Run {job_id} with another input"
    return await viewer.page("replay.html", title=title, job=job, text=text, problem="", key=uuid4().hex[:16], of=of)


@router.post("/jobs/{job_id}/replay")
async def replay(viewer: Viewing, request: Request, job_id: str) -> Response:
    """Run a job once with another input. The job keeps its own input."""
    given = await viewer.form()
    job = await viewer.scheduler("get_job", job_id=job_id)
    typed, key, of = given.get("input", ""), given.get("key") or uuid4().hex[:16], given.get("of", "")
    try:
        whole = restored(read_object(typed), job["info"]["input_data"])
    except ValueError as error:
        title = f"Run {job_id} with another input"
        return await viewer.page("replay.html", title=title, status=422, job=job, text=typed, problem=str(error), key=key, of=of)

    async def run(item: str) -> None:
        await viewer.scheduler("run_now", job_id=item, input_data=whole, execution_id=of or None)

    batch = Batch(batch_id=key, owner=viewer.tools.caller.name, told="Run", past="Ran", noun="job", items=[job["job_id"]])
    batches_of(request.app.state).start(batch, run)
    return go_to(f"/act/{key}")


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise ApiError(404, "no-such-action", f"There is no action {name[:50]!r}.", field="do", remedy=f"There are: {', '.join(ACTIONS)}.")
    return ACTIONS[name]


async def _items(viewer: Viewer, action: Action, choice: Choice) -> list[str]:
    """Return the items of the action. Raises `ApiError` if none are chosen."""
    if action.noun == "scheduler":
        return ["scheduler"]
    items = await choice.items(viewer, action.noun)
    if not items:
        raise ApiError(422, "nothing-chosen", f"No {action.noun} is chosen.", remedy="Choose some in the list, or all that match.")
    return items


def _fields_for(action: Action, item: str, given: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return the fields of the action's operation for one item.

    Args:
        action: The action.
        item: The id of a job or an execution.
        given: The confirmed form.
        key: Identifies the form, so that the same form starts no second run.
    """
    if action.operation == "start_run":
        return {"job_id": job_id_of(item), "run_key": f"page-{sha256(item.encode()).hexdigest()[:12]}-{key}"}
    fields: dict[str, Any] = {} if action.noun == "scheduler" else {f"{action.noun}_id": item}
    taken = {"reason": action.takes_reason, "until": action.takes_until}
    fields |= {name: given.get(name) or None for name, is_taken in taken.items() if is_taken}
    return fields | ({"jitter": float(given.get("seconds") or DEFAULT_SPREAD)} if action.takes_seconds else {})


def _batch(viewer: Viewer, request: Request, batch_id: str) -> Batch:
    batch = batches_of(request.app.state).get(batch_id, viewer.tools.caller.name)
    if batch is None:
        raise ApiError(404, "no-such-batch", "This action is not remembered any more.", remedy="The lists show the present state.")
    return batch


def _number(action: Action, items: list[str]) -> str:
    """Write ``job nightly`` or ``12 jobs``."""
    if action.noun == "scheduler":
        return "the scheduler"
    return f"{action.noun} {items[0]}" if len(items) == 1 else f"{len(items):,} {action.noun}s"
