"""Resolve the relative paths in a task file from the file's folder, wherever it is applied."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")

_CALLS = (("agentool_name", "input_data", ("shell",)), ("type", "args", ("shell", "shell_command")))
"""Keys of a call's target and input, and the targets whose input has paths of this machine."""
_PROGRAM = re.compile(r"\s*(?P<path>[^\s'\"\\!~/][^\s'\"\\]*/[^\s'\"\\]*)")
"""A command whose first word is a relative path."""


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
        return call if cwd.startswith(("/", "~", "!")) else {**call, "cwd": os.path.normpath(folder / cwd)}
    words: list[Any] = cast("list[Any]", command) if isinstance(command, list) else [command]
    found = _PROGRAM.match(words[0]) if words and isinstance(words[0], str) else None
    if found is None:
        return call
    program = os.path.normpath(folder / found["path"])
    if isinstance(command, str):
        return {**call, "command": f"{shlex.quote(program)}{command[found.end() :]}"}
    return {**call, "command": [program, *words[1:]]}
