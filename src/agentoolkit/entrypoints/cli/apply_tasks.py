"""A task file becomes jobs: each task is scheduled, found again, or changed; nothing is taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from agentool.core.injector import Injector
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.missing_settings import missing_settings
from agentoolkit.entrypoints.taskfile import Task, TaskFileError, TasksRefused
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.system.scheduler.planning import id_from_name
from agentoolkit.system.scheduler.schedules import upstream_in
from agentoolkit.system.scheduler.schemas import JobDetails, JobRef, PlannedJob, Scheduled

Result = TypeVar("Result", bound=BaseModel)

DISABLED = "enabled: false in its task file"
"""Why a job is paused, so that one a person paused is not resumed by a file."""

Mark = Literal["new", "changed", "kept"]


class Applied(NamedTuple):
    """What became of a task."""

    job_id: str
    mark: Mark
    state: str
    words: str
    next_run: str | None
    timezone: str = ""


async def apply_tasks(injector: Injector, tasks: Sequence[Task], advance: Callable[[], None] | None = None) -> Sequence[Applied]:
    """Make jobs of tasks, in order and many together; but one that comes after another one of them, once that is there.

    Args:
        injector: Where the scheduler is.
        tasks: What is to be scheduled.
        advance: Called for each task that is scheduled.

    Raises:
        TasksRefused: Tasks are refused, all of which are named. No task is scheduled then; or, where only writing one down showed that,
            it is said which are.
    """
    applied: dict[str, Applied] = {}

    async def put(task: Task) -> tuple[Task, AgenToolError] | None:
        try:
            applied[task.name] = await _apply(injector, task)
        except AgenToolError as error:
            return task, error
        if advance is not None:
            advance()
        return None

    in_turn = _in_turn(tasks)
    refuse(await check_tasks(injector, [task for together in in_turn for task in together]))
    for together in in_turn:
        if refused := list(filter(None, await done_in_portions(put, together, AT_ONCE))):
            advice = f"Scheduled already: {', '.join(applied) or 'none'}."
            raise TasksRefused([task.refusal(error) for task, error in refused], [advice], value=refused[0][0].name) from refused[0][1]
    return [applied[task.name] for task in tasks]


async def _apply(injector: Injector, task: Task) -> Applied:
    """Make a job of a task."""
    paused = {} if task.enabled else {"paused": True}
    scheduled = await run(injector, Scheduled, **task.scheduler_input(), replace=True, **paused)
    mark: Mark = "new" if scheduled.created else "changed" if scheduled.changed else "kept"
    state = await _switch(injector, task, scheduled)
    if mark == "kept" and state != scheduled.state:
        mark = "changed"
    return Applied(scheduled.job_id, mark, state, scheduled.words, scheduled.next_run, scheduled.timezone)


def refuse(errors: Sequence[tuple[Task, AgenToolError]]) -> None:
    """Raise `TasksRefused` if there are tasks that would be refused, with the settings that would let them be."""
    if errors:
        settings = missing_settings(error for _, error in errors)
        refusals = [task.refusal(error) for task, error in errors]
        raise TasksRefused(refusals, ["No task of the file is scheduled.", *settings], value=errors[0][0].name) from errors[0][1]


async def check_tasks(injector: Injector, tasks: Sequence[Task]) -> Sequence[tuple[Task, AgenToolError]]:
    """Return the tasks that would be refused, with the reason."""
    return (await try_tasks(injector, tasks))[1]


async def try_tasks(injector: Injector, tasks: Sequence[Task]) -> tuple[dict[str, PlannedJob], Sequence[tuple[Task, AgenToolError]]]:
    """Return what each task would become, by its name, and the tasks that would be refused, with the reason.

    Raises:
        TaskFileError: Tasks come after each other in a circle, or two of them would be one job.
    """
    _in_turn(tasks)
    own = {name for task in tasks for name in (task.name, _job_id(task))}
    planned: dict[str, PlannedJob] = {}

    async def attempt(task: Task) -> tuple[Task, AgenToolError] | None:
        before = set(_before(task))
        try:
            for other in before - own:
                await run(injector, JobDetails, operation="get_job", job_id=other)
            # Of all the others a task is only told if it needs them: there may be thousands.
            assumed = before if before <= own else own
            asked = {**task.scheduler_input(), "replace": True, "dry_run": True, "assume_jobs": sorted(assumed)}
            planned[task.name] = await run(injector, PlannedJob, **asked)
        except AgenToolError as error:
            return task, error
        return None

    return planned, list(filter(None, await done_in_portions(attempt, tasks, AT_ONCE)))


def _in_turn(tasks: Sequence[Task]) -> Sequence[Sequence[Task]]:
    """Divide tasks into those that come after no other one of them, those that come after these, and so on."""
    by_name = {task.name: task for task in tasks}
    by_id = {_job_id(task): task.name for task in tasks}
    for task in tasks:
        if (other := by_id[_job_id(task)]) != task.name:
            problem = f"Tasks {task.name!r} and {other!r} would be one job, {_job_id(task)!r}."
            raise TaskFileError(problem, field="name", value=other, remedy="Call one of them otherwise.")
    names = by_id | {name: name for name in by_name}
    sorter = TopologicalSorter({task.name: [names[named] for named in _before(task) if named in names] for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " after ".join(map(repr, reversed(error.args[1])))
        raise TaskFileError(f"Tasks come after each other: {circle}.", field="tasks", value=error.args[1]) from error
    in_turn: list[list[Task]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        in_turn.append([by_name[name] for name in ready])
        sorter.done(*ready)
    return in_turn


def _before(task: Task) -> Sequence[str]:
    """Return the job that a task comes after, as the task calls it. What is wrong with a task is said when it is applied."""
    with suppress(AgenToolError):
        if (before := upstream_in(task.schedule)) and before.names_job:
            return [before.job_id]
    return []


def _job_id(task: Task) -> str:
    with suppress(AgenToolError):
        return id_from_name(task.name)
    return task.name


async def _switch(injector: Injector, task: Task, scheduled: Scheduled) -> str:
    """Pause or resume a job as its task says, and return its state. What a person paused stays paused."""
    job_id, state = scheduled.job_id, scheduled.state
    if not task.enabled and state in ("active", "paused"):
        return (await run(injector, JobRef, operation="pause", job_id=job_id, reason=DISABLED)).state
    if task.enabled and state == "paused":
        details = await run(injector, JobDetails, operation="get_job", job_id=job_id)
        if is_disabled(details.info):
            return (await run(injector, JobRef, operation="resume", job_id=job_id)).state
    return state


def is_disabled(job: Mapping[str, Any]) -> bool:
    """Tell whether a job is paused by a task file, rather than by a person."""
    return job["state"] == "paused" and job["reason"] == DISABLED


async def run(injector: Injector, kind: type[Result], **fields: Any) -> Result:
    """Perform an operation of the scheduler."""
    return kind.model_validate((await injector.run("scheduler", fields)).data)
