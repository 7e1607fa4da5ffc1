"""Run agents on schedule: run one within its budgets, or resume a parked run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from agentool.caller import get_caller
from agentool.errors import InvalidInput
from agentoolkit.agent_settings import AgentRules, RunLimits
from agentoolkit.agents.agent_jobs import AgentJobs
from agentoolkit.agents.change_gates import ChangeGates
from agentoolkit.agents.errors import AgentError, BudgetReached, BudgetReserved
from agentoolkit.agents.ledger import Ledger, RunEntry, Used
from agentoolkit.agents.parked_runs import Parked, ParkedRuns
from agentoolkit.agents.previous_answers import PreviousAnswers
from agentoolkit.agents.registry import AgentRegistry, AgentTask, RegisteredAgent, RunSummary
from agentoolkit.agents.run_stores import RunStores
from agentoolkit.agents.schemas import AgentOutput, AgentRunRequest
from agentoolkit.endings import GoesOnLater
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.time_source import TimeSource

QUIET = "NOTHING TO REPORT"
"""What a model answers when nobody need hear of its run."""
UNDER_WAY = timedelta(hours=1)
"""How long a run that has not ended counts as one under way; after that it was cut off, and what it reserved counts as used."""
LOOK_AGAIN = 30.0
"""Seconds after which a run looks again whether those under way have left enough of a budget."""

_within: ContextVar[str] = ContextVar("agentool_within_agent_run", default="")
"""The execution whose agent runs here. A further execution that the agent starts has its own."""


@contextmanager
def _inside(execution: Execution | None) -> Generator[None]:
    token = _within.set(execution.execution_id if execution else "")
    try:
        yield
    finally:
        _within.reset(token)


@dataclass(frozen=True, slots=True)
class AgentService:
    """Runs agents, and stores their usage and state.

    Args:
        registry: The agents.
        ledger: Their usage.
        parked: Runs that wait for a person.
        gates: Change gates.
        answers: The last answer of each job.
        stores: Stores shared by the runs of pydantic-ai agents.
        jobs: Calls of the scheduler.
        time: The time source.
    """

    registry: AgentRegistry
    ledger: Ledger
    parked: ParkedRuns
    gates: ChangeGates
    answers: PreviousAnswers
    stores: RunStores
    jobs: AgentJobs
    time: TimeSource

    async def close(self) -> None:
        """Close the stores of runs."""
        await self.stores.close()

    async def run(self, call: AgentRunRequest) -> AgentOutput:
        """Run an agent once, or resume the parked run that this execution is for.

        Raises:
            UnknownAgent, BudgetReached, AgentError: See `errors`.
            EndedEarly: Nothing changed, or the run waits for a person.
            GoesOnLater: It waits for a provider's batch, or for runs that hold its budget.
        """
        execution, now = current_execution(), self.time.now()
        is_whole = execution is not None and execution.agentool_name == "agent" and _within.get() != execution.execution_id
        approval = await self.parked.decided_for(execution) if is_whole else None
        agent = self.registry.get(approval.agent if approval else call.agent)
        waited = _waited(execution, now) if is_whole and agent.rules.economy == "batch" else None
        gate = call.only_if_changed if approval is None and waited is None else None
        seen = None if gate is None else await self.gates.check(gate, execution.job_id if execution else "")
        task = AgentTask(
            prompt=await self._prompt(call, execution),
            owner=get_caller().name,
            limits=agent.rules.limits.tightened(_asked(call, agent.rules.limits)),
            conversation=call.conversation,
            execution=execution,
            is_whole=is_whole,
            approval=approval,
            instructions=_instructions(execution, now),
            waited=waited,
        )
        entry = await self._reserve(agent, task)
        try:
            output = await self._within_budget(agent, task, entry)
        except (Parked, GoesOnLater):
            await self.gates.remember(seen)
            raise
        await self.gates.remember(seen)
        if call.previous_result and is_whole and execution is not None and not output.nothing_to_report:
            await self.answers.keep(execution.job_id, task.owner, output.output)
        return output

    async def used(self, days: int, limit: int) -> Sequence[Used]:
        """Return the usage of the last `days` days, today included; only the caller's own, unless it is an administrator."""
        caller = get_caller()
        since = (self.time.now() - timedelta(days=days - 1)).strftime("%Y-%m-%d")
        return await self.ledger.used(since, None if caller.is_admin else caller.name, limit)

    async def _reserve(self, agent: RegisteredAgent, task: AgentTask) -> RunEntry:
        """Reserve the most that a run may use. Where a budget is used up, the job is paused.

        Raises:
            GoesOnLater: Runs under way hold the budget, and this one can wait for them; or the day's is used up, and a person has
                approved what this run is to do.
            BudgetReserved: They do, and somebody waits for this one.
            BudgetReached: A budget is used up.
        """
        try:
            return await self.ledger.reserve(self._entry(agent, task), agent.rules, task.limits, self.time.now())
        except BudgetReserved as error:
            if task.can_wait:
                raise GoesOnLater(str(error.problem), LOOK_AGAIN) from error
            raise
        except BudgetReached as error:
            now = self.time.now()
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            if task.execution is not None:  # a job's own budget stays used up, the day's until tomorrow
                await self.jobs.pause(task.execution.job_id, str(error.problem), tomorrow if error.field == "per_day" else None)
            if task.approval is not None and error.field == "per_day":
                raise GoesOnLater(str(error.problem), (tomorrow - now).total_seconds()) from error
            raise

    async def _within_budget(self, agent: RegisteredAgent, task: AgentTask, entry: RunEntry) -> AgentOutput:
        """Run with what is reserved, and book what was used, however it ended."""
        task = replace(task, limits=_capped(task.limits, agent.rules, entry))
        try:
            with _inside(task.execution):
                ran = await agent.runner.run(agent.name, agent.rules, task)
        except BaseException as error:
            used = _ran_until(error, agent, task)
            if isinstance(error, AgentError):
                error.result = (used or RunSummary()).details()
            if used is not None:
                await self._book(entry, used)
            raise
        await self._book(entry, ran)
        return AgentOutput(output=ran.output, nothing_to_report=is_quiet(ran.output), **ran.details())

    async def _book(self, entry: RunEntry, used: RunSummary) -> None:
        cost = None if used.cost is None else Decimal(used.cost)
        await self.ledger.book(replace(entry, tokens=used.tokens, cost=cost, reserved_until=None))

    def _entry(self, agent: RegisteredAgent, task: AgentTask) -> RunEntry:
        execution, now = task.execution, self.time.now()
        run_id = f"call-{uuid4().hex}"
        if execution is not None and task.is_whole:  # if attempts are one run, its usage includes that of earlier attempts
            run_id = execution.execution_id if agent.rules.attempts_are_one_run else f"{execution.execution_id}#{execution.attempt}"
        job_id = execution.job_id if execution else ""
        until = now + max(UNDER_WAY, timedelta(seconds=agent.rules.batch_seconds if agent.rules.economy == "batch" else 0))
        return RunEntry(run_id, agent.name, task.owner, job_id, now.strftime("%Y-%m-%d"), reserved_until=until)

    async def _prompt(self, call: AgentRunRequest, execution: Execution | None) -> str:
        previous = await self.answers.get(execution.job_id, get_caller().name) if call.previous_result and execution else None
        if previous is None:
            return call.prompt
        return f"{call.prompt}\n\nYour answer of {previous.at}, as context and no instruction:\n{previous.text}"


def is_quiet(output: Any) -> bool:
    """Tell whether a model answered that there is nothing to report."""
    return isinstance(output, str) and output.strip().rstrip(".").upper() == QUIET


def check_run(service: AgentService, call: AgentRunRequest) -> None:
    """Refuse, when it is scheduled, a run whose limits cannot be enforced, or whose agent does not exist.

    Raises:
        UnknownAgent: No agent has this name.
        InvalidInput: Its cost is limited, its model's price is unknown, and its tokens are not limited; or it continues a
            conversation, but its agent uses batches.
    """
    agent = service.registry.get(call.agent)
    limits = agent.rules.limits.tightened(_asked(call, agent.rules.limits))
    limited = agent.rules.has_cost_limit or limits.cost is not None
    if limited and limits.tokens is None and not agent.rules.has_token_budget and not agent.runner.is_priced():
        problem = f"Agent {call.agent!r} has a limit in dollars, and the price of its model is not known."
        raise InvalidInput(problem, field="agent", value=call.agent, remedy="Limit its tokens as well: `tokens` or `max_tokens`.")
    if agent.rules.economy == "batch" and call.conversation != "fresh":
        problem = f"Agent {call.agent!r} is run by its provider's batches, which go on with no conversation."
        raise InvalidInput(problem, field="conversation", value=call.conversation, remedy="Leave it out.")


def _asked(call: AgentRunRequest, own: RunLimits) -> RunLimits:
    cost = call.max_cost if call.max_cost is not None else own.cost
    return RunLimits(
        requests=call.max_requests or own.requests,
        tokens=call.max_tokens or own.tokens,
        tool_calls=own.tool_calls,
        cost=cost,
    )


def _capped(limits: RunLimits, rules: AgentRules, reserved: RunEntry) -> RunLimits:
    """Return a run's limits, tightened by the rest of its budgets."""
    has_tokens = limits.tokens is not None or rules.has_token_budget
    return limits.model_copy(
        update={"tokens": reserved.tokens if has_tokens else None, "cost": reserved.cost if rules.has_cost_limit else limits.cost}
    )


def _waited(execution: Execution | None, now: datetime) -> timedelta | None:
    """Return the time this execution has waited for a provider's batch; None if it has not."""
    attempts = execution.attempts if execution else ()
    began = (past.started_at for past in attempts if past.error is not None and past.error.type == GoesOnLater.__name__)
    first = next(began, None)
    return None if first is None else now - first


def _ran_until(error: BaseException, agent: RegisteredAgent, task: AgentTask) -> RunSummary | None:
    """Return the usage of a run before an error; None if it is unknown or the run goes on, so that the reservation stays."""
    if isinstance(error, GoesOnLater):
        return None
    ran = getattr(error, "ran", None)
    if isinstance(ran, RunSummary):
        return ran
    goes_on = agent.rules.attempts_are_one_run and task.is_whole and task.execution is not None and task.execution.attempt > 1
    return None if goes_on else RunSummary()  # it failed before it started, and no earlier attempt has used anything


def _instructions(execution: Execution | None, now: datetime) -> str:
    due = (execution.scheduled_at if execution else now).isoformat(timespec="minutes")
    return (
        f"Nobody is there: this run was started by a schedule, for {due}. You cannot ask anybody; decide yourself, or say what is "
        f"missing. Your final answer is what gets delivered. If there is nothing worth telling, answer exactly: {QUIET}"
    )
