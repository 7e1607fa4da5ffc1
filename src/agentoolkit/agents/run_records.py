"""What a run of a pydantic-ai agent came to: what it used and called, and what its error means for another attempt."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from pydantic_ai import AgentRun, exceptions
from pydantic_ai.messages import ModelResponse, ToolCallPart

from agentoolkit.agents.errors import AgentError, AgentFailed, AgentTimeout, LimitReached, ModelRefused, ModelUnavailable
from agentoolkit.agents.registry import Ran
from agentoolkit.agents.transcript import transcript

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


def ran_so_far(run: AgentRun[Any, Any], conversation_id: str, earlier: int) -> Ran:
    """Say what a run has used and called so far, in a conversation of which so many messages are of earlier runs."""
    usage, messages = run.usage, run.all_messages()[earlier:]
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
        conversation_id=conversation_id,
    )


def classed(error: exceptions.AgentRunError) -> AgentError:
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
