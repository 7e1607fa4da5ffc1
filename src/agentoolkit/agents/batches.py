"""Run agents by their provider's batches, for about half the price. Experimental.

An attempt ends as soon as a batch has its request, and the execution waits. The scheduler calls the handler again to poll the
batch, in this process or another. The state of the run is stored as a conversation under the execution's id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from pydantic_ai import PendingModelResponse
from pydantic_ai.capabilities import BatchModelRequests
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationStore

from agentoolkit.agent_settings import AgentRules
from agentoolkit.agents.errors import AgentTimeout
from agentoolkit.agents.registry import AgentTask
from agentoolkit.endings import GoesOnLater

WAITING = "waits for the provider's batch"
TOGETHER = timedelta(seconds=1)
"""Time that the first request of a batch waits for requests of other runs due at the same time."""
SHARED = timedelta(seconds=1)
"""Time for which a batch's polled state is reused, because the runs of one batch poll together."""
SOONEST, LATEST = 60.0, 1_800.0
"""Shortest and longest time between two polls of a batch, in seconds. Between these bounds it is half of the time waited so far."""


@dataclass(frozen=True, slots=True)
class ProviderBatches:
    """The waiting runs, and their requests grouped into batches.

    Args:
        conversations: Stores the runs while they wait.
    """

    conversations: ConversationStore
    requests: BatchModelRequests = field(default_factory=lambda: BatchModelRequests(max_wait=TOGETHER, poll_interval=SHARED))
    pending: type[PendingModelResponse] = PendingModelResponse
    """The output type of a waiting run."""

    async def waiting(self, task: AgentTask) -> Conversation | None:
        """Return the stored state of a run that waits for a batch; None if the run is new."""
        kept = None if task.waited is None else await self.conversations.load(_name(task), scope=task.owner)
        if kept is None:
            return None
        asked_before = max(kept.usage.requests - 1, 0)  # each poll counts as a request again
        return replace(kept, usage=replace(kept.usage, requests=asked_before))

    async def wait(self, conversation: Conversation, rules: AgentRules, task: AgentTask) -> Exception:
        """Store a waiting run, and return the exception that ends this attempt."""
        waited = 0.0 if task.waited is None else task.waited.total_seconds()
        if waited >= rules.batch_seconds:
            failed = AgentTimeout(f"The provider's batch did not answer within {rules.batch_seconds:g} s.", remedy="Run it live.")
            failed.retryable = False
            return failed
        # Without an index of new messages the store compares all messages: the answer replaces the waiting request in its place.
        kept = replace(conversation, conversation_id=_name(task), new_message_index=None)
        await self.conversations.save(kept, scope=task.owner)
        return GoesOnLater(WAITING, min(max(waited / 2, SOONEST), LATEST))

    async def forget(self, task: AgentTask) -> None:
        """Delete the stored state of an ended run."""
        if task.waited is not None:
            await self.conversations.delete(_name(task), scope=task.owner)


def _name(task: AgentTask) -> str:
    return f"{task.owner}/batch/{task.execution.execution_id if task.execution else ''}"
