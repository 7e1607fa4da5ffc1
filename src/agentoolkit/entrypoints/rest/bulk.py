"""Bulk requests: create many tasks at once, and do one action to all matches of a query, as a resource with progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, cast
from uuid import uuid4

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from agentool.errors import AgenToolError, InvalidInput, examples_for, problems_in, sentence
from agentoolkit.entrypoints.rest.batches import MAX_NAMED, Batch, batches_of
from agentoolkit.entrypoints.rest.exporting import EXECUTIONS, TASKS, all_records
from agentoolkit.entrypoints.rest.models import Body, NewTask
from agentoolkit.entrypoints.rest.problems import ApiError, api_words, problem_of
from agentoolkit.entrypoints.rest.request_tools import RequestTools, Tools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, links
from agentoolkit.entrypoints.rest.runs import start_again, start_retry
from agentoolkit.entrypoints.rest.tasks import schedule_task
from agentoolkit.portions import IN_A_TURN, done_in_portions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.search import check_narrows

router = guarded_router("bulk")

MAX_TASKS = 10_000
MAX_CHOSEN = 100_000
"""Tasks or executions of one action at most."""
SAMPLE = 10

Action = Literal["retry", "cancel", "pause", "resume", "run", "delete"]
_ON_EXECUTIONS = frozenset({"retry", "cancel"})


class Unreadable(NamedTuple):
    """What was to be a task of many, and cannot be one."""

    task: object
    refusal: InvalidInput


def _task_or_why(given: object, read: ValidatorFunctionWrapHandler) -> NewTask | Unreadable:
    """Read a task; one that cannot be read is refused alone."""
    try:
        return read(given)
    except ValidationError as error:
        known = {info.alias or name: info for name, info in NewTask.model_fields.items()}
        problems = problems_in(error.errors(include_url=False, include_context=False), known)
        return Unreadable(given, InvalidInput(sentence(problems), remedy=examples_for(problems, known), problems=problems))


class NewTasks(Body):
    """Tasks to schedule."""

    tasks: list[Annotated[NewTask, WrapValidator(_task_or_why)]] = Field(min_length=1, max_length=MAX_TASKS)


class BulkFailure(BaseModel):
    """A refused task or execution."""

    id: str = Field(description="The task's or the execution's id, or its name")
    problem: str


class CreatedTasks(BaseModel):
    """The result for each task."""

    task_ids: list[str | None] = Field(description="In the order of the request; null: refused, or only checked in a dry run")
    created: int
    checked: int = Field(default=0, description="Dry runs that were not refused; nothing was scheduled")
    unchanged: int = Field(description="Identical tasks that existed already")
    failed: int
    failures: list[BulkFailure] = Field(description=f"At most {MAX_NAMED} of them")


class BulkRequest(Body):
    """An action, and the tasks or executions that it is done to."""

    action: Action = Field(description="retry and cancel: of executions; the others: of tasks")
    query: str | None = Field(
        default=None, max_length=500, description="All that match; it needs a term, and job:* is all", examples=["status:failed since:24h"]
    )
    ids: list[Annotated[str, Field(min_length=1, max_length=1_000)]] | None = Field(
        default=None, min_length=1, max_length=10_000, description="Ids, instead of a query"
    )
    reason: str | None = Field(default=None, max_length=1_000)
    dry_run: bool = Field(default=False, description="Only count, and show a few")


class BulkAction(BaseModel):
    """An action on many tasks or executions, and its progress."""

    bulk_id: str
    action: Action
    status: Literal["dry_run", "running", "done", "aborted"]
    total: int
    done: int
    failed: int
    failures: list[BulkFailure] = Field(description=f"At most {MAX_NAMED} of them")
    sample: list[str] = Field(description=f"The first {SAMPLE} ids")
    is_cut: bool = Field(description=f"More than {MAX_CHOSEN:,} matched; the action is done to the first {MAX_CHOSEN:,}")
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None


@router.post("/batch/tasks")
async def create_tasks(new: NewTasks, tools: RequestTools) -> CreatedTasks:
    """Schedule many tasks. Each is checked by itself; a refused task does not stop the others."""
    made = CreatedTasks(task_ids=[None] * len(new.tasks), created=0, unchanged=0, failed=0, failures=[])

    async def create(numbered: tuple[int, NewTask | Unreadable]) -> None:
        place, task = numbered
        try:
            if isinstance(task, Unreadable):
                raise task.refusal
            reading = await schedule_task(tools, task)
        except (AgenToolError, ApiError) as error:
            made.failed += 1
            if len(made.failures) < MAX_NAMED:
                made.failures.append(BulkFailure(id=_name_of(task, place), problem=api_words(problem_of(error).detail)))
            return
        if reading.dry_run:
            made.checked += 1
            return
        made.task_ids[place] = reading.task_id
        made.created += bool(reading.created)
        made.unchanged += not reading.created

    await done_in_portions(create, enumerate(new.tasks), IN_A_TURN)
    return made


@router.post("/bulk", status_code=202, responses={202: links("bulk_id", "bulk_id", "get_bulk", "abort_bulk")})
async def start_bulk(asked: BulkRequest, tools: RequestTools, request: Request) -> BulkAction:
    """Do an action to all matches of a query, or to tasks or executions by id. The answer has their number and the id of the progress."""
    if (asked.query is None) == (asked.ids is None):
        raise ApiError(422, "invalid-request", "Give either a query or ids.", field="query")
    if asked.query is not None:
        check_narrows(asked.query)
    chosen = asked.ids or await _matching_ids(tools, asked)
    noun = "execution" if asked.action in _ON_EXECUTIONS else "job"
    batch = Batch(
        batch_id=uuid4().hex[:12],
        owner=tools.caller.name,
        told=asked.action,
        past=asked.action,
        noun=noun,
        items=chosen[:MAX_CHOSEN],
        action=asked.action,
        is_cut=len(chosen) > MAX_CHOSEN,
    )
    if asked.dry_run:
        return _shown(batch).model_copy(update={"status": "dry_run"})
    return _shown(batches_of(request.app.state).start(batch, _action_on_item(tools, asked)))


@router.get("/bulk")
async def list_bulk(tools: RequestTools, request: Request) -> list[BulkAction]:
    """List the actions that this process remembers, the newest first."""
    return list(map(_shown, batches_of(request.app.state).of(tools.caller)))


@router.get("/bulk/{bulk_id}")
async def get_bulk(bulk_id: Named, tools: RequestTools, request: Request) -> BulkAction:
    """Return the progress of an action."""
    return _shown(_found(bulk_id, tools, request))


@router.post("/bulk/{bulk_id}/abort")
async def abort_bulk(bulk_id: Named, tools: RequestTools, request: Request) -> BulkAction:
    """Stop an action. Items that are done stay done."""
    batch = _found(bulk_id, tools, request)
    batch.abort()
    return _shown(batch)


def _name_of(task: NewTask | Unreadable, place: int) -> str:
    """Return the name of one of many tasks; its place if it has no name."""
    given = task.task if isinstance(task, Unreadable) else {"name": task.name}
    name = cast("dict[str, object]", given).get("name") if isinstance(given, dict) else None
    return name if isinstance(name, str) else f"tasks.{place}"


async def _matching_ids(tools: Tools, asked: BulkRequest) -> list[str]:
    """Return the ids of the matches; little more than `MAX_CHOSEN` are read."""
    kind, name = (EXECUTIONS, "execution_id") if asked.action in _ON_EXECUTIONS else (TASKS, "job_id")
    found: list[str] = []
    async for page in all_records(kind, tools, asked.query):
        found += [record[name] for record in page.records]
        if len(found) > MAX_CHOSEN:
            break
    return found


def _action_on_item(tools: Tools, asked: BulkRequest) -> Callable[[str], Awaitable[object]]:
    """Return the function that does the action to one item."""
    operations = {"pause": "pause", "resume": "resume", "delete": "cancel"}
    if asked.action == "retry":
        if asked.query is not None:  # the query's executions exist
            return lambda id_: start_again(tools, job_id_of(id_), id_)
        return lambda id_: start_retry(tools, id_)
    if asked.action == "cancel":
        return lambda id_: tools.scheduler("cancel_execution", execution_id=id_, reason=asked.reason)
    if asked.action == "run":
        key = uuid4().hex
        return lambda id_: tools.scheduler("start_run", job_id=id_, run_key=f"bulk-{key}")
    reason = asked.reason if asked.action == "pause" else None
    return lambda id_: tools.scheduler(operations[asked.action], job_id=id_, reason=reason)


def _shown(batch: Batch) -> BulkAction:
    """Return a batch as the API shows it."""
    return BulkAction(
        bulk_id=batch.batch_id,
        action=batch.action,  # type: ignore[arg-type]  one of the request's literals
        status="aborted" if batch.stopped else "done" if batch.finished_at else "running",
        total=batch.total,
        done=batch.done,
        failed=batch.failures,
        failures=[BulkFailure(id=item, problem=api_words(problem)) for item, problem in batch.failed],
        sample=list(batch.items[:SAMPLE]),
        is_cut=batch.is_cut,
        created_at=batch.created_at,
        created_by=batch.owner,
        finished_at=batch.finished_at,
    )


def _found(bulk_id: str, tools: Tools, request: Request) -> Batch:
    for batch in batches_of(request.app.state).of(tools.caller):
        if batch.batch_id == bulk_id:
            return batch
    remedy = "/bulk lists the actions that this process remembers."
    raise ApiError(404, "no-such-action", "There is no such action.", field="bulk_id", value=bulk_id, remedy=remedy)
