"""Questions to the person at the client: asked, declined, and replaced by a code where nobody can be asked."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from tests.mcp_door.conftest import Connect, text_of
from tests.mcp_door.test_tools import STAND_UP

from agentool.caller import ADMIN, OWN, Caller, acting_as
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.testing import TestToolkit

YES = types.ElicitResult(action="accept", content={"confirm": True})
UNTICKED = types.ElicitResult(action="accept", content={"confirm": False})
NO = types.ElicitResult(action="decline")
CLOSED = types.ElicitResult(action="cancel")
REMOVE = {"task_id": "stand up"}
FETCH = {"operation": "request", "method": "GET", "url": "https://example.org/"}
OUTWARD = {"task_id": "fetch", "when": "every day at 9:00", "config": {"agentool_name": "http", "input_data": FETCH}}


async def add(client: object) -> None:
    await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})  # type: ignore[attr-defined]


async def names(kit: TestToolkit) -> list[str]:
    return [stored.job.job_name for stored in await kit.scheduler.lookup.jobs()]


async def test_a_removal_is_asked_for_and_done(connect: Connect, kit: TestToolkit) -> None:
    """The question names the task and its schedule."""
    async with connect([YES]) as client:
        await add(client)
        removed = await client.call_tool("scheduler_remove_task", REMOVE)
        assert client.asked == ["Remove task 'stand up' (cron '0 9 * * *') for good? Its history stays readable."]
    assert text_of(removed).startswith("Removed 'stand up'")
    assert await names(kit) == []


@pytest.mark.parametrize("answer", [NO, CLOSED, UNTICKED])
async def test_a_removal_that_is_declined_is_not_done(connect: Connect, kit: TestToolkit, answer: types.ElicitResult) -> None:
    """The model is told, and no protocol error is raised."""
    async with connect([answer]) as client:
        await add(client)
        removed = await client.call_tool("scheduler_remove_task", REMOVE)
    assert not removed.is_error
    assert text_of(removed) == "The user declined. Task 'stand up' was not removed."
    assert await names(kit) == ["stand up"]


@pytest.mark.parametrize("said", ["false", "no", "true", 1, [], ["yes"], None])
async def test_only_true_is_a_yes(connect: Connect, kit: TestToolkit, said: Any) -> None:
    """A client whose form gives texts or numbers has neither removed nor approved anything, whatever they say."""
    vague = types.ElicitResult(action="accept", content={"confirm": said})
    async with connect([vague, vague]) as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
        removed = await client.call_tool("scheduler_remove_task", {"task_id": "fetch"})
    assert added.structured_content["state"] == "paused"
    assert text_of(removed).startswith("The user declined.")
    assert await names(kit) == ["fetch"]


async def test_where_nobody_can_be_asked_a_code_confirms(connect: Connect, kit: TestToolkit) -> None:
    """The first answer says what would happen, and the second call does it."""
    async with connect() as client:
        await add(client)
        told = await client.call_tool("scheduler_remove_task", REMOVE)
        assert await names(kit) == ["stand up"]
        assert "Nothing was done yet" in text_of(told)
        assert told.structured_content["done"] is False
        await client.call_tool("scheduler_remove_task", {**REMOVE, "confirm": told.structured_content["confirm"]})
    assert await names(kit) == []


async def no_window(context: object, params: types.ElicitRequestParams) -> types.ErrorData:
    return types.ErrorData(code=types.INTERNAL_ERROR, message="no window to ask in")


async def no_answer(context: object, params: types.ElicitRequestParams) -> Any:
    return types.CreateMessageResult(role="user", content=types.TextContent(text="yes"), model="m")


@pytest.mark.parametrize("fails", [no_window, no_answer])
async def test_a_client_that_fails_to_ask_is_as_one_that_cannot(kit: TestToolkit, fails: Any) -> None:
    """In the protocol that waits for the answer: a code for what is done at once, and a task that waits for its person."""
    server = create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN))
    async with Client(server, mode="legacy", elicitation_callback=fails) as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
        told = await client.call_tool("scheduler_remove_task", {"task_id": "fetch"})
        assert "agentool resume fetch" in text_of(added)
        assert await names(kit) == ["fetch"]
        await client.call_tool("scheduler_remove_task", {"task_id": "fetch", "confirm": told.structured_content["confirm"]})
    assert await names(kit) == []


async def test_a_wrong_code_confirms_nothing(connect: Connect, kit: TestToolkit) -> None:
    """A model cannot make one up."""
    async with connect() as client:
        await add(client)
        await client.call_tool("scheduler_remove_task", {**REMOVE, "confirm": "123456"})
    assert await names(kit) == ["stand up"]


async def test_a_code_holds_for_the_task_as_it_was(connect: Connect, kit: TestToolkit) -> None:
    """After a change the question is another one."""
    async with connect() as client:
        await add(client)
        told = await client.call_tool("scheduler_remove_task", REMOVE)
        await client.call_tool("scheduler_change_task", {**REMOVE, "action": "edit", "when": "every day at 8:00"})
        await client.call_tool("scheduler_remove_task", {**REMOVE, "confirm": told.structured_content["confirm"]})
    assert await names(kit) == ["stand up"]


async def test_a_task_that_reaches_outwards_waits_where_nobody_can_be_asked(connect: Connect) -> None:
    """It is scheduled, paused, and the answer says how a person lets it run."""
    async with connect() as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
    assert added.structured_content["state"] == "paused"
    assert "agentool resume 'fetch'" in text_of(added).replace("`", "").replace("resume fetch", "resume 'fetch'")


async def test_the_person_at_the_client_approves_a_task_that_reaches_outwards(connect: Connect) -> None:
    """The question shows what it calls, and the task then runs at its time."""
    async with connect([YES]) as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
        assert len(client.asked) == 1
        assert "https://example.org/" in client.asked[0]
    assert text_of(added).startswith("The user approved it.")
    assert shown.structured_content["info"]["state"] == "active"


async def test_what_is_approved_is_what_was_asked_for(connect: Connect, kit: TestToolkit) -> None:
    """A task that another call changes while the person thinks is not approved by their yes to what it was."""
    evil = {**OUTWARD["config"], "input_data": {**FETCH, "url": "https://evil.example/"}}

    async def change_it_meanwhile() -> types.ElicitResult:
        async with connect() as other:
            changed = await other.call_tool("scheduler_change_task", {"task_id": "fetch", "action": "edit", "config": evil})
            assert not changed.is_error
        return YES

    again = {"task_id": "fetch", "action": "edit", "when": "every day at 8:00"}
    async with connect([NO, change_it_meanwhile, NO]) as client:
        await client.call_tool("scheduler_add_task", OUTWARD)
        edited = await client.call_tool("scheduler_change_task", again)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
    assert not text_of(edited).startswith("The user approved it.")
    assert shown.structured_content["info"]["state"] == "paused"


async def test_what_changes_just_before_it_is_approved_is_not(connect: Connect, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The yes is for the version that was shown, also where another call changes it between the last look and the approval."""
    evil = {"operation": "update", "job_id": "fetch", "input_data": {**FETCH, "url": "https://evil.example/"}}
    scheduler = kit.injector.get("scheduler").deps
    resume = scheduler.resume

    async def changed_first(*args: Any, **named: Any) -> Any:
        with acting_as(Caller("other", door="rest", scopes=OWN | {"admin"})):
            await kit.injector.run("scheduler", evil)
        return await resume(*args, **named)

    monkeypatch.setattr(scheduler, "resume", changed_first)
    async with connect([YES]) as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
    assert "changed while the user was asked" in text_of(added)
    assert added.is_error
    assert shown.structured_content["info"]["state"] == "paused"


async def test_a_task_too_long_to_be_shown_is_not_asked_for(connect: Connect) -> None:
    """What cannot be shown whole cannot be approved by a yes: the call may hide behind a long one. It waits for another door."""
    steps = [{"agentool_name": "notification", "input_data": {"operation": "send", "message": "x" * 3_000}}]
    steps.append({"agentool_name": "http", "input_data": {**FETCH, "url": "https://evil.example/"}})
    config = {"agentool_name": "sequence", "input_data": {"operation": "run", "steps": steps}}
    async with connect([YES]) as client:
        added = await client.call_tool("scheduler_add_task", {**OUTWARD, "config": config})
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
        assert client.asked == []
    assert "A person lets it run" in text_of(added)
    assert shown.structured_content["info"]["state"] == "paused"


async def test_a_question_shows_all_that_is_called(connect: Connect) -> None:
    """Also what stands behind three hundred characters of something else, and why it asks."""
    steps = [{"agentool_name": "notification", "input_data": {"operation": "send", "message": "x" * 600}}]
    steps.append({"agentool_name": "http", "input_data": FETCH})
    async with connect([NO]) as client:
        await client.call_tool(
            "scheduler_add_task", {**OUTWARD, "config": {"agentool_name": "sequence", "input_data": {"operation": "run", "steps": steps}}}
        )
        assert "https://example.org/" in client.asked[0]
        assert "because it calls http" in client.asked[0]


async def test_a_code_is_of_use_to_its_owner_alone(kit: TestToolkit, mode: str) -> None:
    """An administrator's client that reads an owner's code somewhere is asked to confirm by a code of its own."""
    caller = Caller("maria", "mcp", OWN)
    server = create_server(LoopHost(kit), lambda: caller)
    async with Client(server, mode=mode) as client:
        await add(client)
        first = await client.call_tool("scheduler_remove_task", REMOVE)
        caller = Caller("root", "mcp", ADMIN)
        again = await client.call_tool("scheduler_remove_task", {**REMOVE, "confirm": first.structured_content["confirm"]})
    assert again.structured_content["done"] is False
    assert await names(kit) == ["stand up"]


async def test_a_task_that_is_not_approved_stays_paused(connect: Connect) -> None:
    """A person may still resume it at another door."""
    async with connect([NO]) as client:
        await client.call_tool("scheduler_add_task", OUTWARD)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
    assert shown.structured_content["info"]["state"] == "paused"


async def test_a_model_cannot_approve_its_own_task(connect: Connect) -> None:
    """Neither a resume nor a run gets past the approval."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", OUTWARD)
        for action in ("resume", "run_now"):
            tried = await client.call_tool("scheduler_change_task", {"task_id": "fetch", "action": action})
            assert tried.is_error, action
            assert "approval" in text_of(tried)


async def test_who_comes_with_a_token_approves_by_its_scopes_alone(connect: Connect) -> None:
    """The client that would put the question is the very one that asks, so nothing is asked and the task waits."""
    async with connect([YES], is_local=False) as client:
        added = await client.call_tool("scheduler_add_task", OUTWARD)
        shown = await client.call_tool("scheduler_get_task", {"task_id": "fetch"})
        assert client.asked == []
    assert "A person lets it run" in text_of(added)
    assert shown.structured_content["info"]["state"] == "paused"


async def test_a_token_with_the_scope_approve_lets_a_task_run(connect: Connect) -> None:
    """Its owner's without that scope does not, and neither does a stranger's with it."""
    approve = frozenset({*OWN, "approve"})
    async with connect(is_local=False) as client:
        await client.call_tool("scheduler_add_task", OUTWARD)
    for caller, lets in (
        (Caller("maria", "mcp", OWN), False),
        (Caller("paul", "mcp", approve), False),
        (Caller("maria", "mcp", approve), True),
    ):
        async with connect(caller=caller, is_local=False) as client:
            resumed = await client.call_tool("scheduler_change_task", {"task_id": "fetch", "action": "resume"})
        assert resumed.is_error is not lets, caller
