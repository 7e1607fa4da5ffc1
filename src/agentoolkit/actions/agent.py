"""The AgenTool ``agent``: schedule a prompt for a pydantic-ai agent, or for a program that acts as an agent.

register_agent("assistant", Agent(model, …), limits=RunLimits(tokens=50_000), per_day=Budget(cost=Decimal("0.50")))
await injector.run("scheduler", {"operation": "schedule", "schedule": "every weekday at 9:00", "agentool_name": "agent",
                                 "input_data": {"operation": "run", "agent": "assistant", "prompt": "Summarise today's mail"}})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentool.agentool import AgenTool, create_agentool
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentool.errors import ConfigurationError
from agentoolkit.agent_settings import AgentRules, AgentSource
from agentoolkit.agents.agent_jobs import AgentJobs
from agentoolkit.agents.approval_store import Approval, MemoryApprovals, SqlApprovals
from agentoolkit.agents.change_gates import ChangeGates
from agentoolkit.agents.ledger_in_database import SqlLedger
from agentoolkit.agents.ledger_in_memory import MemoryLedger
from agentoolkit.agents.parked_runs import MAX_LISTED, ParkedRuns
from agentoolkit.agents.previous_answers import PreviousAnswers
from agentoolkit.agents.registry import AgentRegistry, RegisteredAgent
from agentoolkit.agents.run_stores import RunStores
from agentoolkit.agents.schemas import (
    AgentInput,
    AgentNames,
    AgentOutput,
    AgentRunRequest,
    ChangeGate,
    Usage,
    UsageOf,
    WaitingApproval,
    WaitingApprovals,
)
from agentoolkit.agents.service import AgentService, check_run
from agentoolkit.database.database import Database
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.storage.kv.ports import KeyValueStore
from agentoolkit.time_source import SystemTime, TimeSource

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model

Context = RunContext[AgentService]

MAX_USED = 1_000
"""Lines of one answer to ``usage``."""


async def agent_run(
    ctx: Context,
    agent: str,
    prompt: str,
    conversation: str | None = None,
    previous_result: bool = False,
    only_if_changed: ChangeGate | None = None,
    max_requests: int | None = None,
    max_tokens: int | None = None,
    max_cost: Decimal | None = None,
) -> AgentOutput:
    """Run an agent unattended with a prompt, within its limits. Returns its final answer, usage and cost.

    Raises:
        UnknownAgent: No agent has this name.
        BudgetReached: The budget of the day or the job is used up; the job is paused.
        AgentError: The agent gave no answer.
    """
    asked = AgentRunRequest(
        agent=agent,
        prompt=prompt,
        conversation=conversation or "fresh",
        previous_result=previous_result,
        only_if_changed=only_if_changed,
        max_requests=max_requests,
        max_tokens=max_tokens,
        max_cost=max_cost,
    )
    return await ctx.deps.run(asked)


async def agent_list(ctx: Context) -> AgentNames:
    """List the registered agents."""
    return AgentNames(names=ctx.deps.registry.names())


async def agent_list_approvals(ctx: Context) -> WaitingApprovals:
    """List the parked runs that wait for a person, oldest first."""
    found = await ctx.deps.parked.pending(MAX_LISTED + 1)
    return WaitingApprovals(approvals=[_describe(approval) for approval in found[:MAX_LISTED]], is_cut=len(found) > MAX_LISTED)


async def agent_approve(ctx: Context, approval_id: str, edits: dict[str, dict[str, Any]] | None = None) -> WaitingApproval:
    """Approve the calls of a parked run, with the arguments in `edits` if given, and let it go on.

    Raises:
        NoSuchApproval: No run waits under this id.
        NotAllowed: The caller may not approve.
    """
    return _describe(await ctx.deps.parked.decide(approval_id, approve=True, edits=edits))


async def agent_deny(ctx: Context, approval_id: str, reason: str = "") -> WaitingApproval:
    """Deny the calls of a parked run, tell the model why, and let it go on.

    Raises:
        NoSuchApproval: No run waits under this id.
        NotAllowed: The caller may not approve.
    """
    return _describe(await ctx.deps.parked.decide(approval_id, approve=False, reason=reason))


async def agent_usage(ctx: Context, days: int = 30) -> Usage:
    """Report runs, tokens and cost of each job on each day; only the caller's own jobs, unless it is an administrator."""
    used = [UsageOf.model_validate(each._asdict() | {"cost": f"{each.cost:f}"}) for each in await ctx.deps.used(days, MAX_USED + 1)]
    registry = ctx.deps.registry
    rules = {name: registry.rules_of(name).per_day.cost for name in registry.names()}
    per_day = {name: f"{cost:f}" for name, cost in rules.items() if cost is not None}
    return Usage(used=used[:MAX_USED], days=days, per_day=per_day, is_cut=len(used) > MAX_USED)


HANDLERS = {
    "run": agent_run,
    "list": agent_list,
    "list_approvals": agent_list_approvals,
    "approve": agent_approve,
    "deny": agent_deny,
    "usage": agent_usage,
}

EXAMPLES = (
    {"operation": "run", "agent": "assistant", "prompt": "Summarise today's mail"},
    {"operation": "approve", "approval_id": "apr-0123456789ab"},
    {"operation": "deny", "approval_id": "apr-0123456789ab", "reason": "too expensive"},
)


def create_agent_agent(
    sources: Mapping[str, AgentSource] | None = None,
    *,
    database: Database | None = None,
    location: str | None = None,
    values: KeyValueStore | None = None,
    time: TimeSource | None = None,
    injector: Injector | None = None,
) -> AgenTool[AgentService]:
    """Create the AgenTool ``agent`` and register it.

    Args:
        sources: Agents named in settings.
        database: Stores conversations, budgets and approvals; by default they last as long as the process.
        location: The database as named in settings; durable runs are stored beside it.
        values: Stores the answers of change gates.
        time: The time source; by default the machine's clock.
        injector: The injector to register in, and whose scheduler is called; by default the current one.
    """
    injector = injector or get_injector()
    service = _make_service(database, location, values or MemoryKeyValueStore(), time or SystemTime(), injector)
    service.registry.sources, service.registry.make = sources or {}, partial(_from_source, service)
    return create_agentool(
        "agent",
        AgentInput,
        HANDLERS,
        deps=service,
        description="Runs prompts with registered agents unattended: budgets, conversations, approvals.",
        examples=EXAMPLES,
        precheck=_check,
        injector=injector,
    )


def _make_service(
    database: Database | None, location: str | None, values: KeyValueStore, time: TimeSource, injector: Injector
) -> AgentService:
    jobs = AgentJobs(injector)
    return AgentService(
        AgentRegistry(),
        MemoryLedger() if database is None else SqlLedger(database),
        ParkedRuns(MemoryApprovals() if database is None else SqlApprovals(database), jobs, time),
        ChangeGates(values, injector, time),
        PreviousAnswers(values, jobs, time),
        RunStores(database, location, time),
        jobs,
        time,
    )


def register_agent(
    name: str,
    agent: Agent[Any, Any],
    rules: AgentRules | None = None,
    *,
    deps: Callable[[], Any] | None = None,
    model: Model | str | None = None,
    injector: Injector | None = None,
    **options: Any,
) -> RegisteredAgent:
    """Register a pydantic-ai agent, so that prompts can be scheduled for it.

    Args:
        name: Its name in jobs.
        agent: The agent.
        rules: Limits, budgets and the handling of approvals.
        deps: Returns the agent's deps for each run.
        model: Replaces the agent's own model.
        injector: The injector that has the AgenTool ``agent``; by default the current one.
        options: Fields of `AgentRules`, instead of `rules`.

    Raises:
        ConfigurationError: Another agent has this name, or the limits cannot be enforced.
    """
    if rules is not None and options:
        raise ConfigurationError("Give either rules or their fields.", field="rules", value=rules)
    service: AgentService = (injector or get_injector()).get("agent").deps
    rules = rules or AgentRules(**options)
    return service.registry.add(_registered(service, name, agent, rules, deps=deps, model=model))


def _check(service: AgentService, call: AgentInput) -> None:
    """Refuse a call of `run` when it is scheduled, if the run itself would refuse it."""
    if call.operation == "run" and call.agent is not None:
        asked = AgentRunRequest(
            agent=call.agent, conversation=call.conversation or "fresh", max_tokens=call.max_tokens, max_cost=call.max_cost
        )
        check_run(service, asked)


def _registered(
    service: AgentService, name: str, agent: Agent[Any, Any], rules: AgentRules, *, deps: Callable[[], Any] | None = None, model: Any = None
) -> RegisteredAgent:
    from agentoolkit.agents.pydantic_runner import PydanticRunner

    stores = service.stores
    steps = stores.durable_runs if rules.durable == "dbos" else None
    batches = stores.batches if rules.economy == "batch" else None
    runner = PydanticRunner(agent, stores.conversations, service.parked, deps, model, steps, batches)
    return RegisteredAgent(name, runner, rules, agent.name or "")


def _from_source(service: AgentService, name: str, source: AgentSource) -> RegisteredAgent:
    rules = AgentRules(**{field: getattr(source, field) for field in AgentRules.model_fields})
    if source.command:
        from agentoolkit.agents.command_runner import CommandRunner

        return RegisteredAgent(name, CommandRunner(source), rules, source.command[0])
    if source.spec is None:
        raise ConfigurationError(f"Agent {name!r} has neither a spec nor a command.", field=f"agents.{name}", value=source)
    return _registered(service, name, _read_spec(name, source.spec), rules)


def _read_spec(name: str, spec: Path) -> Agent[Any, Any]:
    """Read an agent's spec file. Raises `ConfigurationError` with the reason where that fails, whatever it is."""
    from pydantic_ai import Agent

    from agentoolkit.agents.scheduling import Scheduling

    try:
        return Agent.from_file(spec, custom_capability_types=[Scheduling])
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(f"{type(error).__name__}: {error}".split())
        problem = f"The spec file {str(spec)!r} of agent {name!r} cannot be read: {reason}."
        remedy = "Name a YAML or JSON file that pydantic-ai's `Agent.from_file` reads."
        raise ConfigurationError(problem, field=f"agents.{name}.spec", value=str(spec), remedy=remedy) from error


def _describe(approval: Approval) -> WaitingApproval:
    record = approval.to_json()
    record["calls"] = [{"call_id": call.call_id, "tool": call.tool, "arguments": call.arguments} for call in approval.calls]
    return WaitingApproval(**{name: record[name] for name in WaitingApproval.model_fields})
