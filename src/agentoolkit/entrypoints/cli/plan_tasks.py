"""Plan a task file: the changes that applying it would make, and the jobs that an earlier version of the file created."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rich.text import Text

from agentool.core.injector import Injector
from agentoolkit.entrypoints.cli.apply_tasks import is_disabled, refuse, run, try_tasks
from agentoolkit.entrypoints.cli.printing import say
from agentoolkit.entrypoints.taskfile import Task
from agentoolkit.own_namespaces import TASK_FILES
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.redaction import REDACTED, redacted
from agentoolkit.system.scheduler.answer_schemas import CancelledJob, JobDetails
from agentoolkit.system.scheduler.errors import JobNotFound
from agentoolkit.system.scheduler.job_fields import JobFields

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "cancel": ("-", "red"), "keep": (" ", "dim")}


class PlannedChange(NamedTuple):
    """The planned change of one job."""

    action: Literal["add", "change", "cancel", "keep"]
    job_id: str
    told: str
    """Its schedule in words, or why it is cancelled."""
    changes: Mapping[str, tuple[Any, Any]]
    """Fields that change, with their present and new values."""


async def plan_tasks(injector: Injector, tasks: Sequence[Task], left: Sequence[str], *, prune: bool) -> list[PlannedChange]:
    """Return the change of each task's job, in order, and with `prune` the cancellation of the jobs in `left`.

    Raises:
        TasksRefused: Tasks would be refused; the error names all of them.
    """
    planned, errors = await try_tasks(injector, tasks)
    refuse(errors)

    async def compare(task: Task) -> PlannedChange:
        job = planned[task.name]
        changes: dict[str, tuple[Any, Any]] = {}
        if not job.created:
            about = (await run(injector, JobDetails, operation="get_job", job_id=job.job_id)).info
            new = {name: value for name, value in job.definition.items() if name in JobFields.model_fields}
            changes = {name: _without_secrets(task, name, about[name], value) for name, value in new.items() if about[name] != value}
            if task.enabled and is_disabled(about):
                changes["enabled"] = (False, True)
            elif not task.enabled and about["state"] == "active":
                changes["enabled"] = (True, False)
        action: Literal["add", "change", "keep"] = "add" if job.created else "change" if changes else "keep"
        return PlannedChange(action, job.job_id, job.words, changes)

    steps = await done_in_portions(compare, tasks, AT_ONCE)
    if prune:
        steps += [PlannedChange("cancel", job_id, "not in the file any more", {}) for job_id in left]
    return steps


def _without_secrets(task: Task, name: str, old: Any, new: Any) -> tuple[Any, Any]:
    """Return both values of a field without secrets. The old value may have come from the same variable, so it is hidden too."""
    named = task.shown(new)
    return redacted({name: old})[name] if named == new else REDACTED, redacted({name: named})[name]


def print_plan(steps: Sequence[PlannedChange]) -> None:
    """Print each change with its fields below it, and the number of changes of each kind."""
    for step in steps:
        if step.action == "keep":
            continue
        sign, colour = _SIGNS[step.action]
        say(Text.assemble((f"{sign} {step.job_id}", f"bold {colour}"), (f"  {step.told}", "dim")))
        for name, (old, new) in step.changes.items():
            say(Text.assemble(f"    {name}: ", (dumps(old, ensure_ascii=False), "red"), " → ", (dumps(new, ensure_ascii=False), "green")))
    number = {action: sum(step.action == action for step in steps) for action in _SIGNS}
    say(f"{number['add']} to add, {number['change']} to change, {number['cancel']} to cancel, {number['keep']} as they are.")


async def jobs_left(injector: Injector, path: Path, job_ids: Sequence[str]) -> list[str]:
    """Return the jobs that an earlier version of a file created, still exist, and are not among `job_ids`."""
    kept = await injector.run("storage_kv", {"operation": "get", "namespace": TASK_FILES, "key": _key(path), "default": []})
    made: list[str] = kept.value
    own = set(job_ids)

    async def is_there(job_id: str) -> bool:
        try:
            details = await run(injector, JobDetails, operation="get_job", job_id=job_id)
        except JobNotFound:
            return False
        return details.info["state"] != "cancelled"

    others = [job_id for job_id in made if job_id not in own]
    return [job_id for job_id, there in zip(others, await done_in_portions(is_there, others, AT_ONCE), strict=True) if there]


async def remember_jobs(injector: Injector, path: Path, job_ids: Sequence[str]) -> None:
    """Remember the jobs that a file has created, for `jobs_left`."""
    await injector.run("storage_kv", {"operation": "set", "namespace": TASK_FILES, "key": _key(path), "value": list(job_ids)})


def _key(path: Path) -> str:
    return os.path.realpath(path)


async def cancel_jobs(injector: Injector, job_ids: Sequence[str]) -> None:
    """Cancel jobs that a file has created and does not name any more."""
    reason = "not in its task file any more"
    await done_in_portions(lambda job_id: run(injector, CancelledJob, operation="cancel", job_id=job_id, reason=reason), job_ids, AT_ONCE)
