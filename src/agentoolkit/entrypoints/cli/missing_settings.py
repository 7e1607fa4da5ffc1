"""Settings whose lack tasks are refused for, as the line that a person has to enter."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any, cast

from dotenv import dotenv_values

_VARIABLE = re.compile(r"\((AGENTOOL_[A-Z_]+)\)")


def missing_settings(errors: Iterable[BaseException]) -> list[str]:
    """Return an ``export`` for each variable that has to name more: what it names now, and what refused tasks need."""
    needed: dict[str, list[str]] = {}
    for error in errors:
        for variable, value in _lacks(error):
            needed.setdefault(variable, _present(variable)).append(value)
    return [f"export {variable}={shlex.quote(json.dumps(list(dict.fromkeys(values))))}" for variable, values in needed.items()]


def _lacks(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Find what is not allowed, in an error or in what caused it. What refuses it names its variable in the remedy."""
    while error is not None:
        remedy, value = str(getattr(error, "remedy", "") or ""), getattr(error, "value", None)
        if isinstance(error, PermissionError) and (found := _VARIABLE.search(remedy)):
            values = cast("list[object]", value) if isinstance(value, list) else [value]
            yield from ((found[1], _allowable(found[1], str(each))) for each in values)
            return
        error = error.__cause__


def _allowable(variable: str, value: str) -> str:
    """Return what to allow: of a function its module, else the value as it was written."""
    return value.partition(":")[0] if variable == "AGENTOOL_FUNCTIONS" else value


def _present(variable: str) -> list[str]:
    text = os.environ.get(variable) or dotenv_values(".env").get(variable) or ""
    try:
        read: Any = json.loads(text)
    except ValueError:
        return [part.strip() for part in text.split(",") if part.strip()]
    return [str(value) for value in cast("list[object]", read)] if isinstance(read, list) else [text]
