"""Make each approved call at most once, even if its run has several attempts.

A person decides in `parked_runs`; `deferred_calls` applies the decision.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import RunContext, ToolDefinition

from agentoolkit.agents.approval_store import Approval, ApprovalStore
from agentoolkit.agents.recorded_steps import read_outcome, write_outcome

_UNKNOWN = (
    "This call was begun once, and nobody knows how it ended: it may have been carried out. A person approved it once, so it is "
    "not made again. Say so in your answer; where it must be made again, ask for it anew."
)


@dataclass
class ApprovedCalls(AbstractCapability[Any]):
    """Returns the stored outcome for an approved call that an earlier attempt has made.

    Args:
        store: Stores the outcomes.
        approval: The approval with which the run goes on.
    """

    store: ApprovalStore
    approval: Approval

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Callable[[dict[str, Any]], Awaitable[Any]],
    ) -> Any:
        """See the base class."""
        approval_id, call_id = self.approval.approval_id, call.tool_call_id
        if call_id not in self.approval.call_ids:
            return await handler(args)
        begun = await self.store.begin_call(approval_id, call_id)
        if not begun.first and begun.outcome is None:
            raise ToolFailed(_UNKNOWN)
        outcome = begun.outcome
        if outcome is None:
            outcome = await write_outcome(call, handler(args))
            await self.store.end_call(approval_id, call_id, outcome)
        return read_outcome(outcome)
