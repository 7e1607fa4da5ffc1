"""Prompts as jobs: limits, budgets, conversations, change gates, and what the history keeps of a run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, exceptions
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage
from tests.agents.scripts import scripted

from agentool import AgenToolError, ConfigurationError, InvalidInput
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import AgentSource, Budget, RunLimits
from agentoolkit.agents.errors import BudgetReached, LimitReached, ModelRefused, ModelUnavailable, UnknownAgent
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime
from agentoolkit.wiring import Toolkit


def answering(text: str = "done", tokens: int = 100, model: str = "unknown-model") -> FunctionModel:
    """Return a model that always says the same and says what it used."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=tokens - 1, output_tokens=1)
        return ModelResponse(parts=[TextPart(text)], usage=usage, model_name=model)

    return FunctionModel(respond, model_name=model)


def echoing() -> FunctionModel:
    """Return a model that answers with all that it was told by users and in instructions."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        requests = [message for message in messages if isinstance(message, ModelRequest)]
        said = [str(part.content) for request in requests for part in request.parts if isinstance(part, UserPromptPart)]
        return ModelResponse(parts=[TextPart(" | ".join([*said, f"[{requests[-1].instructions}]"]))])

    return FunctionModel(respond)


def failing(error: Exception) -> FunctionModel:
    """Return a model that raises."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise error

    return FunctionModel(respond)


async def schedule(kit: Toolkit, prompt: str = "Summarise", **fields: Any) -> None:
    """Schedule a prompt for the agent ``a`` every hour, as job ``j``."""
    input_fields = {name: fields.pop(name) for name in list(fields) if name in RUN_FIELDS}
    job = {"job_name": "j", "schedule": "every 1 hour", "agentool_name": "agent", **fields}
    input_data = {"operation": "run", "agent": "a", "prompt": prompt, **input_fields}
    await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": input_data})


RUN_FIELDS = {"agent", "conversation", "previous_result", "only_if_changed", "max_tokens", "max_cost", "max_requests"}


async def run_hours(kit: Toolkit, time: ManualTime, hours: int = 1) -> list[dict[str, Any]]:
    """Let so many hours pass; return the executions of job ``j``, the oldest first."""
    for _ in range(hours):
        await time.advance(hours=1)
        await kit.scheduler.lifecycle.wait_idle()
    answer = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})
    return answer.data["history"][::-1]


async def job(kit: Toolkit) -> dict[str, Any]:
    """Return job ``j`` with where it stands."""
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "j"})).data["info"]


# One run.


async def test_a_prompt_is_a_job(kit: Toolkit, time: ManualTime) -> None:
    """A scheduled prompt is run by the agent, and its answer is the execution's result."""
    register_agent("a", Agent(answering("All quiet.")))
    await schedule(kit)
    (run,) = await run_hours(kit, time)
    assert (run["status"], run["result"]["output"]) == ("success", "All quiet.")


async def test_the_history_tells_usage_model_tools_and_cost(kit: Toolkit, time: ManualTime) -> None:
    """What a run used, whom it asked and what it called is kept with its execution; an unknown cost is 'unknown', not zero."""
    agent = Agent(scripted(("look", {"where": "inbox"}), "empty"))
    agent.tool_plain(look)
    register_agent("a", agent)
    await schedule(kit)
    (run,) = await run_hours(kit, time)
    result = run["result"]
    assert result["requests"] == 2
    assert result["input_tokens"] > 0
    assert result["cost"] == "unknown"
    assert result["model"].startswith("function")
    assert result["tool_calls"] == [{"tool": "look", "arguments": '{"where":"inbox"}'}]


@pytest.mark.parametrize("before", [487, 1_989])
async def test_the_history_keeps_no_part_of_a_secret(kit: Toolkit, time: ManualTime, before: int) -> None:
    """A model was given one, and what it calls a tool with is cut in the middle of it, in the list of calls or in what was said."""
    agent = Agent(scripted(("look", {"where": "." * (before - len('{"where":"')) + "S3CR3T-VALUE"}), "empty"))
    agent.tool_plain(look)
    register_agent("a", agent)
    await kit.injector.run("storage_kv", {"operation": "set", "key": "api_key", "value": "S3CR3T-VALUE"})
    await schedule(kit, prompt="!ref:storage_kv:api_key")
    (run,) = await run_hours(kit, time)
    assert (run["status"], [part for part in ("S3CR", "3CR3", "VALU", "ALUE") if part in str(run["result"])]) == ("success", [])


async def look(where: str) -> str:
    """Look somewhere."""
    return f"nothing in {where}"


async def test_the_cost_of_a_priced_model_is_told(kit: Toolkit, time: ManualTime) -> None:
    """Where the price of a model is known, the cost is kept in dollars."""
    register_agent("a", Agent(answering(tokens=1_000_000, model="gpt-4o")), limits=RunLimits(tokens=None))
    await schedule(kit)
    (run,) = await run_hours(kit, time)
    assert Decimal(run["result"]["cost"]) > 0


async def test_a_typed_output_stays_typed(kit: Toolkit, time: ManualTime) -> None:
    """Who calls the agent gets its own output type; the history has it as data."""

    class Report(BaseModel):
        lines: int

    register_agent("a", Agent(scripted(("final_result", {"lines": 3}), ("final_result", {"lines": 3})), output_type=Report))
    answer = await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})
    assert answer.output == Report(lines=3)
    await schedule(kit)
    (run,) = await run_hours(kit, time)
    assert run["result"]["output"] == {"lines": 3}


async def test_a_run_is_told_that_nobody_is_there(kit: Toolkit, time: ManualTime) -> None:
    """The model learns that it cannot ask, when it was due, and that its final answer is what gets delivered."""
    register_agent("a", Agent(echoing()))
    await schedule(kit)
    (run,) = await run_hours(kit, time)
    told = run["result"]["output"]
    assert "Nobody is there" in told
    assert "Your final answer is what gets delivered." in told
    assert "2026-11-29T14:02" in told


async def test_the_final_answer_is_delivered(kit: Toolkit, time: ManualTime) -> None:
    """The answer arrives in the job's result queue."""
    register_agent("a", Agent(answering("Three mails.")))
    await schedule(kit, result_queue="reports")
    await run_hours(kit, time)
    message = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "reports"})
    assert "Three mails." in message.model_dump_json()


async def test_nothing_to_report_is_delivered_to_nobody(kit: Toolkit, time: ManualTime) -> None:
    """A run with nothing to tell is a success whose result is kept and not delivered."""
    register_agent("a", Agent(answering("NOTHING TO REPORT")))
    await schedule(kit, result_queue="reports")
    (run,) = await run_hours(kit, time)
    assert (run["status"], run["reason"], run["delivery"]) == ("success", "nothing to report", "none")
    queues = await kit.injector.run("queue", {"operation": "list_queues"})
    assert [(queue["queue_name"], queue["size"]) for queue in queues.data["queues"]] == [("reports", 0)]


async def test_deps_are_made_for_each_run(kit: Toolkit, time: ManualTime) -> None:
    """An agent that needs deps gets new ones at each run."""
    made: list[object] = []

    def deps() -> int:
        made.append(None)
        return len(made)

    register_agent("a", Agent(answering()), deps=deps)
    await schedule(kit)
    await run_hours(kit, time, 2)
    assert len(made) == 2


async def test_an_unknown_agent_is_refused_when_scheduled(kit: Toolkit) -> None:
    """A misspelt agent is refused at once, with the nearest name."""
    register_agent("assistant", Agent(answering()))
    with pytest.raises(InvalidInput, match="Did you mean 'assistant'"):
        await schedule(kit, agent="asistant")


async def test_agents_are_listed(kit: Toolkit) -> None:
    """Whoever schedules can ask which agents there are."""
    register_agent("b", Agent(answering()))
    register_agent("a", Agent(answering()))
    assert (await kit.injector.run("agent", {"operation": "list"})).names == ["a", "b"]


async def test_a_name_is_registered_once(kit: Toolkit) -> None:
    """A second agent of the same name is a mistake."""
    register_agent("a", Agent(answering()))
    with pytest.raises(ConfigurationError, match="registered already"):
        register_agent("a", Agent(answering()))


# Limits and budgets.


async def test_a_run_that_uses_up_its_limit_fails_and_says_so(kit: Toolkit, time: ManualTime) -> None:
    """A run over its tokens is a failure of its own kind, is not tried again, and what it used is kept."""
    agent = Agent(scripted(*[("look", {"where": "inbox"})] * 9))
    agent.tool_plain(look)
    register_agent("a", agent, limits=RunLimits(requests=3))
    await schedule(kit, max_retries=3)
    (run,) = await run_hours(kit, time)
    assert (run["status"], run["error"]["type"], run["attempt"]) == ("failed", "LimitReached", 1)
    assert run["result"]["requests"] == 3


async def test_a_job_can_lower_a_limit(kit: Toolkit, time: ManualTime) -> None:
    """What a job asks for makes a run's limit smaller."""
    agent = Agent(scripted(*[("look", {"where": "inbox"})] * 9))
    agent.tool_plain(look)
    register_agent("a", agent)
    await schedule(kit, max_requests=2)
    (run,) = await run_hours(kit, time)
    assert run["result"]["requests"] == 2


async def test_a_job_cannot_raise_a_limit(kit: Toolkit, time: ManualTime) -> None:
    """A job that asks for more than the agent may use gets what the agent may use."""
    agent = Agent(scripted(*[("look", {"where": "inbox"})] * 9))
    agent.tool_plain(look)
    register_agent("a", agent, limits=RunLimits(requests=2))
    await schedule(kit, max_requests=100)
    (run,) = await run_hours(kit, time)
    assert run["result"]["requests"] == 2


async def test_twenty_runs_of_a_conversation_stay_within_a_limit_of_three(kit: Toolkit, time: ManualTime) -> None:
    """Each run is counted from zero, however long its conversation has become."""
    register_agent("a", Agent(answering()), limits=RunLimits(requests=3))
    await schedule(kit, conversation="continue")
    runs = await run_hours(kit, time, 20)
    assert [run["status"] for run in runs] == ["success"] * 20


async def test_a_days_budget_pauses_the_job_until_tomorrow(kit: Toolkit, time: ManualTime) -> None:
    """When the tokens of a day are used up the run is refused, and the job waits for the next day with the reason."""
    register_agent("a", Agent(answering(tokens=100)), limits=RunLimits(tokens=100), per_day=Budget(tokens=250))
    await schedule(kit)
    runs = await run_hours(kit, time, 3)
    assert [run["status"] for run in runs] == ["success", "success", "failed"]
    assert runs[-1]["error"]["type"] == "BudgetReached"
    stands = await job(kit)
    assert (stands["state"], stands["paused_until"]) == ("paused", "2026-11-30T01:00:00+01:00")
    assert stands["reason"] == "The budget of the day is used up: 200 of 250 tokens are used, and one run may use 100."


async def test_the_next_day_has_a_budget_of_its_own(kit: Toolkit, time: ManualTime) -> None:
    """After midnight the job runs again."""
    register_agent("a", Agent(answering(tokens=100)), limits=RunLimits(tokens=100), per_day=Budget(tokens=250))
    await schedule(kit)
    runs = await run_hours(kit, time, 14)
    assert [run["status"] for run in runs[-3:]] == ["success", "success", "failed"]


async def test_a_jobs_budget_pauses_it_for_good(kit: Toolkit, time: ManualTime) -> None:
    """A job that has used up what is its own stays paused."""
    register_agent("a", Agent(answering()), per_job=Budget(runs=2))
    await schedule(kit)
    runs = await run_hours(kit, time, 4)
    assert [run["status"] for run in runs] == ["success", "success", "failed"]
    stands = await job(kit)
    assert (stands["state"], stands["paused_until"]) == ("paused", None)
    assert stands["reason"] == "The budget of the job is used up: 2 of 2 runs are used."


async def test_the_worst_case_is_reserved_before_a_run(kit: Toolkit, time: ManualTime) -> None:
    """Two runs at once cannot both spend what is left: the second is refused while the first runs."""
    gate = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await gate.wait()
        return ModelResponse(parts=[TextPart("done")], usage=RequestUsage(input_tokens=10))

    register_agent("a", Agent(FunctionModel(respond)), limits=RunLimits(tokens=100), per_day=Budget(tokens=150))
    call = {"operation": "run", "agent": "a", "prompt": "go"}
    first = asyncio.create_task(kit.injector.run("agent", call))
    await time.let_run()
    with pytest.raises(BudgetReached):
        await kit.injector.run("agent", call)
    gate.set()
    await first
    await kit.injector.run("agent", call)


@pytest.mark.parametrize("raised", [ValueError("a tool's own bug"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_run_that_ends_in_a_tool_costs_what_it_used(kit: Toolkit, raised: BaseException) -> None:
    """Whatever a tool raises, the ledger holds what the model used before it, and not the worst that was reserved."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("look", {})], usage=RequestUsage(input_tokens=60, output_tokens=5))

    agent = Agent(FunctionModel(respond))

    @agent.tool_plain
    async def look() -> str:
        raise raised

    register_agent("a", agent, per_day=Budget(tokens=1_000_000))
    with pytest.raises(type(raised)):
        await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})
    assert [each.tokens for each in await used(kit)] == [65]


@pytest.mark.parametrize("raised", [ValueError("no deps"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_run_that_never_began_costs_nothing(kit: Toolkit, raised: BaseException) -> None:
    """Where what an agent needs cannot be made, nothing of its budget is gone."""

    def deps() -> None:
        raise raised

    register_agent("a", Agent(answering()), deps=deps, per_day=Budget(tokens=1_000_000))
    with pytest.raises(type(raised)):
        await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})
    assert [each.tokens for each in await used(kit)] == [0]


async def test_an_answer_that_cannot_be_kept_costs_what_it_used(kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the conversation cannot be saved, the tokens of the answer are booked all the same."""
    service = kit.injector.get("agent").deps

    async def full(conversation: object, *, scope: str) -> None:
        raise OSError("disk full")

    register_agent("a", Agent(answering()), per_day=Budget(tokens=1_000_000))
    monkeypatch.setattr(service.stores.conversations, "save", full)
    with pytest.raises(OSError, match="disk full"):
        await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go", "conversation": "notes"})
    assert [each.tokens for each in await used(kit)] == [100]


async def used(kit: Toolkit) -> list[Any]:
    """Return what the ledger holds."""
    return list((await kit.injector.run("agent", {"operation": "usage"})).used)


async def test_budgets_are_each_owners_own(kit: Toolkit) -> None:
    """What one owner used is not counted against another."""
    register_agent("a", Agent(answering()), per_day=Budget(runs=1))
    call = {"operation": "run", "agent": "a", "prompt": "go"}
    for name in ("maria", "paul"):
        with acting_as(Caller(name, "agent", OWN)):
            await kit.injector.run("agent", call)
            with pytest.raises(BudgetReached):
                await kit.injector.run("agent", call)


async def test_a_cost_limit_of_an_unpriced_model_needs_a_token_limit(kit: Toolkit) -> None:
    """Dollars that nobody can count would limit nothing, so the job is refused when it is scheduled."""
    register_agent("a", Agent(answering()), limits=RunLimits(tokens=None, cost=Decimal(1)))
    with pytest.raises(InvalidInput, match="the price of its model is not known"):
        await schedule(kit)


async def test_with_a_token_limit_a_cost_limit_is_accepted(kit: Toolkit) -> None:
    """Tokens stop what dollars cannot."""
    register_agent("a", Agent(answering()), limits=RunLimits(tokens=100, cost=Decimal(1)))
    await schedule(kit)


async def test_a_priced_model_needs_no_token_limit(kit: Toolkit) -> None:
    """Where the price is known, a limit in dollars is enough."""
    register_agent("a", Agent(answering(model="gpt-4o")), limits=RunLimits(tokens=None, cost=Decimal(1)), model="openai:gpt-4o")
    await schedule(kit)


async def test_a_cost_limit_stops_a_run(kit: Toolkit, time: ManualTime) -> None:
    """A run whose model costs more than it may is a failure that says so."""
    agent = Agent(answering(tokens=10_000_000, model="gpt-4o"))
    register_agent("a", agent, limits=RunLimits(tokens=None, cost=Decimal("0.01")))
    with pytest.raises(LimitReached, match="used up"):
        await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})


# Conversations.


async def test_a_fresh_conversation_knows_nothing_of_the_last(kit: Toolkit, time: ManualTime) -> None:
    """By default each run begins anew."""
    register_agent("a", Agent(echoing()))
    await schedule(kit, "hello")
    runs = await run_hours(kit, time, 2)
    assert runs[1]["result"]["output"].startswith("hello | [")


async def test_a_continued_conversation_remembers(kit: Toolkit, time: ManualTime) -> None:
    """With 'continue' a job's runs are one conversation."""
    register_agent("a", Agent(echoing()))
    await schedule(kit, "hello", conversation="continue")
    runs = await run_hours(kit, time, 2)
    assert runs[1]["result"]["output"].startswith("hello | hello | [")


async def test_a_named_conversation_is_shared_by_jobs(kit: Toolkit, time: ManualTime) -> None:
    """Jobs of one owner that name the same conversation go on in it."""
    register_agent("a", Agent(echoing()))
    call = {"operation": "run", "agent": "a", "conversation": "diary"}
    await kit.injector.run("agent", {**call, "prompt": "one"})
    answer = await kit.injector.run("agent", {**call, "prompt": "two"})
    assert answer.output.startswith("one | two")


async def test_a_conversation_belongs_to_its_owner(kit: Toolkit) -> None:
    """The same name is another conversation for another owner."""
    register_agent("a", Agent(echoing()))
    call = {"operation": "run", "agent": "a", "conversation": "diary"}
    with acting_as(Caller("maria", "agent", OWN)):
        await kit.injector.run("agent", {**call, "prompt": "secret"})
    with acting_as(Caller("paul", "agent", OWN)):
        answer = await kit.injector.run("agent", {**call, "prompt": "two"})
    assert "secret" not in answer.output


async def test_the_previous_result_is_context(kit: Toolkit, time: ManualTime) -> None:
    """On request a run is shown what the job's last one answered."""
    register_agent("a", Agent(echoing()))
    await schedule(kit, "hello", previous_result=True)
    runs = await run_hours(kit, time, 2)
    assert "as context and no instruction:\nhello" in runs[1]["result"]["output"]


async def test_a_run_goes_on_only_if_something_changed(kit: Toolkit, time: ManualTime) -> None:
    """A cheap call decides whether the model is paid for; the first run always is, and a skipped one says why."""
    register_agent("a", Agent(answering()))
    await kit.injector.run("storage_kv", {"operation": "set", "key": "mails", "value": 1})
    gate = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "mails"}}
    await schedule(kit, only_if_changed=gate)
    await run_hours(kit, time, 2)
    await kit.injector.run("storage_kv", {"operation": "set", "key": "mails", "value": 2})
    runs = await run_hours(kit, time, 1)
    assert [run["status"] for run in runs] == ["success", "skipped", "success"]
    assert runs[1]["reason"] == "nothing changed: 'storage_kv' answers as it did last time"


async def test_a_change_is_not_spent_on_a_run_that_failed(kit: Toolkit, time: ManualTime) -> None:
    """A run that failed leaves what had changed as a change, so that its retry runs and is not skipped."""
    model = failing(exceptions.ModelServerError("m", "oops"))
    register_agent("a", Agent(model))
    await kit.injector.run("storage_kv", {"operation": "set", "key": "mails", "value": 1})
    gate = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "mails"}}
    await schedule(kit, only_if_changed=gate, max_retries=1)
    await run_hours(kit, time)
    await time.advance(minutes=1)
    await kit.scheduler.lifecycle.wait_idle()
    (run, *_) = await run_hours(kit, time, 0)
    assert (run["status"], run["attempt"]) == ("failed", 2)


# Failures.


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (exceptions.ModelRateLimitError("m", "slow down"), "ModelUnavailable", 2),
        (exceptions.ModelOverloadedError("m", "busy"), "ModelUnavailable", 2),
        (exceptions.ModelConnectionError("m", "reset"), "ModelUnavailable", 2),
        (exceptions.ModelServerError("m", "oops"), "ModelUnavailable", 2),
        (exceptions.ModelQuotaExceededError("m", "no credit", retry_after=60.0), "ModelUnavailable", 2),
        (exceptions.ModelQuotaExceededError("m", "no credit"), "ModelRefused", 1),
        (exceptions.ModelAuthenticationError("m", "bad key"), "ModelRefused", 1),
        (exceptions.ModelNotFoundError("m", "no such model"), "ModelRefused", 1),
        (exceptions.ModelContextWindowExceededError("m", "too long"), "ModelRefused", 1),
        (exceptions.ContentFilterError("filtered"), "ModelRefused", 1),
        (exceptions.UnexpectedModelBehavior("gibberish"), "AgentFailed", 2),
    ],
)
async def test_a_models_error_decides_about_another_attempt(
    kit: Toolkit, time: ManualTime, error: Exception, kind: str, attempts: int
) -> None:
    """What may pass is tried again; what would be refused again is not."""
    register_agent("a", Agent(failing(error)))
    await schedule(kit, max_retries=1, max_runs=1)
    await run_hours(kit, time)
    (run,) = await run_hours(kit, time)
    assert (run["status"], run["error"]["type"], run["attempt"]) == ("failed", kind, attempts)


async def test_another_attempt_waits_as_long_as_the_provider_says(kit: Toolkit, time: ManualTime) -> None:
    """A provider's own reset time is the time of the next attempt."""
    register_agent("a", Agent(failing(exceptions.ModelRateLimitError("m", "slow down", retry_after=900.0))))
    await schedule(kit, max_retries=1)
    (run,) = await run_hours(kit, time)
    assert (run["status"], run["retry_at"]) == ("retrying", "2026-11-29T14:17:00+00:00")


async def test_cancelling_an_execution_stops_the_run(kit: Toolkit, time: ManualTime) -> None:
    """`cancel_execution` ends a run in the middle of a model's answer, and it is recorded as cancelled."""
    started = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    register_agent("a", Agent(FunctionModel(respond)))
    await schedule(kit)
    await time.advance(hours=1)
    await started.wait()
    (run,) = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})).data["history"]
    await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": run["execution_id"]})
    await time.let_run()
    (run,) = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})).data["history"]
    assert (run["status"], run["reason"]) == ("cancelled", "cancelled on request")


async def test_a_jobs_timeout_stops_the_run(kit: Toolkit, time: ManualTime) -> None:
    """A run that takes longer than its job may is a failure by timeout."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.Event().wait()
        raise AssertionError

    register_agent("a", Agent(FunctionModel(respond)))
    await schedule(kit, timeout=30)
    await time.advance(hours=1)
    await time.advance(seconds=31)
    (run,) = await run_hours(kit, time, 0)
    assert (run["status"], run["error"]["type"]) == ("failed", "HandlerTimeout")


# Programs as agents.


PROGRAM = "import sys; print('I was told:', sys.argv[-1][-9:])"


@pytest.fixture
def with_program(settings: dict[str, Any]) -> Callable[..., None]:
    """Name a program as agent ``a`` in the settings."""

    def name(*command: str, **source: Any) -> None:
        settings["agents"] = {"a": {"command": [sys.executable, *command], **source}}

    return name


class TestPrograms:
    """An agent that is a program."""

    @pytest.fixture(autouse=True)
    def program(self, with_program: Callable[..., None]) -> None:
        """The program prints what it was told."""
        with_program("-c", PROGRAM, "{prompt}", per_day={"runs": 2})

    async def test_a_program_is_an_agent(self, kit: Toolkit) -> None:
        """A program gets the prompt as one argument, and what it prints is the answer."""
        answer = await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "summarise; $(rm -rf /)"})
        assert answer.output == "I was told: rm -rf /)"
        assert (answer.cost, answer.input_tokens) == ("unknown", None)

    async def test_its_runs_are_counted(self, kit: Toolkit) -> None:
        """A budget of runs holds for programs too."""
        call = {"operation": "run", "agent": "a", "prompt": "go"}
        await kit.injector.run("agent", call)
        await kit.injector.run("agent", call)
        with pytest.raises(BudgetReached):
            await kit.injector.run("agent", call)


class TestPromptsThatLookLikeOptions:
    """A prompt never becomes an option of the program."""

    @pytest.fixture(autouse=True)
    def program(self, with_program: Callable[..., None]) -> None:
        """The program prints the first letter of its prompt."""
        with_program("-c", "import sys; print(sys.argv[-1][0])", "{prompt}")

    async def test_a_dash_is_no_option(self, kit: Toolkit) -> None:
        """A prompt that begins with a dash does not begin the argument."""
        answer = await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "--dangerously-skip-permissions"})
        assert answer.output != "-"


class TestBrokenPrograms:
    """A program that fails."""

    @pytest.fixture(autouse=True)
    def program(self, with_program: Callable[..., None]) -> None:
        """The program ends with exit code 3."""
        with_program("-c", "import sys; sys.exit('out of credit')", "{prompt}")

    async def test_its_failure_is_told(self, kit: Toolkit, time: ManualTime) -> None:
        """Exit code and last words are the error."""
        await schedule(kit)
        (run,) = await run_hours(kit, time)
        assert (run["status"], run["error"]["type"]) == ("failed", "AgentFailed")
        assert "exit code 1: out of credit" in run["error"]["message"]


class TestUncountablePrograms:
    """A program's tokens cannot be counted."""

    @pytest.fixture(autouse=True)
    def program(self, with_program: Callable[..., None]) -> None:
        """A program with a budget in dollars."""
        with_program("-c", PROGRAM, "{prompt}", per_day={"cost": "1"})

    async def test_a_budget_that_cannot_hold_is_refused(self, kit: Toolkit) -> None:
        """A budget in dollars or tokens for a program is refused, because it would hold nothing."""
        with pytest.raises(AgenToolError, match="not known here"):
            await schedule(kit)


class TestSpecFiles:
    """Agents from spec files."""

    @pytest.fixture(autouse=True)
    def spec(self, settings: dict[str, Any], tmp_path: Path) -> None:
        """An agent of pydantic-ai's test model."""
        (tmp_path / "a.yaml").write_text("model: test\ninstructions: Be brief.\n", encoding="utf-8")
        settings["agents"] = {"a": {"spec": str(tmp_path / "a.yaml")}}

    async def test_a_spec_file_is_an_agent(self, kit: Toolkit) -> None:
        """A spec file that settings name makes an agent."""
        answer = await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})
        assert answer.output == "success (no tool calls)"


class TestBrokenAgents:
    """Agents that settings name and that cannot be made."""

    @pytest.fixture(autouse=True)
    def broken(self, settings: dict[str, Any], tmp_path: Path) -> None:
        """Spec files that are not there, no file, no YAML, of no model; and a program whose dollars nobody can count."""
        (tmp_path / "syntax.yaml").write_text("model: [\n", encoding="utf-8")
        (tmp_path / "model.yaml").write_text("model: nosuch:thing\n", encoding="utf-8")
        (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
        (tmp_path / "folder.yaml").mkdir()
        names = ("missing", "folder", "syntax", "model", "bytes")
        sources: dict[str, Any] = {name: {"spec": str(tmp_path / f"{name}.yaml"), "per_day": {"cost": "2"}} for name in names}
        settings["agents"] = {**sources, "program": {"command": ["true"], "per_day": {"cost": "1"}}}

    @pytest.mark.parametrize(
        ("name", "told"),
        [("missing", "No such file"), ("folder", "Is a directory"), ("syntax", "ParserError"), ("model", "nosuch"), ("bytes", "decode")],
    )
    async def test_a_spec_that_cannot_be_read_is_named(self, kit: Toolkit, name: str, told: str) -> None:
        """With its setting, its path, the reason and the way out, in one line."""
        with pytest.raises(
            ConfigurationError, match=rf"agents\.{name}\.spec: The spec file .*{name}\.yaml' .*{told}.*from_file"
        ) as refused:
            await kit.injector.run("agent", {"operation": "run", "agent": name, "prompt": "go"})
        assert "\n" not in str(refused.value)

    async def test_usage_is_told_all_the_same(self, kit: Toolkit) -> None:
        """With the budgets of all agents, also of those that cannot be made."""
        usage = await kit.injector.run("agent", {"operation": "usage"})
        assert usage.per_day == dict.fromkeys(("missing", "folder", "syntax", "model", "bytes"), "2") | {"program": "1"}


def test_a_source_is_read_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents are named by the variable AGENTOOL_AGENTS."""
    monkeypatch.setenv("AGENTOOL_AGENTS", '{"a": {"command": ["claude", "-p", "{prompt}"]}}')
    assert Settings().agents.registered["a"] == AgentSource(command=("claude", "-p", "{prompt}"))


def test_errors_say_whether_another_attempt_is_worth_its_price() -> None:
    """Each error of a run is of a kind that says it."""
    assert [error.retryable for error in (ModelUnavailable, ModelRefused, LimitReached, BudgetReached, UnknownAgent)] == [
        True,
        False,
        False,
        False,
        True,
    ]
