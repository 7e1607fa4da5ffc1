"""The layers of a configuration, and the order in which they override each other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from agentoolkit.system.config.errors import ConfigKeyNotFound
from agentoolkit.system.config.files import flattened, read_file

PREFIX = "AGENTOOL_CONFIG__"
"""Prefix of environment variables that are configuration: ``AGENTOOL_CONFIG__SMTP__HOST`` is ``smtp.host``."""

Layer = Literal["runtime", "environment", "file", "default"]


class LayeredValue(NamedTuple):
    """A value and its layer."""

    value: Any
    layer: Layer


class Layers:
    """Values by dotted key. Values set at run time override the environment, which overrides files.

    Args:
        files: TOML, YAML or JSON; a later file overrides an earlier one. They are read once, here.
        environment: By default this process's, read again at each call.

    Raises:
        InvalidConfigFile: A file cannot be read.
    """

    def __init__(self, files: Sequence[Path] = (), environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._runtime: dict[str, Any] = {}
        self._files: dict[str, Any] = {}
        for path in files:
            self._files = _laid_over(self._files, read_file(path))

    def find(self, key: str) -> LayeredValue | None:
        """Return the effective value; None if there is none. A section set as a whole hides the keys of lower layers in it."""
        for name, inner in _splits(key):
            if name in self._runtime:
                return _inside(self._runtime[name], inner, "runtime")
        for name, inner in _splits(key):
            # An empty variable is not set.
            if (text := self._environment.get(variable(name))) and (not inner or isinstance(typed(text), Mapping)):
                return _inside(typed(text), inner, "environment")
        return LayeredValue(self._files[key], "file") if key in self._files else None

    def get(self, key: str) -> LayeredValue:
        """Return the effective value. Raises `ConfigKeyNotFound`."""
        if (found := self.find(key)) is None:
            raise ConfigKeyNotFound.among(key, self.all())
        return found

    def set(self, key: str, value: Any) -> None:
        """Set a value in the top layer until the process ends. It replaces a whole section."""
        self._runtime = {name: kept for name, kept in self._runtime.items() if not name.startswith(f"{key}.")}
        for name, inner in _splits(key):
            if inner and name in self._runtime:
                self._runtime[name] = _with(self._runtime[name], inner, value)
                return
        self._runtime[key] = value

    def delete(self, key: str) -> bool:
        """Delete a value from the top layer, and tell whether it existed."""
        for name, inner in _splits(key):
            if name in self._runtime and _inside(self._runtime[name], inner, "runtime") is not None:
                if inner:
                    self._runtime[name] = _without(self._runtime[name], inner)
                else:
                    del self._runtime[name]
                return True
        return False

    def all(self) -> dict[str, LayeredValue]:
        """Return every known key, sorted, with its effective value."""
        known = {*self._files, *flattened(self._runtime)}
        variables = {variable(key) for key in known}
        unnamed = {name: text for name, text in self._environment.items() if name.startswith(PREFIX) and name not in variables and text}
        for name, text in unnamed.items():
            known |= flattened({name.removeprefix(PREFIX).lower().replace("__", "."): typed(text)}).keys()
        answers = {key: self.find(key) for key in sorted(known)}
        return {key: answer for key, answer in answers.items() if answer is not None}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a file's values over earlier ones. A value replaces a section and a section a value; an empty one takes nothing from another."""
    sections = _sections(below)
    given = {key: value for key, value in above.items() if value != {} or key not in sections}
    replaced = _sections(given)
    kept = {key: value for key, value in below.items() if key not in replaced and given.keys().isdisjoint(_sections([key]))}
    return {**kept, **given}


def _sections(keys: Iterable[str]) -> set[str]:
    """Return every section that one of the keys is in."""
    return {name for key in keys for name, inner in _splits(key) if inner}


def _splits(key: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a key, and each section it is in, the innermost first, with the keys from there on."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        yield ".".join(parts[:length]), parts[length:]


def _inside(value: Any, inner: Sequence[str], layer: Layer) -> LayeredValue | None:
    for part in inner:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = cast("Mapping[str, Any]", value)[part]
    return LayeredValue(value, layer)


def _with(value: Any, inner: Sequence[str], leaf: Any) -> Any:
    if not inner:
        return leaf
    held: dict[str, Any] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
    return {**held, inner[0]: _with(held.get(inner[0]), inner[1:], leaf)}


def _without(value: Mapping[str, Any], inner: Sequence[str]) -> dict[str, Any]:
    if len(inner) == 1:
        return {name: held for name, held in value.items() if name != inner[0]}
    return {**value, inner[0]: _without(value[inner[0]], inner[1:])}


def variable(key: str) -> str:
    """Return the environment variable of a key."""
    return PREFIX + key.upper().replace(".", "__").replace("-", "_")


def typed(text: str) -> Any:
    """Read a variable's text as JSON, or as plain text if it is not JSON. ``true`` is a boolean, ``a`` is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
