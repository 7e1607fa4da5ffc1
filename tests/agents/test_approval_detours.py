"""Detours round a person's approval and round an owner's scopes: none of them leads anywhere."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from tests.agents.test_approvals import Bank, decide, history, parked
from tests.agents.test_callers import MAIL, MARIA, call, info, job

from agentool.caller import Caller, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.errors import NoSuchApproval
from agentoolkit.system.scheduler.decisions.admission import NEEDS_APPROVAL
from agentoolkit.system.scheduler.errors import ExecutionFailed, InvalidJob, NotPermitted
from agentoolkit.testing import TestToolkit

FETCH = {"agentool_name": "http", "input_data": {"operation": "request", "method": "GET", "url": "https://example.org/"}}


@pytest.mark.parametrize("fields", [{"reason": "later"}, {"until": "2026-11-29T15:00:00+01:00"}, {}])
async def test_a_pause_does_not_end_the_waiting(kit: TestToolkit, fields: dict[str, Any]) -> None:
    """A job that waits for a person goes on waiting, whatever its owner pauses it for, and for however long."""
    await job(kit, "j", MARIA, **FETCH)
    await call(kit, "pause", MARIA, job_id="j", **fields)
    with pytest.raises(NotPermitted):
        await call(kit, "resume", MARIA, job_id="j")
    with pytest.raises(NotPermitted):
        await call(kit, "run_now", MARIA, job_id="j")
    await kit.advance(hours=2)
    waiting = await info(kit, "j")
    assert waiting["state"] == "paused"
    assert waiting["reason"].startswith(NEEDS_APPROVAL)


async def test_an_administrators_pause_does_not_end_the_waiting_either(kit: TestToolkit) -> None:
    """Its owner cannot resume it after that."""
    await job(kit, "j", MARIA, **FETCH)
    await call(kit, "pause", job_id="j", reason="not today")
    with pytest.raises(NotPermitted):
        await call(kit, "resume", MARIA, job_id="j")


REQUEST = {"method": "GET", "url": "https://example.org/"}
PLUGIN = {"type": "plugin_command", "args": {"plugin_name": "http", "command_name": "request", "arguments": REQUEST}}


@pytest.mark.parametrize(
    ("tool", "data"),
    [
        ("sequence", {"operation": "run", "task_definitions": [PLUGIN]}),
        ("sequence", {"operation": "run", "task_definitions": "!ref:storage_kv:calls"}),
        ("sequence", {"operation": "run", "task_definitions": ["!ref:storage_kv:call"]}),
        ("sequence", {"operation": "run", "steps": "!ref:storage_kv:calls"}),
        ("sequence", {"operation": "run", "steps": ["!ref:storage_kv:call"]}),
        ("sequence", {"operation": "run", "task_definitions": [{"type": "!ref:storage_kv:type", "args": {}}]}),
        ("sequence", {"operation": "run", "task_definitions": [{"type": "agentool", "args": "!ref:storage_kv:call"}]}),
        ("queue", {"operation": "dequeue", "queue_name": "q", "auto_execute": True, "agentool_name": "!ref:storage_kv:tool"}),
        ("queue", {"operation": "dequeue", "queue_name": "q", "auto_execute": True, "agentool_name": "sequence"}),
        (
            "sequence",
            {
                "operation": "run",
                "steps": [
                    {
                        "name": "d",
                        "agentool_name": "queue",
                        "input_data": {"operation": "dequeue", "queue_name": "q", "auto_execute": True},
                    }
                ],
            },
        ),
    ],
)
async def test_what_is_called_must_be_told(kit: TestToolkit, tool: str, data: dict[str, Any]) -> None:
    """A job waits as well where another name, or a reference, stands for the AgenTool that it calls."""
    await job(kit, "j", MARIA, agentool_name=tool, input_data=data)
    waiting = await info(kit, "j")
    assert (waiting["state"], waiting["reason"].startswith(NEEDS_APPROVAL)) == ("paused", True)


async def test_a_task_type_of_the_applications_own_waits(kit: TestToolkit) -> None:
    """Nobody can tell from its name what it calls."""
    kit.injector.get("sequence").deps.types.add("fetch", lambda args: ("http", dict(args)), "fetch")
    data = {"operation": "run", "task_definitions": [{"type": "fetch", "args": {"operation": "request", "url": "https://example.org/"}}]}
    with pytest.raises(NotPermitted):
        await call(kit, "run_now", MARIA, agentool_name="sequence", input_data=data)


async def test_a_reference_among_plain_values_does_not_wait(kit: TestToolkit) -> None:
    """What it stands for is text, or data, and calls nothing."""
    await job(kit, "j", MARIA, input_data={"operation": "send", "message": "!ref:storage_kv:greeting"})
    data = {"operation": "run", "task_definitions": [{"type": "notification", "args": {"message": "!ref:storage_kv:greeting"}}]}
    await job(kit, "k", MARIA, agentool_name="sequence", input_data=data)
    assert [(await info(kit, name))["state"] for name in "jk"] == ["active", "active"]


@pytest.mark.parametrize("field", ["result_queue", "error_queue"])
async def test_a_run_at_once_sends_nothing_to_an_address_unapproved(kit: TestToolkit, field: str) -> None:
    """As a job with that address would wait for approval, of a job that has none, and without one."""
    await job(kit, "j", MARIA)
    with pytest.raises(NotPermitted):
        await call(kit, "run_now", MARIA, job_id="j", **{field: "https://example.org/hook"})
    with pytest.raises(NotPermitted):
        await call(kit, "run_now", MARIA, agentool_name="notification", input_data=MAIL, **{field: "https://example.org/hook"})


async def test_another_input_borrows_no_scopes(kit: TestToolkit) -> None:
    """A job that an administrator made for somebody runs an input of theirs with their scopes alone."""
    await call(kit, "schedule", job_name="secret", schedule="every day", agentool_name="notification", input_data=MAIL)
    for_maria = Caller("maria", "rest")
    look = {"agentool_name": "scheduler", "input_data": {"operation": "get_job", "job_id": "mine"}}
    await job(kit, "mine", for_maria, **look)
    with pytest.raises(ExecutionFailed):
        await call(kit, "run_now", MARIA, job_id="mine", input_data={"operation": "get_job", "job_id": "secret"})
    assert (await call(kit, "run_now", MARIA, job_id="mine"))["result"]


SECRET = {"operation": "get", "key": "smtp.password"}


@pytest.mark.parametrize(
    ("tool", "data"),
    [
        ("config", SECRET),
        ("config", {"operation": "set", "key": "smtp.host", "value": "evil.example"}),
        ("notification", {"operation": "send", "message": "!ref:config:smtp.password"}),
        (
            "sequence",
            {"operation": "run", "task_definitions": [{"type": "notification", "args": {"message": "!ref:config:smtp.password"}}]},
        ),
    ],
)
async def test_what_is_configured_waits_for_a_person(kit: TestToolkit, tool: str, data: dict[str, Any]) -> None:
    """Secrets are there, so nothing reads or sets them unapproved: no job, no run at once, and no reference."""
    await kit.injector.run("config", {"operation": "set", "key": "smtp.password", "value": "hunter2"})
    await job(kit, "j", MARIA, agentool_name=tool, input_data=data)
    waiting = await info(kit, "j")
    assert (waiting["state"], "config" in waiting["reason"]) == ("paused", True)
    with pytest.raises(NotPermitted):
        await call(kit, "run_now", MARIA, agentool_name=tool, input_data=data)


async def test_an_approved_job_runs_as_often_as_was_approved(kit: TestToolkit) -> None:
    """Its owner who gives it another schedule waits for a person again; one who gives the same does not."""
    await job(kit, "j", MARIA, **FETCH)
    await call(kit, "resume", job_id="j")
    schedule = (await info(kit, "j"))["schedule"]
    await call(kit, "update", MARIA, job_id="j", schedule=schedule, description="as it was")
    same = (await info(kit, "j"))["state"]
    await call(kit, "update", MARIA, job_id="j", schedule="every 3 hours")
    assert (same, (await info(kit, "j"))["state"]) == ("active", "paused")


async def thanks(kit: TestToolkit, **fields: Any) -> list[str]:
    """Schedule the prompt of another agent as job ``k``; return the prompts that its model gets."""
    prompts: list[str] = []

    async def respond(messages: list[Any], _: Any) -> ModelResponse:
        prompts.append(str(messages[-1].parts[-1].content))
        return ModelResponse(parts=[TextPart("done")])

    register_agent("b", Agent(FunctionModel(respond)))
    prompt = {"operation": "run", "agent": "b", "prompt": "Thank the bank"}
    await call(kit, "schedule", job_name="k", agentool_name="agent", input_data=prompt, **fields)
    return prompts


async def test_nobody_takes_the_place_of_the_run_that_goes_on(kit: TestToolkit) -> None:
    """An owner who starts it before a person has decided would leave the approved call unmade."""
    bank = Bank()
    with acting_as(MARIA):
        approval_id = await parked(kit, bank)
    with pytest.raises(InvalidJob, match="run_key"):
        await call(kit, "start_run", MARIA, job_id="j", run_key=f"approval-{approval_id}")
    await decide(kit, "approve", approval_id)
    assert bank.paid == [5]


@pytest.mark.parametrize("started", [{"run_key": "approval-{}"}, {"execution_id": "k@x@requested-approval-{}"}], ids=["key", "replay"])
async def test_an_approval_is_used_by_its_own_job_only(kit: TestToolkit, started: dict[str, str]) -> None:
    """Another job neither makes the approved call nor goes on with the conversation in which it was asked for."""
    bank = Bank()
    approval_id = await parked(kit, bank)
    await thanks(kit, schedule="in 9 hours")
    approvals = kit.injector.get("agent").deps.parked.approvals
    found = await approvals.get(approval_id)
    assert found is not None
    assert await approvals.decide(replace(found, status="approved"))
    operation = "start_run" if "run_key" in started else "run_now"
    with suppress(ExecutionFailed):
        await call(kit, operation, job_id="k", **{name: value.format(approval_id) for name, value in started.items()})
    await kit.clock.let_run()
    await kit.scheduler.lifecycle.wait_idle()
    assert bank.paid == []
    with pytest.raises(NoSuchApproval):  # decided already: but it lets the run go on that was cut off
        await decide(kit, "approve", approval_id)
    await kit.clock.let_run()
    await kit.scheduler.lifecycle.wait_idle()
    assert bank.paid == [5]
    assert (await history(kit))[-1]["status"] == "success"


async def test_a_job_after_one_that_was_approved_runs_its_own_prompt(kit: TestToolkit) -> None:
    """The id of its execution tells what it comes after; that is not what it was approved for."""
    bank = Bank()
    approval_id = await parked(kit, bank)
    prompts = await thanks(kit, schedule="after j")
    await decide(kit, "approve", approval_id)
    await kit.clock.let_run()
    await kit.scheduler.lifecycle.wait_idle()
    assert (bank.paid, prompts) == ([5], ["Thank the bank"])
