"""The JSON Schema of task files, for editors. It is generated from the model of a task."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.taskfile import DEFAULTED, Task


def task_file_schema() -> dict[str, Any]:
    """Return the schema of a task file.

    The yaml-language-server reads it from the line ``# yaml-language-server: $schema=tasks.schema.json``.
    """
    task = Task.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = task.pop("$defs", {})
    fields: dict[str, Any] = task["properties"]
    text = fields["schedule"]
    fields["schedule"] = {**text, "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    del fields["schedule"]["type"]
    task["oneOf"] = [{"required": ["function"]}, {"required": ["agentool_name"]}]
    defaults = {name: fields[name] for name in DEFAULTED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A task file of agentool",
        "type": "object",
        "required": ["tasks"],
        "additionalProperties": False,
        "properties": {
            "tasks": {"type": "array", "items": {"$ref": "#/$defs/Task"}, "description": "The tasks, each a job"},
            "defaults": {
                "type": "object",
                "properties": defaults,
                "additionalProperties": False,
                "description": "Fields of all tasks that say nothing of them",
            },
            "calendars": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
                "description": "Names for 'exclude' and 'only', and what they stand for",
            },
        },
        "patternProperties": {"^x-": {"description": "Whatever the file itself refers to by YAML's anchors"}},
        "$defs": {**definitions, "Task": task},
    }
