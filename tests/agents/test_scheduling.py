"""An agent that schedules: five tools, short instructions, one text for when."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.test import TestModel
from pydantic_ai.toolsets import FunctionToolset
from tests.agents.scripts import scripted, told

from agentool.caller import OWN, Caller, acting_as
from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentool.toolset import AgenToolset, for_agents
from agentoolkit.agents import scheduling_desk
from agentoolkit.agents.scheduling import INSTRUCTIONS, Scheduling, five_tools
from agentoolkit.agents.scheduling_answers import MAX_LIST, told_page
from agentoolkit.agents.tool_costs import MAX_FIVE_TOOLS, MAX_INSTRUCTIONS, sizes, tokens
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import scheduler_cancel, scheduler_list
from agentoolkit.system.scheduler.ports import FoundJobs, Position
from agentoolkit.system.scheduler.search import Search
from agentoolkit.system.scheduler.stores import memory_search
from agentoolkit.testing import ManualTime, TestToolkit
from agentoolkit.wiring import Toolkit

STAND_UP = {"name": "stand up", "when": "every weekday at 9:00", "tool": "notification", "input": {"message": "Stand up"}}


async def talk(*steps: Any, capability: Scheduling | None = None) -> list[str]:
    """Let a scripted model call the tools; return what they answered."""
    agent = Agent(scripted(*steps, "done"), capabilities=[capability or Scheduling()])
    return told((await agent.run("go")).all_messages())


async def jobs(kit: Toolkit) -> dict[str, dict[str, Any]]:
    """Return the jobs there are, by name."""
    return {job["job_name"]: job for job in (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]}


def shown(**options: Any) -> list[dict[str, Any]]:
    """Return the tools as a model is told of them."""
    toolset = Scheduling(**options).get_toolset()
    assert isinstance(toolset, AgenToolset)
    return [
        {"name": name, "description": tool.definition.description, "schema": tool.definition.parameters_json_schema}
        for name, tool in toolset.flat_tools().items()
    ]


def properties() -> list[tuple[str, str, dict[str, Any]]]:
    """Return every argument of the five tools: its tool, its name and its schema."""
    return [(tool["name"], name, about) for tool in shown() for name, about in tool["schema"]["properties"].items()]


# What the model is shown.


def test_there_are_five_tools() -> None:
    """A model is offered five tools by default."""
    assert [tool["name"] for tool in shown()] == ["schedule", "list_jobs", "get_job", "change_job", "cancel_job"]


def test_five_tools_keep_to_their_budget() -> None:
    """Together the five cost a model at most 900 tokens."""
    assert sum(sizes(five_tools()).values()) <= MAX_FIVE_TOOLS == 900


def test_instructions_keep_to_their_budget() -> None:
    """The instructions that never change cost at most 120 tokens."""
    assert tokens(INSTRUCTIONS) <= MAX_INSTRUCTIONS == 120


def test_a_tool_has_at_most_eight_arguments() -> None:
    """Arguments are few."""
    assert all(len(tool["schema"]["properties"]) <= 8 for tool in shown())


def test_only_the_targets_input_is_an_object() -> None:
    """Every argument is flat, but the input that is handed on."""
    assert {name for _, name, about in properties() if about["type"] not in ("string", "integer")} == {"input"}


def test_no_unions_and_no_null() -> None:
    """No schema has a union, at the top or below, and none offers null."""
    text = json.dumps(shown())
    assert not re.search('"(anyOf|oneOf|allOf)"|null', text)


def test_unknown_arguments_are_excluded_by_the_schema() -> None:
    """Each schema says that it takes nothing else."""
    assert all(tool["schema"]["additionalProperties"] is False for tool in shown())


def test_free_texts_have_examples() -> None:
    """Each text that is not one of a closed list shows an example."""
    assert [where for *where, about in properties() if about["type"] == "string" and not ({"examples", "enum"} & about.keys())] == []


def test_descriptions_have_at_most_four_sentences() -> None:
    """A description says purpose, use and answer, briefly."""
    assert all(1 <= len(re.findall(r"[.;]", tool["description"])) <= 4 for tool in shown())


def test_the_model_sets_no_owner_model_price_budget_or_approval() -> None:
    """What the caller decides is no argument of any tool."""
    words = re.compile("owner|user|model|price|cost|budget|limit_|approv|caller|scope|agent$")
    assert [name for _, name, _ in properties() if words.search(name)] == []


async def test_a_model_for_tests_comes_to_an_end(kit: Toolkit) -> None:
    """pydantic-ai's test model, which calls every tool with rubbish, schedules nothing and ends without an error."""
    await Agent("test", capabilities=[Scheduling()]).run("go")
    assert await kit.scheduler.lookup.jobs() == []


async def test_instructions_tell_the_day_and_no_minute(kit: Toolkit) -> None:
    """The date, the weekday and the zone are told; the minute is not, so that a provider's cache of the prompt holds."""
    agent = Agent(TestModel(call_tools=[]), capabilities=[Scheduling()])
    messages = (await agent.run("go")).all_messages()
    (instructions,) = {message.instructions for message in messages if isinstance(message, ModelRequest)}
    assert instructions is not None
    assert INSTRUCTIONS in instructions
    assert "Today is Sunday, 2026-11-29, time zone Europe/Berlin." in instructions
    assert "14:02" not in instructions


async def test_instructions_stay_the_same_all_day(kit: Toolkit, time: ManualTime) -> None:
    """Two requests of one day have the very same instructions."""
    agent = Agent(TestModel(call_tools=[]), capabilities=[Scheduling()])

    async def instructions() -> str | None:
        first = (await agent.run("go")).all_messages()[0]
        assert isinstance(first, ModelRequest)
        return first.instructions

    before = await instructions()
    await time.advance(hours=5)
    assert await instructions() == before


def test_the_capability_comes_from_a_spec(kit: Toolkit) -> None:
    """An agent's spec can name the capability, with its options."""
    spec = {"model": "test", "capabilities": [{"Scheduling": {"timezone": "Asia/Tokyo", "owner": "maria"}}]}
    agent = Agent.from_spec(spec, custom_capability_types=[Scheduling])
    assert isinstance(agent, Agent)


async def test_a_spec_without_options(kit: Toolkit) -> None:
    """The capability's name alone is enough."""
    agent = Agent.from_spec({"model": "test", "capabilities": ["Scheduling"]}, custom_capability_types=[Scheduling])
    model = TestModel(call_tools=["list_jobs"])
    assert "no jobs" in told((await agent.run("go", model=model)).all_messages())[0]


async def test_the_five_can_be_loaded_late(kit: Toolkit) -> None:
    """With `defer_loading` a model has to search for them first."""
    toolset = Scheduling(defer_loading=True).get_toolset()
    assert isinstance(toolset, AgenToolset)
    assert all(tool.definition.defer_loading for tool in toolset.flat_tools().values())


async def test_the_full_set_by_option(kit: Toolkit) -> None:
    """With `full` a model may call every operation of the scheduler too."""
    model = TestModel(call_tools=[])
    await Agent(model, capabilities=[Scheduling(full=True)]).run("go")
    assert model.last_model_request_parameters is not None
    names = {tool.name for tool in model.last_model_request_parameters.function_tools}
    assert {"schedule", "cancel_job", "scheduler_backfill", "scheduler_preview"} <= names


# What its answers say.


async def test_scheduling_answers_with_all_that_the_user_must_know(kit: Toolkit) -> None:
    """Reading, zone, the time it is, the next three runs, and a sentence for the user."""
    (answer,) = await talk(("schedule", STAND_UP))
    assert answer.splitlines() == [
        "Scheduled 'stand up': every weekday (Monday to Friday) at 09:00 (Europe/Berlin).",
        "now: Sun 2026-11-29 14:02",
        "next: Mon 2026-11-30 09:00; Tue 2026-12-01 09:00; Wed 2026-12-02 09:00",
        "note: read as cron '0 9 * * 1-5'",
        "note: ends on 2027-02-27, as repeating jobs do that are given no end; schedule it anew then",
        "Tell the user: scheduled 'stand up', every weekday (Monday to Friday) at 09:00, next on Mon 2026-11-30 09:00, Europe/Berlin time.",
    ]


async def test_a_job_that_waits_for_a_person_is_not_told_as_one_that_runs(kit: Toolkit) -> None:
    """Neither its making nor its change says a next run: the user hears that it is paused, and for what."""
    fetch = {"name": "fetch", "when": "every day at 9:00", "tool": "http", "input": {"operation": "request", "url": "https://a.example"}}
    made, changed = await talk(
        ("schedule", fetch),
        ("change_job", {"name": "fetch", "action": "edit", "when": "every day at 8:00"}),
        capability=Scheduling(owner="maria"),
    )
    for answer in (made, changed):
        assert "It does not run: paused (needs approval: a person has to resume it, because it calls http)." in answer
        assert "next" not in answer
        assert answer.splitlines()[-1].startswith("Tell the user: 'fetch', every day at 0")
        assert tokens(answer) <= 200


async def test_every_door_is_told_that_a_job_is_paused(kit: Toolkit) -> None:
    """The message, the reason and the first remark say so: doors show one of them at least."""
    with acting_as(Caller("maria", "rest", OWN)):
        asked = {"job_name": "fetch", "schedule": "every day at 9:00", "agentool_name": "http"}
        request = {"operation": "request", "url": "https://a.example"}
        done = await kit.injector.run("scheduler", {"operation": "schedule", **asked, "input_data": request})
    reason = "needs approval: a person has to resume it, because it calls http"
    assert done.message == f"Scheduled 'fetch': every day at 09:00. It is paused: {reason}."
    assert (done.data["reason"], done.data["remarks"][0]) == (reason, f"paused, {reason}")


async def test_each_answer_says_what_time_it_is(kit: Toolkit) -> None:
    """The time is in every answer, since it is not in the instructions."""
    answers = await talk(
        ("schedule", STAND_UP),
        ("list_jobs", {}),
        ("get_job", {"name": "stand up"}),
        ("change_job", {"name": "stand up", "action": "edit", "when": "every weekday at 8:00"}),
        ("change_job", {"name": "stand up", "action": "pause"}),
        ("change_job", {"name": "stand up", "action": "resume"}),
        ("change_job", {"name": "stand up", "action": "run_now"}),
        ("cancel_job", {"name": "stand up"}),
    )
    assert len(answers) == 8
    assert all("now: Sun 2026-11-29 14:02" in answer for answer in answers)
    assert all(tokens(answer) <= 200 for answer in answers)


async def test_a_relative_time_is_resolved_by_the_server(kit: Toolkit) -> None:
    """'in 20 minutes' is counted from the scheduler's own clock."""
    (answer,) = await talk(("schedule", {**STAND_UP, "when": "in 20 minutes"}))
    assert "next: Sun 2026-11-29 14:22" in answer


async def test_the_users_zone_holds(kit: Toolkit) -> None:
    """The capability's zone is that of texts that name none."""
    (answer,) = await talk(("schedule", STAND_UP), capability=Scheduling(timezone="Asia/Tokyo"))
    assert "(Asia/Tokyo)" in answer
    assert (await jobs(kit))["stand up"]["timezone"] == "Asia/Tokyo"


async def test_the_same_job_again_is_already_there(kit: Toolkit) -> None:
    """A model that schedules the same twice learns that it is there, and makes no second one."""
    first, second = await talk(("schedule", STAND_UP), ("schedule", STAND_UP))
    assert first.startswith("Scheduled")
    assert second.startswith("Already there: 'stand up'")
    assert len(await jobs(kit)) == 1


async def test_a_near_duplicate_gets_a_remark(kit: Toolkit) -> None:
    """A job that does the same at the same time under another name is pointed out."""
    _, second = await talk(("schedule", STAND_UP), ("schedule", {**STAND_UP, "name": "rise"}))
    assert "note: 'stand up' runs the same at the same time: is one of them too many?" in second


async def test_until_a_day_means_all_of_it(kit: Toolkit) -> None:
    """A last day without a time of day is meant whole."""
    (answer,) = await talk(("schedule", {**STAND_UP, "until": "friday"}))
    assert "until 2026-12-04 23:59:59" in answer


async def test_until_never_takes_the_end_back(kit: Toolkit) -> None:
    """A job that was to end goes on, and pauses are not for ever by that word."""
    edit = {"name": "stand up", "action": "edit", "until": "Never"}
    told, changed = await talk(("schedule", {**STAND_UP, "until": "friday"}), ("change_job", edit))
    assert ("until" in told, "until" in changed) == (True, False)


async def test_until_a_time_means_that_time(kit: Toolkit) -> None:
    """A last moment is taken as it is said."""
    (answer,) = await talk(("schedule", {**STAND_UP, "until": "friday at 10:00"}))
    assert "until 2026-12-04 10:00" in answer


async def test_an_edit_keeps_what_is_not_given(kit: Toolkit) -> None:
    """Only the schedule changes when only `when` is given."""
    edit = {"name": "stand up", "action": "edit", "when": "every weekday at 8:00"}
    _, answer = await talk(("schedule", STAND_UP), ("change_job", edit))
    assert answer.startswith("Changed 'stand up': every weekday (Monday to Friday) at 08:00")
    job = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "stand up"})).data
    assert job["info"]["input_data"]["message"] == "Stand up"


async def test_a_job_is_renamed(kit: Toolkit) -> None:
    """A job can get another name."""
    await talk(("schedule", STAND_UP), ("change_job", {"name": "stand up", "action": "edit", "new_name": "rise"}))
    assert list(await jobs(kit)) == ["rise"]


async def test_a_pause_can_end_by_itself(kit: Toolkit) -> None:
    """`until` of a pause is when the job resumes."""
    _, answer = await talk(("schedule", STAND_UP), ("change_job", {"name": "stand up", "action": "pause", "until": "tuesday at 8:00"}))
    assert "next: Tue 2026-12-01 09:00" in answer


async def test_a_job_can_be_run_at_once(kit: Toolkit) -> None:
    """The answer holds the result."""
    _, answer = await talk(("schedule", STAND_UP), ("change_job", {"name": "stand up", "action": "run_now"}))
    assert answer.startswith("Ran 'stand up'.")
    assert '"delivered": ["log"]' in answer


async def test_get_job_tells_how_the_last_runs_ended(kit: Toolkit, time: ManualTime) -> None:
    """A model that is asked whether a job ran can say so from the record."""
    await talk(("schedule", STAND_UP))
    await time.advance(hours=20)
    await kit.scheduler.lifecycle.wait_idle()
    (answer,) = await talk(("get_job", {"name": "stand up"}))
    assert "last: success Mon 2026-11-30 09:00" in answer


async def test_a_result_that_nobody_got_is_not_told_as_a_plain_success(kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks whether a job ran hears that its answer could not be delivered."""

    async def refusing(request: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(kit.queue, "enqueue", refusing)
    job = {"job_name": "r", "schedule": "in 1 hour", "agentool_name": "notification", "input_data": {"operation": "send", "message": "x"}}
    await kit.injector.run("scheduler", {"operation": "schedule", **job, "result_queue": "reports"})
    await kit.advance(hours=3)
    (answer,) = await talk(("get_job", {"name": "r"}))
    assert "last: success, but could not be delivered Sun 2026-11-29 15:02" in answer


async def test_get_job_shows_the_input_as_json(kit: Toolkit) -> None:
    """The input is shown as a model has to write it when it changes the job."""
    _, answer = await talk(("schedule", STAND_UP), ("get_job", {"name": "stand up"}))
    assert 'runs notification: {"message": "Stand up", "operation": "send"}' in answer


async def test_without_a_toolkit_the_way_out_is_named() -> None:
    """An agent that is run where no scheduler is says what starts one."""
    with Injector().activate(), pytest.raises(ConfigurationError, match="async with Toolkit"):
        await talk()


async def test_the_tools_alone_name_the_way_out_too() -> None:
    """Also without the instructions of the capability, which would look for the scheduler first."""
    agent = Agent(scripted(("list_jobs", {}), "done"), toolsets=[five_tools()])
    with Injector().activate(), pytest.raises(UserError, match="async with Toolkit"):
        await agent.run("go")


async def test_a_prompt_without_an_agent_names_the_setting(kit: Toolkit) -> None:
    """Nobody who schedules from a client has code to change; the setting is named as well."""
    with pytest.raises(UserError, match="AGENTOOL_AGENTS"):
        await talk(("schedule", {"name": "p", "when": "every day at 9:00", "prompt": "hi"}))


async def test_cancelling_can_ask_a_person(kit: Toolkit) -> None:
    """With `approve_cancel` the run ends with a request for approval, and the job is still there."""
    capability = Scheduling(approve_cancel=True)
    steps = (("schedule", STAND_UP), ("cancel_job", {"name": "stand up"}))
    agent = Agent(scripted(*steps), capabilities=[capability], output_type=[str, DeferredToolRequests])
    result = await agent.run("go")
    assert isinstance(result.output, DeferredToolRequests)
    assert list(await jobs(kit)) == ["stand up"]
    (call,) = result.output.approvals
    approved = result.output.build_results(approvals={call.tool_call_id: True})
    follow_up = Agent(scripted("gone"), capabilities=[capability], output_type=[str, DeferredToolRequests])
    await follow_up.run(message_history=result.all_messages(), deferred_tool_results=approved)
    assert await jobs(kit) == {}


# Lists.


async def test_a_list_is_one_line_a_job(kit: Toolkit) -> None:
    """Concisely: name, state, schedule, zone, next run."""
    _, answer = await talk(("schedule", STAND_UP), ("list_jobs", {}))
    assert answer.splitlines()[1:] == ["- 'stand up': active, '0 9 * * 1-5' (Europe/Berlin), next Mon 2026-11-30 09:00"]


async def test_a_long_list_goes_on_with_a_cursor(kit: Toolkit) -> None:
    """A list shows twenty jobs, says that there are more, and goes on where it ended."""
    for number in range(25):
        await kit.injector.run("scheduler", call(f"job {number:02}"))
    (first,) = await talk(("list_jobs", {}))
    (cursor,) = re.findall("cursor '(.*?)'", first)
    (second,) = await talk(("list_jobs", {"cursor": cursor}))
    assert [len(re.findall("^- ", answer, re.MULTILINE)) for answer in (first, second)] == [20, 5]
    assert "more:" not in second


async def test_a_page_of_a_list_reads_no_other_page(kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a list costs does not depend on how many jobs come after its page."""
    for number in range(25):
        await kit.injector.run("scheduler", call(f"job {number:02}"))
    read: list[int] = []
    search_jobs = kit.scheduler.store.search_jobs

    async def counting(search: Search, limit: int, after: Position | None = None) -> FoundJobs:
        read.append(limit)
        return await search_jobs(search, limit, after)

    monkeypatch.setattr(kit.scheduler.store, "search_jobs", counting)
    await talk(("list_jobs", {"limit": 5}))
    assert read == [5]


async def test_a_list_is_bounded_however_long_its_lines(kit: Toolkit) -> None:
    """A list of long names is cut at 2,000 tokens, and says how to see the rest."""
    for number in range(100):
        await kit.injector.run("scheduler", call(f"{number:02}" + "x" * 150))
    (answer,) = await talk(("list_jobs", {"limit": 100}))
    assert tokens(answer) <= 2_050
    assert "more: repeat with cursor" in answer


async def test_a_list_that_is_cut_keeps_the_name_of_its_last_job(kit: Toolkit) -> None:
    """Also where the name is the id, which the cursor has in it; and the list goes on with the job after it."""
    for number in range(90):
        await kit.injector.run("scheduler", call(f"report-{number:03}-{'x' * 80}"))
    (first,) = await talk(("list_jobs", {"limit": 100}))
    (cursor,) = re.findall("cursor '(.*?)'", first)
    (second,) = await talk(("list_jobs", {"limit": 100, "cursor": cursor}))
    names = [re.findall(r"^- '(report-\d+)", answer, re.MULTILINE) for answer in (first, second)]
    assert [f"report-{number:03}" for number in range(90)] == names[0] + names[1]


@pytest.mark.parametrize("wide", ["x", "\\"])
def test_a_page_is_bounded_with_its_cursor(wide: str) -> None:
    """However long the cursors are, and however few lines fit between them."""
    lines, cursors = ["y" * 300] * 100, [f"{number:03}{wide * 500}" for number in range(100)]
    text, told, left = told_page("now", lines, cursors, None, none="no jobs", narrow="state")
    assert (len(text) <= MAX_LIST, told > 20, left) == (True, True, cursors[told - 1])
    assert text.endswith(f"more: repeat with cursor {left!r}, or narrow by state")


async def test_nobody_is_told_that_there_are_no_jobs_where_there_may_be(kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks for a list end at some time; the answer says where."""

    async def empty_page(*asked: object) -> FoundJobs:
        return FoundJobs([], Position(kit.scheduler.now(), "others"))

    monkeypatch.setattr(kit.scheduler.store, "search_jobs", empty_page)
    (answer,) = await talk(("list_jobs", {}))
    assert re.search("^no jobs so far\nmore: repeat with cursor '.* others'", answer, re.MULTILINE)


async def test_a_twin_is_found_behind_jobs_of_other_tools(kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that looks at a part of the jobs goes on."""
    monkeypatch.setattr(memory_search, "PORTION", 2)
    monkeypatch.setattr(memory_search, "WINDOW", 4)
    for number in range(9):
        other = {"agentool_name": "metrics", "input_data": {"operation": "list"}}
        await kit.injector.run("scheduler", {**call(f"other {number}"), **other})
    _, second = await talk(("schedule", STAND_UP), ("schedule", {**STAND_UP, "name": "rise"}))
    assert "note: 'stand up' runs the same at the same time" in second


async def test_a_list_by_state(kit: Toolkit) -> None:
    """Only the jobs in one state are listed."""
    pause = ("change_job", {"name": "stand up", "action": "pause"})
    *_, paused, active = await talk(("schedule", STAND_UP), pause, ("list_jobs", {"state": "paused"}), ("list_jobs", {"state": "active"}))
    assert "'stand up'" in paused
    assert active.endswith("no jobs")


async def test_a_list_by_the_state_that_people_say(kit: Toolkit) -> None:
    """What is active is scheduled to people."""
    _, listed = await talk(("schedule", STAND_UP), ("list_jobs", {"state": "scheduled"}))
    assert "'stand up': active" in listed


async def test_a_cancelled_job_is_remembered(kit: Toolkit) -> None:
    """get_job shows it with who cancelled it and when, and list_jobs lists it by its state."""
    await talk(("schedule", STAND_UP), ("cancel_job", {"name": "stand up"}))
    shown, listed, all_ = await talk(("get_job", {"name": "stand up"}), ("list_jobs", {"state": "cancelled"}), ("list_jobs", {}))
    assert ("cancelled (cancelled by " in shown, ", ended " in shown) == (True, True)
    assert ("'stand up': cancelled" in listed, "no jobs" in all_) == (True, True)


def call(name: str) -> dict[str, Any]:
    """Return the input that schedules a job of this name."""
    return {
        "operation": "schedule",
        "job_name": name,
        "schedule": "every day at 9:00",
        "agentool_name": "notification",
        "input_data": {"operation": "send", "message": "a"},
    }


# What is refused: nothing is scheduled, and the way out is told. The rest is in the table of refusals.


@pytest.mark.parametrize(
    ("when", "once", "repeating"),
    [
        ("30m", "in 30 minutes", "every 30 minutes"),
        ("2 hours", "in 2 hours", "every 2 hours"),
        ("15h", "in 15 hours", "every 15 hours"),
        ("an hour", "in 1 hour", "every hour"),
        ("half an hour", "in 30 minutes", "every 30 minutes"),
        ("PT5M", "in 5 minutes", "every 5 minutes"),
    ],
)
async def test_a_bare_duration_is_refused_with_both_corrections(kit: Toolkit, when: str, once: str, repeating: str) -> None:
    """Once or repeating is asked, never guessed; and both corrections are understood."""
    refused, *accepted = await talk(
        ("schedule", {**STAND_UP, "when": when}),
        ("schedule", {**STAND_UP, "when": once}),
        ("schedule", {**STAND_UP, "name": "again", "when": repeating}),
    )
    assert f"Say '{once}' for once, or '{repeating}' for repeating." in refused
    assert all(answer.startswith("Scheduled") for answer in accepted)


@pytest.mark.parametrize(
    "when", ["until friday, every hour", "starting tomorrow, every 10 minutes", "once an hour", "every hour until friday", "each hour"]
)
async def test_what_says_that_it_repeats_is_no_bare_duration(kit: Toolkit, when: str) -> None:
    """Wherever in the text it says so."""
    (answer,) = await talk(("schedule", {**STAND_UP, "when": when}))
    assert answer.startswith("Scheduled"), answer


@pytest.mark.parametrize(
    ("when", "is_bare"),
    [
        ("alle 10 Minuten", False),
        ("cada 10 minutos", False),
        ("toutes les 10 minutes", False),
        ("10 Minuten", True),
        ("10 minutos", True),
        ("10 minutes", True),
    ],
)
async def test_a_bare_duration_is_one_in_each_language(when: str, is_bare: bool) -> None:
    """What repeats in German, Spanish or French is taken, and a length of time is refused in them too."""
    settings = Settings.from_values({"timezone": "Europe/Berlin", "languages": ["de", "es", "fr"]})
    async with TestToolkit(settings, ManualTime("2026-11-29T13:02:00+00:00"), Injector()):
        (answer,) = await talk(("schedule", {**STAND_UP, "when": when}))
    assert ("once or again and again" in answer) is is_bare, answer


async def test_a_bare_duration_is_refused_in_an_edit_too(kit: Toolkit) -> None:
    """An edit reads `when` by the same rule."""
    edit = ("change_job", {"name": "stand up", "action": "edit", "when": "30m"})
    _, refused, _ = await talk(("schedule", STAND_UP), edit, ("list_jobs", {}))
    assert "every 30 minutes" in refused
    assert (await jobs(kit))["stand up"]["schedule"] == "0 9 * * 1-5"


async def test_an_ambiguous_name_changes_nothing(kit: Toolkit) -> None:
    """A name that fits several jobs is answered with the candidates."""
    weekly = {**STAND_UP, "name": "stand up weekly", "when": "every monday at 9:00"}
    *_, refused, _ = await talk(("schedule", STAND_UP), ("schedule", weekly), ("cancel_job", {"name": "STAND"}), ("list_jobs", {}))
    assert "'STAND' fits 2 jobs: 'stand up', 'stand up weekly'. Nothing was done." in refused
    assert len(await jobs(kit)) == 2


async def test_an_unknown_name_gets_the_nearest(kit: Toolkit) -> None:
    """A misspelt name is not taken for another job; the nearest are named."""
    *_, refused, _ = await talk(("schedule", STAND_UP), ("cancel_job", {"name": "stnad up"}), ("list_jobs", {}))
    assert "Nearest: 'stand up'." in refused
    assert len(await jobs(kit)) == 1


@pytest.mark.parametrize("name", ['say "hi', '"hi" daily', 'hi" d'])
async def test_a_name_with_a_quote_is_searched_for(kit: Toolkit, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Behind the first thousand, of which the nearest are known, a job is found by a part of its name."""
    monkeypatch.setattr(scheduling_desk, "PAGE", 2)
    for made in ("first", "second", 'say "hi" daily'):
        await kit.injector.run("scheduler", call(made))
    (refused,) = await talk(("cancel_job", {"name": name}))
    assert "Nearest: 'say \"hi\" daily'." in refused


async def test_how_many_jobs_a_name_fits_is_told_as_far_as_it_is_known(kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more jobs may follow, the number is the least."""
    monkeypatch.setattr(scheduling_desk, "PAGE", 2)
    for number in range(3):
        await kit.injector.run("scheduler", call(f"job {number}"))
    (refused,) = await talk(("cancel_job", {"name": "job"}))
    assert "'job' fits at least 2 jobs: 'job 0', 'job 1'." in refused


async def test_prompt_and_tool_exclude_each_other(kit: Toolkit) -> None:
    """A job runs one thing."""
    refused, _ = await talk(("schedule", {**STAND_UP, "prompt": "Stand up"}), ("list_jobs", {}))
    assert "either a prompt for an agent, or a tool and its input" in refused
    assert await jobs(kit) == {}


async def test_fields_of_another_action_are_refused(kit: Toolkit) -> None:
    """A pause that is given a schedule is refused, so that nothing given is ignored."""
    *_, refused, _ = await talk(
        ("schedule", STAND_UP), ("change_job", {"name": "stand up", "action": "pause", "when": "every day at 9:00"}), ("list_jobs", {})
    )
    assert "when: It is not used by action 'pause'. Use action 'edit'." in refused
    assert (await jobs(kit))["stand up"]["state"] == "active"


async def test_a_wrong_zone_is_repaired_by_another_try(kit: Toolkit) -> None:
    """A zone that does not exist is refused with what it should look like, and the second try counts."""
    refused, done = await talk(("schedule", {**STAND_UP, "timezone": "Berlin"}), ("schedule", {**STAND_UP, "timezone": "Europe/Berlin"}))
    assert "Europe/Berlin" in refused
    assert done.startswith("Scheduled")


async def test_a_wrong_cron_is_repaired_by_another_try(kit: Toolkit) -> None:
    """A crontab line with a wrong field is refused with the field, and the second try counts."""
    refused, done = await talk(("schedule", {**STAND_UP, "when": "0 25 * * *"}), ("schedule", {**STAND_UP, "when": "0 9 * * *"}))
    assert "25" in refused
    assert done.startswith("Scheduled")


async def test_a_run_ends_when_a_model_does_not_learn(kit: Toolkit) -> None:
    """After three corrections a call has failed; whoever makes it once more ends the run instead of going on for ever."""
    with pytest.raises(Exception, match="exceeded max retries"):
        await talk(*[("schedule", {**STAND_UP, "when": "30m"})] * 6)


async def test_a_documented_function_is_a_tool_of_an_agent(kit: Toolkit) -> None:
    """`scheduler_list` and its like can be given to an agent, which calls them with its own context."""
    agent = Agent(scripted(("scheduler_cancel", {"job_id": "none"}), ("scheduler_list", {}), "done"))
    tools = [for_agents(function, "scheduler") for function in (scheduler_list, scheduler_cancel)]
    refused, listed = told((await agent.run("go", toolsets=[FunctionToolset(tools)])).all_messages())
    assert "No job has the id or name 'none'" in refused
    assert '"count":0' in listed
