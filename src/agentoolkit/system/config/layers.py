"""The layers of a configuration, and which of them answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agentoolkit.system.config.errors import ConfigKeyNotFound
from agentoolkit.system.config.files import read_file

PREFIX = "AGENTOOL_CONFIG__"
"""Environment variables of this beginning are configuration: ``AGENTOOL_CONFIG__SMTP__HOST`` is ``smtp.host``."""

Layer = Literal["runtime", "environment", "file", "default"]


class Answer(NamedTuple):
    """A value, and which layer it is from."""

    value: Any
    layer: Layer


class Layers:
    """Values by dotted key. What was set at run time counts before the environment, and that before files.

    Args:
        files: TOML, YAML or JSON; a later one counts before an earlier one. They are read once, here.
        environment: This process's by default, looked at anew with each call.

    Raises:
        InvalidConfigFile: A file cannot be read.
    """

    def __init__(self, files: Sequence[Path] = (), environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._runtime: dict[str, Any] = {}
        self._files: dict[str, Any] = {}
        for path in files:
            self._files.update(read_file(path))

    def find(self, key: str) -> Answer | None:
        """Return the value that counts, if there is one."""
        if key in self._runtime:
            return Answer(self._runtime[key], "runtime")
        if (text := self._environment.get(variable(key))) is not None:
            return Answer(typed(text), "environment")
        if key in self._files:
            return Answer(self._files[key], "file")
        return None

    def get(self, key: str) -> Answer:
        """Return the value that counts. Raises `ConfigKeyNotFound`."""
        if (found := self.find(key)) is None:
            raise ConfigKeyNotFound.among(key, self.all())
        return found

    def set(self, key: str, value: Any) -> None:
        """Put a value into the uppermost layer, where it stays as long as the process lives."""
        self._runtime[key] = value

    def delete(self, key: str) -> bool:
        """Take a value out of the uppermost layer; tell whether it was there."""
        return self._runtime.pop(key, None) is not None

    def all(self) -> dict[str, Answer]:
        """Return every key that is known, in order, with the value that counts."""
        found = {key: Answer(value, "file") for key, value in self._files.items()}
        names = {variable(key): key for key in (*found, *self._runtime)}
        for name, text in self._environment.items():
            if name.startswith(PREFIX):
                found[names.get(name) or _key(name)] = Answer(typed(text), "environment")
        found.update({key: Answer(value, "runtime") for key, value in self._runtime.items()})
        return dict(sorted(found.items()))


def variable(key: str) -> str:
    """Return the environment variable of a key."""
    return PREFIX + key.upper().replace(".", "__").replace("-", "_")


def typed(text: str) -> Any:
    """Read a variable's text: as JSON if it is that, else as it is. ``true`` is a boolean, ``a`` is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _key(name: str) -> str:
    return name.removeprefix(PREFIX).lower().replace("__", ".")
