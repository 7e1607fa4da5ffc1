"""Models that follow a script: what a language model would say, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

Say = str
Call = tuple[str, Mapping[str, Any] | str]
Step = Say | Call | Sequence[Call] | Callable[[list[ModelMessage]], "Step"]


def scripted(*steps: Step) -> FunctionModel:
    """Return a model that gives these answers in turn: text ends the run, a pair calls a tool, a list calls several."""
    left = list(steps)

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        step: Any = left.pop(0)
        while callable(step):
            step = step(messages)
        return response(step)

    return FunctionModel(respond)


def response(step: Any) -> ModelResponse:
    """Return the answer that a step stands for."""
    if isinstance(step, str):
        return ModelResponse(parts=[TextPart(step)])
    calls = [step] if isinstance(step, tuple) else step
    return ModelResponse(parts=[ToolCallPart(name, given if isinstance(given, str) else dict(given)) for name, given in calls])


def told(messages: Sequence[ModelMessage]) -> list[str]:
    """Return what the tools answered, the refusals included, in order."""
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    return [str(part.content) for part in parts if isinstance(part, (ToolReturnPart, RetryPromptPart))]
