"""Another scheduler's file as a task file, and what could not be translated."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

import yaml


class Untranslatable(ValueError):
    """An entry has no equal here; the message says why."""


class Note(NamedTuple):
    """Something a person has to know about an entry."""

    where: str
    """The line, or the id of the entry."""
    told: str
    refused: bool = True
    """False where the entry was translated all the same."""


class Translation(NamedTuple):
    """Tasks of a task file, and notes."""

    tasks: Sequence[dict[str, Any]]
    notes: Sequence[Note]

    @property
    def is_complete(self) -> bool:
        """Was every entry translated?"""
        return not any(note.refused for note in self.notes)


def as_task_file(translation: Translation) -> str:
    """Write tasks as YAML that `agentool serve` reads."""
    return yaml.safe_dump({"tasks": list(translation.tasks)}, sort_keys=False, allow_unicode=True, width=120)


def shell_call(command: str) -> dict[str, Any]:
    """Translate a command line into the target of a task: the AgenTool ``shell``, which takes an argument list and no shell.

    Raises:
        Untranslatable: It needs a shell, or its quotes do not end.
    """
    folder, line = _folder(command.strip())
    if syntax := shell_syntax(line):
        raise Untranslatable(f"it uses {syntax!r}, which needs a shell; put it into a script and call that")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Untranslatable(f"it cannot be split into words: {error}") from None
    if not words or "=" in words[0]:
        raise Untranslatable("it sets variables for its command; give them as 'env' in input_data" if words else "there is no command")
    return {"agentool_name": "shell", "input_data": {"operation": "run", "command": words, **folder}}


def shell_syntax(line: str) -> str | None:
    """Return the first character that only a shell gives a meaning, if there is one."""
    quote, before, characters = "", " ", iter(line)
    for character in characters:
        if character == "\\" and quote != "'":
            next(characters, None)
        elif quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in "$`":
                return character
        elif character in "'\"":
            quote = character
        elif character in "|&;<>()$`*?[" or (character in "~#" and before.isspace()):
            return character
        before = character
    return None


def unique_names() -> Callable[[str], str]:
    """Return a function that makes names of what it is given, and numbers those that come again."""
    taken: set[str] = set()

    def name(wanted: str) -> str:
        base = re.sub(r"[^\w.-]+", "_", wanted).strip("_") or "task"
        free = base if base not in taken else next(made for number in count(2) if (made := f"{base}_{number}") not in taken)
        taken.add(free)
        return free

    return name


_CHANGES_FOLDER = re.compile(r"cd\s+(?P<folder>[^\s'\"$`;&|]+)\s*&&\s*(?P<rest>.+)")


def _folder(line: str) -> tuple[dict[str, str], str]:
    found = _CHANGES_FOLDER.fullmatch(line)
    return ({"cwd": found["folder"]}, found["rest"]) if found else ({}, line)
