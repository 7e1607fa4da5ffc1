"""A process that runs a durable agent and may be killed in one of its steps: ``python -m tests.agents.durable DATABASE LOG STEP``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelServerError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentool.toolset import AgenToolset
from agentoolkit.actions.agent import register_agent
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

STEPS = ("ask 1", "call 1", "ask 2", "call 2", "ask 3")
"""Three requests to the model; after the first a call of the agent's own tool, after the second one of an AgenTool."""


class LampInput(BaseOperationInput):
    """Input of the AgenTool that the agent calls."""

    operation: Literal["switch"]


class Witness:
    """Writes down each step that is really done, and ends the process in one of them."""

    def __init__(self, log: Path, dies_in: str = "", fails_in: str = "", waits_in: str = "") -> None:
        self.log = log
        self._dies_in = dies_in
        self._fails_in = fails_in
        self._waits_in = waits_in
        self.waits = asyncio.Event()

    async def note(self, step: str) -> None:
        """Note a step before it is done."""
        with self.log.open("a") as file:
            file.write(f"{step}\n")
        if step == self._dies_in:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == self._fails_in:
            self._fails_in = ""
            raise ModelServerError("m", "overloaded")
        if step == self._waits_in:
            self.waits.set()
            await asyncio.Event().wait()

    @property
    def noted(self) -> list[str]:
        """The steps that were done, in order."""
        return self.log.read_text().splitlines()

    def agent(self, injector: Injector) -> Agent[None, str]:
        """Return an agent with five steps."""

        async def switch(ctx: RunContext[None]) -> str:
            await self.note("call 2")
            return "on"

        async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            turn = sum(isinstance(message, ModelResponse) for message in messages) + 1
            await self.note(f"ask {turn}")
            calls = {1: ToolCallPart("look", {}), 2: ToolCallPart("lamp_switch", {})}
            return ModelResponse(parts=[calls.get(turn, TextPart(f"done in {turn} turns"))])

        lamp = create_agentool("lamp", LampInput, {"switch": switch}, injector=injector)
        agent = Agent(FunctionModel(respond), toolsets=[AgenToolset(lamp)])

        @agent.tool_plain
        async def look() -> str:
            await self.note("call 1")
            return "seen"

        return agent


@asynccontextmanager
async def opened(database: Path | str, witness: Witness) -> AsyncIterator[Toolkit]:
    """A toolkit whose agent ``a`` is durable, and with it the job ``j``, which is due at once where it is new."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(database), "log_console": False})
    is_new = not witness.log.exists()
    kit = Toolkit(settings)
    register_agent("a", witness.agent(kit.injector), durable="dbos", injector=kit.injector)
    async with kit:
        if is_new:
            call = {"operation": "run", "agent": "a", "prompt": "Switch the lamp on"}
            job = {"job_name": "j", "schedule": "now", "agentool_name": "agent", "input_data": call}
            await kit.injector.run("scheduler", {"operation": "schedule", **job, "max_retries": 1, "retry_backoff": 0.1})
        yield kit


async def ended(kit: Toolkit) -> dict[str, Any]:
    """Wait until the job's execution has ended, and return it."""
    async with asyncio.timeout(60):
        while True:
            history = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})).data["history"]
            if history and history[0]["finished_at"]:
                return history[0]
            await asyncio.sleep(0.05)


async def main(database: str, log: str, dies_in: str) -> None:
    """Run the job until the process is killed in a step."""
    async with opened(database, Witness(Path(log), dies_in)) as kit:
        await ended(kit)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
