"""Run a pydantic-ai agent unattended: within its limits, in its conversation, with a rule for approvals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, AgentRun, CancellationToken, DeferredToolRequests, exceptions
from pydantic_ai.capabilities import AbstractCapability, HandleDeferredToolCalls
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict, ConversationStore
from pydantic_ai.models import Model
from pydantic_ai.tools import DeferredToolResults
from pydantic_ai.usage import RunUsage, UsageLimits

from agentoolkit.agent_settings import AgentRules
from agentoolkit.agents.approved_calls import ApprovedCalls
from agentoolkit.agents.deferred_calls import answers_of, answers_that_deny, calls_waiting, make_decider
from agentoolkit.agents.errors import AgentFailed
from agentoolkit.agents.model_errors import to_agent_error
from agentoolkit.agents.parked_runs import ParkedRuns
from agentoolkit.agents.recorded_steps import RecordedSteps
from agentoolkit.agents.registry import AgentTask, RunSummary
from agentoolkit.agents.run_summaries import summary_of
from agentoolkit.endings import GoesOnLater

if TYPE_CHECKING:
    from agentoolkit.agents.batches import ProviderBatches
    from agentoolkit.agents.durable_runs import DurableRuns

MAX_CONFLICTS = 20
"""How often a run tries to append to a conversation to which others append at the same moment."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """The input of a run that starts or goes on."""

    conversation: Conversation
    """Earlier messages, and this run's usage so far."""
    prompt: str | None
    """None if the run goes on."""
    answers: DeferredToolResults | None = None
    used_before: RunUsage = field(default_factory=RunUsage)
    """Usage of earlier runs of the conversation."""
    messages: int = 0
    """Number of messages from earlier runs."""


@dataclass(frozen=True, slots=True)
class PydanticRunner:
    """One pydantic-ai agent."""

    agent: Agent[Any, Any]
    conversations: ConversationStore
    parked: ParkedRuns
    """Parks runs that wait for a person."""
    deps: Callable[[], Any] | None = None
    """Returns the agent's deps for each run."""
    model: Model | str | None = None
    steps: DurableRuns | None = None
    """Stores the steps of durable runs; None if its runs are not durable."""
    batches: ProviderBatches | None = None
    """Groups its requests into provider's batches; None if it does not use them."""
    counts_tokens = True

    async def run(self, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        """See `Runner.run`."""
        if self.batches is not None and task.can_wait:
            return await self._run_by_batches(self.batches, name, rules, task)
        begun = await self._begun(name, rules, task)
        if self.steps is None or task.execution is None or not task.is_whole:
            return await self._run(begun, name, rules, task)
        recorded = [RecordedSteps(self.steps.step)]
        with self.agent.parallel_tool_call_execution_mode("sequential"):  # steps are identified by their order
            return await self.steps.run(task.execution, lambda: self._run(begun, name, rules, task, recorded))

    async def _run_by_batches(self, batches: ProviderBatches, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        waiting = await batches.waiting(task)
        begun = await self._begun(name, rules, task) if waiting is None else _Begun(waiting, prompt=None)
        try:
            ran = await self._run(begun, name, rules, task, [batches.requests], [batches.pending])
        except (GoesOnLater, asyncio.CancelledError):
            raise
        except Exception:
            await batches.forget(task)
            raise
        await batches.forget(task)
        return ran

    async def _begun(self, name: str, rules: AgentRules, task: AgentTask) -> _Begun:
        """Load the conversation of a new or resumed run, with its usage counted from zero."""
        earlier = await self._loaded(_conversation_id(name, task), rules, task)
        if task.approval is None:
            prompt, answers = task.prompt, await self._left_unanswered(earlier)
        else:
            prompt, answers = None, await self._answers(earlier, name, rules, task)
        return _Begun(replace(earlier, usage=RunUsage()), prompt, answers, earlier.usage, len(earlier.messages))

    async def _left_unanswered(self, earlier: Conversation) -> DeferredToolResults | None:
        """Return answers to calls that an earlier run left open and nobody answers any more. Raises `EndedEarly` if somebody may."""
        requests = earlier.deferred_tool_requests
        if requests is None:
            return None
        open_calls = [call.tool_call_id for call in requests.approvals]
        return answers_that_deny(requests, await self.parked.why_unanswered(earlier.conversation_id, open_calls))

    async def _answers(self, parked: Conversation, name: str, rules: AgentRules, task: AgentTask) -> DeferredToolResults:
        """Return the decisions on the waiting calls.

        Raises:
            AgentFailed: An earlier attempt has finished the run.
            Parked: An earlier attempt has reached further calls, on which nobody has decided.
        """
        requests, approval = parked.deferred_tool_requests, task.approval
        if requests is None or approval is None:
            problem = f"Nothing waits in the conversation {parked.conversation_id!r} any more: an earlier attempt answered."
            raise AgentFailed(problem)
        if not approval.call_ids.issuperset(call.tool_call_id for call in requests.approvals):
            raise await self.parked.park(name, rules, task, parked.conversation_id, calls_waiting(requests, {}), RunSummary())
        return answers_of(requests, approval)

    async def _run(
        self,
        begun: _Begun,
        name: str,
        rules: AgentRules,
        task: AgentTask,
        capabilities: Sequence[AbstractCapability[Any]] = (),
        outputs: Sequence[Any] = (),
    ) -> RunSummary:
        token, run = CancellationToken(), None
        parked = [DeferredToolRequests] if rules.approvals == "park" else []
        try:
            async with self.agent.iter(
                begun.prompt,
                conversation=begun.conversation,
                deferred_tool_results=begun.answers,
                output_type=[self.agent.output_type, *outputs, *parked] if outputs or parked else None,
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
                capabilities=[HandleDeferredToolCalls(handler=make_decider(rules)), *capabilities, *self._once(task)],
            ) as run:
                async for _ in run:
                    """Each step is the agent's own."""
            return await self._concluded(run, begun, name, rules, task)
        except exceptions.AgentRunError as error:
            failed = to_agent_error(error)
            failed.ran = run and summary_of(run, begun.conversation.conversation_id, begun.messages)
            raise failed from error
        except BaseException as error:
            token.cancel()
            error.ran = run and summary_of(run, begun.conversation.conversation_id, begun.messages)  # type: ignore[attr-defined]
            raise

    async def _concluded(self, run: AgentRun[Any, Any], begun: _Begun, name: str, rules: AgentRules, task: AgentTask) -> RunSummary:
        conversation_id = begun.conversation.conversation_id
        ran, result = summary_of(run, conversation_id, begun.messages), run.result
        if result is None:
            raise AgentFailed("The run ended without a result.")
        if self.batches is not None and isinstance(result.output, self.batches.pending):
            raise await self.batches.wait(result.conversation, rules, task)
        kept = await self._saved(result.conversation, begun, task)
        if isinstance(result.output, DeferredToolRequests):
            schemas = {name: tool.tool_def.parameters_json_schema for name, tool in (run.ctx.deps.tool_manager.tools or {}).items()}
            raise await self.parked.park(name, rules, task, conversation_id, calls_waiting(result.output, schemas), ran)
        return replace(ran, output=result.output, conversation_id=conversation_id if kept else "")

    def _once(self, task: AgentTask) -> list[ApprovedCalls]:
        return [] if task.approval is None else [ApprovedCalls(self.parked.approvals, task.approval)]

    def takes_batches(self) -> bool:
        """Tell whether its provider has batches. For a model given by name return True: only its first run can tell."""
        model = self.model or self.agent.model
        return not isinstance(model, Model) or model.batch_max_requests is not None

    def is_priced(self) -> bool:
        """Tell whether the price of the model is known."""
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

    async def _saved(self, conversation: Conversation, begun: _Begun, task: AgentTask) -> bool:
        """Store a conversation that continues or waits for a person, and tell whether it was stored."""
        waits = conversation.deferred_tool_requests is not None
        if task.conversation == "fresh" and not waits and task.approval is None:
            return False
        used = conversation.usage
        conversation.usage = begun.used_before + used
        try:
            await self.conversations.save(conversation, scope=task.owner)
        except ConversationConflict as error:
            if begun.prompt is None or not await self._append(conversation, begun, used, task):
                problem = f"Another run changed the conversation {conversation.conversation_id!r} meanwhile; this answer is not in it."
                remedy = "Read it in this execution's messages, and give jobs that share a conversation one concurrency_key."
                raise AgentFailed(problem, remedy=remedy) from error
        return True

    async def _append(self, conversation: Conversation, begun: _Begun, used: RunUsage, task: AgentTask) -> bool:
        """Append what this run has said to what other runs have saved meanwhile. False where one of them waits for a person."""
        first = begun.messages if conversation.new_message_index is None else conversation.new_message_index
        for _ in range(MAX_CONFLICTS):
            latest = await self.conversations.load(conversation.conversation_id, scope=task.owner)
            if latest is None or latest.deferred_tool_requests is not None:
                return False
            latest.messages += conversation.messages[first:]
            latest.usage += used
            latest.deferred_tool_requests = conversation.deferred_tool_requests
            with suppress(ConversationConflict):
                await self.conversations.save(latest, scope=task.owner)
                return True
        return False


def _conversation_id(name: str, task: AgentTask) -> str:
    """Return the id of a conversation: per execution, per job, or by the given name; always of one owner and agent."""
    if task.approval is not None:
        return task.approval.conversation_id
    execution = task.execution
    whose = f"{task.owner}/{name}"
    if task.conversation == "fresh":
        return f"{whose}/run/{execution.execution_id}#{execution.attempt}" if execution else Conversation().conversation_id
    if task.conversation == "continue":
        return f"{whose}/job/{execution.job_id if execution else ''}"
    return f"{whose}/named/{task.conversation}"
