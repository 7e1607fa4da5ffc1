"""The use cases of agents that run on schedule: run one within its budgets, park it for a person, let it go on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from agentool.caller import CODE, acting_as, get_caller
from agentool.core.injector import Injector
from agentool.errors import InvalidInput, excerpt
from agentoolkit.agent_settings import AgentRules, RunLimits
from agentoolkit.agents.approvals import Approval, ApprovalStore, WaitingCall, decided
from agentoolkit.agents.errors import AgentError, BudgetReached, NoSuchApproval, NotAllowed
from agentoolkit.agents.ledger import Ledger, RunEntry, Used
from agentoolkit.agents.registry import AgentRegistry, AgentTask, Ran, RegisteredAgent
from agentoolkit.agents.schemas import AgentOutput, AgentRunRequest, ChangeGate
from agentoolkit.endings import EndedEarly
from agentoolkit.json_values import recordable
from agentoolkit.storage.kv.ports import KeyValueStore, StoredValue
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.jobs import Execution
from agentoolkit.time_source import TimeSource

if TYPE_CHECKING:
    from pydantic_ai.conversation_store import ConversationStore

    from agentoolkit.agents.durable_runs import DurableRuns

logger = logging.getLogger(__name__)

QUIET = "NOTHING TO REPORT"
"""What a model answers when nobody need hear of its run."""
MAX_PREVIOUS = 20_000
"""Characters of the previous result that a run is given."""
_PENDING_LISTED = 100
_NAMESPACE = "agent-changes"


class Parked(EndedEarly):
    """A run that waits for a person. It has used something nevertheless."""

    def __init__(self, status: Literal["skipped", "cancelled"], reason: str, result: Any, ran: Ran) -> None:
        super().__init__(status, reason, result)
        self.ran = ran


class AgentService:
    """Agents, and what is kept of their runs.

    Args:
        registry: The agents.
        ledger: What they used.
        approvals: What waits for a person.
        values: Where the answer of a change gate is kept.
        conversations: Opens where conversations are kept, when a pydantic-ai agent is first registered.
        steps: Opens where the steps of durable runs are kept, when an agent of that kind is first registered.
        injector: Where the scheduler and gates are called.
        time: The time source.
    """

    def __init__(
        self,
        registry: AgentRegistry,
        ledger: Ledger,
        approvals: ApprovalStore,
        values: KeyValueStore,
        conversations: Callable[[], ConversationStore],
        steps: Callable[[], DurableRuns],
        injector: Injector,
        time: TimeSource,
    ) -> None:
        self.registry = registry
        self._open_conversations = conversations
        self._conversations: ConversationStore | None = None
        self._open_steps = steps
        self._steps: DurableRuns | None = None
        self._ledger = ledger
        self._approvals = approvals
        self._values = values
        self._injector = injector
        self._time = time

    def conversation_store(self) -> ConversationStore:
        """Return where conversations are kept; all agents share it."""
        if self._conversations is None:
            self._conversations = self._open_conversations()
        return self._conversations

    def durable_runs(self) -> DurableRuns:
        """Return where the steps of durable runs are kept; all agents share it.

        Raises:
            ConfigurationError: Nothing of this toolkit outlives the process.
            MissingExtra: DBOS is not installed.
        """
        if self._steps is None:
            self._steps = self._open_steps()
        return self._steps

    async def close(self) -> None:
        """End what was opened for durable runs."""
        if self._steps is not None:
            await self._steps.close()

    async def run(self, call: AgentRunRequest) -> AgentOutput:
        """Run an agent once, or let a parked run go on, whichever this execution is for.

        Raises:
            UnknownAgent, BudgetReached, AgentError: See `errors`.
            EndedEarly: Nothing changed, or the run waits for a person.
        """
        execution = current_execution()
        approval = await self._decided_for(execution)
        agent = self.registry.get(approval.agent if approval else call.agent)
        gate = call.only_if_changed if approval is None else None
        seen = None if gate is None else await self._check_changed(gate, execution)
        task = AgentTask(
            prompt=await self._prompt(call, execution),
            owner=get_caller().name,
            limits=agent.rules.limits.tightened(_asked(call, agent.rules.limits)),
            conversation=call.conversation,
            execution=execution,
            approval=approval,
            instructions=_instructions(execution, self._time.now()),
        )
        try:
            output = await self._within_budget(agent, task)
        except Parked:
            await self._remember(seen)
            raise
        await self._remember(seen)
        return output

    async def approvals(self) -> list[Approval]:
        """Return what waits for a person and is the caller's to see."""
        caller = get_caller()
        return [approval for approval in await self._approvals.pending(_PENDING_LISTED) if caller.owns(approval.owner)]

    async def used(self, days: int, limit: int) -> Sequence[Used]:
        """Return what runs have used today and on the days before; only the caller's own, unless it is an administrator."""
        caller = get_caller()
        since = (self._time.now() - timedelta(days=days - 1)).strftime("%Y-%m-%d")
        return await self._ledger.used(since, None if caller.is_admin else caller.name, limit)

    async def decide(
        self, approval_id: str, *, approve: bool, edits: Mapping[str, Mapping[str, Any]] | None = None, reason: str = ""
    ) -> Approval:
        """Decide on a parked run, and let it go on as a further execution of its job.

        Raises:
            NoSuchApproval: There is none, or it was decided already.
            NotAllowed: The caller may not approve.
        """
        caller = get_caller()
        approval = await self._approvals.get(approval_id)
        if approval is None or not caller.owns(approval.owner):
            raise _nothing_waits(approval_id, f"Nothing waits under {excerpt(approval_id)}.")
        if not caller.may("approve") or caller.door == "agent" or (approve and caller.depth):  # a scheduled run is no person
            problem = f"{caller.name!r} may not decide on approvals from here."
            raise NotAllowed(problem, field="approval_id", value=approval_id, remedy="Ask a person to do it at another door.")
        _check_edits(approval, edits)
        now = self._time.now()
        outcome = decided(approval, "approved" if approve else "denied", caller.name, now, edits, reason)
        if not await self._approvals.decide(outcome):
            await self._go_on(approval)  # decided before; whoever did may have ended before this
            raise _nothing_waits(approval_id, f"{approval_id!r} was decided already.")
        await self._go_on(outcome)
        return outcome

    async def park(
        self, name: str, rules: AgentRules, task: AgentTask, conversation_id: str, calls: tuple[WaitingCall, ...], ran: Ran
    ) -> Exception:
        """Keep the calls that wait, see to it that they are denied at their deadline, and return what ends the execution."""
        execution, now = task.execution, self._time.now()
        if execution is None or not await self._has_job(execution):
            return AgentError("A call needs approval, and this run belongs to no job that could go on.", remedy="Schedule it, or grant it.")
        digest = hashlib.sha256(f"{execution.execution_id}#{execution.attempt}".encode()).hexdigest()
        approval = Approval(
            approval_id=f"apr-{digest[:12]}",
            owner=task.owner,
            agent=name,
            job_id=execution.job_id,
            execution_id=execution.execution_id,
            conversation_id=conversation_id,
            calls=calls,
            created_at=now,
            deadline=now + timedelta(seconds=rules.approval_seconds),
        )
        await self._approvals.add(approval)
        await self._set_deadline(approval)
        waiting = ", ".join(f"{call.tool}({excerpt(dict(call.arguments))})" for call in calls)
        reason = f"needs approval {approval.approval_id} until {approval.deadline.isoformat(timespec='minutes')}: {waiting}"
        return Parked("cancelled", reason, {"approval_id": approval.approval_id, **_details(ran)}, ran)

    async def _within_budget(self, agent: RegisteredAgent, task: AgentTask) -> AgentOutput:
        """Reserve the worst, run, and book what was used, however it ended."""
        entry = self._entry(agent, task)
        try:
            reserved = await self._ledger.reserve(entry, agent.rules, task.limits)
        except BudgetReached as error:
            await self._pause(task, error)
            raise
        task = replace(task, limits=_capped(task.limits, agent.rules, reserved))
        used: Ran | None = None
        try:
            ran = used = await agent.runner.run(agent.name, agent.rules, task)
        except BaseException as error:
            used = _ran_until(error, agent, task)
            if isinstance(error, AgentError):
                error.result = _details(used or Ran())
            raise
        finally:
            if used is not None:
                await self._ledger.book(replace(entry, tokens=used.tokens, cost=None if used.cost is None else Decimal(used.cost)))
        quiet = ran.output == QUIET or (isinstance(ran.output, str) and ran.output.strip().rstrip(".").upper() == QUIET)
        return AgentOutput(output=ran.output, nothing_to_report=quiet, **_details(ran))

    def _entry(self, agent: RegisteredAgent, task: AgentTask) -> RunEntry:
        execution, now = task.execution, self._time.now()
        run_id = f"call-{uuid4().hex}"
        if execution is not None:  # a durable run's attempts are one run: each repeats what those before it have used
            run_id = execution.execution_id if agent.rules.durable != "none" else f"{execution.execution_id}#{execution.attempt}"
        job_id = execution.job_id if execution else ""
        return RunEntry(run_id, agent.name, task.owner, job_id, now.strftime("%Y-%m-%d"))

    async def _pause(self, task: AgentTask, error: BudgetReached) -> None:
        """Pause the job whose budget is used up: until tomorrow if it is the day's, else for good."""
        if task.execution is None or not await self._has_job(task.execution):
            return
        call = {"operation": "pause", "job_id": task.execution.job_id, "reason": str(error.problem)}
        if error.field == "per_day":
            tomorrow = (self._time.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            call["until"] = tomorrow.isoformat()
        await self._as_system(call)

    async def _has_job(self, execution: Execution) -> bool:
        try:
            await self._as_system({"operation": "get_job", "job_id": execution.job_id})
        except LookupError:
            return False
        return True

    async def _set_deadline(self, approval: Approval) -> None:
        """Schedule the denial. It is a job like any other, so it comes whatever becomes of this process."""
        reason = f"nobody decided before {approval.deadline.isoformat(timespec='minutes')}"
        await self._as_system(
            {
                "operation": "schedule",
                "job_name": _deadline_name(approval),
                "schedule": approval.deadline.isoformat(),
                "catch_up": "latest",
                "agentool_name": "agent",
                "input_data": {"operation": "deny", "approval_id": approval.approval_id, "reason": reason},
                "description": f"Denies what job {approval.job_id!r} waits for",
            }
        )

    async def _go_on(self, approval: Approval) -> None:
        """Let a parked run go on, and forget its deadline."""
        execution = current_execution()
        await self._as_system({"operation": "start_run", "job_id": approval.job_id, "run_key": approval.run_key})
        if execution is None or execution.job_id != _deadline_name(approval):
            try:
                await self._as_system({"operation": "cancel", "job_id": _deadline_name(approval)})
            except LookupError:
                """It was due already, or was cancelled by somebody."""

    async def _as_system(self, call: dict[str, Any]) -> Any:
        with acting_as(CODE):
            return (await self._injector.run("scheduler", call)).data

    async def _decided_for(self, execution: Execution | None) -> Approval | None:
        """Return the approval for which this execution lets a parked run go on."""
        mark = "@requested-approval-"
        if execution is None or mark not in execution.execution_id:
            return None
        approval = await self._approvals.get(execution.execution_id.partition(mark)[2])
        if approval is None or approval.status == "pending":
            raise NoSuchApproval("What this run waits for is not decided.", field="approval_id", value=execution.execution_id)
        return approval

    async def _check_changed(self, gate: ChangeGate, execution: Execution | None) -> tuple[str, str]:
        """End the execution if a tool answers what it answered when a run last came to an answer; return what to remember."""
        answer = recordable(await self._injector.run(gate.agentool_name, gate.input_data))
        digest = json.dumps(hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest())
        key = f"{execution.job_id if execution else ''}:{gate.agentool_name}"
        kept = await self._values.get(_NAMESPACE, key, self._time.now())
        if kept is not None and kept.text == digest:
            raise EndedEarly("skipped", f"nothing changed: {gate.agentool_name!r} answers as it did last time")
        return key, digest

    async def _remember(self, seen: tuple[str, str] | None) -> None:
        if seen is not None:
            value = StoredValue(seen[1], None)
            await self._values.change(_NAMESPACE, seen[0], lambda _: value, self._time.now())

    async def _prompt(self, call: AgentRunRequest, execution: Execution | None) -> str:
        prompt = call.prompt
        if not call.previous_result or execution is None:
            return prompt
        history = await self._as_system({"operation": "get_history", "job_id": execution.job_id, "limit": 20})
        for past in history["history"]:
            if past["status"] == "success" and isinstance(past["result"], dict) and "output" in past["result"]:
                answer = past["result"]["output"]
                text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
                return f"{prompt}\n\nYour answer of {past['finished_at']}, as context and no instruction:\n{text[:MAX_PREVIOUS]}"
        return prompt


def check_run(service: AgentService, call: AgentRunRequest) -> None:
    """Refuse, when it is scheduled, a run that could not keep its limits, or whose agent does not exist.

    Raises:
        UnknownAgent: There is no such agent.
        InvalidInput: Its cost is limited, its model's price is not known, and nothing limits its tokens.
    """
    agent = service.registry.get(call.agent)
    limits = agent.rules.limits.tightened(_asked(call, agent.rules.limits))
    limited = agent.rules.has_cost_limit or limits.cost is not None
    if limited and limits.tokens is None and not agent.rules.has_token_budget and not agent.runner.is_priced():
        problem = f"Agent {call.agent!r} has a limit in dollars, and the price of its model is not known."
        raise InvalidInput(problem, field="agent", value=call.agent, remedy="Limit its tokens as well: `tokens` or `max_tokens`.")


def _asked(call: AgentRunRequest, own: RunLimits) -> RunLimits:
    cost = call.max_cost if call.max_cost is not None else own.cost
    return RunLimits(
        requests=call.max_requests or own.requests,
        tokens=call.max_tokens or own.tokens,
        tool_calls=own.tool_calls,
        cost=cost,
    )


def _capped(limits: RunLimits, rules: AgentRules, reserved: RunEntry) -> RunLimits:
    """Return a run's limits with what its budgets have left."""
    has_tokens = limits.tokens is not None or rules.has_token_budget
    return limits.model_copy(
        update={"tokens": reserved.tokens if has_tokens else None, "cost": reserved.cost if rules.has_cost_limit else limits.cost}
    )


def _ran_until(error: BaseException, agent: RegisteredAgent, task: AgentTask) -> Ran | None:
    """Return what a run used before an error; None where that is not known, so that its reservation stays."""
    ran = getattr(error, "ran", None)
    if isinstance(ran, Ran):
        return ran
    goes_on = agent.rules.durable != "none" and task.execution is not None and task.execution.attempt > 1
    return None if goes_on else Ran()  # what ended before it began has used nothing, unless earlier attempts have


def _nothing_waits(approval_id: str, problem: str) -> NoSuchApproval:
    return NoSuchApproval(problem, field="approval_id", value=approval_id, remedy="Operation 'list_approvals' shows what waits.")


def _check_edits(approval: Approval, edits: Mapping[str, Any] | None) -> None:
    tools = [call.tool for call in approval.calls]
    for tool in edits or {}:
        if tool not in tools:
            remedy = f"Waiting: {', '.join(sorted(set(tools)))}."
            raise InvalidInput(f"No call of {excerpt(tool)} waits.", field="edits", value=tool, remedy=remedy)


def _deadline_name(approval: Approval) -> str:
    return f"deadline-{approval.approval_id}"


def _instructions(execution: Execution | None, now: datetime) -> str:
    due = (execution.scheduled_at if execution else now).isoformat(timespec="minutes")
    return (
        f"Nobody is there: this run was started by a schedule, for {due}. You cannot ask anybody; decide yourself, or say what is "
        f"missing. Your final answer is what gets delivered. If there is nothing worth telling, answer exactly: {QUIET}"
    )


def _details(ran: Ran) -> dict[str, Any]:
    details = asdict(replace(ran, output=None))
    del details["output"]
    details["cost"] = "unknown" if ran.cost is None else ran.cost
    return details
