"""Turn each request to a model and each tool call into a recorded step, for any tools of an agent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ModelRetry, ToolFailed, ToolFailedError, ToolRetryError
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, ToolCallPart, ToolReturn, ToolReturnPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import RunContext, ToolDefinition

Step = Callable[[str, Callable[[], Coroutine[Any, Any, str]]], Awaitable[str]]
"""Runs a function as the next step of this name, and stores its text; or returns the stored text."""

_TOOL_RETURN: TypeAdapter[ToolReturn[Any]] = TypeAdapter(ToolReturn[Any])
_RAISED: Mapping[str, Callable[[Any], Exception]] = {
    "retry": ModelRetry,
    "failed": ToolFailed,
    "approval": ApprovalRequired,
    "deferred": CallDeferred,
}
"""Exceptions that a stored step raises again, by their word in the record."""


@dataclass
class RecordedSteps(AbstractCapability[Any]):
    """Records every request and tool call of a run as a step, including a tool's errors for the model."""

    step: Step

    async def wrap_model_request(
        self,
        ctx: RunContext[Any],
        *,
        request_context: ModelRequestContext,
        handler: Callable[[ModelRequestContext], Awaitable[ModelResponse]],
    ) -> ModelResponse:
        """See the base class."""

        async def ask() -> str:
            return ModelMessagesTypeAdapter.dump_json([await handler(request_context)]).decode()

        (response,) = ModelMessagesTypeAdapter.validate_json(await self.step("model", ask))
        assert isinstance(response, ModelResponse)  # noqa: S101  as it was written
        return response

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

        async def execute() -> str:
            return await write_outcome(call, handler(args))

        return read_outcome(await self.step(f"tool {call.tool_name}", execute))


async def write_outcome(call: ToolCallPart, result: Awaitable[Any]) -> str:
    """Await a tool's result and write it as text. Errors for the model, and calls that need approval, are written too."""
    try:
        return json.dumps(_written(call, await result))
    except ToolRetryError as error:
        return json.dumps(["retry", str(error.tool_retry.content)])
    except ToolFailedError as error:
        return json.dumps(["failed", str(error.tool_failed.content)])
    except (ModelRetry, ToolFailed) as error:
        return json.dumps(["retry" if isinstance(error, ModelRetry) else "failed", error.message])
    except (ApprovalRequired, CallDeferred) as error:
        return json.dumps(["approval" if isinstance(error, ApprovalRequired) else "deferred", error.metadata])


def _written(call: ToolCallPart, result: Any) -> tuple[str, str]:
    """Write a tool's result in the form of a conversation's messages."""
    if isinstance(result, ToolReturn):
        return "return", _TOOL_RETURN.dump_json(cast("ToolReturn[Any]", result)).decode()
    part = ToolReturnPart(tool_name=call.tool_name, content=result, tool_call_id=call.tool_call_id)
    return "result", ModelMessagesTypeAdapter.dump_json([ModelRequest(parts=[part])]).decode()


def read_outcome(text: str) -> Any:
    """Return the result that `write_outcome` wrote, or raise the error."""
    kind, kept = json.loads(text)
    if kind in _RAISED:
        raise _RAISED[kind](kept)
    if kind == "return":
        return _TOOL_RETURN.validate_json(kept)
    (request,) = ModelMessagesTypeAdapter.validate_json(kept)
    return request.parts[0].content  # type: ignore[union-attr]  as it was written
