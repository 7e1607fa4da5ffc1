"""The client in the words of *Nagatha Assistant Task Scheduler*: its examples as written, and every task type for real."""

from __future__ import annotations

import ast
import inspect
import logging
import re
import sys
import threading
from pathlib import Path

import pytest
from celery import Celery

from agentool import ConfigurationError, Injector, InvalidInput
from agentoolkit.actions.mcp_servers import McpServer
from agentoolkit.actions.simple_plugin import SimplePlugin, use_plugin
from agentoolkit.actions.task_functions import AVAILABLE_TASKS, task_type
from agentoolkit.actions.task_types import register_task_type
from agentoolkit.client import SchedulerClient, get_scheduler
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import create_scheduler_agent
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.testing import toolkit
from agentoolkit.wiring import Toolkit

from .conftest import START, create_note
from .waiting import history

FOLDER = Path(__file__).parent
ORIGINS = FOLDER.parents[1] / "docs" / "explanation" / "origins.md"
PAGE = (FOLDER / "assistant_examples.txt").read_text()
EXAMPLES = dict(re.findall(r"## (.+?)\n\n```python\n(.+?)```", PAGE, flags=re.DOTALL))


def touch(path: str) -> str:
    """Leave a trace."""
    Path(path).write_text("touched")
    return "touched"


@pytest.fixture
async def kit(tmp_path):
    """A toolkit that may run a script and a function, and knows an MCP server."""
    script = tmp_path / "backup.sh"
    script.write_text(f"#!/bin/sh\necho saved >> {tmp_path}/saved\n")
    script.chmod(0o755)
    server = McpServer(command=sys.executable, args=(str(FOLDER / "time_server.py"),))
    settings = Settings(timezone="UTC", programs=(str(script),), mcp_servers={"time": server}, functions=(touch.__module__,))
    async with toolkit(START, settings) as kit:
        yield kit


@pytest.fixture
def notes(kit):
    return create_note(kit.injector)


@pytest.fixture
def scheduler(kit):
    return get_scheduler(kit.injector)


def our_imports(code: str) -> str:
    """Return an example that imports what the page of origins says: names of ours in the place of the document's."""
    for theirs, ours in re.findall(r"^\| `(from [^`]+)` \| `(from [^`]+)` \|$", ORIGINS.read_text(), flags=re.MULTILINE):
        code = code.replace(theirs, ours)
    return code


@pytest.fixture
def run(kit):
    """Runs an example, in one namespace with those before it."""
    names = {}

    async def run(title, before="", **given):
        names.update(given)
        code = compile(f"{before}\n{our_imports(EXAMPLES[title])}", title, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.isawaitable(done := eval(code, names)):
            await done
        return names

    return run


# The examples, and the imports that a reader of the document has made before

BUS = "from agentoolkit.system.events import get_event_bus\nevent_bus = get_event_bus()"
SCHEDULER = "from agentoolkit.client import get_scheduler\nscheduler = get_scheduler()"
TASK_IMPORTS = """
from typing import Any, Dict
from celery import Task as NagathaTask
from agentoolkit.actions.task_functions import AVAILABLE_TASKS, task_type
from agentoolkit.entrypoints.celery_app import app
"""


async def test_basic_usage(kit, run, caplog):
    """A notification is sent after half an hour, and the cancelled task never runs."""
    names = await run("Basic Usage")
    with caplog.at_level(logging.INFO, "agentoolkit.notifications"):
        await kit.advance(days=1)
    assert "Meeting reminder" in caplog.text
    task = await names["scheduler"].get_task(names["task_id"])
    assert (task["info"]["state"], task["recent_history"]) == ("cancelled", [])


async def test_plugin_integration(kit, run):
    """A plugin schedules a command of its own, which runs at two in the night."""
    names = await run("Plugin Integration")
    cleaned = []

    class Cleaning(names["MyPlugin"]):
        name = "my_plugin"

        async def daily_cleanup(self) -> None:
            cleaned.append(self.name)

    await use_plugin(Cleaning())
    await kit.advance(hours=2)
    assert cleaned == ["my_plugin"]
    assert [task["job_name"] for task in await get_scheduler().list_tasks()] == ["Daily Cleanup"]


async def test_event_handling_and_monitoring(kit, run, notes, scheduler, capsys):
    """Handlers of one event, and of all, are told the task's id."""
    seen = []
    await run("Event Handling")
    await run("Event Monitoring", before=BUS, your_monitoring_handler=seen.append)
    task_id = await scheduler.schedule_plugin_command("note", "take", {}, "in 1 minute")
    await kit.advance(minutes=1)
    assert capsys.readouterr().out == f"Task {task_id} completed successfully!\n"
    assert [event.type for event in seen] == ["scheduler.task.scheduled", "scheduler.task.started", "scheduler.task.success"]


async def test_task_dependencies(kit, run, caplog, tmp_path):
    """Three tasks run one after the other as one execution, the script for real."""
    await run("Task Dependencies", before=SCHEDULER)
    with caplog.at_level(logging.INFO, "agentoolkit.notifications"):
        await kit.advance(hours=2)
        (task,) = await get_scheduler(kit.injector).list_tasks()
        (execution,) = await history(kit, task["task_id"])
    assert [step["status"] for step in execution["result"]["steps"]] == ["success"] * 3
    assert [record.getMessage() for record in caplog.records] == ["Starting backup", "Backup complete"]
    assert (tmp_path / "saved").read_text() == "saved\n"


async def test_custom_task_types(kit, run):
    """A task type of one's own can be scheduled by its name."""
    await run("Custom Task Types", before=TASK_IMPORTS)
    task_id = await get_scheduler().schedule_task("my_custom", {"custom_arg": "a"}, "in 1 minute")
    await kit.advance(minutes=1)
    assert [execution["status"] for execution in await history(kit, task_id)] == ["success"]


# Each task type, by crontab, by words and by ISO 8601


def step(value):
    return {"agentool_name": "note", "input_data": {"operation": "take", "value": value}}


TASKS = {
    "notification": ({"message": "Hello", "targets": ["event"]}, lambda seen: seen["told"] == ["Hello"]),
    "shell_command": ({"command": "backup.sh"}, lambda seen: (seen["folder"] / "saved").read_text() == "saved\n"),
    "mcp_tool": ({"server_name": "time", "tool_name": "say", "arguments": {"text": "hi"}}, lambda seen: seen["result"]["text"] == "hi"),
    "plugin_command": ({"plugin_name": "note", "command_name": "take", "arguments": {"value": 1}}, lambda seen: seen["notes"] == [1]),
    "agentool": (step(2), lambda seen: seen["notes"] == [2]),
    "sequence": ({"steps": [step(3), step(4)]}, lambda seen: seen["notes"] == [3, 4]),
    "function": ({"function": f"{touch.__module__}:touch"}, lambda seen: (seen["folder"] / "touched").exists()),
}


WHEN = {"cron": ("0 9 * * *", 9), "words": ("in 30 minutes", 0.5), "iso": ("2030-01-01T14:30:00Z", 14.5)}


@pytest.mark.parametrize(("spec", "hours"), WHEN.values(), ids=WHEN)
@pytest.mark.parametrize("task_type", TASKS)
async def test_a_task_of_each_type_has_its_effect(kit, scheduler, notes, tmp_path, task_type, spec, hours):
    """A task of this type, however its time is written, is run once and does what it is for."""
    args, happened = TASKS[task_type]
    if task_type == "function":
        args = {**args, "args": [str(tmp_path / "touched")]}
    told = []
    kit.injector.get("notification").deps.subscribe(lambda said: told.append(said.message))
    task_id = await scheduler.schedule_task(task_type, args, spec)
    await kit.advance(hours=hours)
    (execution,) = await history(kit, task_id)
    assert execution["status"] == "success"
    assert happened({"told": told, "folder": tmp_path, "notes": notes.taken, "result": execution["result"]})


# The rest of the client


@pytest.mark.parametrize(
    ("spec", "due"),
    [
        ("in 30 minutes", "2030-01-01T00:30:00+00:00"),
        ("in 2 hours", "2030-01-01T02:00:00+00:00"),
        ("tomorrow", "2030-01-02T00:00:00+00:00"),
        ("next week", "2030-01-08T00:00:00+00:00"),
        ("at 14:30", "2030-01-01T14:30:00+00:00"),
        ("0 9 * * *", "2030-01-01T09:00:00+00:00"),
        ("*/5 * * * *", "2030-01-01T00:00:00+00:00"),
        ("0 0 * * 0", "2030-01-06T00:00:00+00:00"),
        ("0 12 1 * *", "2030-01-01T12:00:00+00:00"),
        ("0 9 * * 1-5", "2030-01-01T09:00:00+00:00"),
    ],
)
async def test_a_documented_spec_means_what_is_documented(scheduler, notes, spec, due):
    """Every time that the document writes is read as it says."""
    task_id = await scheduler.schedule_plugin_command("note", "take", {}, spec)
    assert (await scheduler.get_task(task_id))["next_run"] == due


async def test_tasks_are_listed_by_their_status(kit, scheduler, notes):
    """Tasks can be listed by their own state, and by how their executions ended."""
    waiting = await scheduler.schedule_plugin_command("note", "take", {}, "tomorrow")
    failing = await scheduler.schedule_plugin_command("note", "fail", {}, "in 1 minute", max_retries=0)
    await scheduler.schedule_plugin_command("note", "take", {}, "every hour", paused=True, task_name="later")
    await kit.advance(minutes=1)
    listed = {status: [task["task_id"] for task in await scheduler.list_tasks(status)] for status in ("scheduled", "paused", "failed")}
    assert listed == {"scheduled": [waiting], "paused": ["later"], "failed": [failing]}


async def test_tasks_are_listed_to_the_last_page(scheduler, notes, monkeypatch):
    """However many tasks there are, a list by their state misses none."""
    monkeypatch.setattr("agentoolkit.client.MAX_LISTED", 2)
    for name in ("a", "b", "c", "d"):
        await scheduler.schedule_plugin_command("note", "take", {}, "tomorrow", task_name=name, paused=name == "d")
    listed = {status: [task["task_id"] for task in await scheduler.list_tasks(status)] for status in ("scheduled", "paused", None)}
    assert listed == {"scheduled": ["a", "b", "c"], "paused": ["d"], None: ["a", "b", "c", "d"]}


@pytest.mark.parametrize(("status", "near"), [("schedled", "scheduled"), ("retry", "retrying"), ("failure", "failed")])
async def test_a_status_that_is_none_is_refused(scheduler, status, near):
    """The refusal names the near miss, of tasks and of executions alike."""
    with pytest.raises(InvalidInput, match=f"Did you mean '{near}'"):
        await scheduler.list_tasks(status)


async def test_a_task_is_called_by_its_id(scheduler, notes):
    """Also where it was asked for by its name."""
    await scheduler.schedule_plugin_command("note", "take", {}, "tomorrow", task_name="my note")
    assert (await scheduler.get_task("my note"))["task_id"] == (await scheduler.list_tasks())[0]["task_id"]


async def test_each_list_has_the_same_fields(kit, scheduler, notes):
    """By a state or by how executions ended: a line of a list, also of tasks that are done."""
    await scheduler.schedule_plugin_command("note", "take", {}, "in 1 minute")
    await scheduler.schedule_plugin_command("note", "take", {}, "every hour")
    await kit.advance(minutes=1)
    (done,), (succeeded,), (scheduled,) = [await scheduler.list_tasks(status) for status in ("done", "success", "scheduled")]
    assert done.keys() == succeeded.keys() == scheduled.keys()
    assert done["task_id"] == succeeded["task_id"]


@pytest.mark.parametrize(("option", "near"), [("task_nam", "task_name"), ("tag", "tags")])
async def test_an_option_that_is_none_is_told_with_what_was_meant(scheduler, notes, option, near):
    """In the words of the client."""
    with pytest.raises(InvalidInput, match=f"Did you mean '{near}'"):
        await scheduler.schedule_plugin_command("note", "take", {}, "tomorrow", **{option: "x"})


async def test_a_task_is_tried_again_three_times(kit, scheduler, notes):
    """The documented number of retries is the default here, and can be set."""
    await scheduler.schedule_plugin_command("note", "fail", {}, "in 1 minute")
    await kit.advance(hours=1)
    assert len(notes.taken) == 4


@pytest.mark.parametrize(
    ("task_type", "args", "spec", "error"),
    [
        ("shel_command", {"command": "backup.sh"}, "tomorrow", InvalidInput),
        ("shell_command", {"command": "rm -rf /"}, "tomorrow", PermissionError),
        ("shell_command", {"command": "backup.sh"}, "some day", InvalidSchedule),
        ("mcp_tool", {"server_name": "tme", "tool_name": "say"}, "tomorrow", InvalidInput),
        ("plugin_command", {"plugin_name": "note"}, "tomorrow", InvalidInput),
        ("plugin_command", {"plugin_name": "nothing", "command_name": "a"}, "tomorrow", LookupError),
    ],
)
async def test_a_task_that_cannot_run_is_refused_when_it_is_scheduled(scheduler, notes, task_type, args, spec, error):
    """A mistake shows at once and not when the task is due."""
    with pytest.raises(error):
        await scheduler.schedule_task(task_type, args, spec)
    assert await scheduler.list_tasks() == []


async def test_a_shell_command_has_a_method_of_its_own(kit, scheduler, tmp_path):
    """schedule_shell_command schedules a program."""
    task_id = await scheduler.schedule_shell_command("backup.sh", "in 1 minute")
    await kit.advance(minutes=1)
    await history(kit, task_id)
    assert (tmp_path / "saved").exists()


async def test_without_a_toolkit_there_is_one():
    """The client works in a script that has set up nothing."""
    injector = Injector()
    with injector.activate():
        scheduler = get_scheduler()
        assert isinstance(scheduler, SchedulerClient)
        assert await scheduler.schedule_notification(message="a", schedule_spec="tomorrow")
        await injector.get("scheduler").deps.lifecycle.close()


@pytest.mark.parametrize("order", [("create", "get"), ("get", "create"), ("create", "get", "toolkit"), ("create", "toolkit", "get")])
@pytest.mark.parametrize("is_used", [False, True], ids=["fresh", "used"])
async def test_the_client_works_whatever_was_made_before(order, is_used):
    """A scheduler alone, a toolkit and the client, in any order: they share one scheduler, which can call every AgenTool."""
    injector = Injector()
    make = {
        "create": lambda: create_scheduler_agent(),
        "get": lambda: get_scheduler(),
        "toolkit": lambda: Toolkit(Settings(), injector=injector),
    }
    with injector.activate():
        for step in order:
            make[step]()
            if is_used:
                await injector.run("scheduler", {"operation": "list"})
        task_id = await get_scheduler().schedule_notification("a", "tomorrow")
        assert [job["job_id"] for job in (await injector.run("scheduler", {"operation": "list"})).data["jobs"]] == [task_id]
        await injector.get("scheduler").deps.lifecycle.close()


@pytest.mark.parametrize(
    ("task_type", "args", "field", "said"),
    [
        ("plugin_command", {"plugin_name": "note", "command_name": "take", "argumnets": {}}, "args.argumnets", "Did you mean 'arguments'"),
        ("plugin_command", {"plugin_name": "note", "command_name": "take", "arguments": [1]}, "args.arguments", "must be an object"),
        ("plugin_command", {"plugin_name": None, "command_name": "take"}, "args.plugin_name", "must be a name"),
        ("plugin_command", {"plugin_name": "note", "command_name": 7}, "args.command_name", "must be a name"),
        ("agentool", {"agentool_name": "note", "input_data": None}, "args.input_data", "must be an object"),
        ("agentool", {"agentool_name": "note", "input_data": {}, "schedule": "x"}, "args.schedule", "Unknown argument"),
        ("mcp_tool", {"operation": "list_tools", "server_name": "time"}, "args.operation", "always 'call'"),
        ("odd", {"number": "x"}, "args", "cannot be read: ValueError"),
        ("odd", {"number": None}, "args", "cannot be read: TypeError"),
    ],
)
async def test_wrong_arguments_of_a_task_are_refused_by_name(kit, notes, scheduler, task_type, args, field, said):
    """A misspelt, null or wrong argument is one error with its field, never ignored, and never a raw TypeError."""
    register_task_type("odd", "note", lambda args: {"operation": "take", "value": int(args["number"])}, injector=kit.injector)
    with pytest.raises(InvalidInput, match=said) as refused:
        await scheduler.schedule_task(task_type, args, "in 1 hour")
    assert refused.value.field == field


async def test_null_arguments_of_a_plugin_command_are_none_given(kit, notes, scheduler):
    """`arguments: null` means no arguments."""
    await scheduler.schedule_task("plugin_command", {"plugin_name": "note", "command_name": "take", "arguments": None}, "in 1 hour")
    await kit.advance(hours=1)
    assert notes.taken == [None]


# A function as a task type


async def greet(name: str, times: int = 1) -> str:
    """Greet somebody.

    More than once, if need be.
    """
    return f"hello {name} " * times


def where(name: str) -> str:
    """Say in which thread it runs."""
    return f"{name} {threading.current_thread().name}"


async def results_of(kit, scheduler, task_type_name, args):
    task_id = await scheduler.schedule_task(task_type_name, args, "in 1 minute")
    await kit.advance(minutes=1)
    return [execution["result"] for execution in await history(kit, task_id)]


async def test_a_function_is_a_task_type(kit, scheduler):
    """Its parameters are the task's arguments, with their types and defaults, and its text is the description."""
    task_type("greet", injector=kit.injector)(greet)
    assert await results_of(kit, scheduler, "greet", {"name": "Ada", "times": 2}) == ["hello Ada hello Ada "]
    assert await results_of(kit, scheduler, "greet", {"name": "Bob"}) == ["hello Bob "]
    assert kit.injector.get("greet").description == "Greet somebody."


async def test_a_function_that_is_not_async_runs_in_a_thread(kit, scheduler):
    """So it holds up nothing but itself."""
    task_type("where", injector=kit.injector)(where)
    assert await results_of(kit, scheduler, "where", {"name": "in"}) == ["in agentool-function where"]


@pytest.mark.parametrize(("args", "said"), [({}, "name"), ({"name": "Ada", "times": "x"}, "times"), ({"name": "Ada", "nmae": 1}, "nmae")])
async def test_wrong_arguments_of_a_function_are_refused_when_scheduled(kit, scheduler, args, said):
    """A missing, wrong or misspelt argument is named."""
    task_type("greet", injector=kit.injector)(greet)
    with pytest.raises(InvalidInput, match=said):
        await scheduler.schedule_task("greet", args, "in 1 minute")


async def test_a_function_whose_parameters_have_no_names_is_refused(kit):
    """A task's arguments are given by name."""
    with pytest.raises(ConfigurationError, match="'numbers'"):
        task_type("odd", injector=kit.injector)(lambda *numbers: numbers)


def greet_twice(name: str) -> str:
    """Greet somebody otherwise."""
    return f"hello, hello {name}"


async def test_a_cell_that_makes_a_task_type_may_run_twice(kit, scheduler):
    """The same function, or the same call under a name, defined again takes the place of the former one; another one is refused."""
    cell = "async def report(name: str) -> str:\n    return f'{version} {name}'\ntask_type('report')(report)\n"
    cell += "register_task_type('short', 'report', lambda args: {'operation': 'run', 'name': version})"
    for version in ("old", "new"):
        exec(cell, {"task_type": task_type, "register_task_type": register_task_type, "version": version, "__name__": "__main__"})
    assert await results_of(kit, scheduler, "report", {"name": "Ada"}) == ["new Ada"]
    assert await results_of(kit, scheduler, "short", {}) == ["new new"]
    with pytest.raises(ConfigurationError, match="'report'"):
        task_type("report")(greet_twice)
    with pytest.raises(ConfigurationError, match="'short'"):
        register_task_type("short", "note")


async def test_task_types_are_listed_and_assigned(kit, scheduler):
    """AVAILABLE_TASKS names the types of the current injector, those built in and those assigned, and takes plain functions."""
    AVAILABLE_TASKS["twice"] = greet_twice
    assert {"twice", "notification", "shell_command"} <= set(AVAILABLE_TASKS)
    assert ("twice" in AVAILABLE_TASKS, "thrice" in AVAILABLE_TASKS) == (True, False)
    assert await results_of(kit, scheduler, "twice", {"name": "Ada"}) == ["hello, hello Ada"]
    with pytest.raises(ConfigurationError, match="sequence"):
        AVAILABLE_TASKS["sequence"] = greet_twice


async def test_a_task_of_celery_is_called_with_itself(kit, scheduler):
    """A bound task has its `self`, and the task's arguments are what is left."""

    @Celery("assistant", set_as_current=False).task(bind=True, name="assistant.whoami")
    def whoami(self, to: str) -> str:
        return f"{self.name} to {to}"

    AVAILABLE_TASKS["whoami"] = whoami
    assert await results_of(kit, scheduler, "whoami", {"to": "Ada"}) == ["assistant.whoami to Ada"]
    with pytest.raises(InvalidInput, match=r"\bto\b"):
        await scheduler.schedule_task("whoami", {}, "tomorrow")


# Plugins


class DailyChores(SimplePlugin):
    """Keeps the house."""

    def __init__(self) -> None:
        self.done = []

    async def sweep(self, room: str, times: int = 1) -> str:
        """Sweep a room."""
        self.done.append(room)
        return f"{room} {times}"

    def water(self) -> str:
        """Water the plants, in a thread."""
        return threading.current_thread().name

    def _rest(self) -> None:
        raise AssertionError


class SpringCleaning(DailyChores):
    """Cleans besides."""

    async def setup(self) -> None:
        await get_scheduler().schedule_plugin_command(self.name, "sweep", {"room": "hall"}, "in 1 hour")


async def test_the_methods_of_a_plugin_are_its_commands(kit):
    """Those of its own and of its bases, async or not, without the private ones; with their parameters and texts."""
    await use_plugin(DailyChores())
    described = kit.injector.get("daily_chores")
    assert (described.description, sorted(described.operations)) == ("Keeps the house.", ["sweep", "water"])
    assert described.operations["sweep"].description == "Sweep a room."
    assert await kit.injector.run("daily_chores", {"operation": "sweep", "room": "hall", "times": 2}) == "hall 2"
    assert "agentool-function" in await kit.injector.run("daily_chores", {"operation": "water"})
    with pytest.raises(InvalidInput, match="room"):
        await kit.injector.run("daily_chores", {"operation": "sweep"})


async def test_a_plugin_schedules_when_it_is_set_up(kit, scheduler):
    """Its name is its class's; what it schedules then runs."""
    plugin = SpringCleaning()
    await use_plugin(plugin)
    await kit.advance(hours=1)
    assert (plugin.name, plugin.done) == ("spring_cleaning", ["hall"])


async def test_a_plugin_without_a_command_that_it_schedules_is_refused(kit, scheduler, run):
    """The document's example has no such method: that is said when it is scheduled."""
    names = await run("Plugin Integration")
    with pytest.raises(LookupError, match="my_plugin"):
        await use_plugin(names["MyPlugin"]())
