"""Apply a task file: create or update a job for each task, and print the tasks. No job is removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel
from rich.text import Text

from agentool.core.injector import Injector
from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.execution_lines import NAME_WIDTH
from agentoolkit.entrypoints.cli.missing_settings import missing_settings
from agentoolkit.entrypoints.cli.printing import console, cut_name, moment_of, present, short_time
from agentoolkit.entrypoints.taskfile import Task, TaskFileError, TasksRefused
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.system.scheduler.answer_schemas import JobDetails, JobRef, PlannedJob, Scheduled
from agentoolkit.system.scheduler.planning import id_from_name
from agentoolkit.system.scheduler.schedules import upstream_in
from agentoolkit.system.scheduler.search import status_word

Result = TypeVar("Result", bound=BaseModel)

DISABLED = "enabled: false in its task file"
"""Reason of a pause by a task file. A job that a person paused has another reason and is not resumed by the file."""

Mark = Literal["new", "changed", "kept"]
_STYLES = {"new": "green", "changed": "yellow"}


class Applied(NamedTuple):
    """The job of a task after the task was applied."""

    job_id: str
    mark: Mark
    state: str
    words: str
    next_run: str | None
    timezone: str = ""


async def apply_tasks(injector: Injector, tasks: Sequence[Task], advance: Callable[[], None] | None = None) -> Sequence[Applied]:
    """Create or update the jobs of tasks, many at once. A task is scheduled only after the task that it comes after.

    Args:
        injector: Has the scheduler.
        tasks: The tasks of one file.
        advance: Called after each scheduled task.

    Raises:
        TasksRefused: Tasks are refused; the error names all of them. Usually no task is scheduled then. If only the store refused one,
            the error also names the tasks that were scheduled.
    """
    applied: dict[str, Applied] = {}

    async def schedule(task: Task) -> tuple[Task, AgenToolError] | None:
        try:
            applied[task.name] = await _apply(injector, task)
        except AgenToolError as error:
            return task, error
        if advance is not None:
            advance()
        return None

    batches = _batches(tasks)
    refuse(await check_tasks(injector, [task for batch in batches for task in batch]))
    for batch in batches:
        if refused := list(filter(None, await done_in_portions(schedule, batch, AT_ONCE))):
            advice = f"Scheduled already: {', '.join(applied) or 'none'}."
            raise TasksRefused([task.refusal(error) for task, error in refused], [advice], value=refused[0][0].name) from refused[0][1]
    return [applied[task.name] for task in tasks]


async def _apply(injector: Injector, task: Task) -> Applied:
    """Create or update the job of a task, and pause or resume it as the task says."""
    paused = {} if task.enabled else {"paused": True}
    scheduled = await run(injector, Scheduled, **task.scheduler_input(), replace=True, **paused)
    mark: Mark = "new" if scheduled.created else "changed" if scheduled.changed else "kept"
    state = await _switch(injector, task, scheduled)
    if mark == "kept" and state != scheduled.state:
        mark = "changed"
    return Applied(scheduled.job_id, mark, state, scheduled.words, scheduled.next_run, scheduled.timezone)


def refuse(errors: Sequence[tuple[Task, AgenToolError]]) -> None:
    """Raise `TasksRefused` if there are errors, with the settings that would allow the tasks."""
    if errors:
        settings = missing_settings(error for _, error in errors)
        refusals = [task.refusal(error) for task, error in errors]
        raise TasksRefused(refusals, ["No task of the file is scheduled.", *settings], value=errors[0][0].name) from errors[0][1]


async def check_tasks(injector: Injector, tasks: Sequence[Task]) -> Sequence[tuple[Task, AgenToolError]]:
    """Return the tasks that the scheduler would refuse, each with its error."""
    return (await try_tasks(injector, tasks))[1]


async def try_tasks(injector: Injector, tasks: Sequence[Task]) -> tuple[dict[str, PlannedJob], Sequence[tuple[Task, AgenToolError]]]:
    """Return the planned job of each task by the task's name, and the refused tasks, each with its error.

    Raises:
        TaskFileError: Tasks come after each other in a circle, or two of them would be one job.
    """
    _batches(tasks)
    own = {name for task in tasks for name in (task.name, _job_id(task))}
    planned: dict[str, PlannedJob] = {}

    async def attempt(task: Task) -> tuple[Task, AgenToolError] | None:
        before = set(_before(task))
        try:
            for other in before - own:
                await run(injector, JobDetails, operation="get_job", job_id=other)
            # The other tasks' names are sent only to a task that needs them: there may be thousands.
            assumed = before if before <= own else own
            asked = {**task.scheduler_input(), "replace": True, "dry_run": True, "assume_jobs": sorted(assumed)}
            planned[task.name] = await run(injector, PlannedJob, **asked)
        except AgenToolError as error:
            return task, error
        return None

    return planned, list(filter(None, await done_in_portions(attempt, tasks, AT_ONCE)))


def _batches(tasks: Sequence[Task]) -> Sequence[Sequence[Task]]:
    """Sort tasks topologically: each batch comes only after tasks of earlier batches."""
    by_name = {task.name: task for task in tasks}
    by_id = {_job_id(task): task.name for task in tasks}
    for task in tasks:
        if (other := by_id[_job_id(task)]) != task.name:
            problem = f"Tasks {task.name!r} and {other!r} would be one job, {_job_id(task)!r}."
            raise TaskFileError(problem, field="name", value=other, remedy="Rename one of them.")
    names = by_id | {name: name for name in by_name}
    sorter = TopologicalSorter({task.name: [names[named] for named in _before(task) if named in names] for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " after ".join(map(repr, reversed(error.args[1])))
        raise TaskFileError(f"Tasks come after each other: {circle}.", field="tasks", value=error.args[1]) from error
    batches: list[list[Task]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        batches.append([by_name[name] for name in ready])
        sorter.done(*ready)
    return batches


def _before(task: Task) -> Sequence[str]:
    """Return the job that a task comes after, as the task names it. Errors of the schedule are raised later, when it is applied."""
    with suppress(AgenToolError):
        if (before := upstream_in(task.schedule)) and before.names_job:
            return [before.job_id]
    return []


def _job_id(task: Task) -> str:
    with suppress(AgenToolError):
        return id_from_name(task.name)
    return task.name


async def _switch(injector: Injector, task: Task, scheduled: Scheduled) -> str:
    """Pause or resume a job as its task says, and return its state. A job that a person paused stays paused."""
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


def task_lines(tasks: Sequence[Applied]) -> list[Text]:
    """Return a line for each task. Its schedule in words comes last, as it may be cut; with its zone if that has another offset."""
    rows: list[tuple[Applied, str, str, str]] = []
    now, room = present(), console().width
    for task in tasks:
        moment = moment_of(task.next_run)
        is_elsewhere = moment is not None and moment.utcoffset() != moment.astimezone().utcoffset()
        due = status_word(task.state) if task.state != "active" or moment is None else f"next {short_time(moment, now)}"
        words = f"{task.words}, {task.timezone}" if is_elsewhere and task.timezone else task.words
        rows.append((task, cut_name(task.job_id, NAME_WIDTH, room), due, words))
    wide, most = max((len(name) for _, name, _, _ in rows), default=0), max((len(due) for _, _, due, _ in rows), default=0)
    return [
        Text.assemble(
            (f"  {name:<{wide}} ", "bold"),
            (f"{task.mark:<8} ", _STYLES.get(task.mark, "dim")),
            (f"{due:<{most}} ", "dim" if task.state == "active" else "yellow"),
            words,
        )
        for task, name, due, words in rows
    ]
