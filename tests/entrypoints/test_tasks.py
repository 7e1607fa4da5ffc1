"""`agentool tasks`: what a file would do, what it does, what it leaves behind, and its schema for editors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agentoolkit.entrypoints.taskfile_schema import task_file_schema
from agentoolkit.system.scheduler.job_fields import JobFields

from .conftest import Cli, Server

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "tasks.schema.json"
FIRST = "- {name: first, schedule: 1 hour, function: 'chores:greet'}\n"
SECOND = "- {name: second, schedule: every day at 9am, function: 'chores:greet'}\n"
KEPT = """\
- name: first
  schedule: 1 hour
  description: as usual
  agentool_name: storage_kv
  input_data: {operation: set, namespace: mine, key: mine, value: {password: hush}}
"""
DOCUMENTED = """
tasks:
  - name: process_pending_emails
    description: Process pending emails every 5 minutes
    enabled: true
    type: interval
    schedule: "5 minutes"
    function: "app.services.email_service:process_pending_emails_task"
    kwargs:
      batch_size: 10

  - name: daily_report
    description: Generate daily report at 9 AM
    enabled: true
    type: cron
    schedule: "0 9 * * *"
    function: "app.services.report_service:generate_report_task"
"""
"""The file of *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML", as printed."""


def tasks(*lines: str) -> None:
    Path("tasks.yaml").write_text("tasks:\n" + "".join(lines))


def plan(cli: Cli, *words: str, code: int = 2) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(cli("tasks", "plan", "tasks.yaml", "--allow", "chores", "--json", *words, code=code).stdout)
    return read


def apply(cli: Cli, *words: str) -> str:
    return cli("tasks", "apply", "tasks.yaml", "--allow", "chores", *words).stdout


def test_a_plan_does_nothing(cli: Cli) -> None:
    """It says what would be added, ends with 2, and adds nothing."""
    tasks(FIRST, SECOND)
    output = cli("tasks", "plan", "tasks.yaml", "--allow", "chores", code=2).stdout
    assert (output.count("+ "), "2 to add, 0 to change, 0 to cancel, 0 as they are." in output) == (2, True)
    assert cli.data("list")["count"] == 0


def test_nothing_to_do_ends_with_0(cli: Cli) -> None:
    """After it was applied a file has no difference, and a second time changes nothing."""
    tasks(FIRST, SECOND)
    assert apply(cli).count(" new ") == 2
    assert [step["action"] for step in plan(cli, code=0)] == ["keep", "keep"]
    assert apply(cli).count(" kept ") == 2


def test_a_plan_names_what_changes(cli: Cli) -> None:
    """Each field with what is there and what would be; a field that is left out goes back to its default."""
    tasks(FIRST.replace("}", ", max_retries: 3}"))
    apply(cli)
    tasks(FIRST.replace("1 hour", "2 hours").replace("}", ", timeout: 5, enabled: false}"))
    (step,) = plan(cli)
    assert step["changes"] == {"schedule": ["1 hour", "2 hours"], "timeout": [None, 5.0], "max_retries": [3, 0], "enabled": [True, False]}


@pytest.mark.parametrize("enabled", ["false", "true"])
def test_a_switched_task_is_changed(cli: Cli, enabled: str) -> None:
    """A plan says that a task is switched off, or on again, and what applies it says that it has changed."""
    tasks(FIRST)
    apply(cli)
    if enabled == "true":
        tasks(FIRST.replace("}", ", enabled: false}"))
        apply(cli)
    tasks(FIRST.replace("}", f", enabled: {enabled}}}"))
    (step,) = plan(cli)
    assert (step["action"], step["changes"]) == ("change", {"enabled": [enabled == "false", enabled == "true"]})
    assert apply(cli).count(" changed ") == 1
    assert plan(cli, code=0)[0]["action"] == "keep"


def test_a_plan_refuses_a_circle(cli: Cli) -> None:
    """Tasks that come after each other are refused before they are applied, as they are then."""
    tasks(FIRST.replace("1 hour", "after second"), SECOND.replace("every day at 9am", "after first"))
    said = [cli("tasks", verb, "tasks.yaml", "--allow", "chores", code=2).stderr for verb in ("plan", "apply")]
    assert said[0] == said[1]
    assert "come after each other" in said[0]


def test_a_plan_is_refused_as_a_file_is(cli: Cli) -> None:
    """All tasks that cannot be scheduled are named with the file, the line and the field."""
    tasks(FIRST, SECOND.replace("every", "evry"))
    assert "tasks.yaml, line 3, task 'second': schedule: " in cli("tasks", "plan", "tasks.yaml", "--allow", "chores", code=2).stderr


def test_a_plan_shows_no_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable holds goes by the variable's name, what was there before by none, and what has a secret's name is hidden."""
    monkeypatch.setenv("MINE", "hunter2hunter2")
    named = KEPT.replace("as usual", "!env MINE")
    tasks(named)
    apply(cli)
    monkeypatch.setenv("MINE", "swordfish9swordfish9")
    tasks(named.replace("hush", "quiet"))
    for words in ((), ("--json",)):
        said = cli("tasks", "plan", "tasks.yaml", "--allow", "chores", *words, code=2).stdout
        assert ("!env MINE" in said, "[redacted]" in said) == (True, True)
        assert not [word for word in ("hunter2", "swordfish9", "hush", "quiet") if word in said]


@pytest.mark.parametrize("field", ["max_retries", "timezone", "max_retries_of_default"])
def test_a_refusal_names_the_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """Not what it holds, whether the file's reader refuses it or the scheduler."""
    monkeypatch.setenv("MINE", "hunter2" * 20)
    tasks(FIRST.replace("}", f", {field}: !env MINE}}") if "default" not in field else FIRST + "defaults: {max_retries: !env MINE}\n")
    said = cli("tasks", "plan", "tasks.yaml", "--allow", "chores", code=2).stderr
    assert ("!env MINE" in said, "hunter2" in said) == (True, False)


def test_info_shows_no_secret(cli: Cli) -> None:
    """What has a secret's name is hidden, as in the history of changes."""
    tasks(KEPT)
    apply(cli)
    said = cli("info", "first").stdout
    assert ("[redacted]" in said, "hush" in said) == (True, False)


def test_only_prune_cancels(cli: Cli) -> None:
    """A job whose task is gone stays until `--prune`; jobs that the file never made stay for good."""
    cli.greeting("other")
    tasks(FIRST, SECOND)
    apply(cli)
    tasks(FIRST)
    assert plan(cli, code=0)[1:] == []
    assert "second kept: not in tasks.yaml any more; --prune cancels it" in apply(cli)
    assert [(step["action"], step["job_id"]) for step in plan(cli, "--prune")] == [("keep", "first"), ("cancel", "second")]
    assert "second cancelled" in apply(cli, "--prune")
    assert {job["job_id"] for job in cli.data("list")["jobs"]} == {"first", "other"}
    assert [step["action"] for step in plan(cli, "--prune", code=0)] == ["keep"]


def test_the_documented_file_fits_the_schema() -> None:
    """And so does one with all that is ours; the schema is one itself."""
    schema = task_file_schema()
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    ours = {"x-note": 1, "defaults": {"max_retries": 3}, "calendars": {"closed": ["weekends"]}, "tasks": []}
    everything = {name: field.examples[0] for name, field in JobFields.model_fields.items() if field.examples}
    named = {"name": everything.pop("job_name"), "type": everything.pop("schedule_type"), **everything}
    for document in (yaml.safe_load(DOCUMENTED), ours, {"tasks": [named]}, {"tasks": [{**named, "schedule": ["1 hour", "2 hours"]}]}):
        assert list(check.iter_errors(document)) == []


@pytest.mark.parametrize(
    "wrong", [{"colour": "red"}, {"max_retries": -1}, {"agentool_name": "shell"}, {"overlap": "maybe"}, {"schedule": 5}]
)
def test_what_a_file_may_not_have_does_not_fit(wrong: dict[str, Any]) -> None:
    """Unknown fields, values out of range, and two targets at once."""
    task = {"name": "a", "schedule": "1 hour", "function": "a:b", **wrong}
    assert not Draft202012Validator(task_file_schema()).is_valid({"tasks": [task]})


def test_the_published_schema_is_up_to_date(cli: Cli) -> None:
    """docs/reference/tasks.schema.json is what `agentool tasks schema` prints; REGENERATE_DOCS=1 writes it anew."""
    printed = cli("tasks", "schema").stdout
    if os.environ.get("REGENERATE_DOCS"):
        SCHEMA.write_text(printed)
    assert SCHEMA.read_text() == printed


def test_serve_watches_its_file(start: Callable[..., Server], cli: Cli) -> None:
    """A file that is saved is applied within a second; one that is refused leaves the tasks as they were."""
    server = start("tasks:\n" + FIRST)
    server.wait_for("Ctrl-C ends it.")
    tasks(FIRST.replace("1 hour", "2 hours"), SECOND)
    assert "tasks.yaml was saved: 2 tasks new or changed." in server.wait_for("every day at 09:00")
    tasks("- {name: first, schedule: evry hour, function: 'chores:greet'}\n")
    assert "line 2, task 'first'" in server.wait_for("was saved and is refused")
    server.stop()
    assert [job["schedule"] for job in cli.data("list")["jobs"]] == ["2 hours", "0 9 * * *"]


def test_a_saved_file_leaves_alone_what_it_says_as_before(start: Callable[..., Server], cli: Cli) -> None:
    """A task that was cancelled or changed by hand stays so, whatever else in the file is changed."""
    server = start("tasks:\n" + FIRST)
    server.wait_for("Ctrl-C ends it.")
    cli("cancel", "first")
    tasks("# a note\n" + FIRST, SECOND)
    assert "tasks.yaml was saved: 1 task new or changed." in server.wait_for("every day at 09:00")
    server.stop()
    assert [job["schedule"] for job in cli.data("list")["jobs"]] == ["0 9 * * *"]
