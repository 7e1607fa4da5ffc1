"""Configuration files: TOML, YAML and JSON, as dotted keys and their values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json, to_json

from agentoolkit.system.config.errors import InvalidConfigFile

MAX_FILE_SIZE = 1_000_000
"""Bytes."""


def read_file(path: Path) -> dict[str, Any]:
    """Read a file, and return its values by dotted key.

    Raises:
        InvalidConfigFile: It is missing, too large, or not what its suffix says.
    """
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise InvalidConfigFile(f"{path} cannot be read: {error.strerror}.", field="config_files", value=str(path)) from error
    if len(content) > MAX_FILE_SIZE:
        raise InvalidConfigFile(f"{path} is larger than {MAX_FILE_SIZE:,} bytes.", field="config_files", value=str(path))
    held = _parsed(path, content)
    if not isinstance(held, Mapping):
        raise InvalidConfigFile(f"{path} is not a mapping of keys to values.", field="config_files", value=str(path))
    return flattened(cast("Mapping[str, Any]", held))


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested sections into dotted keys. An empty section is a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flattened(cast("Mapping[str, Any]", value), f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _parsed(path: Path, content: bytes) -> Any:
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        remedy = f"Name it {', '.join(_PARSERS)}."
        raise InvalidConfigFile(f"{path} has an unknown suffix.", field="config_files", value=str(path), remedy=remedy)
    try:
        return from_json(to_json(parse(content.decode())))  # times become text, as they are in JSON
    except InvalidConfigFile:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidConfigFile(f"{path}: {error}", field="config_files", value=str(path)) from error


def _yaml(text: str) -> Any:
    import yaml

    from agentoolkit import yaml_text

    try:
        node = yaml_text.compose(text)
        if node is not None and yaml_text.size(node) > yaml_text.MAX_NODES:
            raise ValueError(f"It holds more than {yaml_text.MAX_NODES:,} values.")
        return {} if node is None else yaml_text.construct(node)
    except yaml.YAMLError as error:
        raise ValueError(yaml_text.one_line(error)) from error


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".toml": tomllib.loads,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": json.loads,
}
