"""A client of `agentool mcp`: it schedules a task, looks at it, and says yes when it is asked whether to remove it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from mcp import Client, StdioServerParameters
from mcp_types import ElicitRequestParams, ElicitResult


async def say_yes(context: object, question: ElicitRequestParams) -> ElicitResult:
    """Answer as the person at the client would."""
    print("asked:", question.message)
    return ElicitResult(action="accept", content={"confirm": True})


async def main() -> None:
    """Schedule, look, remove."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AGENTOOL_HOME": home}
        server = StdioServerParameters(command=sys.executable, args=["-m", "agentool", "mcp", "-z", "Europe/Berlin"], env=environment)
        async with Client(server, elicitation_callback=say_yes) as client:
            config = {"agentool_name": "notification", "input_data": {"operation": "send", "message": "Stand up"}}
            task = {"task_id": "stand up", "when": "every weekday at 9:00", "config": config}
            added = await client.call_tool("scheduler_add_task", task)
            print(added.structured_content["words"], added.structured_content["timezone"])
            print((await client.call_tool("scheduler_remove_task", {"task_id": "stand up"})).content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
