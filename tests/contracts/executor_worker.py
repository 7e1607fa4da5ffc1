"""A worker in a process of its own: claims executions by the ids it is sent, runs them, and says which are over."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

if __package__:
    from .executor_work import work_tool
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from executor_work import work_tool  # type: ignore[import-not-found, no-redef]


async def work(database: str, log: str) -> None:
    kit = Toolkit(Settings(database=database, timezone="UTC"), runs_jobs=False)
    work_tool(kit.injector, Path(log))
    running: set[asyncio.Task[None]] = set()
    async with kit:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            task = asyncio.create_task(_run(kit, json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)


async def _run(kit: Toolkit, execution_ids: list[str]) -> None:
    await asyncio.gather(*(_run_one(kit, execution_id) for execution_id in execution_ids))


async def _run_one(kit: Toolkit, execution_id: str) -> None:
    engine = kit.scheduler.lifecycle.engine
    if engine is not None:
        await engine.dispatch.run_claimed([execution_id])
        print(json.dumps([execution_id]), flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
