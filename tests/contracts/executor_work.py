"""What the executors under test run: a handler that writes down where and when it was at work."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Literal

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.core.injector import Injector
from agentoolkit.system.scheduler import current_execution


class WorkInput(BaseOperationInput):
    operation: Literal["run"]
    naps: float = 0.0


async def work_run(ctx: RunContext[Path], naps: float = 0.0) -> str:
    execution = current_execution()
    assert execution is not None
    began = time.time()
    _write(ctx.deps, f"start {execution.execution_id} {os.getpid()} {began} 0")
    try:
        await asyncio.sleep(naps)
    finally:
        _write(ctx.deps, f"end {execution.execution_id} {os.getpid()} {began} {time.time()}")
    return "done"


def _write(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


def register(injector: Injector) -> None:
    """Register it as a plugin of a worker, which is told the place of the log by a variable."""
    work_tool(injector, Path(os.environ["EXECUTOR_WORK_LOG"]))


def work_tool(injector: Injector, log: Path) -> None:
    """Register the AgenTool ``work``."""
    create_agentool("work", WorkInput, {"run": work_run}, deps=log, injector=injector)
