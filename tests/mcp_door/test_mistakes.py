"""Mistakes that models make, and what they are told: the field, the value and a way out that the next call can take."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from tests.mcp_door.conftest import Connect, text_of
from tests.mcp_door.test_questions import YES

STAND_UP = {"task_id": "stand up", "config": {"agentool_name": "notification", "input_data": {"operation": "send", "message": "Up"}}}


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("argument", ["when", "cron_expression"])
async def test_an_empty_time_is_not_now(connect: Connect, argument: str, blank: str) -> None:
    """A model that fills what it does not use must not run a task at once by it."""
    async with connect() as client:
        refused = await client.call_tool("scheduler_add_task", {**STAND_UP, argument: blank})
        listed = await client.call_tool("scheduler_list_tasks", {})
    assert text_of(refused).startswith(f"{argument}: It is empty. Leave it out")
    assert listed.structured_content["tasks"] == []


@pytest.mark.parametrize("action", ["edit", "pause"])
@pytest.mark.parametrize("blank", ["", "  "])
async def test_an_empty_end_is_not_today(connect: Connect, action: str, blank: str) -> None:
    """Neither of a task nor of a pause."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every hour"})
        refused = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": action, "until": blank})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "stand up"})
    assert text_of(refused).startswith("until: It is empty.")
    assert shown.structured_content["info"]["state"] == "active"


async def test_a_pause_until_never_has_no_end(connect: Connect) -> None:
    """As the tool's description says, also where the pause had one."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every hour"})
        for until in ("friday", "Never"):
            paused = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "pause", "until": until})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "stand up"})
    assert not paused.is_error
    assert (shown.structured_content["info"]["state"], shown.structured_content["info"]["paused_until"]) == ("paused", None)


@pytest.mark.parametrize(("when", "kind"), [("after first", "after"), ("in 200 days", "once"), ("every monday at 9:00", "cron")])
async def test_a_repeating_task_gets_any_other_time(connect: Connect, when: str, kind: str) -> None:
    """What the rules add to repeating tasks, an end and a delay, does not stand in the way: a model cannot take it back."""
    async with connect() as client:
        for name in ("first", "stand up"):
            await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": name, "when": "every day at 9:00"})
        changed = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "edit", "when": when})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "stand up"})
    assert not changed.is_error, text_of(changed)
    info = shown.structured_content["info"]
    assert (info["schedule_type"], info["end_at"] is None, info["jitter"] == 0) == (kind, kind != "cron", kind != "cron")


async def test_a_list_names_the_argument_that_narrows_it(connect: Connect) -> None:
    """A list of tasks is narrowed by their status; the five tools of agents call that their state."""
    async with connect() as client:
        for number in (1, 2):
            await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": f"task {number}", "when": f"every day at {number}:00"})
        listed = await client.call_tool("scheduler_list_tasks", {"limit": 1})
        none = await client.call_tool("scheduler_list_tasks", {"status": "paused"})
    assert text_of(listed).endswith("or narrow by status")
    assert text_of(none).endswith("no tasks")


async def test_a_removal_tells_what_nothing_starts_any_more(connect: Connect) -> None:
    """A task after the removed one stays, and waits for ever."""
    async with connect([YES]) as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": "first", "when": "every day at 9:00"})
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "after first"})
        removed = await client.call_tool("scheduler_remove_task", {"task_id": "first"})
    assert "note: nothing starts 'stand up' any more, unless there is such a job again" in text_of(removed)


@pytest.mark.parametrize(("tool", "arguments"), [("change_task", {"action": "resume"}), ("remove_task", {})])
async def test_what_was_removed_is_told_so(connect: Connect, tool: str, arguments: dict[str, Any]) -> None:
    """No other task is offered in its place: a model that calls twice would remove that one too."""
    async with connect([YES]) as client:
        for name in ("a", "a later"):
            await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": name, "when": "every day at 9:00"})
        await client.call_tool("scheduler_remove_task", {"task_id": "a"})
        again = await client.call_tool(f"scheduler_{tool}", {"task_id": "a", **arguments})
    told = "task_id: Task 'a' was removed already, on Sun 2026-11-29 14:02 (Europe/Berlin). If it is wanted again, schedule it anew."
    assert (again.is_error, text_of(again).startswith(told)) == (True, True), text_of(again)


@pytest.mark.parametrize("action", ["resume", "run_now"])
async def test_what_waits_for_a_person_names_the_command(connect: Connect, action: str) -> None:
    """The user is told what to type; a name with blanks or signs of a shell stays one argument there."""
    name = "clean up; reboot"
    async with connect() as client:
        config = {"agentool_name": "http", "input_data": {"operation": "request", "url": "https://example.com"}}
        added = await client.call_tool("scheduler_add_task", {"task_id": name, "config": config, "when": "every day at 9:00"})
        refused = await client.call_tool("scheduler_change_task", {"task_id": name, "action": action})
    assert text_of(added).endswith("`agentool resume 'clean up; reboot'`.")
    assert "`agentool resume 'clean up; reboot'` in a terminal" in text_of(refused)


async def test_all_that_is_wrong_is_told_at_once(connect: Connect) -> None:
    """A priority in capitals, a zone, a time and a misspelt field of the tool: one refusal, each fault once."""
    config = {"agentool_name": "notification", "input_data": {"operation": "send", "mesage": "Up"}}
    wrong = {"task_id": "x", "config": config, "when": "every dya", "timezone": "Mars", "priority": "HIGH"}
    async with connect() as client:
        refused = text_of(await client.call_tool("scheduler_add_task", wrong))
    for fault in ("priority: ", "timezone: there is no time zone 'Mars'", "when: 'dya' is not understood", "config.input_data.mesage: "):
        assert refused.count(fault) == 1, refused


async def test_a_wrong_zone_is_told_once(connect: Connect) -> None:
    """Though both times of the edit are read in it."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        wrong = {"when": "every dya", "until": "someday", "timezone": "Mars"}
        refused = text_of(await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "edit", **wrong}))
    assert [refused.count(fault) for fault in ("timezone: ", "when: 'dya'", "until: 'someday'")] == [1, 1, 1], refused


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("add_task", {**STAND_UP, "priority": "HIGH"}, "got 'HIGH'. Did you mean 'high'?"),
        ("list_tasks", {"status": "ACTIVE"}, "got 'ACTIVE'. Did you mean 'active'?"),
        ("change_task", {"task_id": "x", "action": "RUN_NOW"}, "got 'RUN_NOW'. Did you mean 'run_now'?"),
        ("add_task", {"task_id": "x", "config": {**STAND_UP["config"], "input_data": {"operation": "SEND"}}}, "Did you mean 'send'?"),
        ("add_task", {**STAND_UP, "Task_Id": "x"}, "Did you mean 'task_id'?"),
    ],
)
async def test_another_case_is_a_near_miss(connect: Connect, tool: str, arguments: dict[str, Any], told: str) -> None:
    """Letters in capitals are the same word to a model."""
    async with connect() as client:
        refused = text_of(await client.call_tool(f"scheduler_{tool}", arguments))
    assert told in refused


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('{"command": "cleanup.sh"}', 'config: input should be an object, without quotes around it, got \'{"command"'),
        ("cleanup", "config: input should be an object, got 'cleanup'"),
        (["cleanup"], "config: input should be an object, got ['cleanup']"),
        ({**STAND_UP["config"], "input_data": '{"message": "Up"}'}, "config.input_data: It must be an object"),
    ],
)
async def test_what_is_no_object_is_told_in_words_of_json(connect: Connect, config: object, told: str) -> None:
    """Models write an object as a text often; a "dictionary" is a word of Python."""
    async with connect() as client:
        refused = text_of(await client.call_tool("scheduler_add_task", {"task_id": "x", "config": config}))
    assert refused.startswith(told), refused
    assert "dictionary" not in refused


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"command": "cleanup.sh"}, "allowed are none. Add it to the setting `programs` (AGENTOOL_PROGRAMS)."),
        ({"agentool_name": "function", "input_data": {"operation": "call", "function": "os:getcwd"}}, "AGENTOOL_FUNCTIONS"),
        ({**STAND_UP["config"], "input_data": {"operation": "send", "message": "x" * 1_100_000}}, "Use at most 1,000,000"),
    ],
)
async def test_an_input_that_is_refused_keeps_its_way_out(connect: Connect, config: dict[str, Any], told: str) -> None:
    """How to call the tool in Python is left out; a setting that a person may change is not."""
    async with connect() as client:
        refused = text_of(await client.call_tool("scheduler_add_task", {"task_id": "x", "config": config}))
    assert told in refused, refused
    assert "injector.run" not in refused


async def test_a_long_text_is_counted_without_its_quotes(connect: Connect) -> None:
    """The number is that of what was given."""
    async with connect() as client:
        refused = text_of(await client.call_tool("scheduler_add_task", {**STAND_UP, "description": "x" * 100_000}))
    assert "… (100,000 characters)" in refused


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("add_task", {**STAND_UP, "task_id": "second"}),
        ("change_task", {"task_id": "stand up", "action": "edit", "when": "in 5 minutes"}),
        ("change_task", {"task_id": "stand up", "action": "resume"}),
        ("list_tasks", {}),
    ],
)
async def test_a_stopped_scheduler_is_told_where_something_is_to_run(connect: Connect, tool: str, arguments: dict[str, Any]) -> None:
    """Else the user is promised a run that does not come. Started again, nothing is said of it."""
    note = "note: the scheduler is stopped: nothing runs until scheduler_start_daemon starts it"
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        await client.call_tool("scheduler_stop_daemon", {})
        stopped = text_of(await client.call_tool(f"scheduler_{tool}", arguments))
        await client.call_tool("scheduler_start_daemon", {})
        started = text_of(await client.call_tool(f"scheduler_{tool}", arguments))
    assert (note in stopped, note in started) == (True, False), stopped


async def test_a_run_at_once_of_a_stopped_scheduler_names_the_tool_that_starts_it(connect: Connect) -> None:
    """And no operation, of which this door knows nothing."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        await client.call_tool("scheduler_stop_daemon", {})
        refused = text_of(await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "run_now"}))
    assert refused == "The scheduler is stopped. Nothing runs until scheduler_start_daemon starts it."


@pytest.mark.parametrize("status", ["active", "scheduled"])
async def test_both_words_for_an_active_task_are_taken(connect: Connect, status: str) -> None:
    """People, the pages and the API say scheduled: a model that heard that from them finds its tasks."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        listed = await client.call_tool("scheduler_list_tasks", {"status": status})
    assert [task["job_name"] for task in listed.structured_content["tasks"]] == ["stand up"]


@pytest.mark.parametrize(
    ("when", "told"), [("after nothing", "when: No job has the id or name 'nothing'."), ("after stand up", "after job 'stand up'")]
)
async def test_a_preview_looks_for_the_task_that_comes_before(connect: Connect, when: str, told: str) -> None:
    """What would be refused is not shown as if it were taken."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        shown = text_of(await client.call_tool("scheduler_preview", {"when": when}))
    assert shown.startswith(told), shown


async def test_an_unknown_run_names_the_tool_that_lists_runs(connect: Connect) -> None:
    """A resource is refused in the words of the tools."""
    async with connect() as client:
        with pytest.raises(MCPError, match="List them with scheduler_history; the newest hundred"):
            await client.read_resource("agentool://executions/nothing")


async def test_the_arguments_that_there_are_are_told_once(connect: Connect) -> None:
    """With the last of several unknown ones; a near miss keeps its own advice."""
    async with connect() as client:
        refused = text_of(
            await client.call_tool("scheduler_add_task", {**STAND_UP, "tags": [], "wen": "now", "owner": "x", "colour": "red"})
        )
    assert refused.count("Known: ") == 1
    assert "wen: is not an argument of this tool. Did you mean 'when'?" in refused
    assert "colour: is not an argument of this tool. Known: config, cron_expression" in refused


async def test_what_comes_after_another_task_is_told_without_a_zone(connect: Connect) -> None:
    """It has no time of its own."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        added = text_of(await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": "second", "when": "after stand up"}))
    assert added.endswith("Tell the user: scheduled 'second', after job 'stand up' succeeded.")


async def test_the_arguments_that_there_are_are_told_among_very_many_unknown_ones(connect: Connect) -> None:
    """Those beyond the twentieth are counted, and the way out is with the last one that is named."""
    async with connect() as client:
        refused = text_of(await client.call_tool("scheduler_add_task", {**STAND_UP, **{f"x{number}": 1 for number in range(100)}}))
    assert (refused.count("Known: "), refused.count("is not an argument"), "and 80 more" in refused) == (1, 20, True)
