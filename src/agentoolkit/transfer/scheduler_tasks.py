"""Translate the JSON file of *Scheduler Daemon Implementation*, "Task Persistence", into a task file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast, get_args

from agentool.errors import InvalidInput
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.jobs import Priority
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.text_files import decode_text
from agentoolkit.transfer.commands import shell_call
from agentoolkit.transfer.translation import Note, Translation, Untranslatable, unique_names

_MAX_RETRIES = 3
"""Default of a task. Source: "Max Retries: 3 (configurable per task)"."""
_RETRY_BACKOFF = 1.0
"""Seconds. The pauses grow, as in the source."""
_OVER = frozenset({"completed", "failed", "cancelled"})


def read_scheduler_tasks(content: str | bytes, *, now: datetime) -> Translation:
    """Translate the tasks of a file ``scheduler_tasks.json``.

    Raises:
        InvalidInput: The content is not UTF-8 or not JSON, names a task twice, or has no ``tasks``.
    """
    text = decode_text(content, "The file") if isinstance(content, bytes) else content
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
        held: Any = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The file is not JSON: {error}.", field="file") from error
    tasks: Any = cast("dict[str, Any]", held).get("tasks") if isinstance(held, dict) else None
    if not isinstance(tasks, dict):
        raise InvalidInput("The file has no object 'tasks'.", field="file", remedy="Give the file scheduler_tasks.json.")
    return cast("dict[str, Mapping[str, Any]]", tasks)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its entries. A duplicate key is refused: the later entry would silently replace the earlier one."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(key for key in keys if keys.count(key) > 1)!r}")
    return made


def _translated(task: object, now: datetime) -> dict[str, Any] | None:
    """Return the fields of a task without its name; None if the task has no further run."""
    if not isinstance(task, dict):
        raise Untranslatable("it is not an object")
    fields = cast("dict[str, Any]", task)
    cron = fields.get("cron_expression")
    if fields.get("status") == "cancelled" or (not cron and fields.get("status") in _OVER):
        return None
    kind, text = ("cron", str(cron)) if cron else ("once", str(fields.get("scheduled_time") or "now"))
    read_schedule(text, now=now, kind=kind)
    described = {"description": fields["description"]} if fields.get("description") else {}
    priority = str(fields.get("priority") or "").lower()
    ranked = {"priority": priority} if priority in get_args(Priority) else {}
    target = _target(fields)
    retries = _MAX_RETRIES if fields.get("max_retries") is None else fields["max_retries"]
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise Untranslatable(f"its max_retries is {retries!r} and not a number of retries")
    retried = {"max_retries": retries, "retry_backoff": _RETRY_BACKOFF} if retries else {}
    return {"type": kind, "schedule": text, **target, **described, **ranked, **retried}


def _target(fields: Mapping[str, Any]) -> dict[str, Any]:
    config: Any = fields.get("config")
    if not isinstance(config, dict):
        raise Untranslatable("it has no config that says what to run")
    held = cast("dict[str, Any]", config)
    if isinstance(held.get("agentool_name"), str):
        return {"agentool_name": held["agentool_name"], "input_data": held.get("input_data", {})}
    if isinstance(held.get("command"), str):
        return shell_call(held["command"]).fields("")
    keys = ", ".join(sorted(held)) or "nothing"
    raise Untranslatable(f"its config holds {keys}, and no 'command': write its agentool_name and input_data yourself")
