"""Paths in a task file: from wherever it is applied, they mean what they mean from the file's folder."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")

_CALLS = (("agentool_name", "input_data", ("shell",)), ("type", "args", ("shell", "shell_command")))
"""How a call names what it calls, where its input is, and the names of what takes paths of this machine."""
_PROGRAM = re.compile(r"\s*(?P<path>[^\s'\"\\!~/][^\s'\"\\]*/[^\s'\"\\]*)")
"""A relative path as the first word of a command."""


def placed_below(folder: Path, value: T) -> T:
    """Return a value with the working folders and programs of all commands in it as absolute paths.

    Args:
        folder: What a relative path begins from.
        value: An AgenTool's input, or whatever has commands in it: steps, gates.
    """
    if isinstance(value, list):
        return cast("T", [placed_below(folder, each) for each in cast("list[object]", value)])
    if not isinstance(value, dict):
        return value
    held = {name: placed_below(folder, each) for name, each in cast("dict[str, Any]", value).items()}
    for name, data, those in _CALLS:
        if held.get(name) in those and isinstance(held.get(data), dict):
            held[data] = place_command(folder, held[data])
    return cast("T", held)


def place_command(folder: Path, call: dict[str, Any]) -> dict[str, Any]:
    """Return the input of a command with its folder or, where it names none, its program as an absolute path."""
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
