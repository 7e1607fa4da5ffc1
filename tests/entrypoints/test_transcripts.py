"""Each command line of *Nagatha Assistant Task Scheduler*, its module's name adapted, typed into a terminal."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from .conftest import Cli
from .terminal import typed

SCHEDULER = "python -m agentool scheduler"
SERVER = Path(__file__).parents[1] / "actions" / "time_server.py"
TIME = json.dumps({"time": {"command": sys.executable, "args": [str(SERVER)]}})


def scheduled_id(text: str) -> str:
    found = re.search(r"Scheduled (\S+)", text)
    assert found, text
    return found[1]


def test_a_notification_in_five_minutes(cli: Cli) -> None:
    """*Schedule a notification*: it is due in five minutes, says so, and carries the message."""
    shown = typed(f'{SCHEDULER} schedule notification "in 5 minutes" --message "Hello from scheduler!"')
    assert (shown.code, "in 5 minutes" in shown.text) == (0, True)
    about = cli.data("info", scheduled_id(shown.text))["info"]
    assert (about["agentool_name"], about["input_data"]) == ("notification", {"operation": "send", "message": "Hello from scheduler!"})


def test_a_recurring_daily_reminder(cli: Cli) -> None:
    """*Schedule a recurring daily reminder*: crontab text, read back in words."""
    shown = typed(f'{SCHEDULER} schedule notification "0 9 * * *" --message "Daily standup time!"')
    assert (shown.code, "every day at 09:00" in shown.text) == (0, True)
    assert cli.data("info", scheduled_id(shown.text))["info"]["schedule"] == "0 9 * * *"


def test_a_call_of_an_mcp_tool(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """*Schedule an MCP tool call*: tomorrow at 2pm, on a server that is configured."""
    monkeypatch.setenv("AGENTOOL_MCP_SERVERS", TIME)
    shown = typed(f'{SCHEDULER} schedule mcp_tool "tomorrow at 2pm" --server-name time --tool-name get_current_time')
    assert (shown.code, "at 14:00" in shown.text) == (0, True)
    called = cli.data("info", scheduled_id(shown.text))["info"]["input_data"]
    assert called == {"operation": "call", "server_name": "time", "tool_name": "get_current_time"}


def test_a_server_that_nobody_configured_is_named() -> None:
    """Without the server, one line names the setting that is missing."""
    shown = typed(f'{SCHEDULER} schedule mcp_tool "tomorrow at 2pm" --server-name time --tool-name get_current_time')
    assert (shown.code, "No MCP server is named 'time'" in shown.text, "AGENTOOL_MCP_SERVERS" in shown.text) == (2, True, True)


def test_list_all_scheduled_tasks(cli: Cli) -> None:
    """*List all scheduled tasks*: each is a line."""
    cli.greeting("first")
    cli.greeting("second")
    shown = typed(f"{SCHEDULER} list")
    assert [line.split()[:2] for line in shown.text.splitlines()[1:]] == [["first", "scheduled"], ["second", "scheduled"]]


def test_show_detailed_task_information(cli: Cli) -> None:
    """*Show detailed task information*: what it calls, when, and where it stands."""
    cli.greeting("first")
    shown = typed(f"{SCHEDULER} info first")
    assert (shown.code, "1 hour" in shown.text, "chores:greet" in shown.text, "scheduled" in shown.text) == (0, True, True, True)


def test_cancel_a_task(cli: Cli) -> None:
    """*Cancel a task*: it is not listed any more, and stays readable as cancelled."""
    cli.greeting("first")
    shown = typed(f"{SCHEDULER} cancel first && {SCHEDULER} list && echo END && {SCHEDULER} list --status cancelled")
    listed, cancelled = shown.text.split("END")
    assert (shown.code, "first  " in listed, "first  " in cancelled) == (0, False, True)


def test_list_tasks_by_status(cli: Cli) -> None:
    """*List tasks by status*: scheduled ones, and those whose latest execution failed, also of a task that is over."""
    cli.greeting("fine")
    cli("schedule", "wrong", "in 1 hour", "function", "operation=call", "function=chores:fail", "--allow", "chores")
    cli("run", "wrong", "--allow", "chores", code=1)
    scheduled, failed = typed(f"{SCHEDULER} list --status scheduled; echo END; {SCHEDULER} list --status failed").text.split("END")
    assert ("fine" in scheduled, "wrong" in scheduled, "fine" in failed, "wrong" in failed) == (True, True, False, True)


def test_debug_mode() -> None:
    """*Debug Mode*: with LOG_LEVEL=DEBUG a command tells which database it visits and what it asks, with times."""
    shown = typed(f"export LOG_LEVEL=DEBUG; {SCHEDULER} list")
    assert re.search(r"DEBUG .*visiting .*agentool\.db", shown.text)
    assert re.search(r"DEBUG .*scheduler list .* answered in [\d.]+ ms", shown.text)


TYPES = {
    "shell": ("--command 'df -h'", "shell", {"operation": "run", "command": "df -h"}),
    "plugin": ("--plugin-name queue --command-name list_queues", "queue", {"operation": "list_queues"}),
    "function": ("--function chores:greet --allow chores", "function", {"operation": "call", "function": "chores:greet"}),
    "http": ("--url https://example.org/", "http", {"operation": "request", "url": "https://example.org/"}),
    "sequence": (
        """--task-definitions '[{"type": "notification", "args": {"message": "Hi"}}]'""",
        "sequence",
        {"operation": "run", "task_definitions": [{"type": "notification", "args": {"message": "Hi"}}]},
    ),
}


@pytest.mark.parametrize("name", TYPES)
def test_the_other_types(cli: Cli, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task type is a command with options of its own, and takes those of every job."""
    monkeypatch.setenv("AGENTOOL_PROGRAMS", "df")
    options, tool, called = TYPES[name]
    shown = typed(f"{SCHEDULER} schedule {name} 'every hour' --name task --max-retries 3 --tag nightly {options}")
    assert shown.code == 0, shown.text
    about = cli.data("info", "task")["info"]
    assert (about["agentool_name"], about["input_data"], about["max_retries"], about["tags"]) == (tool, called, 3, ["nightly"])


def test_a_missing_argument_is_named() -> None:
    """What a type needs is an option that is missing, in one line."""
    shown = typed(f"{SCHEDULER} schedule notification 'in 5 minutes'")
    assert (shown.code, "Missing option '--message'" in shown.text, shown.text.count("\n")) == (2, True, 1)


def test_colours_only_where_they_are_wanted(cli: Cli) -> None:
    """A terminal shows colours, NO_COLOR takes them away, and a pipe has whole names and none."""
    name = "a-name-that-is-longer-than-any-column-of-a-narrow-terminal"
    cli.greeting(name)
    coloured, plain = typed("agentool list; echo END; NO_COLOR=1 agentool list").raw.split("END")
    assert ("\x1b[" in coloured, "\x1b[" in plain) == (True, False)
    piped = typed("agentool list | cat", columns=60).raw
    assert (name in piped, "\x1b[" in piped) == (True, False)
