"""Summarise a run of a pydantic-ai agent for its history: usage, tool calls and messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry import trace
from pydantic_ai import AgentRun
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    RetryFeedbackPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from agentool.secrets_here import beginning_of
from agentoolkit.agents.registry import RunSummary

MAX_TOOL_CALLS_KEPT = 50
"""Tool calls that the history lists."""
MAX_ARGUMENTS = 500
"""Characters of a call's arguments that the history keeps."""
MAX_MESSAGES = 50
MAX_TEXT = 2_000
"""Characters of one message."""


def summary_of(run: AgentRun[Any, Any], conversation_id: str, earlier: int) -> RunSummary:
    """Return the usage, tool calls and messages of a run so far.

    Args:
        run: The run.
        conversation_id: Its conversation.
        earlier: Number of the conversation's messages from earlier runs.
    """
    usage, messages = run.usage, run.all_messages()[earlier:]
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    calls = [part for response in responses for part in response.parts if isinstance(part, ToolCallPart)][:MAX_TOOL_CALLS_KEPT]
    span = trace.get_current_span().get_span_context()
    return RunSummary(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=None if usage.cost is None else f"{usage.cost.normalize():f}",
        model=next((response.model_name for response in reversed(responses) if response.model_name), ""),
        tool_calls=[{"tool": call.tool_name, "arguments": beginning_of(call.args_as_json_str(), MAX_ARGUMENTS)} for call in calls],
        messages=transcript(messages),
        trace_id=f"{span.trace_id:032x}" if span.is_valid else "",
        conversation_id=conversation_id,
    )


def transcript(messages: Iterable[ModelMessage]) -> list[dict[str, str]]:
    """Return the first `MAX_MESSAGES` messages with their authors. A model's thinking is left out."""
    entries: list[dict[str, str]] = []
    for by, text, tool in _parts(messages):
        entries.append({"by": by, "text": text if len(text) <= MAX_TEXT else f"{beginning_of(text, MAX_TEXT)}…", "tool": tool})
        if len(entries) == MAX_MESSAGES:
            break
    return entries


def _parts(messages: Iterable[ModelMessage]) -> Iterator[tuple[str, str, str]]:
    for message in messages:
        for part in message.parts:
            match part:
                case SystemPromptPart():
                    yield "system", part.content, ""
                case UserPromptPart():
                    yield "user", _text(part.content), ""
                case TextPart():
                    yield "agent", part.content, ""
                case ToolCallPart():
                    yield "agent", part.args_as_json_str(), part.tool_name
                case ToolReturnPart():
                    yield "tool", part.model_response_str(), part.tool_name
                case RetryFeedbackPart():
                    yield "system", str(part.content), ""
                case _:
                    pass


def _text(content: Any) -> str:
    """Return the text of a prompt; for pictures and files return their type."""
    if isinstance(content, str):
        return content
    return "\n".join(item if isinstance(item, str) else f"[{type(item).__name__}]" for item in content)
