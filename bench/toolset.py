"""A tool of ours, called by a scripted model through the toolset, beside a bare pydantic-ai tool that does the same."""

from __future__ import annotations

import time
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agentool import Injector, create_agentool
from agentool.toolset import AgenToolset
from bench.call import EchoInput, EchoOutput, echo
from bench.harness import Bar, Side, compare

CALLS = 20
RUNS = 40
ARGUMENTS = {"message": "hello", "meta": {"a": 1, "b": [1, 2, 3]}}


def calling(name: str) -> FunctionModel:
    """Return a model that calls a tool so many times, one after the other, and then ends the run."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 2 * CALLS:
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart(name, ARGUMENTS)])

    return FunctionModel(respond)


async def microseconds(agent: Agent[Any, Any]) -> float:
    """Return what one turn with its call takes."""
    await agent.run("go")
    began = time.perf_counter()
    for _ in range(RUNS):
        await agent.run("go")
    return (time.perf_counter() - began) / RUNS / CALLS * 1e6


async def run() -> bool:
    injector = Injector()
    create_agentool("echo", EchoInput, {"echo": echo}, injector=injector)
    ours = Agent(calling("echo_echo"), toolsets=[AgenToolset("echo", injector=injector)])

    async def bare_echo(message: str = "x", meta: dict[str, Any] | None = None) -> EchoOutput:
        return EchoOutput(echo=message)

    bare = Agent(calling("bare_echo"), tools=[bare_echo])
    return await compare(
        "One call of a tool by a model",
        "µs",
        Side("an AgenTool through the toolset", lambda: microseconds(ours)),
        Side("a bare pydantic-ai tool", lambda: microseconds(bare)),
        Bar("at most", 1.25),
    )
