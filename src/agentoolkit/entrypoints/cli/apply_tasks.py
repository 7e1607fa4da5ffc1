"""A task file becomes jobs: each task is scheduled, found again, or changed; nothing is taken away."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from agentool.core.injector import Injector
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.missing_settings import missing_settings
from agentoolkit.entrypoints.taskfile import Task, TaskFileError, TasksRefused
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


async def apply_tasks(injector: Injector, tasks: Sequence[Task]) -> Sequence[Applied]:
    """Make jobs of tasks, in order; but one that comes after another one of them, once that is there.

    Raises:
        TasksRefused: Tasks are refused, all of which are named. No task is scheduled then; or, where only writing one down showed that,
            it is said which are.
    """
    ordered = _in_order(tasks)
    refuse(await check_tasks(injector, ordered))
    applied: dict[str, Applied] = {}
    for task in ordered:
        try:
            paused = {} if task.enabled else {"paused": True}
            scheduled = await run(injector, Scheduled, **task.scheduler_input(), replace=True, **paused)
            mark: Mark = "new" if scheduled.created else "changed" if scheduled.changed else "kept"
            state = await _switch(injector, task, scheduled)
            applied[task.name] = Applied(scheduled.job_id, mark, state, scheduled.words, scheduled.next_run, scheduled.timezone)
        except AgenToolError as error:
            advice = f"Scheduled already: {', '.join(applied) or 'none'}."
            raise TasksRefused([task.refusal(error)], [advice], value=task.name) from error
    return [applied[task.name] for task in tasks]


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
    """Return what each task would become, by its name, and the tasks that would be refused, with the reason."""
    own = {name for task in tasks for name in (task.name, _job_id(task))}
    planned: dict[str, PlannedJob] = {}
    errors: list[tuple[Task, AgenToolError]] = []
    for task in tasks:
        try:
            for before in set(_before(task)) - own:
                await run(injector, JobDetails, operation="get_job", job_id=before)
            asked = {**task.scheduler_input(), "replace": True, "dry_run": True, "assume_jobs": sorted(own)}
            planned[task.name] = await run(injector, PlannedJob, **asked)
        except AgenToolError as error:
            errors.append((task, error))
    return planned, errors


def _in_order(tasks: Sequence[Task]) -> Sequence[Task]:
    by_name = {task.name: task for task in tasks}
    names = {_job_id(task): task.name for task in tasks} | {name: name for name in by_name}
    before = {task.name: [names[named] for named in _before(task) if named in names] for task in tasks}
    try:
        return [by_name[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as error:
        circle = " after ".join(map(repr, reversed(error.args[1])))
        raise TaskFileError(f"Tasks come after each other: {circle}.", field="tasks", value=error.args[1]) from error


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
        if details.info["reason"] == DISABLED:
            return (await run(injector, JobRef, operation="resume", job_id=job_id)).state
    return state


async def run(injector: Injector, kind: type[Result], **fields: Any) -> Result:
    """Perform an operation of the scheduler."""
    return kind.model_validate((await injector.run("scheduler", fields)).data)
