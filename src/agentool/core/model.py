"""Turn an AgenTool into a pydantic-ai `Agent` that needs no language model: JSON in, the AgenTool's typed output out.

Only this file and `toolset` import pydantic-ai; both are imported where they are used.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Union

from pydantic_ai import Agent, ToolOutput, UserError
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from agentool.agentool import AgenTool
from agentool.core.injector import Injector, get_injector


class PassThroughModel(Model):
    """Takes the place of a language model: hands the user's JSON unchanged to the only tool."""

    @property
    def model_name(self) -> str:
        return "pass-through"

    @property
    def system(self) -> str:
        return "agentool"

    async def request(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> ModelResponse:
        (tool,) = model_request_parameters.output_tools
        return ModelResponse(parts=[ToolCallPart(tool.name, {"json_text": _last_prompt(messages)})], model_name=self.model_name)

    @asynccontextmanager
    async def request_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[StreamedResponse]:
        """Refuse to stream: an AgenTool answers once, with its typed output."""
        raise UserError("An AgenTool's agent answers at once, so there is nothing to stream: call `run`.")
        yield  # makes this a generator


def as_agent(agentool: AgenTool[Any], injector: Injector | None = None) -> Agent[None, Any]:
    """Return an agent whose prompt is the AgenTool's input as JSON text and whose output is the AgenTool's output.

    Args:
        agentool: A registered AgenTool.
        injector: The injector that has it; by default the current one when the agent runs.
    """

    async def call(json_text: str) -> Any:
        return await (injector or get_injector()).run(agentool.name, json_text)

    call.__annotations__["return"] = Union[agentool.output_types()]  # noqa: UP007  built at run time
    output = ToolOutput(call, name=agentool.name, description=agentool.description or None)
    return Agent(PassThroughModel(), output_type=output, name=agentool.name, retries=0)


def _last_prompt(messages: list[ModelMessage]) -> str:
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, UserPromptPart) and isinstance(part.content, str):
                    return part.content
    raise UserError("An AgenTool's agent takes its input as one JSON text.")
