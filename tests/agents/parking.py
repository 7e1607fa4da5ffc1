"""A process that parks a run and is killed: ``python -m tests.agents.parking DATABASE``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from tests.agents.test_approvals import Bank

from agentoolkit.actions.agent import register_agent
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit


async def main(database: str) -> None:
    """Wait until a call waits for approval, then end without any farewell."""
    async with Toolkit(Settings.from_values({"timezone": "UTC", "database": database})) as kit:
        register_agent("a", Bank().agent(), approvals="park")
        prompt = {"operation": "run", "agent": "a", "prompt": "Pay the bill"}
        job = {"job_name": "j", "schedule": "now", "agentool_name": "agent", "input_data": prompt}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})
        async with asyncio.timeout(20):
            while not (await kit.injector.run("agent", {"operation": "list_approvals"})).approvals:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
