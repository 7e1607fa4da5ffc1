"""The translation of another scheduler's file: tasks, and notes on entries that could not be translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from agentool.errors import excerpt
from agentool.references import PREFIX, STEP_PREFIX
from agentoolkit import yaml_text
from agentoolkit.system.scheduler.job_fields import MAX_NAME_LENGTH

_NAME_LENGTH = MAX_NAME_LENGTH // 2
"""Characters of a name, which leaves room for a number and an addition."""


class Untranslatable(ValueError):
    """An entry cannot be translated; the message says why."""


class Note(NamedTuple):
    """A remark about an entry, for a person."""

    where: str
    """The line, or the id of the entry."""
    told: str
    refused: bool = True
    """False if the entry was translated all the same."""


class Translation(NamedTuple):
    """Tasks of a task file, and notes."""

    tasks: Sequence[dict[str, Any]]
    notes: Sequence[Note]

    @property
    def is_complete(self) -> bool:
        """Tell whether every entry was translated."""
        return not any(note.refused for note in self.notes)


def without_references(texts: Iterable[str]) -> None:
    """Refuse plain texts that would be references here.

    Raises:
        Untranslatable: A text is written like a reference.
    """
    if found := next((text for text in texts if text.startswith(PREFIX) or STEP_PREFIX in text), None):
        raise Untranslatable(f"{excerpt(found)} would be a reference here; put the command into a script and call that")


def as_task_file(translation: Translation, *, ascii_only: bool = False) -> str:
    """Write tasks as YAML that `agentool serve` reads; with `ascii_only`, all other characters as escapes."""
    return yaml_text.dump({"tasks": list(translation.tasks)}, ascii_only=ascii_only)


def unique_names() -> Callable[[str], str]:
    """Return a function that turns texts into names, and numbers repeated ones."""
    taken: set[str] = set()

    def name(wanted: str) -> str:
        base = re.sub(r"[^\w.-]+", "_", wanted)[:_NAME_LENGTH].strip("_") or "task"
        free = base if base not in taken else next(made for number in count(2) if (made := f"{base}_{number}") not in taken)
        taken.add(free)
        return free

    return name
