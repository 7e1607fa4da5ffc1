"""Calls that need approval when nobody is there: denied, granted beforehand, or parked for a person."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic_ai import Agent
from tests.agents.conftest import SUNDAY
from tests.agents.scripts import scripted, told

from agentool import AgenToolError, Injector, InvalidInput
from agentool.caller import OWN, Caller, Scope, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget
from agentoolkit.agents.errors import NoSuchApproval, NotAllowed
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit
from agentoolkit.wiring import Toolkit

PAY = ("pay", {"amount": 5})


class Bank:
    """What the agent's tool did, and what the model was told of it."""

    def __init__(self) -> None:
        self.paid: list[int] = []
        self.told: list[str] = []
        self.breaks = False
        """Does the connection break after a payment?"""

    def agent(self, *steps: Any) -> Agent[Any, Any]:
        """Return an agent whose model follows a script and whose tool pays, with approval."""

        agent = Agent(scripted(*(steps or (PAY, self.note))))

        @agent.tool_plain(requires_approval=True)
        async def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            if self.breaks:
                raise OSError("the bank hung up")
            return f"paid {amount}"

        return agent

    def note(self, messages: Any) -> str:
        """Keep what the model was told, and answer."""
        self.told = told(messages)
        return "paid, or not"


@pytest.fixture
def bank() -> Bank:
    """A bank that has paid nothing."""
    return Bank()


READ_AND_WRITE: list[Scope] = ["read", "write"]


async def schedule(kit: TestToolkit, **fields: Any) -> None:
    """Schedule a prompt once, in an hour, as job ``j``, with a queue for its results and one for what goes wrong."""
    queues = {"result_queue": "results", "error_queue": "errors"}
    job = {"job_name": "j", "schedule": "in 1 hour", "agentool_name": "agent", **queues, **fields}
    input_data = {"operation": "run", "agent": "a", "prompt": "Pay the bill"}
    await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": input_data})


async def history(kit: Toolkit) -> list[dict[str, Any]]:
    """Return the executions of job ``j``, the oldest first."""
    answer = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})
    return answer.data["history"][::-1]


async def waiting(kit: Toolkit) -> list[Any]:
    """Return what waits for a person."""
    return (await kit.injector.run("agent", {"operation": "list_approvals"})).approvals


async def parked(kit: TestToolkit, bank: Bank, *steps: Any, **fields: Any) -> str:
    """Let a run be parked; return its approval's id."""
    register_agent("a", bank.agent(*steps), approvals="park", approval_seconds=7200)
    await schedule(kit, **fields)
    kit.clock.jump(kit.clock.now() + timedelta(minutes=59, seconds=50))  # a database is asked twice a second of time that passes
    await kit.advance(seconds=10)
    await ended(kit, 1)
    (approval,) = await waiting(kit)
    return approval.approval_id


async def ended(kit: Toolkit, count: int) -> list[dict[str, Any]]:
    """Wait until so many executions have ended: a database works in threads of its own, for which moved time does not wait."""
    async with asyncio.timeout(10):
        while len([run for run in await history(kit) if run["finished_at"]]) < count:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    return await history(kit)


async def decide(kit: TestToolkit, operation: str, approval_id: str, **more: Any) -> Any:
    """Decide, and let the run go on."""
    answer = await kit.injector.run("agent", {"operation": operation, "approval_id": approval_id, **more})
    await kit.clock.let_run()
    await kit.scheduler.lifecycle.wait_idle()
    return answer


async def test_a_call_is_denied_by_default_and_the_run_goes_on(kit: TestToolkit, bank: Bank) -> None:
    """Nobody is there: the call is denied, the model is told so, and nothing hangs."""
    register_agent("a", bank.agent())
    await schedule(kit)
    await kit.advance(hours=1)
    (run,) = await history(kit)
    assert run["status"] == "success"
    assert bank.paid == []
    assert "Nobody is there to approve this call" in bank.told[0]


async def test_a_granted_tool_needs_nobody(kit: TestToolkit, bank: Bank) -> None:
    """A tool on the list of those granted beforehand is called."""
    register_agent("a", bank.agent(), granted=("pay",))
    await schedule(kit)
    await kit.advance(hours=1)
    assert bank.paid == [5]


async def test_a_parked_run_is_recorded_as_waiting(kit: TestToolkit, bank: Bank) -> None:
    """The execution ends, says what it needs, until when, and what exactly would be done; the bank has paid nothing."""
    approval_id = await parked(kit, bank)
    (run,) = await history(kit)
    assert run["status"] == "cancelled"
    assert run["reason"] == f"needs approval {approval_id} until 2026-11-29T16:02+00:00: pay({{'amount': 5}})"
    assert run["result"]["requests"] == 1
    assert bank.paid == []


async def test_whoever_watches_the_error_queue_is_told(kit: TestToolkit, bank: Bank) -> None:
    """That a run waits for a person is delivered, so that nobody has to look for it."""
    approval_id = await parked(kit, bank)
    message = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "errors"})
    assert approval_id in message.model_dump_json()


async def test_an_approved_run_goes_on_as_a_further_execution(kit: TestToolkit, bank: Bank) -> None:
    """After approval the same run goes on: the call is made once, and the job has a second execution with the answer."""
    approval_id = await parked(kit, bank)
    await decide(kit, "approve", approval_id)
    runs = await history(kit)
    assert [run["status"] for run in runs] == ["cancelled", "success"]
    assert runs[1]["execution_id"] == f"j@requested-approval-{approval_id}"
    assert (bank.paid, bank.told) == ([5], ["paid 5"])
    assert await waiting(kit) == []


async def test_the_answer_is_delivered(kit: TestToolkit, bank: Bank) -> None:
    """The further execution's answer arrives in the job's own result queue."""
    await decide(kit, "approve", await parked(kit, bank))
    message = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "results"})
    assert "paid, or not" in message.model_dump_json()


async def test_approval_with_edits(kit: TestToolkit, bank: Bank) -> None:
    """A person can change the arguments of the call."""
    await decide(kit, "approve", await parked(kit, bank), edits={"pay": {"amount": 3}})
    assert bank.paid == [3]


async def test_edits_of_a_call_that_does_not_wait_are_refused(kit: TestToolkit, bank: Bank) -> None:
    """A misspelt tool in the edits is refused, and the run still waits."""
    approval_id = await parked(kit, bank)
    with pytest.raises(InvalidInput, match="Waiting: pay"):
        await decide(kit, "approve", approval_id, edits={"pya": {"amount": 3}})
    assert len(await waiting(kit)) == 1


async def test_a_denied_run_goes_on_and_the_model_learns_why(kit: TestToolkit, bank: Bank) -> None:
    """After a denial the call is not made, and the model is told the reason."""
    await decide(kit, "deny", await parked(kit, bank), reason="too expensive")
    runs = await history(kit)
    assert [run["status"] for run in runs] == ["cancelled", "success"]
    assert (bank.paid, bank.told) == ([], ["This call was denied: too expensive."])


async def test_at_its_deadline_a_call_is_denied_and_told(kit: TestToolkit, bank: Bank) -> None:
    """Nobody decided: the call is denied, the model and the owner are told, and nothing waits any more."""
    await parked(kit, bank)
    await kit.advance(hours=3)
    await kit.clock.let_run()
    runs = await history(kit)
    assert [run["status"] for run in runs] == ["cancelled", "success"]
    assert bank.told == ["This call was denied: nobody decided before 2026-11-29T16:02+00:00."]
    assert await waiting(kit) == []


async def test_a_decision_ends_the_deadline(kit: TestToolkit, bank: Bank) -> None:
    """The job that would deny at the deadline is gone once somebody decided."""
    await decide(kit, "approve", await parked(kit, bank))
    jobs = (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]
    assert [job["job_name"] for job in jobs if "deadline" in job["job_name"]] == []


async def test_a_call_is_decided_once(kit: TestToolkit, bank: Bank) -> None:
    """A second decision is refused, and the call is made once."""
    approval_id = await parked(kit, bank)
    await decide(kit, "approve", approval_id)
    with pytest.raises(NoSuchApproval, match="decided already"):
        await decide(kit, "deny", approval_id)
    assert bank.paid == [5]
    assert len(await history(kit)) == 2


async def test_an_unknown_approval_is_refused(kit: TestToolkit) -> None:
    """Nothing can be approved that does not wait."""
    with pytest.raises(NoSuchApproval, match="list_approvals"):
        await decide(kit, "approve", "apr-none")


async def test_a_model_cannot_approve(kit: TestToolkit, bank: Bank) -> None:
    """Whoever comes in by a model's door decides nothing, whatever its scopes."""
    approval_id = await parked(kit, bank)
    for caller in (Caller("code", "agent", OWN), Caller("code", "agent")):
        with acting_as(caller), pytest.raises(NotAllowed):
            await decide(kit, "approve", approval_id)
    assert bank.paid == []


@pytest.mark.parametrize(
    ("scopes", "may"),
    [(["read"], False), (READ_AND_WRITE, False), (["approve"], True), ([*READ_AND_WRITE, "approve"], True), (["admin"], True)],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
async def test_a_token_approves_only_with_that_scope(kit: TestToolkit, bank: Bank, scopes: list[Scope], may: bool) -> None:
    """At the API, its owner's token with the scope approve decides; one that may only look, or write, is refused."""
    with acting_as(Caller("maria", "rest", OWN)):
        approval_id = await parked(kit, bank)
    _, token = await kit.tokens.create("maria", scopes)
    rules = AccessRules(check_token=kit.tokens.check)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(kit, access=rules)), base_url="http://127.0.0.1") as client:
        path = f"/api/scheduler/approvals/{approval_id}/approve"
        answer = await client.post(path, json={}, headers={"Authorization": f"Bearer {token}"})
        await kit.clock.let_run()
        await kit.scheduler.lifecycle.wait_idle()
    assert (answer.status_code == 200, bank.paid) == (may, [5] if may else []), answer.text


async def test_a_scheduled_run_cannot_approve(kit: TestToolkit, bank: Bank) -> None:
    """A job is no person, even an administrator's; only a denial comes by itself."""
    approval_id = await parked(kit, bank)
    with acting_as(Caller("code").inside("approver@1")), pytest.raises(NotAllowed):
        await decide(kit, "approve", approval_id)
    assert bank.paid == []


async def test_another_owner_sees_and_decides_nothing(kit: TestToolkit, bank: Bank) -> None:
    """What waits is its owner's."""
    approval_id = await parked(kit, bank)
    with acting_as(Caller("paul", "rest", frozenset({"read", "write", "approve"}))):
        assert await waiting(kit) == []
        with pytest.raises(NoSuchApproval):
            await decide(kit, "approve", approval_id)


async def test_without_a_job_nothing_is_parked(kit: TestToolkit, bank: Bank) -> None:
    """A run that no job could go on for says so instead of waiting for ever."""
    register_agent("a", bank.agent(), approvals="park")
    with pytest.raises(AgenToolError, match="belongs to no job"):
        await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "Pay"})


@pytest.mark.parametrize("decision", ["approve", "deadline"])
async def test_a_parked_run_survives_the_process(tmp_path: Path, bank: Bank, decision: str) -> None:
    """A new process over the same database lists what waits, and lets it go on; a deadline that passed meanwhile is kept."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with TestToolkit(settings, ManualTime(SUNDAY), Injector()) as kit:
        approval_id = await parked(kit, bank)
    later = ManualTime(SUNDAY)
    later.jump(kit.clock.now())
    if decision == "deadline":
        later.jump(later.now() + timedelta(hours=5))
    async with TestToolkit(settings, later, Injector()) as kit:
        register_agent("a", bank.agent(lambda messages: bank.told.extend(told(messages)) or "done"), approvals="park")
        if decision == "approve":
            await decide(kit, "approve", approval_id, edits={"pay": {"amount": 4}})
        await kit.advance(seconds=5)
        runs = await ended(kit, 2)
        assert [run["status"] for run in runs] == ["cancelled", "success"]
    assert bank.paid == ([4] if decision == "approve" else [])


async def test_a_parked_run_survives_kill_9(tmp_path: Path, bank: Bank) -> None:
    """Park, kill the process, start another, approve with an edit: the run goes on, with one record for each execution."""
    database = str(tmp_path / "jobs.db")
    parking = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.agents.parking", database)
    assert await asyncio.wait_for(parking.wait(), 60) == -signal.SIGKILL
    async with Toolkit(Settings.from_values({"timezone": "UTC", "database": database})) as kit:
        register_agent("a", bank.agent(lambda messages: bank.told.extend(told(messages)) or "done"), approvals="park")
        (approval,) = await waiting(kit)
        edits = {"pay": {"amount": 4}}
        await kit.injector.run("agent", {"operation": "approve", "approval_id": approval.approval_id, "edits": edits})
        runs = await ended(kit, 2)
        assert [run["status"] for run in runs] == ["cancelled", "success"]
    assert (bank.paid, bank.told) == ([4], ["paid 4"])


async def test_an_approved_run_waits_for_the_budget_of_the_next_day(kit: TestToolkit, bank: Bank) -> None:
    """A person has decided: where the day's budget is used up, the call is made tomorrow, and neither lost nor asked for again."""
    register_agent("a", bank.agent(), approvals="park", approval_seconds=7200, per_day=Budget(runs=1))
    await schedule(kit)
    await kit.advance(hours=1)
    (approval,) = await waiting(kit)
    await decide(kit, "approve", approval.approval_id)
    latest = (await history(kit))[-1]
    assert latest["status"] == "retrying"
    assert "1 of 1 runs are used" in latest["reason"]
    assert bank.paid == []
    await kit.advance(days=1)
    assert (await history(kit))[-1]["status"] == "success"
    assert bank.paid == [5]


async def test_an_approved_run_whose_job_has_used_up_its_budget_fails(kit: TestToolkit, bank: Bank) -> None:
    """What a job may use in all does not come back, so nothing waits for it."""
    register_agent("a", bank.agent(), approvals="park", approval_seconds=7200, per_job=Budget(runs=1))
    await schedule(kit)
    await kit.advance(hours=1)
    (approval,) = await waiting(kit)
    await decide(kit, "approve", approval.approval_id)
    assert (await history(kit))[-1]["status"] == "failed"
    assert bank.paid == []
