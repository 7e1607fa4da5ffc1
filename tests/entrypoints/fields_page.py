"""The page of a job's fields, made from the fields themselves."""

from __future__ import annotations

import json

from tests.docs.cells import cell, default, taken

from agentool.describe import FieldDescription, describe_fields
from agentoolkit.entrypoints.cli.field_options import flag_of
from agentoolkit.entrypoints.taskfile import Task
from agentoolkit.system.scheduler.job_fields import JobFields

_HEAD = """\
# The fields of a job

Made from the program by `REGENERATE_DOCS=1 pytest tests/entrypoints/test_reference.py`; what is edited here by hand is lost.

Each is declared once, in `agentoolkit.system.scheduler.job_fields`; the operation `schedule`, task files, the command line, the
API, the pages and the tools of models take it from there. What is left out, or `null`, was not given.
[The scheduler](../agentoolkits/scheduler.md) says what they do, and [schedules](schedules.md) what can be written for `schedule`.

| field | what it takes | default | |
|---|---|---|---|
"""
_BESIDE = """
## Other names

Task files and the command line call some of them otherwise. A task file takes `function`, `args` and `kwargs` in the place of
`agentool_name` and `input_data`, and `enabled: false` for a task that is to stand still; the API says `task_id` for a job's id.

| field | in a task file | on the command line |
|---|---|---|
"""


def page() -> str:
    """Return the page."""
    fields = describe_fields(JobFields)
    named = {name: about.alias or name for name, about in Task.model_fields.items()}
    rows = [f"| `{field.name}` | {taken(field)} | {default(field)} | {cell(field.description)}. {_example(field)} |" for field in fields]
    others = [f"| `{field.name}` | `{named[field.name]}` | {_flag(field.name)} |" for field in fields]
    return _HEAD + "\n".join(rows) + "\n" + _BESIDE + "\n".join(others) + "\n"


def _flag(name: str) -> str:
    by_place = {"agentool_name": "`TOOL`", "input_data": "`KEY=VALUE`, `--input`", "job_name": "`NAME`, `--name`", "schedule": "`WHEN`"}
    return by_place.get(name) or f"`{flag_of(name)}`"


def _example(field: FieldDescription) -> str:
    examples = field.schema.get("examples")
    return f"Example: `{cell(json.dumps(examples[0], ensure_ascii=False))}`." if examples else ""
