"""The YAML of task files: tags for what stands elsewhere, and what is wrong with a text in people's words.

``!ref:storage_kv:key`` is a reference, quoted or not: it is looked up when the task runs. ``!env NAME``, or ``!env NAME:otherwise``,
is a variable's value: it is read with the file, and kept with the job.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import yaml

from agentool.errors import InvalidInput
from agentool.references import PREFIX
from agentoolkit import yaml_text

_BEGINS_WITH_SIGN = re.compile(r"(?P<key>[\w.-]+):\s+(?P<value>(?:[*@%`&|>]|!(?!!|env\b|ref:))(?:[^,}#]|,(?=\S))*)")
_HAS_COLON = re.compile(r"\s*(?:-\s+)?(?P<key>[\w.-]+):\s+(?P<value>[^\s\"'{\[*@%`&!|>#][^\"'{\[#]*:\s[^#]*)$")
"""Values that lack their quotes: YAML takes their first sign, or the colon and space in them, for its own."""


class TaskFileError(InvalidInput):
    """The file cannot be read as tasks; the message says where."""


class TaskFileLoader(yaml_text.SafeLoader):
    """Safe YAML, and the two tags of task files."""

    def construct_env(self, node: yaml.Node) -> str:
        """Return a variable's value, or what the file says in its place."""
        name, has_default, default = str(node.value).partition(":")
        value = os.environ.get(name.strip(), default.strip() if has_default else None)
        if value is None:
            note = f"Set it, or write what holds otherwise: !env {name}:value."
            raise yaml.constructor.ConstructorError(None, None, f"the variable {name!r} is not set", node.start_mark, note=note)
        return value

    def construct_ref(self, suffix: str, node: yaml.Node) -> str:
        """Return a reference as the text that it is elsewhere."""
        if node.value != "":
            raise yaml.constructor.ConstructorError(None, None, f"{PREFIX}{suffix} has a value behind it", node.start_mark)
        return PREFIX + suffix


cast("Any", TaskFileLoader).add_constructor("!env", TaskFileLoader.construct_env)
cast("Any", TaskFileLoader).add_multi_constructor(PREFIX, TaskFileLoader.construct_ref)


def construct(node: yaml.Node) -> Any:
    """Turn a node of a task file into values. Raises `yaml.YAMLError`."""
    return yaml_text.construct(node, TaskFileLoader)


@contextmanager
def refusing_yaml(text: str, source: str) -> Generator[None]:
    """Raise what is wrong with a text as `TaskFileError`: in people's words where a value only lacks its quotes, else in the parser's."""
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
