"""An agent that schedules a prompt for itself. Offline, with a scripted model; a real one by one line."""

from __future__ import annotations

import asyncio

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.scheduling import Scheduling
from agentoolkit.wiring import Toolkit

SCRIPT = [
    ToolCallPart("schedule", {"name": "soon", "when": "in 2 seconds", "prompt": "Say hello"}),
    TextPart("I shall say hello in two seconds."),
    TextPart("Hello."),
]


async def say(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Give the next answer of the script."""
    return ModelResponse(parts=[SCRIPT.pop(0)])


MODEL = FunctionModel(say)  # a real one: MODEL = "anthropic:claude-sonnet-5-5"


async def main() -> None:
    """Let the agent schedule, and wait until what it scheduled has run."""
    async with Toolkit() as kit:
        register_agent("worker", Agent(MODEL))
        print((await Agent(MODEL, capabilities=[Scheduling()]).run("Say hello in two seconds")).output)
        await asyncio.sleep(3)
        history = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "soon"})
        print(history.data["history"][0]["result"]["output"])


if __name__ == "__main__":
    asyncio.run(main())
