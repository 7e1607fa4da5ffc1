"""Task files: YAML → calls of the scheduler AgenTool.

The format is that of *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML"; a task names a ``function``,
or any AgenTool by ``agentool_name`` and ``input_data``, and may set whatever the scheduler's ``schedule`` takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentool.errors import InvalidInput, excerpt
from agentoolkit.system.scheduler.jobs import CatchUp, OnInterrupt, Overlap, Priority

LARGEST_FILE = 1_000_000
"""Bytes."""
MOST_NODES = 100_000
"""Values in a file, with every alias counted as what it stands for."""


class TaskFileError(InvalidInput):
    """The file cannot be read as tasks; the message says where."""


class Task(BaseModel):
    """One task of a file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    description: str | None = None
    enabled: bool = True
    type: Literal["cron", "interval", "once"] | None = None
    schedule: str
    function: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    agentool_name: str | None = None
    input_data: dict[str, Any] | None = None
    result_queue: str | None = None
    error_queue: str | None = None
    max_instances: int | None = None
    misfire_grace_time: int | None = None
    coalesce: bool | None = None
    timezone: str | None = None
    start_at: str | None = None
    end_at: str | None = None
    max_runs: int | None = None
    jitter: float | None = None
    exclude: list[str] | None = None
    timeout: float | None = None
    max_retries: int | None = None
    retry_backoff: float | bool | None = None
    retry_on: list[str] | None = None
    overlap: Overlap | None = None
    catch_up: CatchUp | None = None
    catch_up_window: int | None = None
    on_interrupt: OnInterrupt | None = None
    concurrency_key: str | None = None
    priority: Priority | None = None
    tags: list[str] | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.function is None) == (self.agentool_name is None):
            raise ValueError("give either 'function' or 'agentool_name'")
        if self.function is None and (self.args is not None or self.kwargs is not None):
            raise ValueError("'args' and 'kwargs' belong to 'function'; an AgenTool takes 'input_data'")
        return self

    def scheduler_input(self) -> dict[str, Any]:
        """Return the call of the scheduler AgenTool that schedules this task."""
        own = {"name", "type", "enabled", "function", "args", "kwargs", "agentool_name", "input_data"}
        passed = self.model_dump(exclude_none=True, exclude=own)
        return {"operation": "schedule", "job_name": self.name, "schedule_type": self.type, **self._target(), **passed}

    def _target(self) -> dict[str, Any]:
        if self.function is None:
            return {"agentool_name": self.agentool_name, "input_data": self.input_data or {}}
        arguments = {"args": self.args, "kwargs": self.kwargs}
        call = {"operation": "call", "function": self.function, **{name: given for name, given in arguments.items() if given}}
        return {"agentool_name": "function", "input_data": call}


def load_tasks(path: Path) -> Sequence[Task]:
    """Read a task file.

    Raises:
        TaskFileError: It is missing, too large, no YAML, or a task in it is wrong; with the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TaskFileError(f"{path} cannot be read: {error.strerror}.", field="file", value=str(path)) from error
    if len(content) > LARGEST_FILE:
        raise TaskFileError(f"{path} is larger than {LARGEST_FILE:,} bytes.", field="file", value=str(path))
    return read_tasks(content.decode("utf-8", errors="replace"), str(path))


def read_tasks(text: str, source: str = "tasks.yaml") -> Sequence[Task]:
    """Read tasks from YAML text. Raises `TaskFileError`."""
    try:
        root = cast("yaml.Node | None", yaml.compose(text, Loader=_Loader))  # pyright: ignore[reportUnknownMemberType]
    except (yaml.YAMLError, RecursionError) as error:
        raise TaskFileError(f"{source} is no YAML: {_one_line(error)}", field="file", value=source) from error
    nodes = _task_nodes(root, source)
    tasks = [_read_task(node, source) for node in nodes]
    names = [task.name for task in tasks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TaskFileError(f"{source} has two tasks named {twice!r}.", field="name", value=twice)
    return tasks


class _Loader(yaml.SafeLoader):
    """Safe YAML without the surprises of version 1.1: ``12:30`` and ``on`` are text, a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


_AMBIGUOUS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AMBIGUOUS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
):
    cast(Any, _Loader).add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first))


def _task_nodes(root: yaml.Node | None, source: str) -> Sequence[yaml.Node]:
    if isinstance(root, yaml.MappingNode):
        if _size(root, {}) > MOST_NODES:
            raise TaskFileError(f"{source} holds more than {MOST_NODES:,} values.", field="file", value=source)
        held = {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}
        if set(held) == {"tasks"} and isinstance(held["tasks"], yaml.SequenceNode):
            return cast("Sequence[yaml.Node]", held["tasks"].value)
    raise TaskFileError(f"{source} has no list of tasks.", field="tasks", remedy="Begin the file with 'tasks:' and a list below it.")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values below a node as if every alias were written out, without writing them out."""
    if id(node) not in known:
        known[id(node)] = MOST_NODES  # an alias of what it stands in would have no end
        parts = cast("list[Any]", node.value) if isinstance(node, yaml.CollectionNode) else []
        known[id(node)] = 1 + sum(_size(part, known) for pair in parts for part in _parts(pair))
    return known[id(node)]


def _parts(pair: Any) -> Sequence[yaml.Node]:
    """Return key and value of a mapping's entry, or an entry of a list by itself."""
    return cast("Sequence[yaml.Node]", pair if isinstance(pair, tuple) else (pair,))


def _read_task(node: yaml.Node, source: str) -> Task:
    line = node.start_mark.line + 1
    try:
        loader: Any = _Loader("")
        return Task.model_validate(loader.construct_document(node))
    except yaml.YAMLError as error:
        raise TaskFileError(f"{source} is no YAML: {_one_line(error)}", field="file", value=source) from error
    except ValidationError as error:
        wrong = InvalidInput.from_validation("task", error, Task.model_fields)
        said = "; ".join(str(problem) for problem in wrong.problems)
        raise TaskFileError(f"The task in line {line} of {source}: {said}", value=wrong.value, problems=wrong.problems) from error


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{excerpt(getattr(error, 'problem', None) or str(error))}{where}."
