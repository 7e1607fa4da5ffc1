"""The JSON file of *Scheduler Daemon Implementation*, "Task Persistence" → a task file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast, get_args

from agentool.errors import InvalidInput
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.jobs import Priority
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.transfer.translation import Note, Translation, Untranslatable, shell_call, unique_names

_OVER = frozenset({"completed", "failed", "cancelled"})


def read_scheduler_tasks(text: str, *, now: datetime) -> Translation:
    """Translate the tasks of such a file.

    Raises:
        InvalidInput: It is no JSON, or has no ``tasks``.
    """
    name = unique_names()
    tasks: list[dict[str, Any]] = []
    notes: list[Note] = []
    for task_id, task in _tasks(text).items():
        try:
            translated = _translated(task, now)
        except Untranslatable as error:
            notes.append(Note(task_id, str(error)))
        except InvalidSchedule as error:
            notes.append(Note(task_id, f"{error.problem} {error.remedy or ''}".rstrip()))
        else:
            if translated is None:
                notes.append(Note(task_id, f"it is {task['status']} and has no further run", refused=False))
            else:
                tasks.append({"name": name(task_id), **translated})
    return Translation(tasks, notes)


def _tasks(text: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        held: Any = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"It is no JSON: {error}.", field="file") from error
    tasks: Any = cast("dict[str, Any]", held).get("tasks") if isinstance(held, dict) else None
    if not isinstance(tasks, dict):
        raise InvalidInput("It has no object 'tasks'.", field="file", remedy="Give the file scheduler_tasks.json.")
    return cast("dict[str, Mapping[str, Any]]", tasks)


def _translated(task: object, now: datetime) -> dict[str, Any] | None:
    """Return a task without its name; None if it has nothing left to do."""
    if not isinstance(task, dict):
        raise Untranslatable("it is no object")
    fields = cast("dict[str, Any]", task)
    cron = fields.get("cron_expression")
    if fields.get("status") == "cancelled" or (not cron and fields.get("status") in _OVER):
        return None
    return {**_when(cron, fields.get("scheduled_time"), now), **_target(fields), **_policies(fields)}


def _when(cron: object, at: object, now: datetime) -> dict[str, Any]:
    kind, text = ("cron", str(cron)) if cron else ("once", str(at or "now"))
    read_schedule(text, now=now, kind=kind)
    return {"type": kind, "schedule": text}


def _target(fields: Mapping[str, Any]) -> dict[str, Any]:
    config: Any = fields.get("config")
    if not isinstance(config, dict):
        raise Untranslatable("it has no config that says what to run")
    held = cast("dict[str, Any]", config)
    if isinstance(held.get("agentool_name"), str):
        return {"agentool_name": held["agentool_name"], "input_data": held.get("input_data", {})}
    if isinstance(held.get("command"), str):
        return shell_call(held["command"])
    keys = ", ".join(sorted(held)) or "nothing"
    raise Untranslatable(f"its config holds {keys}, and no 'command': write its agentool_name and input_data yourself")


def _policies(fields: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {name: fields[name] for name in ("description", "max_retries") if fields.get(name)}
    priority = str(fields.get("priority") or "").lower()
    return {**wanted, "priority": priority} if priority in get_args(Priority) else wanted
