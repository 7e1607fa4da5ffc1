"""Resolve the relative paths in a task file from the file's folder, wherever it is applied."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any, TypeVar, cast

from agentoolkit.system.scheduler.named_calendars import FILE_PREFIX, Calendars

T = TypeVar("T")

_CALLS = (("agentool_name", "input_data", ("shell",)), ("type", "args", ("shell", "shell_command")))
"""Keys of a call's target and input, and the targets whose input has paths of this machine."""
_PROGRAM = re.compile(r"\s*(?P<path>[^\s'\"\\!~/][^\s'\"\\]*/[^\s'\"\\]*)")
"""A command line whose first word is a relative path."""
_ELSEWHERE = ("/", "~", "!")
"""Beginnings of absolute paths, of those in a home folder, and of references."""


def placed_below(folder: Path, value: T) -> T:
    """Return a value in which the working folders and programs of all commands are absolute paths.

    Args:
        folder: Start of relative paths.
        value: An AgenTool's input, or another value with commands, such as steps or a gate.
    """
    if isinstance(value, list):
        return cast("T", [placed_below(folder, each) for each in cast("list[object]", value)])
    if not isinstance(value, dict):
        return value
    held = {name: placed_below(folder, each) for name, each in cast("dict[str, Any]", value).items()}
    for name, data, targets in _CALLS:
        if held.get(name) in targets and isinstance(held.get(data), dict):
            held[data] = place_command(folder, held[data])
    return cast("T", held)


def place_command(folder: Path, call: dict[str, Any]) -> dict[str, Any]:
    """Return the input of a command with its folder as an absolute path; without a folder, its program."""
    cwd, command = call.get("cwd"), call.get("command")
    if isinstance(cwd, str):
        return call if cwd.startswith(_ELSEWHERE) else {**call, "cwd": os.path.normpath(folder / cwd)}
    if isinstance(command, str):
        if (found := _PROGRAM.match(command)) is None:
            return call
        placed = shlex.quote(os.path.normpath(folder / found["path"]))
        return {**call, "command": f"{placed}{command[found.end() :]}"}
    match command:
        case [str(program), *arguments] if "/" in program and not program.startswith(_ELSEWHERE):
            return {**call, "command": [os.path.normpath(folder / program), *arguments]}
        case _:
            return call


def place_calendars(folder: Path, calendars: Calendars) -> Calendars:
    """Return calendars in which the paths of iCalendar files are absolute."""

    def placed(entry: str) -> str:
        path = entry.removeprefix(FILE_PREFIX)
        return entry if path == entry or path.startswith(_ELSEWHERE) else f"{FILE_PREFIX}{folder / path}"

    return {name: [placed(entry) for entry in entries] for name, entries in calendars.items()}
