"""The twelve tools, as a client sees and calls them, in both protocols."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from tests.mcp_door.conftest import Connect, text_of

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.agents.scheduling_answers import MAX_LIST
from agentoolkit.testing import TestToolkit

SOURCE_TOOLS = [
    "scheduler_add_task",
    "scheduler_list_tasks",
    "scheduler_get_status",
    "scheduler_get_task",
    "scheduler_remove_task",
    "scheduler_daemon_status",
    "scheduler_start_daemon",
    "scheduler_stop_daemon",
    "scheduler_restart_daemon",
]
"""The names of *Scheduler Daemon Implementation*, "MCP Tools"."""

DAILY_CLEANUP = {
    "task_id": "daily_cleanup",
    "task_type": "custom",
    "priority": "medium",
    "cron_expression": "0 3 * * *",
    "config": {"command": "cleanup.sh"},
    "description": "Daily cleanup at 3 AM",
}
"""The example of the source, as it is printed there."""

STAND_UP = {"task_id": "stand up", "config": {"agentool_name": "notification", "input_data": {"operation": "send", "message": "Up"}}}


async def test_the_tools_are_those_of_the_source_and_three_of_ours(connect: Connect) -> None:
    """Nine names come from the source; change, preview and history are added."""
    async with connect() as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert sorted(names) == sorted([*SOURCE_TOOLS, "scheduler_change_task", "scheduler_preview", "scheduler_history"])


async def test_each_tool_has_a_title_all_four_hints_and_a_schema_that_refuses_unknown_arguments(connect: Connect) -> None:
    """A client can tell a person what a tool may do before it is called."""
    async with connect() as client:
        for tool in (await client.list_tools()).tools:
            assert tool.title
            assert tool.annotations is not None
            hints = tool.annotations
            assert None not in (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
            assert tool.input_schema["additionalProperties"] is False
            assert tool.output_schema == {"type": "object"}
            assert len(tool.input_schema["properties"]) <= 8
            assert not {"anyOf", "oneOf", "allOf"} & tool.input_schema.keys()
            assert "null" not in json.dumps(tool.input_schema)


async def test_arguments_are_flat_and_show_what_they_take(connect: Connect) -> None:
    """Only what is handed on is an object; a text is one of a closed list, or has an example."""
    async with connect() as client:
        for tool in (await client.list_tools()).tools:
            for name, about in tool.input_schema["properties"].items():
                assert about["type"] in ("string", "integer") or name == "config", (tool.name, name)
                assert about["type"] != "string" or {"enum", "examples"} & about.keys(), (tool.name, name)


async def test_descriptions_are_short(connect: Connect) -> None:
    """Purpose, use and answer in at most four sentences."""
    async with connect() as client:
        for tool in (await client.list_tools()).tools:
            assert 1 <= len(re.findall(r"[.;]", tool.description or "")) <= 4, tool.name


async def test_the_model_sets_no_owner_model_price_budget_or_approval(connect: Connect) -> None:
    """What the caller decides is no argument of any tool."""
    words = re.compile("owner|user|model|price|cost|budget|approv|caller|scope|agent$")
    async with connect() as client:
        names = {name for tool in (await client.list_tools()).tools for name in tool.input_schema["properties"]}
    assert [name for name in names if words.search(name)] == []


async def test_a_near_duplicate_gets_a_remark(connect: Connect) -> None:
    """A task that does the same at the same time under another name is pointed out."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        again = await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": "rise", "when": "every day at 9:00"})
    assert "note: 'stand up' runs the same at the same time" in text_of(again)


@pytest.fixture
def allow_cleanup(settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of the source's example is there and may be run."""
    program = tmp_path / "cleanup.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    settings["programs"] = ("cleanup.sh",)


@pytest.mark.usefixtures("allow_cleanup")
async def test_the_arguments_of_the_source_are_taken_as_they_are_printed(connect: Connect) -> None:
    """The task is there, at three every night, with its description and priority."""
    async with connect() as client:
        added = await client.call_tool("scheduler_add_task", DAILY_CLEANUP)
        assert not added.is_error, text_of(added)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "daily_cleanup"})
    info = shown.structured_content["info"]
    assert shown.structured_content["job_id"] == "daily_cleanup"
    assert (info["schedule"], info["priority"], info["description"]) == ("0 3 * * *", "medium", "Daily cleanup at 3 AM")
    assert info["input_data"] == {"operation": "run", "command": ["cleanup.sh"]}
    assert info["max_retries"] == 3


@pytest.mark.parametrize("tool", ["scheduler_daemon_status", "scheduler_stop_daemon", "scheduler_restart_daemon", "scheduler_start_daemon"])
async def test_the_daemon_tools_take_no_arguments(connect: Connect, tool: str) -> None:
    """Each answers with what the source's status shows: running, thread, ticks and queue."""
    async with connect() as client:
        answer = await client.call_tool(tool, {})
    assert not answer.is_error, text_of(answer)
    assert answer.structured_content["running"] is (tool != "scheduler_stop_daemon")
    assert {"thread", "ticks", "queue"} <= answer.structured_content.keys()


async def test_a_stopped_scheduler_fires_nothing_and_keeps_its_tasks(connect: Connect, kit: TestToolkit) -> None:
    """What was due while it was stopped is not run; after a start the next due time is."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every hour"})
        await client.call_tool("scheduler_stop_daemon", {})
        await kit.advance(hours=3)
        assert (await client.call_tool("scheduler_history", {})).structured_content["runs"] == []
        await client.call_tool("scheduler_start_daemon", {})
        await kit.advance(hours=1)
        runs = (await client.call_tool("scheduler_history", {"task_id": "stand up"})).structured_content["runs"]
    assert "success" in [run["status"] for run in runs]


async def test_a_change_is_answered_with_the_reading_the_zone_the_time_and_the_next_runs(connect: Connect) -> None:
    """Text for the model, data for its client, and no JSON in the text."""
    async with connect() as client:
        added = await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every weekday at 9:00"})
    told = text_of(added)
    assert "every weekday" in told
    assert "Europe/Berlin" in told
    assert "now: Sun 2026-11-29 14:02" in told
    assert "next: Mon 2026-11-30 09:00; Tue 2026-12-01 09:00; Wed 2026-12-02 09:00" in told
    assert "Tell the user:" in told
    assert "{" not in told
    assert len(told) <= 800
    assert added.structured_content["timezone"] == "Europe/Berlin"


async def test_the_same_task_again_is_there_already(connect: Connect) -> None:
    """A model that repeats itself makes no second task."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        again = await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        listed = await client.call_tool("scheduler_list_tasks", {})
    assert text_of(again).startswith("Already there: 'stand up'")
    assert len(listed.structured_content["tasks"]) == 1


async def test_a_task_without_a_time_runs_at_once(connect: Connect, kit: TestToolkit) -> None:
    """The source's "immediate" tasks."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", STAND_UP)
        await kit.advance(seconds=1)
        history = await client.call_tool("scheduler_history", {"task_id": "stand up"})
    assert [run["status"] for run in history.structured_content["runs"]] == ["success"]


async def test_a_list_goes_on_by_its_cursor(connect: Connect) -> None:
    """Every task is listed once, and the last page has no cursor."""
    async with connect() as client:
        for number in range(5):
            await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": f"task {number}", "when": f"every day at {number + 9}:00"})
        first = await client.call_tool("scheduler_list_tasks", {"limit": 3})
        second = await client.call_tool("scheduler_list_tasks", {"limit": 3, "cursor": first.structured_content["cursor"]})
    assert repr(first.structured_content["cursor"]) in text_of(first)
    names = [task["job_name"] for page in (first, second) for task in page.structured_content["tasks"]]
    assert names == [f"task {number}" for number in range(5)]
    assert second.structured_content["cursor"] is None


async def test_a_list_that_is_too_long_is_cut_and_goes_on_where_it_was_cut(connect: Connect, kit: TestToolkit) -> None:
    """No answer is longer than 2,000 tokens, and no task is lost between two of them."""
    with acting_as(Caller("maria", "rest", OWN)):
        for number in range(40):
            job = {"job_name": f"{number:02} {'x' * 180}", "schedule": f"{number} 9 * * *", "agentool_name": "notification"}
            await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": STAND_UP["config"]["input_data"]})
    seen: list[str] = []
    async with connect() as client:
        arguments: dict[str, Any] = {"limit": 100}
        while True:
            page = await client.call_tool("scheduler_list_tasks", arguments)
            assert len(text_of(page)) <= MAX_LIST
            seen += [task["job_name"][:2] for task in page.structured_content["tasks"]]
            if page.structured_content["cursor"] is None:
                break
            arguments["cursor"] = page.structured_content["cursor"]
    assert seen == [f"{number:02}" for number in range(40)]


async def test_a_history_that_is_too_long_is_cut_and_goes_on_where_it_was_cut(connect: Connect, kit: TestToolkit) -> None:
    """Each run is told once, in the text as in the data, and the text has the whole cursor."""
    name = f"run {'x' * 180}"
    job = {"job_name": name, "schedule": "every hour", "agentool_name": "notification"}
    with acting_as(Caller("maria", "rest", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": STAND_UP["config"]["input_data"]})
    for _ in range(40):
        await kit.advance(hours=1)
    seen: list[str] = []
    async with connect() as client:
        arguments: dict[str, Any] = {"limit": 100, "task_id": name}
        while True:
            page = await client.call_tool("scheduler_history", arguments)
            runs, cursor = page.structured_content["runs"], page.structured_content["cursor"]
            assert (len(text_of(page)) <= MAX_LIST, text_of(page).count("\n- ")) == (True, len(runs))
            seen += [run["execution_id"] for run in runs]
            if cursor is None:
                break
            assert repr(cursor) in text_of(page)
            arguments["cursor"] = cursor
    assert (len(seen), len(set(seen))) == (40, 40)


async def test_an_answer_with_large_results_is_bounded(connect: Connect, kit: TestToolkit) -> None:
    """Twenty results of a megabyte become an answer of 32,000 characters at most."""
    value = {"operation": "set", "key": "big", "value": "x" * 500_000}
    await kit.injector.run("storage_kv", value)
    config = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "big"}}
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {"task_id": "big", "when": "every hour", "config": config})
        await kit.advance(hours=5)
        history = await client.call_tool("scheduler_history", {"task_id": "big"})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "big"})
    assert len(history.structured_content["runs"]) == 5
    for answer in (history, shown):
        assert len(json.dumps(answer.structured_content)) + len(text_of(answer)) <= 64_000


@pytest.mark.parametrize(("action", "told"), [("pause", "Paused"), ("resume", "Resumed"), ("run_now", "Ran"), ("edit", "Unchanged: ")])
async def test_a_task_is_changed(connect: Connect, action: str, told: str) -> None:
    """Each action says what was done; an edit without changes says that nothing changed."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        changed = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": action})
    assert not changed.is_error
    assert told in text_of(changed)


async def test_an_edit_keeps_what_is_not_given(connect: Connect) -> None:
    """A new time, and still the same call."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        arguments = {"task_id": "stand up", "action": "edit", "when": "every day at 8:00", "until": "friday", "priority": "high"}
        changed = await client.call_tool("scheduler_change_task", arguments)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "stand up"})
    assert text_of(changed).startswith("Changed 'stand up'")
    info = shown.structured_content["info"]
    assert (info["schedule"], info["priority"]) == ("0 8 * * *", "high")
    assert info["end_at"].startswith("2026-12-04T22:59:59")
    assert info["input_data"] == STAND_UP["config"]["input_data"]


async def test_a_preview_schedules_nothing(connect: Connect) -> None:
    """The reading and the next times, and no task."""
    async with connect() as client:
        shown = await client.call_tool("scheduler_preview", {"when": "every weekday at 9:00", "count": 2})
        listed = await client.call_tool("scheduler_list_tasks", {})
    assert text_of(shown).count("next: ") == 2
    assert listed.structured_content["tasks"] == []


async def test_a_tool_that_does_not_exist_is_an_error_of_the_protocol(connect: Connect) -> None:
    """As the protocol asks, and with the nearest name."""
    async with connect() as client:
        with pytest.raises(MCPError, match="Did you mean 'scheduler_add_task'"):
            await client.call_tool("scheduler_add_tsk", {})


async def test_a_call_that_takes_long_tells_its_progress(connect: Connect, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a second; here the pauses between are shorter."""
    monkeypatch.setattr("agentoolkit.entrypoints.mcp_server.server.PROGRESS_SECONDS", 0.01)
    heard = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.set()

    done = asyncio.Event()

    async def slow(text: str) -> str:
        await done.wait()
        return text

    from agentoolkit.actions.task_functions import task_type

    task_type("slow", injector=kit.injector)(slow)
    async with connect() as client:
        config = {"agentool_name": "slow", "input_data": {"operation": "run", "text": "x"}}
        await client.call_tool("scheduler_add_task", {"task_id": "slow one", "when": "every day at 9:00", "config": config})
        run = {"task_id": "slow one", "action": "run_now"}
        calling = asyncio.ensure_future(client.call_tool("scheduler_change_task", run, progress_callback=hear))
        await asyncio.wait_for(heard.wait(), 5)
        done.set()
        assert "Ran 'slow one'" in text_of(await calling)


async def test_what_runs_of_a_task_is_cancelled(connect: Connect, kit: TestToolkit) -> None:
    """The task stays with its next run, and its history says that the run was cancelled."""
    from agentoolkit.actions.task_functions import task_type

    begun = asyncio.Event()

    async def endless(text: str) -> str:
        begun.set()
        await asyncio.Event().wait()
        return text

    task_type("endless", injector=kit.injector)(endless)
    config = {"agentool_name": "endless", "input_data": {"operation": "run", "text": "x"}}
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {"task_id": "long one", "when": "every day at 14:03", "config": config})
        await kit.advance(minutes=2)
        await asyncio.wait_for(begun.wait(), 5)
        cancelled = await client.call_tool("scheduler_change_task", {"task_id": "long one", "action": "cancel_run"})
        history = await client.call_tool("scheduler_history", {"task_id": "long one"})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "long one"})
    assert text_of(cancelled).startswith("Cancelled 1 run of 'long one'."), text_of(cancelled)
    assert [run["status"] for run in history.structured_content["runs"]] == ["cancelled"]
    assert shown.structured_content["info"]["state"] == "active"


async def test_a_task_of_which_nothing_runs_is_told_so(connect: Connect) -> None:
    """What has ended is not cancelled, and neither is the task."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "run_now"})
        answer = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "cancel_run"})
        history = await client.call_tool("scheduler_history", {"task_id": "stand up"})
    assert text_of(answer).startswith("Nothing of 'stand up' runs, so nothing was cancelled.")
    assert [run["status"] for run in history.structured_content["runs"]] == ["success"]


async def test_another_owners_run_is_not_cancelled(connect: Connect, kit: TestToolkit) -> None:
    """It is not found."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
    async with connect(caller=Caller("paul", "mcp", OWN)) as other:
        answer = await other.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "cancel_run"})
    assert text_of(answer).startswith("task_id: No task of yours is named 'stand up'.")


async def test_another_owner_sees_nothing(connect: Connect) -> None:
    """Tasks belong to who made them."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
    async with connect(caller=Caller("paul", "mcp", OWN)) as client:
        assert (await client.call_tool("scheduler_list_tasks", {})).structured_content["tasks"] == []
        shown = await client.call_tool("scheduler_get_task", {"task_id": "stand up"})
    assert "No task of yours is named 'stand up'" in text_of(shown)


WRONG = {"task_id": "x", "when": "whenever", "config": {"agentool_name": "nobody"}, "colour": "red"}


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("scheduler_add_task", WRONG, ["colour", "whenever", "nobody"]),
        ("scheduler_add_task", {"colour": "red", "config": {"prompt": "x"}, "priority": "high"}, ["colour", "task_id"]),
        ("scheduler_change_task", {"task_id": "stand up", "action": "edit", "when": "whenever", "colour": "red"}, ["colour", "whenever"]),
        ("scheduler_change_task", {"task_id": "sit down", "action": "pause", "colour": "red"}, ["colour", "sit down"]),
        ("scheduler_remove_task", {"task_id": "sit down", "colour": "red"}, ["colour", "sit down"]),
        ("scheduler_preview", {"when": "whenever", "count": 3, "colour": "red"}, ["colour", "whenever"]),
    ],
)
async def test_an_unknown_argument_is_told_with_all_else(
    connect: Connect, kit: TestToolkit, tool: str, arguments: dict[str, Any], told: list[str]
) -> None:
    """In one answer, so that a model does not correct them in rounds; and nothing is done."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9"})
        before = [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()]
        answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    assert [text for text in told if text in text_of(answer)] == told, text_of(answer)
    assert [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()] == before


async def test_an_unknown_argument_alone_does_nothing(connect: Connect, kit: TestToolkit) -> None:
    """All else being right, it is refused alone: a task is not added, paused or removed by a call that is not understood."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9"})
        before = [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()]
        for tool, more in (
            ("add_task", {**STAND_UP, "task_id": "other", "when": "every day at 9"}),
            ("change_task", {"task_id": "stand up", "action": "pause"}),
            ("change_task", {"task_id": "stand up", "action": "edit", "when": "every day at 8"}),
            ("change_task", {"task_id": "stand up", "action": "run_now"}),
            ("remove_task", {"task_id": "stand up"}),
            ("stop_daemon", {}),
        ):
            answer = text_of(await client.call_tool(f"scheduler_{tool}", {**more, "colour": "red"}))
            assert answer.startswith("colour: is not an argument of this tool."), answer
            assert "stand up" not in answer.partition(" Right: ")[0], answer
    assert [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()] == before
    assert not (await kit.injector.run("scheduler", {"operation": "status"})).data["stopped"]


async def test_a_removed_task_is_remembered(connect: Connect, kit: TestToolkit) -> None:
    """It is shown with who removed it and when, and listed by its status; nothing else finds it."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", STAND_UP)
        await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "stand up"})
        shown = text_of(await client.call_tool("scheduler_get_task", {"task_id": "stand up"}))
        listed = await client.call_tool("scheduler_list_tasks", {"status": "cancelled"})
        changed = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "pause"})
    assert ("cancelled (cancelled by " in shown, ", ended Sun 2026-11-29 14:02" in shown) == (True, True)
    assert [task["job_name"] for task in listed.structured_content["tasks"]] == ["stand up"]
    assert changed.is_error
    assert "Task 'stand up' was removed already, on Sun 2026-11-29 14:02" in text_of(changed)


async def test_a_task_that_is_done_is_listed_by_its_status(connect: Connect, kit: TestToolkit) -> None:
    """The list of all leaves it out, as it does those that were removed."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "in 5 minutes"})
        await kit.advance(minutes=5)
        every = await client.call_tool("scheduler_list_tasks", {})
        done = await client.call_tool("scheduler_list_tasks", {"status": "done"})
    assert [len(answer.structured_content["tasks"]) for answer in (every, done)] == [0, 1]
