"""Task files: YAML → calls of the scheduler AgenTool.

The format is that of *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML"; a task names a ``function``,
or any AgenTool by ``agentool_name`` and ``input_data``, and may set whatever the scheduler's ``schedule`` takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import yaml
from pydantic import ConfigDict, ValidationError, model_validator

from agentool.errors import InvalidInput
from agentoolkit import yaml_text
from agentoolkit.system.scheduler.job_fields import JobFields, Name, Text

MAX_FILE_SIZE = 1_000_000
"""Bytes."""


class TaskFileError(InvalidInput):
    """The file cannot be read as tasks; the message says where."""


_NAMES = {"job_name": "name", "schedule_type": "type"}
"""Fields of a job that a task file calls by another name."""


class Task(JobFields):
    """One task of a file: the fields of a job, and a function in place of an AgenTool."""

    model_config = ConfigDict(extra="forbid", alias_generator=lambda field: _NAMES.get(field, field))

    # Narrowed: a task of a file has both.
    job_name: Name  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    schedule: Text  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    enabled: bool = True
    function: Text | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The job's unique name, as the file calls it."""
        return self.job_name

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.function is None) == (self.agentool_name is None):
            raise ValueError("give either 'function' or 'agentool_name'")
        if self.function is None and (self.args is not None or self.kwargs is not None):
            raise ValueError("'args' and 'kwargs' belong to 'function'; an AgenTool takes 'input_data'")
        return self

    def scheduler_input(self) -> dict[str, Any]:
        """Return the call of the scheduler AgenTool that schedules this task."""
        return {"operation": "schedule", **self.given(), **self._target()}

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
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise TaskFileError(f"{path} cannot be read: {error.strerror}.", field="file", value=str(path)) from error
    if len(content) > MAX_FILE_SIZE:
        raise TaskFileError(f"{path} is larger than {MAX_FILE_SIZE:,} bytes.", field="file", value=str(path))
    return read_tasks(content.decode("utf-8", errors="replace"), str(path))


def read_tasks(text: str, source: str = "tasks.yaml") -> Sequence[Task]:
    """Read tasks from YAML text. Raises `TaskFileError`."""
    try:
        root = yaml_text.compose(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise TaskFileError(f"{source} is no YAML: {yaml_text.one_line(error)}", field="file", value=source) from error
    nodes = _task_nodes(root, source)
    tasks = [_read_task(node, source) for node in nodes]
    names = Counter(task.name for task in tasks)
    if twice := next((name for name, times in names.items() if times > 1), None):
        raise TaskFileError(f"{source} has two tasks named {twice!r}.", field="name", value=twice)
    return tasks


def _task_nodes(root: yaml.Node | None, source: str) -> Sequence[yaml.Node]:
    if isinstance(root, yaml.MappingNode):
        if yaml_text.size(root) > yaml_text.MAX_NODES:
            raise TaskFileError(f"{source} holds more than {yaml_text.MAX_NODES:,} values.", field="file", value=source)
        held = {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}
        if set(held) == {"tasks"} and isinstance(held["tasks"], yaml.SequenceNode):
            return cast("Sequence[yaml.Node]", held["tasks"].value)
    raise TaskFileError(f"{source} has no list of tasks.", field="tasks", remedy="Begin the file with 'tasks:' and a list below it.")


def _read_task(node: yaml.Node, source: str) -> Task:
    line = node.start_mark.line + 1
    try:
        return Task.model_validate(yaml_text.construct(node))
    except (yaml.YAMLError, RecursionError) as error:
        raise TaskFileError(f"{source} is no YAML: {yaml_text.one_line(error)}", field="file", value=source) from error
    except ValidationError as error:
        wrong = InvalidInput.from_validation("task", error, Task.model_fields)
        said = "; ".join(str(problem) for problem in wrong.problems)
        raise TaskFileError(f"The task in line {line} of {source}: {said}", value=wrong.value, problems=wrong.problems) from error
