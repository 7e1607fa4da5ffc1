"""Settings whose lack tasks are refused for, as the line that a person has to enter."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, cast

from dotenv import dotenv_values

from agentool.errors import AgenToolError

_VARIABLE = re.compile(r"\((AGENTOOL_[A-Z_]+)\)")


def missing_settings(errors: Iterable[BaseException]) -> list[str]:
    """Return an ``export`` for each variable that has to name more: what it names now, and what refused tasks need."""
    needed: dict[str, list[str]] = {}
    for error in errors:
        for variable, value in _lacks(error):
            needed.setdefault(variable, []).append(value)
    return [f"export {variable}={shlex.quote(json.dumps(_extended(variable, values)))}" for variable, values in needed.items()]


def _lacks(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Find what is not allowed, in an error and then in what it also tells, or in what caused it. The remedy names the variable."""
    while error is not None:
        remedy, value = str(getattr(error, "remedy", "") or ""), getattr(error, "value", None)
        found = _VARIABLE.search(remedy) if isinstance(error, PermissionError) else None
        if found is not None:
            values = cast("list[object]", value) if isinstance(value, list) else [value]
            yield from ((found[1], _allowable(found[1], str(each))) for each in values)
        for other in error.also if isinstance(error, AgenToolError) else ():
            yield from _lacks(other)
        error = None if found is not None else error.__cause__


def _allowable(variable: str, value: str) -> str:
    """Return what to allow: of a function its module, else the value as it was written."""
    return value.partition(":")[0] if variable == "AGENTOOL_FUNCTIONS" else value


def _extended(variable: str, needed: Iterable[str]) -> object:
    """Return what a setting has to be: what it is now, and what is needed."""
    text = os.environ.get(variable) or dotenv_values(".env").get(variable) or ""
    try:
        present: Any = json.loads(text)
    except ValueError:
        present = [part.strip() for part in text.split(",") if part.strip()]
    if variable == "AGENTOOL_FILES":  # it maps what paths begin with to folders
        folders = {str(PurePosixPath(path).parent): str(PurePosixPath(path).parent) for path in needed}
        return {**(cast("dict[str, str]", present) if isinstance(present, dict) else {}), **folders}
    named = map(str, cast("list[object]", present)) if isinstance(present, list) else [text]
    return list(dict.fromkeys([*named, *needed]))
