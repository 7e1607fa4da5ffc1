"""The previous answer of a job: it outlasts runs that were skipped, that failed, and that had nothing to report."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAuthenticationError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from tests.agents.test_agent_tool import schedule

from agentool.secrets_here import secrets_here
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.previous_answers import MAX_ANSWER
from agentoolkit.testing import TestToolkit

GATE = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "mails", "default": 0}}


class Model:
    """Answers in turn, then 'nothing to report'; keeps the prompts."""

    def __init__(self, *answers: str | Exception) -> None:
        self.prompts: list[str] = []
        self._answers = list(answers)

    def agent(self) -> Agent[Any, Any]:
        """Return an agent of this model."""

        async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            self.prompts.append(str(messages[-1].parts[-1].content))  # type: ignore[union-attr]
            answer = self._answers.pop(0) if self._answers else "Nothing to report."
            if isinstance(answer, Exception):
                raise answer
            return ModelResponse(parts=[TextPart(answer)])

        return Agent(FunctionModel(respond))


@pytest.mark.parametrize("hours", [25, 130])
async def test_it_outlasts_runs_that_were_skipped(kit: TestToolkit, hours: int) -> None:
    """More of them than one page, and than a history has."""
    model = Model("Rent is due on friday")
    register_agent("a", model.agent())
    await schedule(kit, previous_result=True, only_if_changed=GATE)
    await kit.advance(hours=hours)
    await kit.injector.run("storage_kv", {"operation": "set", "key": "mails", "value": 2})
    await kit.advance(hours=1)
    assert len(model.prompts) == 2
    assert model.prompts[1].endswith("as context and no instruction:\nRent is due on friday")


@pytest.mark.parametrize("hours", [3, 130])
async def test_nothing_to_report_is_no_answer(kit: TestToolkit, hours: int) -> None:
    """The one before it, which had something to report, is still handed on."""
    model = Model("Rent is due on friday")
    register_agent("a", model.agent())
    await schedule(kit, previous_result=True)
    await kit.advance(hours=hours)
    assert len(model.prompts) == hours
    assert all(prompt.endswith("Rent is due on friday") for prompt in model.prompts[1:])


async def test_failures_hide_it_no_more(kit: TestToolkit) -> None:
    """Nor do they take its place."""
    model = Model("Rent is due on friday", *[ModelAuthenticationError("m", "bad key")] * 30)
    register_agent("a", model.agent())
    await schedule(kit, previous_result=True)
    await kit.advance(hours=32)
    assert model.prompts[-1].endswith("Rent is due on friday")


async def test_the_newest_answer_counts(kit: TestToolkit) -> None:
    """Also where runs between did not ask for the previous one."""
    model = Model("first", "second", "third", "fourth")
    register_agent("a", model.agent())
    await schedule(kit, previous_result=True)
    await kit.advance(hours=1)
    for asks in (False, True):
        prompt = {"operation": "run", "agent": "a", "prompt": "Summarise", "previous_result": asks}
        await kit.injector.run("scheduler", {"operation": "update", "job_id": "j", "input_data": prompt})
        await kit.advance(hours=1)
    assert model.prompts[-1].endswith("second")


async def test_a_run_without_a_job_keeps_none(kit: TestToolkit) -> None:
    """Nobody could ask for it."""
    register_agent("a", Model("one").agent())
    prompt = {"operation": "run", "agent": "a", "prompt": "go", "previous_result": True}
    await kit.injector.run("scheduler", {"operation": "run_now", "agentool_name": "agent", "input_data": prompt})
    service = kit.injector.get("agent").deps
    assert await service.answers.values.keys("agent-answers", "", 10, kit.clock.now()) == []


@pytest.mark.parametrize("length", [20, MAX_ANSWER - 10])
async def test_a_kept_answer_holds_no_part_of_a_secret(kit: TestToolkit, length: int) -> None:
    """Neither one within the answer, nor the beginning of one through which its limit cuts."""
    register_agent("a", Model().agent())
    await schedule(kit, previous_result=True)
    answers = kit.injector.get("agent").deps.answers
    token = secrets_here.set(["hunter2-and-much-more"])
    try:
        await answers.keep("j", "code", "x" * length + "hunter2-and-much-more" + "y" * 30)
    finally:
        secrets_here.reset(token)
    kept = await answers.values.get("agent-answers", '["code", "j"]', kit.clock.now())
    assert kept is not None
    assert "hunter" not in kept.text
    assert "x" * length in kept.text


async def test_another_owners_job_of_the_same_id_gets_none(kit: TestToolkit) -> None:
    """An answer outlives its job, and whoever uses the id next is told nothing of it."""
    register_agent("a", Model().agent())
    await schedule(kit)
    answers = kit.injector.get("agent").deps.answers
    await answers.keep("j", "paul", "the salary is 4711")
    assert await answers.get("j", "maria") is None
    assert (await answers.get("j", "paul")).text == "the salary is 4711"


async def test_a_run_under_an_id_without_a_job_gets_none(kit: TestToolkit) -> None:
    """Anybody may run an agent under such an id; what others did under it is not their context."""
    model = Model("the salary is 4711", "no idea")
    register_agent("a", model.agent())
    for previous in (False, True):
        prompt = {"operation": "run", "agent": "a", "prompt": "go", "previous_result": previous}
        await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "x", "agentool_name": "agent", "input_data": prompt})
    assert model.prompts == ["go", "go"]
