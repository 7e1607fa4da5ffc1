"""Find the settings that refused tasks need, as lines for a shell."""

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
    """Return an ``export`` for each variable that has to allow more: its present value, and the values that the tasks need."""
    needed: dict[str, list[str]] = {}
    for error in errors:
        for variable, value in _lacks(error):
            needed.setdefault(variable, []).append(value)
    return [f"export {variable}={shlex.quote(json.dumps(_extended(variable, values)))}" for variable, values in needed.items()]


def _lacks(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Yield variable and value of each missing permission in an error, the errors it carries, and its causes.

    The remedy of a `PermissionError` names the variable.
    """
    while error is not None:
        remedy, value = str(getattr(error, "remedy", "") or ""), getattr(error, "value", None)
        found = _VARIABLE.search(remedy) if isinstance(error, PermissionError) else None
        if found is not None:
            values = cast("list[object]", value) if isinstance(value, list) else [value]
            allows_modules = found[1] == "AGENTOOL_FUNCTIONS"  # of a function its module is allowed
            yield from ((found[1], str(each).partition(":")[0] if allows_modules else str(each)) for each in values)
        for other in error.also if isinstance(error, AgenToolError) else ():
            yield from _lacks(other)
        error = None if found is not None else error.__cause__


def _extended(variable: str, needed: Iterable[str]) -> object:
    """Return the present value of a setting together with the needed values."""
    text = os.environ.get(variable) or dotenv_values(".env").get(variable) or ""
    try:
        present: Any = json.loads(text)
    except ValueError:
        present = [part.strip() for part in text.split(",") if part.strip()]
    if variable == "AGENTOOL_FILES":  # it maps the beginnings of paths to folders
        folders = {str(PurePosixPath(path).parent): str(PurePosixPath(path).parent) for path in needed}
        return {**(cast("dict[str, str]", present) if isinstance(present, dict) else {}), **folders}
    named = map(str, cast("list[object]", present)) if isinstance(present, list) else [text]
    return list(dict.fromkeys([*named, *needed]))
