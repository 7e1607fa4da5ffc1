"""Runs whose requests wait for their provider's batch, by a scripted provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.batch import Batch, BatchRequest, BatchResult, EncodedBatchRequest
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage
from tests.agents.conftest import SUNDAY
from tests.agents.scripts import response

from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget, RunLimits
from agentoolkit.agents import batches
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit
from agentoolkit.wiring import Toolkit


class Night(FunctionModel):
    """A model whose provider answers, with what a script says, once its batch is said to have ended."""

    def __init__(self, *steps: Any) -> None:
        super().__init__(self._answer)
        self.steps = list(steps)
        self.sent: list[int] = []
        """How many requests each batch held."""
        self.ended = False
        self.fails = False

    async def _answer(self, messages: object, info: object) -> ModelResponse:
        answer = response(self.steps.pop(0))
        answer.usage = RequestUsage(input_tokens=70, output_tokens=30)
        return answer

    async def batch_create(self, requests: Sequence[EncodedBatchRequest]) -> Batch:
        self.sent.append(len(requests))
        return replace(await super().batch_create(requests), status="in_progress")

    async def batch_status(self, batch: Batch) -> Batch:
        return replace(batch, status="ended" if self.ended else "in_progress")

    async def batch_results(self, batch: Batch) -> list[BatchResult]:
        self.ended = False  # the next batch takes its own time
        return await super().batch_results(batch)

    def batch_decode(self, result: BatchResult, request: BatchRequest) -> ModelResponse:
        if self.fails:
            raise RuntimeError("no such answer")
        return super().batch_decode(result, request)


class Live(FunctionModel):
    """A model whose provider has no batches."""

    batch_max_requests = None


@pytest.fixture(autouse=True)
def _sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are sent without waiting long for further requests, and looked at anew each time."""
    monkeypatch.setattr(batches, "SHARED", timedelta(microseconds=1))
    monkeypatch.setattr(batches, "TOGETHER", timedelta(milliseconds=20))


async def due(kit: TestToolkit, name: str = "j", **options: Any) -> None:
    """Let a prompt for the agent ``a`` become due, as job `name`."""
    prompt = {"operation": "run", "agent": "a", "prompt": "hello"}
    job = {"job_name": name, "schedule": "in 1 hour", "agentool_name": "agent", "input_data": prompt, "timeout": 86_400, **options}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})


async def run_of(kit: TestToolkit, name: str = "j") -> dict[str, Any]:
    """Return the one execution of a job, once nothing is under way: batches are sent a little later, for which moved time does not wait."""
    async with asyncio.timeout(10):
        while True:
            (run,) = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": name})).data["history"]
            if run["status"] not in ("queued", "running"):
                return run
            await asyncio.sleep(0.01)


async def pass_hours(kit: TestToolkit, hours: float) -> dict[str, Any]:
    """Let time pass in steps of ten minutes, so that a run looks at its batch whenever it should; return the run."""
    for _ in range(round(hours * 6)):
        await kit.advance(minutes=10)
        run = await run_of(kit)
    return run


async def test_a_run_waits_for_its_batch_and_goes_on(kit: TestToolkit, time: ManualTime) -> None:
    """While the batch works nothing runs and the reason is told; then the run calls its tool, waits again, and answers."""
    model = Night(("look", {}), "seen")
    looked: list[int] = []
    agent = Agent(model)

    @agent.tool_plain
    def look() -> str:
        """Look somewhere."""
        looked.append(1)
        return "a house"

    register_agent("a", agent, economy="batch")
    await due(kit)
    await time.advance(hours=1)
    waiting = await run_of(kit)
    assert (waiting["status"], waiting["reason"]) == ("retrying", batches.WAITING)
    assert (await kit.injector.run("scheduler", {"operation": "status"})).data["executing"] == 0
    await time.advance(seconds=60)
    assert (await run_of(kit))["status"] == "retrying"
    assert looked == []
    for _ in range(2):
        model.ended = True
        await time.advance(minutes=10)
        run = await run_of(kit)
    assert (run["status"], run["result"]["output"]) == ("success", "seen")
    assert (looked, model.sent) == ([1], [1, 1])
    assert (run["result"]["requests"], run["result"]["input_tokens"]) == (2, 140)
    assert [said["by"] for said in run["result"]["messages"]] == ["user", "agent", "tool", "agent"]


async def test_looking_at_a_batch_is_no_failed_attempt(kit: TestToolkit, time: ManualTime) -> None:
    """A job that is never tried again waits all the same, and looks ever less often."""
    model = Night("done")
    register_agent("a", Agent(model), economy="batch")
    await due(kit, max_retries=0)
    await time.advance(hours=1)
    run = await pass_hours(kit, 6)
    assert run["status"] == "retrying"
    assert 12 <= run["attempt"] <= 25
    model.ended = True
    assert (await pass_hours(kit, 0.5))["status"] == "success"


async def test_runs_that_are_due_together_share_a_batch(kit: TestToolkit, time: ManualTime) -> None:
    """Three jobs of one minute are one batch of three requests."""
    model = Night(*["done"] * 3)
    register_agent("a", Agent(model), economy="batch")
    for name in ("one", "two", "three"):
        await due(kit, name)
    await time.advance(hours=1)
    assert [(await run_of(kit, name))["status"] for name in ("one", "two", "three")] == ["retrying"] * 3
    assert model.sent == [3]


async def test_a_waiting_run_keeps_what_it_reserved(kit: TestToolkit, time: ManualTime) -> None:
    """The worst stays reserved while a run waits, once for all of its looks; what it used is booked at its end."""
    model = Night("done")
    register_agent("a", Agent(model), economy="batch", limits=RunLimits(tokens=1_000), per_day=Budget(tokens=5_000))
    await due(kit)
    await time.advance(hours=1)
    await pass_hours(kit, 1)
    ledger = kit.injector.get("agent").deps.ledger
    assert (await ledger.spent("a", "code", "2026-11-29", "j", SUNDAY))[1][:2] == (1, 1_000)
    model.ended = True
    await pass_hours(kit, 1)
    assert (await ledger.spent("a", "code", "2026-11-29", "j", SUNDAY))[1][:2] == (1, 100)


async def test_a_batch_that_does_not_answer_fails_the_run(kit: TestToolkit, time: ManualTime) -> None:
    """After its deadline the run is a failure that says so, and is not begun anew."""
    model = Night("done")
    register_agent("a", Agent(model), economy="batch", batch_seconds=7_200)
    await due(kit, max_retries=3)
    await time.advance(hours=1)
    run = await pass_hours(kit, 4)
    assert (run["status"], run["error"]["type"]) == ("failed", "AgentTimeout")
    assert "did not answer within 7200 s" in run["error"]["message"]
    assert model.sent == [1]


async def test_a_run_that_failed_begins_anew(kit: TestToolkit, time: ManualTime) -> None:
    """An answer that cannot be read is a failed attempt; the next one asks again."""
    model = Night("done", "done")
    model.fails = True
    register_agent("a", Agent(model), economy="batch")
    await due(kit, max_retries=1, retry_backoff=600)
    await time.advance(hours=1)
    await run_of(kit)
    model.ended = True
    await time.advance(seconds=61)
    assert "RuntimeError" in (await run_of(kit))["reason"]
    model.fails = False
    await pass_hours(kit, 0.5)
    model.ended = True
    run = await pass_hours(kit, 1)
    assert (run["status"], model.sent) == ("success", [1, 1])


async def test_a_waiting_run_outlives_its_process(time: ManualTime, tmp_path: Path) -> None:
    """Another process, on the same database, collects the answer of the request that was sent before."""
    model = Night("done")

    @asynccontextmanager
    async def process() -> AsyncIterator[TestToolkit]:
        async with TestToolkit(Settings(database=str(tmp_path / "jobs.db")), time, Injector()) as kit:
            register_agent("a", Agent(model), economy="batch")
            yield kit

    async with process() as kit:
        await due(kit, schedule="in 5 seconds")  # a database is told of every second that passes
        await time.advance(seconds=5)
        assert (await run_of(kit))["status"] == "retrying"
    model.ended = True
    async with process() as kit:
        await kit.advance(seconds=70)
        run = await run_of(kit)
    assert (run["status"], run["result"]["output"], model.sent) == ("success", "done", [1])


async def test_a_person_who_runs_it_now_does_not_wait(kit: TestToolkit) -> None:
    """A run that somebody waits for is live."""
    register_agent("a", Agent(Night("at once")), economy="batch")
    await due(kit)
    ran = (await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "j"})).data
    assert ran["result"]["output"] == "at once"


async def test_a_model_without_batches_is_refused(kit: TestToolkit) -> None:
    """At once, where the agent is registered."""
    with pytest.raises(ConfigurationError, match="has no batches"):
        register_agent("a", Agent(Live(Night()._answer)), economy="batch")


@pytest.mark.parametrize("other", [{"durable": "dbos"}, {"approvals": "park"}])
async def test_what_cannot_wait_for_batches_is_refused(other: dict[str, Any], tmp_path: Path) -> None:
    """A run that ends is kept in one way only."""
    kit = Toolkit(Settings(database=str(tmp_path / "jobs.db")))
    with pytest.raises(ConfigurationError, match="cannot be run by batches and with"):
        register_agent("a", Agent(Night()), economy="batch", injector=kit.injector, **other)


async def test_a_conversation_that_goes_on_is_refused_when_scheduled(kit: TestToolkit) -> None:
    """Batches answer out of order, and a conversation has one."""
    register_agent("a", Agent(Night()), economy="batch")
    prompt = {"operation": "run", "agent": "a", "prompt": "hello", "conversation": "continue"}
    with pytest.raises(ValueError, match="go on with no conversation"):
        await kit.injector.run(
            "scheduler", {"operation": "schedule", "schedule": "in 1 hour", "agentool_name": "agent", "input_data": prompt}
        )
