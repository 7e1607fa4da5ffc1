"""Runs whose requests wait for their provider's batch, for about half the price. Experimental.

A run ends as soon as a batch has its request, and its execution waits; the scheduler lets it look again, in this process or another.
What it has come to is kept as a conversation, under the execution's id.
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
"""How long the first request of a batch waits for those of other runs that are due together."""
SHARED = timedelta(seconds=1)
"""How long what a provider has said of a batch holds for other runs that look at it: those of one batch look together."""
SOONEST, LATEST = 60.0, 1_800.0
"""Seconds between two looks at a batch, the least and the most; between them half as long as was waited."""


@dataclass(frozen=True, slots=True)
class ProviderBatches:
    """The runs that wait, and the requests that are put together.

    Args:
        conversations: Where the runs are kept while they wait.
    """

    conversations: ConversationStore
    requests: BatchModelRequests = field(default_factory=lambda: BatchModelRequests(max_wait=TOGETHER, poll_interval=SHARED))
    pending: type[PendingModelResponse] = PendingModelResponse
    """What the output is of a run that waits."""

    async def waiting(self, task: AgentTask) -> Conversation | None:
        """Return what the run has come to that waits for a batch; None where it begins."""
        kept = None if task.waited is None else await self.conversations.load(_name(task), scope=task.owner)
        if kept is None:
            return None
        asked_before = max(kept.usage.requests - 1, 0)  # looking at a request is counted as a request
        return replace(kept, usage=replace(kept.usage, requests=asked_before))

    async def wait(self, conversation: Conversation, rules: AgentRules, task: AgentTask) -> Exception:
        """Keep a run that waits, and return what ends this attempt at it."""
        waited = 0.0 if task.waited is None else task.waited.total_seconds()
        if waited >= rules.batch_seconds:
            failed = AgentTimeout(f"The provider's batch did not answer within {rules.batch_seconds:g} s.", remedy="Run it live.")
            failed.retryable = False
            return failed
        # Compared as a whole: the answer to a request stands where the request waited before.
        kept = replace(conversation, conversation_id=_name(task), new_message_index=None)
        await self.conversations.save(kept, scope=task.owner)
        return GoesOnLater(WAITING, min(max(waited / 2, SOONEST), LATEST))

    async def forget(self, task: AgentTask) -> None:
        """Drop what was kept of a run that has ended."""
        if task.waited is not None:
            await self.conversations.delete(_name(task), scope=task.owner)


def _name(task: AgentTask) -> str:
    return f"{task.owner}/batch/{task.execution.execution_id if task.execution else ''}"
