"""What was said in a run of an agent, as its history keeps it: by whom, in text, and not too much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    RetryFeedbackPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

MAX_MESSAGES = 50
MAX_TEXT = 2_000
"""Characters of one message."""


def transcript(messages: Iterable[ModelMessage]) -> list[dict[str, str]]:
    """Return who said what, the first of it; what a model only thinks is left out."""
    told: list[dict[str, str]] = []
    for by, text, tool in _said(messages):
        told.append({"by": by, "text": text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…", "tool": tool})
        if len(told) == MAX_MESSAGES:
            break
    return told


def _said(messages: Iterable[ModelMessage]) -> Iterator[tuple[str, str, str]]:
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
    """Return the text of a prompt; pictures and files are named by their kind."""
    if isinstance(content, str):
        return content
    return "\n".join(item if isinstance(item, str) else f"[{type(item).__name__}]" for item in content)
