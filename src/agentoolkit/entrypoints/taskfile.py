"""Read task files: YAML to calls of the scheduler AgenTool.

Source of the format: *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML". A task names a ``function``, or any AgenTool
by ``agentool_name`` and ``input_data``, and may set every field of the scheduler's operation ``schedule``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, cast, get_args

import yaml
from pydantic import ConfigDict, PrivateAttr, TypeAdapter, ValidationError, model_validator

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit import yaml_text
from agentoolkit.entrypoints.task_paths import place_calendars, placed_below
from agentoolkit.entrypoints.taskfile_yaml import TaskFileError, construct, refusing_yaml, variables_in, without_variables
from agentoolkit.system.scheduler.job_fields import NEEDED, JobFields, Name, Schedules, Text
from agentoolkit.system.scheduler.named_calendars import Calendars, expanded
from agentoolkit.system.scheduler.schedules import Kind
from agentoolkit.text_files import decode_text

MAX_FILE_SIZE = 1_000_000
"""Bytes."""


_NAMES = {"job_name": "name", "schedule_type": "type"}
"""Fields of a job that have another name in a task file."""


_KEYS = ("tasks", "defaults", "calendars")
"""Keys at the top of a file."""
_NOTES = "x-"
"""Beginning of keys for the file's own values, to which it refers by YAML's anchors."""
DEFAULTED = sorted(JobFields.model_fields.keys() - {"job_name", "schedule", "schedule_type", "agentool_name", "input_data"})
"""Fields that a file may set for all of its tasks."""


class TasksRefused(TaskFileError):
    """Tasks of a file are refused. ``refusals`` has a sentence for each task, and ``advice`` lines with the way out."""

    def __init__(self, refusals: Sequence[str], advice: Sequence[str] = (), *, value: object = None) -> None:
        super().__init__(" ".join(refusals), value=value, remedy=" ".join(advice) or None)
        self.refusals = tuple(refusals)
        self.advice = tuple(advice)


class TaskPlace(NamedTuple):
    """The place of a task: its file, its name, and the first lines of the task and its fields."""

    source: str
    name: object
    line: int
    lines: Mapping[str, int]

    @classmethod
    def of_node(cls, source: str, node: yaml.Node) -> TaskPlace:
        """Read the place of a task from its node."""
        entries = cast("list[tuple[yaml.Node, yaml.Node]]", node.value) if isinstance(node, yaml.MappingNode) else []
        lines = {str(key.value): key.start_mark.line + 1 for key, _ in entries}
        name = next((value.value for key, value in entries if key.value == "name"), None)
        return cls(source, name, node.start_mark.line + 1, lines)

    def of(self, field: str) -> str:
        """Return the place of a field as text; the place of the task if the field is not set."""
        key = field.partition(".")[0]
        line = self.lines.get(_NAMES.get(key, key), self.line)
        return f"{self.source}, line {line}, task {excerpt(self.name)}" if self.name else f"{self.source}, line {line}"


class Task(JobFields):
    """One task of a file: the fields of a job, with a function as an alternative to an AgenTool."""

    model_config = ConfigDict(extra="forbid", alias_generator=lambda field: _NAMES.get(field, field))

    _place: TaskPlace | None = PrivateAttr(None)
    _variables: Mapping[str, str] = PrivateAttr(default_factory=dict)

    # A task must have these two.
    job_name: Name  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    schedule: Schedules  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    enabled: bool = True
    function: Text | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The job's unique name."""
        return self.job_name

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.function is None) == (self.agentool_name is None):
            raise ValueError("give either 'function' or 'agentool_name'")
        if self.function is None and (self.args is not None or self.kwargs is not None):
            raise ValueError("'args' and 'kwargs' belong to 'function'; an AgenTool takes 'input_data'")
        return self

    def refusal(self, error: Exception) -> str:
        """Return a sentence with the reason of a refusal; with file and line if the task comes from a file."""
        if self._place is None:
            return f"Task {self.name!r} is refused: {error}"
        return f"{self._place.of(str(getattr(error, 'field', '')))}: {self.shown(str(error))}"

    def placed_in(self, place: TaskPlace, variables: Mapping[str, str]) -> Self:
        """Set the task's place, and the names of the file's variables by their values."""
        self._place, self._variables = place, variables
        return self

    def shown(self, value: Any) -> Any:
        """Return a value or a message of the task with the names of variables instead of their values."""
        return without_variables(value, self._variables)

    def scheduler_input(self) -> dict[str, Any]:
        """Return the call of the scheduler AgenTool that schedules this task."""
        if self.function is None:
            target: dict[str, Any] = {"agentool_name": self.agentool_name, "input_data": self.input_data or {}}
        else:
            arguments = {name: given for name, given in (("args", self.args), ("kwargs", self.kwargs)) if given}
            call = {"operation": "call", "function": self.function, **arguments}
            target = {"agentool_name": "function", "input_data": call}
        return {"operation": "schedule", **self.given(), **target}


def load_tasks(path: Path) -> Sequence[Task]:
    """Read a task file.

    Raises:
        TaskFileError: The file is missing, too large or not YAML, or a task is wrong; the message has the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise TaskFileError(f"{path} cannot be read: {error.strerror}.", field="file", value=str(path)) from error
    if len(content) > MAX_FILE_SIZE:
        raise TaskFileError(f"{path} is larger than {MAX_FILE_SIZE:,} bytes.", field="file", value=str(path))
    try:
        text = decode_text(content, str(path))
    except InvalidInput as error:
        raise TaskFileError(error.problem, field="file", value=str(path), remedy=error.remedy) from error
    folder = path.resolve().parent
    tasks = read_tasks(text, str(path), folder)
    if folder != Path.cwd():
        for task in tasks:
            call: dict[str, Any] = {"agentool_name": task.agentool_name, "input_data": task.input_data}
            task.input_data, task.gate = placed_below(folder, call)["input_data"], placed_below(folder, task.gate)
    return tasks


def read_tasks(text: str, source: str = "tasks.yaml", folder: Path = Path()) -> Sequence[Task]:
    """Read tasks from YAML text.

    Args:
        text: The content of a task file.
        source: The name of the file in messages.
        folder: Start of the relative paths of calendars; by default the working folder.

    Raises:
        TaskFileError: The text has no list of tasks.
        TasksRefused: Several tasks are wrong; the message names all of them, with their lines.
    """
    with refusing_yaml(text, source):
        nodes, defaults, calendars = _file_parts(yaml_text.compose(text), source)
    calendars = place_calendars(folder, calendars)
    variables = variables_in(text)
    tasks: list[Task] = []
    refusals: list[TaskFileError] = []
    for node in nodes:
        try:
            with refusing_yaml(text, source):
                tasks.append(_read_task(node, defaults, calendars, source, variables))
        except TaskFileError as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise TasksRefused([str(error) for error in refusals])
    names = Counter(task.name for task in tasks)
    if duplicate := next((name for name, times in names.items() if times > 1), None):
        where = " and ".join(str(node.start_mark.line + 1) for node, task in zip(nodes, tasks, strict=True) if task.name == duplicate)
        raise TaskFileError(f"{source} has two tasks named {duplicate!r}, in lines {where}.", field="name", value=duplicate)
    return tasks


def _file_parts(root: yaml.Node | None, source: str) -> tuple[Sequence[yaml.Node], dict[str, Any], Calendars]:
    """Return the nodes of a file's tasks, the default fields, and the calendars by name."""
    if not isinstance(root, yaml.MappingNode):
        raise TaskFileError(f"{source} has no list of tasks.", field="tasks", remedy="Begin the file with 'tasks:' and a list below it.")
    if yaml_text.size(root) > yaml_text.MAX_NODES:
        raise TaskFileError(f"{source} holds more than {yaml_text.MAX_NODES:,} values.", field="file", value=source)
    held: dict[str, tuple[int, yaml.Node]] = {}
    for key, value in root.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in held:
            lines = f"lines {held[name][0]} and {line}"
            raise TaskFileError(f"{source} has {name!r} twice, in {lines}.", field=name, value=name, remedy="Make one list of them.")
        if name.startswith(_NOTES):
            continue
        if name not in _KEYS:
            remedy = did_you_mean(name, _KEYS)
            raise TaskFileError(f"{source} has an unknown key {excerpt(name)} in line {line}.", field=name, value=name, remedy=remedy)
        held[name] = line, value
    tasks = held["tasks"][1] if "tasks" in held else None
    if not isinstance(tasks, yaml.SequenceNode):
        remedy = "Begin the file with 'tasks:' and a list below it."
        raise TaskFileError(f"{source} has no list of tasks.", field="tasks", remedy=remedy)
    calendars: Calendars = {}
    if "calendars" in held:
        try:
            calendars = TypeAdapter(dict[str, list[str]]).validate_python(construct(held["calendars"][1]))
        except ValidationError as error:
            remedy = 'Write e.g. \'calendars: {closed: ["holidays:DE", "2026-12-24"]}\'.'
            raise TaskFileError(f"{source} has calendars that are not lists of texts.", field="calendars", remedy=remedy) from error
    defaults = _read_defaults(*held["defaults"], source) if "defaults" in held else {}
    return cast("Sequence[yaml.Node]", tasks.value), defaults, calendars


def _read_defaults(line: int, node: yaml.Node, source: str) -> dict[str, Any]:
    """Read the default fields of all tasks. Fields that identify one task are refused."""
    fields = construct(node)
    if not isinstance(fields, dict):
        problem = f"'defaults' in line {line} of {source} has no fields."
        raise TaskFileError(problem, field="defaults", value=fields, remedy="Write fields below it, such as 'max_retries: 3'.")
    found = cast("dict[str, Any]", fields)
    if wrong := next((name for name in found if name not in DEFAULTED), None):
        problem = f"'defaults' in line {line} of {source} has a field that is not for all tasks: {excerpt(wrong)}."
        raise TaskFileError(problem, field="defaults", value=wrong, remedy=did_you_mean(str(wrong), DEFAULTED))
    return found


def _with_defaults(fields: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return a task's fields with those of all tasks, as far as these do anything in it."""
    merged = {**defaults, **fields}
    idle = [name for name in defaults.keys() & NEEDED.keys() - fields.keys() if not any(merged.get(other) for other in NEEDED[name])]
    return {name: value for name, value in merged.items() if name not in idle}


def _read_task(node: yaml.Node, defaults: dict[str, Any], calendars: Calendars, source: str, variables: Mapping[str, str]) -> Task:
    """Read a task. Names of the file's calendars are replaced by their entries; other names belong to the settings."""
    place, fields = TaskPlace.of_node(source, node), construct(node)
    if isinstance(fields, dict):
        fields = _with_defaults(cast("dict[str, Any]", fields), defaults)
    kind: object = cast("dict[str, Any]", fields).get("type") if isinstance(fields, dict) else None
    if isinstance(kind, str) and kind not in get_args(Kind):  # often a task's type, as in sequences
        problem = f"{place.of('type')}: type: {excerpt(kind)} is not a kind of schedule: {', '.join(get_args(Kind))}."
        remedy = "It may be left out; what a task calls is its 'agentool_name' with 'input_data', or its 'function'."
        raise TaskFileError(problem, field="type", value=kind, remedy=remedy)
    try:
        task = Task.model_validate(fields).placed_in(place, variables)
    except ValidationError as error:
        wrong = InvalidInput.from_validation("task", error, {_NAMES.get(name, name): field for name, field in Task.model_fields.items()})
        problem = "; ".join(str(each) for each in wrong.problems)
        where = place.of(wrong.problems[0].field or "") if wrong.problems else place.of("")
        raise TaskFileError(f"{where}: {without_variables(problem, variables)}", value=wrong.value, problems=wrong.problems) from error
    if surrogate := re.search("[\ud800-\udfff]", json.dumps(task.model_dump(), ensure_ascii=False, default=str)):
        problem = f"{place.of('')}: it holds a lone surrogate, {surrogate[0]!a}."
        raise TaskFileError(problem, field="tasks", value=task.name, remedy="Write the whole character.")
    for field in ("exclude", "only"):
        texts: list[str] | None = getattr(task, field)
        if texts is not None:
            own = [expanded([text], calendars, field) if text in calendars else [text] for text in texts]
            setattr(task, field, [entry for entries in own for entry in entries])
    return task
