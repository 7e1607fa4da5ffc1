"""The YAML of task files: tags for references and variables, and plain messages for syntax errors.

``!ref:storage_kv:key`` is a reference, quoted or not, which is looked up when the task runs. ``!env NAME``, or ``!env NAME:default``,
is the value of an environment variable, which is read with the file and stored in the job.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, cast

import yaml

from agentool.errors import InvalidInput, excerpt
from agentool.references import PREFIX
from agentoolkit import yaml_text

_BEGINS_WITH_SIGN = re.compile(r"(?P<key>[\w.-]+):\s+(?P<value>(?:[*@%`&|>]|!(?!!|env\b|ref:))(?:[^,}#]|,(?=\S))*)")
_HAS_COLON = re.compile(r"\s*(?:-\s+)?(?P<key>[\w.-]+):\s+(?P<value>[^\s\"'{\[*@%`&!|>#][^\"'{\[#]*:\s[^#]*)$")
"""Values that need quotes: YAML gives their first character, or a colon with a space, a meaning of its own."""

_VARIABLE = re.compile(r"!env\s+[\"']?([^\s:\"',}\]]+)")
_TELLING = 8
"""Shortest value of a variable that is hidden within text: a shorter one may be there by chance."""
_BEGINNING = 24
"""Characters by which a long value that was cut is recognized."""


class TaskFileError(InvalidInput):
    """The file cannot be read as tasks; the message says where."""


class TaskFileLoader(yaml_text.SafeLoader):
    """Safe YAML with the two tags of task files."""

    def construct_env(self, node: yaml.Node) -> str:
        """Return a variable's value, or the file's default."""
        name, has_default, default = str(node.value).partition(":")
        value = os.environ.get(name.strip(), default.strip() if has_default else None)
        if value is None:
            note = f"Set it, or write a default: !env {name}:value."
            raise yaml.constructor.ConstructorError(None, None, f"the variable {name!r} is not set", node.start_mark, note=note)
        return value

    def construct_ref(self, suffix: str, node: yaml.Node) -> str:
        """Return a reference as text."""
        if node.value != "":
            raise yaml.constructor.ConstructorError(None, None, f"{PREFIX}{suffix} has a value behind it", node.start_mark)
        return PREFIX + suffix


cast("Any", TaskFileLoader).add_constructor("!env", TaskFileLoader.construct_env)
cast("Any", TaskFileLoader).add_multi_constructor(PREFIX, TaskFileLoader.construct_ref)


def construct(node: yaml.Node) -> Any:
    """Turn a node of a task file into values. Raises `yaml.YAMLError`."""
    return yaml_text.construct(node, TaskFileLoader)


def variables_in(text: str) -> Mapping[str, str]:
    """Return the names of the variables in a file's text, by their values."""
    return {value: name for name in _VARIABLE.findall(text) if (value := os.environ.get(name))}


def without_variables(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a copy of JSON values, or of a message, with ``!env NAME`` instead of the values of variables."""
    if isinstance(value, dict):
        return {key: without_variables(item, variables) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [without_variables(item, variables) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if value in variables:
        return f"!env {variables[value]}"
    for held, name in variables.items():
        value = value.replace(excerpt(held), f"!env {name}")
        if len(held) >= _TELLING:
            # A message may have cut the value: text that begins like it is hidden as far as it agrees.
            first, *others = value.split(held[:_BEGINNING])
            rest = held[_BEGINNING:]
            rests = [
                other[sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(other, rest, strict=False))) :] for other in others
            ]
            value = f"!env {name}".join([first, *rests])
    return value


@contextmanager
def refusing_yaml(text: str, source: str) -> Generator[None]:
    """Raise errors of YAML as `TaskFileError`. A value that only needs quotes gets a plain message, other errors the parser's."""
    try:
        yield
    except (yaml.YAMLError, RecursionError) as error:
        mark: yaml.Mark | None = getattr(error, "problem_mark", None)
        lines = text.splitlines()
        line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
        problem = f"{source} is not YAML: {yaml_text.one_line(error)}"
        if mark is not None and (found := _BEGINS_WITH_SIGN.search(line) or _HAS_COLON.match(line)):
            key, value = found["key"], json.dumps(found["value"].strip(), ensure_ascii=False)
            problem = f"{source}, line {mark.line + 1}: the value of {key!r} needs quotes. Write {key}: {value}"
        elif mark is not None and re.search(r"!(env|ref)\b", line):
            note = getattr(error, "note", None) or ""
            problem = f"{source}, line {mark.line + 1}: {getattr(error, 'problem', error)}. {note}".rstrip()
        raise TaskFileError(problem, field="file", value=source) from error
