"""Runs a pydantic-ai agent when nobody is there: within its limits, in its conversation, with a rule for approvals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from pydantic_ai import Agent, AgentRun, CancellationToken, DeferredToolRequests, exceptions
from pydantic_ai.capabilities import AbstractCapability, HandleDeferredToolCalls
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict, ConversationStore
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.tools import DeferredToolResults, RunContext, ToolApproved, ToolDenied
from pydantic_ai.usage import RunUsage, UsageLimits

from agentool.errors import ConfigurationError
from agentoolkit.agent_settings import AgentRules
from agentoolkit.agents.approvals import Approval, WaitingCall
from agentoolkit.agents.errors import AgentError, AgentFailed, AgentTimeout, LimitReached, ModelRefused, ModelUnavailable
from agentoolkit.agents.recorded_steps import RecordedSteps
from agentoolkit.agents.registry import AgentTask, Ran
from agentoolkit.agents.transcript import transcript

if TYPE_CHECKING:
    from agentoolkit.agents.durable_runs import DurableRuns

Deps = Callable[[], Any] | AbstractContextManager[Any] | None
Park = Callable[[str, AgentRules, AgentTask, str, tuple[WaitingCall, ...], Ran], Awaitable[Exception]]
"""Keeps the calls that wait, and returns what ends the execution."""

MAX_TOOL_CALLS_KEPT = 50
"""Calls of tools that the history names."""

_PASSING = (
    exceptions.ModelRateLimitError,
    exceptions.ModelUnavailableError,
    exceptions.ModelServerError,
    exceptions.ModelConnectionError,
    exceptions.ModelRequestTimeout,
)
"""Errors of a model that may have passed at the next attempt."""
_FINAL = (exceptions.ModelRequestRejectedError, exceptions.ContentFilterError)
"""Errors that the same request would meet again: key, model's name, size, content."""


@dataclass(frozen=True, slots=True)
class PydanticRunner:
    """One pydantic-ai agent."""

    agent: Agent[Any, Any]
    conversations: ConversationStore
    park: Park
    deps: Callable[[], Any] | None = None
    """Called at each run."""
    model: Model | str | None = None
    steps: DurableRuns | None = None
    """Keeps the steps of its runs, where those are durable."""
    counts_tokens = True

    async def run(self, name: str, rules: AgentRules, task: AgentTask) -> Ran:
        """See `Runner.run`."""
        if self.steps is None or task.execution is None:
            return await self._run(name, rules, task, [])
        recorded = [RecordedSteps(self.steps.step)]
        with self.agent.parallel_tool_call_execution_mode("sequential"):  # steps are told apart by their order
            return await self.steps.run(task.execution, lambda: self._run(name, rules, task, recorded))

    async def _run(self, name: str, rules: AgentRules, task: AgentTask, recorded: Sequence[AbstractCapability[Any]]) -> Ran:
        earlier = await self._loaded(_conversation_id(name, task), rules, task)
        token, run = CancellationToken(), None
        try:
            async with self.agent.iter(
                None if task.approval else task.prompt,
                conversation=replace(earlier, usage=RunUsage()),
                deferred_tool_results=None if task.approval is None else _answers(earlier, task.approval),
                output_type=[self.agent.output_type, DeferredToolRequests] if rules.approvals == "park" else None,
                instructions=task.instructions or None,
                deps=None if self.deps is None else self.deps(),
                model=self.model,
                usage_limits=UsageLimits(
                    request_limit=task.limits.requests,
                    total_tokens_limit=task.limits.tokens,
                    tool_calls_limit=task.limits.tool_calls,
                    cost_limit=task.limits.cost,
                ),
                cancellation_token=token,
                capabilities=[HandleDeferredToolCalls(handler=_decider(rules)), *recorded],
            ) as run:
                async for _ in run:
                    """Each step is the agent's own."""
            return await self._concluded(run, earlier, name, rules, task)
        except exceptions.AgentRunError as error:
            failed = _classed(error)
            failed.ran = run and _ran(run, earlier)
            raise failed from error
        except BaseException as error:
            token.cancel()
            error.ran = run and _ran(run, earlier)  # type: ignore[attr-defined]  what it used is booked
            raise

    async def _concluded(self, run: AgentRun[Any, Any], earlier: Conversation, name: str, rules: AgentRules, task: AgentTask) -> Ran:
        ran, result = _ran(run, earlier), run.result
        if result is None:
            raise AgentFailed("The run ended without a result.")
        kept = await self._saved(result.conversation, earlier.usage, task)
        if isinstance(result.output, DeferredToolRequests):
            raise await self.park(name, rules, task, earlier.conversation_id, _waiting(result.output), ran)
        return replace(ran, output=result.output, conversation_id=earlier.conversation_id if kept else "")

    def is_priced(self) -> bool:
        """Is the price of the model known?"""
        from genai_prices import Usage, calc_price

        model = self.model or self.agent.model
        if isinstance(model, Model):
            known, provider = model.model_name, model.system
        else:
            before, separator, after = str(model or "").partition(":")
            known, provider = (after, before) if separator else (before, None)
        try:
            calc_price(Usage(input_tokens=1, output_tokens=1), known, provider_id=provider)
        except LookupError:
            return False
        return True

    async def _loaded(self, conversation_id: str, rules: AgentRules, task: AgentTask) -> Conversation:
        if task.conversation == "fresh" and task.approval is None:
            return Conversation(conversation_id=conversation_id)
        limit = None if task.approval else rules.messages
        found = await self.conversations.load(conversation_id, limit=limit, scope=task.owner)
        if found is None and task.approval is not None:
            raise AgentFailed(f"The conversation {conversation_id!r} that was parked is gone.", remedy="Let the job run anew.")
        return found or Conversation(conversation_id=conversation_id)

    async def _saved(self, conversation: Conversation, before: RunUsage, task: AgentTask) -> bool:
        """Keep a conversation that goes on: a named one, and one that waits for a person."""
        waits = conversation.deferred_tool_requests is not None
        if task.conversation == "fresh" and not waits and task.approval is None:
            return False
        conversation.usage = before + conversation.usage
        try:
            await self.conversations.save(conversation, scope=task.owner)
        except ConversationConflict as error:
            problem = f"Another run changed the conversation {conversation.conversation_id!r} meanwhile; this answer is not in it."
            raise AgentFailed(problem, remedy="Give jobs that share a conversation one concurrency_key.") from error
        return True


def _conversation_id(name: str, task: AgentTask) -> str:
    """Name a conversation: one for each execution, for each job, or by the name that was given; always of one owner and agent."""
    if task.approval is not None:
        return task.approval.conversation_id
    execution = task.execution
    whose = f"{task.owner}/{name}"
    if task.conversation == "fresh":
        return f"{whose}/run/{execution.execution_id}#{execution.attempt}" if execution else Conversation().conversation_id
    if task.conversation == "continue":
        return f"{whose}/job/{execution.job_id if execution else ''}"
    return f"{whose}/named/{task.conversation}"


def _decider(rules: AgentRules) -> Callable[[RunContext[Any], DeferredToolRequests], DeferredToolResults | None]:
    """Return what answers calls that need approval: granted beforehand, denied, or left for a person."""

    def decide(ctx: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults | None:
        granted: dict[str, bool | ToolDenied] = {call.tool_call_id: True for call in requests.approvals if call.tool_name in rules.granted}
        if rules.approvals == "deny":
            denied = ToolDenied("Nobody is there to approve this call, so it was denied. Go on without it, and say so in your answer.")
            granted = {call.tool_call_id: granted.get(call.tool_call_id, denied) for call in requests.approvals}
        return requests.build_results(approvals=granted) if granted else None

    return decide


def _answers(conversation: Conversation, approval: Approval) -> DeferredToolResults:
    """Return what was decided, for each call that waits."""
    requests = conversation.deferred_tool_requests
    if requests is None:
        raise AgentFailed(f"Nothing waits in the conversation {conversation.conversation_id!r} any more.")
    decisions: dict[str, bool | ToolApproved | ToolDenied] = {}
    for call in requests.approvals:
        edited = (approval.edits or {}).get(call.tool_name)
        if approval.status != "approved":
            decisions[call.tool_call_id] = ToolDenied(f"This call was denied: {approval.reason or 'no reason given'}.")
        else:
            decisions[call.tool_call_id] = True if edited is None else ToolApproved(override_args=dict(edited))
    return requests.build_results(approvals=decisions)


def _waiting(requests: DeferredToolRequests) -> tuple[WaitingCall, ...]:
    if requests.calls:
        names = ", ".join(call.tool_name for call in requests.calls)
        raise ConfigurationError(f"The agent's tools {names} are carried out elsewhere, which a scheduled run cannot wait for.")
    return tuple(WaitingCall(call_id=call.tool_call_id, tool=call.tool_name, arguments=call.args_as_dict()) for call in requests.approvals)


def _ran(run: AgentRun[Any, Any], earlier: Conversation) -> Ran:
    """Say what a run has used and called so far."""
    usage, messages = run.usage, run.all_messages()[len(earlier.messages) :]
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    calls = [part for response in responses for part in response.parts if isinstance(part, ToolCallPart)]
    span = trace.get_current_span().get_span_context()
    return Ran(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=None if usage.cost is None else f"{usage.cost.normalize():f}",
        model=next((response.model_name for response in reversed(responses) if response.model_name), ""),
        tool_calls=[{"tool": call.tool_name, "arguments": call.args_as_json_str()[:500]} for call in calls[:MAX_TOOL_CALLS_KEPT]],
        messages=transcript(messages),
        trace_id=f"{span.trace_id:032x}" if span.is_valid else "",
        conversation_id=earlier.conversation_id,
    )


def _classed(error: exceptions.AgentRunError) -> AgentError:
    """Say of a run that failed what it means for another attempt."""
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, exceptions.UsageLimitExceeded):
        failed: AgentError = LimitReached(f"The run used up what one run may use. {error}", remedy="Raise its limits, or ask for less.")
    elif isinstance(error, exceptions.RunTimedOut):
        failed = AgentTimeout(told)
    elif isinstance(error, exceptions.ModelQuotaExceededError):
        # Waiting alone cures no quota, unless the provider says when it is reset.
        failed = ModelUnavailable(told) if error.retry_after is not None else ModelRefused(told, remedy="Top up the provider's account.")
    elif isinstance(error, _FINAL):
        failed = ModelRefused(told, remedy="Look at the key, the model's name, and the length of the conversation.")
    elif isinstance(error, _PASSING):
        failed = ModelUnavailable(told)
    else:
        failed = AgentFailed(told)
    failed.retry_after = getattr(error, "retry_after", None)
    return failed
