"""The JSON file of *Scheduler Daemon Implementation* as a task file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agentool import InvalidInput
from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.transfer import Translation, as_task_file, read_scheduler_tasks

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLEANUP = {
    "id": "daily_cleanup",
    "type": "custom",
    "status": "pending",
    "priority": "medium",
    "cron_expression": "0 3 * * *",
    "config": {"command": "cleanup.sh --deep"},
    "description": "Daily cleanup at 3 AM",
}


def translated(**fields: Any) -> Translation:
    """Translate the documented task with some fields changed."""
    task = {**CLEANUP, **fields}
    return read_scheduler_tasks(json.dumps({"tasks": {task["id"]: task}, "metadata": {"total_tasks": 1}}), now=NOW)


def test_the_documented_task_is_translated() -> None:
    """Schedule, command, priority and description are carried over."""
    assert translated().tasks == [
        {
            "name": "daily_cleanup",
            "type": "cron",
            "schedule": "0 3 * * *",
            "agentool_name": "shell",
            "input_data": {"operation": "run", "command": ["cleanup.sh", "--deep"]},
            "description": "Daily cleanup at 3 AM",
            "priority": "medium",
            "max_retries": 3,
            "retry_backoff": 1.0,
        }
    ]


@pytest.mark.parametrize(("given", "kept"), [(None, (3, 1.0)), (5, (5, 1.0)), (0, (None, None))])
def test_retries_are_those_of_the_source(given: int | None, kept: tuple[int | None, float | None]) -> None:
    """Three with growing pauses where a task says nothing; its own number, also none, where it does."""
    (task,) = translated(**({} if given is None else {"max_retries": given})).tasks
    assert (task.get("max_retries"), task.get("retry_backoff")) == kept


@pytest.mark.parametrize("command", ["echo '!ref:storage_kv:key'", "echo '!step:a.b'"])
def test_a_command_that_would_become_a_reference_is_refused(command: str) -> None:
    """The source has no references: the text meant itself."""
    assert "would be a reference" in translated(config={"command": command}).notes[0].told


@pytest.mark.parametrize("given", [-1, "three", True])
def test_retries_that_are_no_number_are_refused(given: object) -> None:
    """Nothing is guessed."""
    assert "max_retries" in translated(max_retries=given).notes[0].told


def test_a_task_that_comes_twice_is_refused() -> None:
    """The later one would replace the earlier one in silence."""
    with pytest.raises(InvalidInput, match="duplicate key 'a'"):
        read_scheduler_tasks('{"tasks": {"a": {}, "a": {}}}', now=NOW)


def test_a_letter_that_is_not_utf8_is_named() -> None:
    """The line is named; a byte order mark is no mistake."""
    text = '{"tasks": {\n"grüßen": {}}}'
    assert read_scheduler_tasks(text.encode("utf-8-sig"), now=NOW).notes[0].where == "grüßen"
    with pytest.raises(InvalidInput, match="line 2, byte 4 is 0xFC"):
        read_scheduler_tasks(text.encode("latin-1"), now=NOW)


def test_the_result_is_a_task_file() -> None:
    """What is printed is what `agentool serve` reads."""
    (task,) = read_tasks(as_task_file(translated(priority="CRITICAL", max_retries=3)))
    assert (task.priority, task.max_retries) == ("critical", 3)


def test_a_scheduled_time_is_a_single_run() -> None:
    """A task with a time instead of a crontab runs once."""
    (task,) = translated(cron_expression=None, scheduled_time="2030-01-01T09:00:00").tasks
    assert (task["type"], task["schedule"]) == ("once", "2030-01-01T09:00:00")


def test_a_task_without_a_time_runs_now() -> None:
    """Immediate is immediate."""
    assert translated(cron_expression=None).tasks[0]["schedule"] == "now"


def test_an_agentool_is_kept_as_it_is() -> None:
    """A config that names an AgenTool needs no translation."""
    (task,) = translated(config={"agentool_name": "metrics", "input_data": {"operation": "export"}}).tasks
    assert (task["agentool_name"], task["input_data"]) == ("metrics", {"operation": "export"})


@pytest.mark.parametrize("fields", [{"status": "cancelled"}, {"status": "completed", "cron_expression": None}])
def test_what_is_over_is_left_out(fields: dict[str, Any]) -> None:
    """A task that has no further run is mentioned and not carried over."""
    translation = translated(**fields)
    assert translation.is_complete
    assert not translation.tasks
    assert "has no further run" in translation.notes[0].told


def test_a_completed_recurring_task_goes_on() -> None:
    """The status of a recurring task is that of its latest run."""
    assert translated(status="completed").tasks


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"config": {"depth": 3}}, "holds depth, and no 'command'"),
        ({"config": None}, "no config"),
        ({"config": {"command": "a | b"}}, "'|'"),
        ({"cron_expression": "61 * * * *"}, "outside 0-59"),
        ({"cron_expression": None, "scheduled_time": "2020-01-01T00:00:00"}, "past"),
    ],
)
def test_what_has_no_equal_is_refused_with_its_id(fields: dict[str, Any], reason: str) -> None:
    """Each task that cannot be translated is named with the reason."""
    translation = translated(**fields)
    assert not translation.is_complete
    assert translation.notes[0].where == "daily_cleanup"
    assert reason in translation.notes[0].told


def test_a_task_that_is_no_object_is_refused() -> None:
    """A damaged entry stops no other."""
    text = json.dumps({"tasks": {"odd": 7, "daily_cleanup": CLEANUP}})
    translation = read_scheduler_tasks(text, now=NOW)
    assert len(translation.tasks) == len(translation.notes) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"tasks": []}'])
def test_another_file_is_refused(text: str) -> None:
    """A file without such tasks is no such file."""
    with pytest.raises(InvalidInput):
        read_scheduler_tasks(text, now=NOW)
