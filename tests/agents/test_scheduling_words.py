"""The five tools refuse in their own words, and an edit takes what `schedule` takes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic_ai import Agent
from tests.agents.test_scheduling import STAND_UP, talk

from agentool.caller import OWN, Caller, acting_as
from agentool.errors import ConfigurationError
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.scheduling import Scheduling, five_tools
from agentoolkit.testing import TestToolkit
from agentoolkit.wiring import Toolkit

INNER = ("job_id", "job_name", "input_data", "end_at", "schedule:", "agentool_name", "operation 'update'", "injector")
"""What is only in the scheduler's own words."""


async def info_of(kit: Toolkit, name: str) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": name})).data["info"]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (("schedule", {**STAND_UP, "when": "yesterday"}), "when"),
        (("schedule", {**STAND_UP, "name": "often", "when": "every 10 seconds"}), "when"),
        (("schedule", {**STAND_UP, "until": "yesterday"}), "until"),
        (("schedule", {**STAND_UP, "tool": "notifications"}), "tool"),
        (("schedule", {**STAND_UP, "input": {"mesage": "Stand up"}}), "input.mesage"),
        (("schedule", {**STAND_UP, "when": "every day at 10:00"}), "name"),
        (("schedule", {**STAND_UP, "name": ""}), "name"),
        (("schedule", {"name": "sum", "when": "every day at 9:00", "prompt": "  "}), "prompt"),
        (("change_job", {"name": "stand up", "action": "edit", "until": "yesterday"}), "until"),
        (("change_job", {"name": "stand up", "action": "edit", "input": {"mesage": "x"}}), "input.mesage"),
        (("change_job", {"name": "stand up", "action": "edit", "new_name": ""}), "new_name"),
        (("change_job", {"name": "stand up", "action": "edit", "new_name": "tea"}), "new_name"),
        (("change_job", {"name": "stand up", "action": "pause", "until": "yesterday"}), "until"),
    ],
)
async def test_a_refusal_names_the_argument_of_the_tool(kit: Toolkit, call: Any, field: str) -> None:
    """And sends to nothing that a model does not have."""
    tea = ("schedule", {**STAND_UP, "name": "tea", "when": "every day at 16:00"})
    *_, refused, _ = await talk(("schedule", STAND_UP), tea, call, ("list_jobs", {}))
    assert refused.startswith(f"{field}: "), refused
    assert not [word for word in INNER if word in refused], refused


async def test_a_name_that_another_has_is_refused_in_the_tools_words(kit: Toolkit) -> None:
    """The way out is a tool of the five, or another name."""
    with acting_as(Caller("bob", "code", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", "job_name": "stand up", "schedule": "1 day",
            "agentool_name": "notification", "input_data": {"operation": "send", "message": "a"}})  # fmt: skip
    refused, _ = await talk(("schedule", STAND_UP), ("list_jobs", {}), capability=Scheduling(owner="maria"))
    assert refused.startswith("name: The name 'stand up' is taken. Choose another name, or change that one with change_job.")


@pytest.mark.parametrize("until", ["today", "2026-11-29"])
async def test_until_today_is_the_end_of_today(kit: TestToolkit, until: str) -> None:
    """A day alone is meant whole, also the one that has begun."""
    told, _ = await talk(("schedule", {**STAND_UP, "when": "every hour", "until": until}), ("list_jobs", {}))
    assert told.startswith("Scheduled"), told
    end = datetime.fromisoformat((await info_of(kit, "stand up"))["end_at"])
    assert end.astimezone(ZoneInfo(kit.scheduler.timezone)).isoformat().startswith("2026-11-29T23:59:59")


async def test_an_edit_takes_the_input_that_schedule_takes(kit: Toolkit) -> None:
    """The operation need not be said where there is one, and what is not given is kept."""
    warning = {**STAND_UP, "input": {"message": "Stand up", "notification_type": "warning"}}
    edit = ("change_job", {"name": "stand up", "action": "edit", "input": {"message": "Sit down"}})
    _, changed = await talk(("schedule", warning), edit)
    assert changed.startswith("Changed")
    assert (await info_of(kit, "stand up"))["input_data"] == {"operation": "send", "message": "Sit down", "notification_type": "warning"}


async def test_an_edit_to_another_operation_keeps_nothing_of_the_old_input(kit: Toolkit) -> None:
    """What the other one took may be no field of it."""
    keep = {**STAND_UP, "tool": "storage_kv", "input": {"operation": "set", "key": "a", "value": 1}}
    edit = ("change_job", {"name": "stand up", "action": "edit", "input": {"operation": "delete", "key": "a"}})
    _, changed = await talk(("schedule", keep), edit)
    assert changed.startswith("Changed"), changed
    assert (await info_of(kit, "stand up"))["input_data"] == {"operation": "delete", "key": "a"}


async def test_an_edit_of_an_agents_input_keeps_its_agent(kit: Toolkit) -> None:
    """By a prompt as by an input."""
    register_agent("writer", Agent("test"), injector=kit.injector)
    first = ("schedule", {"name": "sum", "when": "every day at 9:00", "prompt": "Sum"})
    await talk(first, ("change_job", {"name": "sum", "action": "edit", "input": {"prompt": "Sum up"}}))
    assert (await info_of(kit, "sum"))["input_data"] == {"operation": "run", "agent": "writer", "prompt": "Sum up"}
    await talk(("change_job", {"name": "sum", "action": "edit", "prompt": "Sum all"}))
    assert (await info_of(kit, "sum"))["input_data"] == {"operation": "run", "agent": "writer", "prompt": "Sum all"}


async def test_a_reminder_that_is_paused_past_its_time_says_so(kit: TestToolkit) -> None:
    """At once, and in what is known of it afterwards."""
    once = ("schedule", {**STAND_UP, "when": "tomorrow at 9:00"})
    _, paused, shown = await talk(
        once, ("change_job", {"name": "stand up", "action": "pause", "until": "in 3 days"}), ("get_job", {"name": "stand up"})
    )
    assert "note: Nothing of it is due after the pause: it ends then, and does not run." in paused
    assert paused.startswith("Paused 'stand up' until ")
    assert "paused until " in shown
    await kit.advance(days=4)
    (told,) = await talk(("get_job", {"name": "stand up"}))
    assert "done" in told
    assert "last: missed (paused until " in told


async def test_a_reminder_that_is_resumed_after_its_time_is_told_as_done(kit: TestToolkit) -> None:
    """Nobody hears that it goes on."""
    await talk(("schedule", {**STAND_UP, "when": "tomorrow at 9:00"}), ("change_job", {"name": "stand up", "action": "pause"}))
    await kit.advance(days=4)
    (resumed,) = await talk(("change_job", {"name": "stand up", "action": "resume"}))
    assert resumed.startswith("Nothing of 'stand up' is due any more")
    assert "Resumed" not in resumed


@pytest.mark.parametrize("make", [lambda zone: Scheduling(timezone=zone), lambda zone: five_tools(zone)])
def test_a_zone_that_does_not_exist_is_refused_where_it_is_written(make: Any) -> None:
    """Not by the first run; the nearest is named."""
    with pytest.raises(ConfigurationError, match=r"timezone: .*Did you mean 'Europe/Berlin'"):
        make("Europe/Belrin")


def test_a_zone_may_be_spelt_in_small_letters() -> None:
    """As everywhere."""
    assert Scheduling(timezone="europe/berlin").timezone == "Europe/Berlin"
