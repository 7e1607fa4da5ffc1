"""Handle calls that need approval: grant or deny them by rule, leave them for a person, or apply a person's decision.

`parked_runs` stores the run while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_ai import DeferredToolRequests
from pydantic_ai.tools import DeferredToolResults, RunContext, ToolApproved, ToolDenied

from agentool.errors import ConfigurationError
from agentoolkit.agent_settings import AgentRules
from agentoolkit.agents.approval_store import Approval, WaitingCall


def make_decider(rules: AgentRules) -> Callable[[RunContext[Any], DeferredToolRequests], DeferredToolResults | None]:
    """Return a function that grants or denies calls by the agent's rules, and leaves the others for a person."""

    def decide(ctx: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults | None:
        granted: dict[str, bool | ToolDenied] = {call.tool_call_id: True for call in requests.approvals if call.tool_name in rules.granted}
        if rules.approvals == "deny":
            denied = ToolDenied("Nobody is there to approve this call, so it was denied. Go on without it, and say so in your answer.")
            granted = {call.tool_call_id: granted.get(call.tool_call_id, denied) for call in requests.approvals}
        return requests.build_results(approvals=granted) if granted else None

    return decide


def answers_of(requests: DeferredToolRequests, approval: Approval) -> DeferredToolResults:
    """Return the decision on each call of a parked run."""
    decisions: dict[str, bool | ToolApproved | ToolDenied] = {}
    for call in requests.approvals:
        edited = (approval.edits or {}).get(call.tool_call_id)
        if approval.status != "approved":
            decisions[call.tool_call_id] = ToolDenied(f"This call was denied: {approval.reason or 'no reason given'}.")
        else:
            decisions[call.tool_call_id] = True if edited is None else ToolApproved(override_args=dict(edited))
    return requests.build_results(approvals=decisions)


def answers_that_deny(requests: DeferredToolRequests, reason: str) -> DeferredToolResults:
    """Return an answer to each call of a parked run, with the same reason."""
    return requests.build_results(approvals={call.tool_call_id: ToolDenied(reason) for call in requests.approvals})


def calls_waiting(requests: DeferredToolRequests, schemas: Mapping[str, Mapping[str, Any]]) -> tuple[WaitingCall, ...]:
    """Return the calls that a person must decide on.

    Args:
        requests: The calls of a run that a model left open.
        schemas: Known JSON schemas of the arguments, by tool name.

    Raises:
        ConfigurationError: A call is executed outside of the run.
    """
    if requests.calls:
        names = ", ".join(call.tool_name for call in requests.calls)
        raise ConfigurationError(f"The agent's tools {names} are carried out elsewhere, which a scheduled run cannot wait for.")
    return tuple(
        WaitingCall(call_id=call.tool_call_id, tool=call.tool_name, arguments=call.args_as_dict(), schema=schemas.get(call.tool_name, {}))
        for call in requests.approvals
    )
