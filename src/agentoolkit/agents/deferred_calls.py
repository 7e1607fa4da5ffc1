"""Calls of a run's tools that need approval: granted beforehand, denied, left for a person, and answered by one.

The run that waits meanwhile is kept by `parked_runs`.
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
    """Return what answers calls that need approval: granted beforehand, denied, or left for a person."""

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


def calls_waiting(requests: DeferredToolRequests, schemas: Mapping[str, Mapping[str, Any]]) -> tuple[WaitingCall, ...]:
    """Return the calls that a person must decide on.

    Args:
        requests: The calls of a run that a model left open.
        schemas: JSON schemas of the arguments, by the tool's name, as far as they are known.

    Raises:
        ConfigurationError: Some of the calls are carried out elsewhere.
    """
    if requests.calls:
        names = ", ".join(call.tool_name for call in requests.calls)
        raise ConfigurationError(f"The agent's tools {names} are carried out elsewhere, which a scheduled run cannot wait for.")
    return tuple(
        WaitingCall(call_id=call.tool_call_id, tool=call.tool_name, arguments=call.args_as_dict(), schema=schemas.get(call.tool_name, {}))
        for call in requests.approvals
    )
