"""What the fleet runs, as a plugin of its schedulers and workers: it writes down every start and every end of a handler."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.core.injector import Injector
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.stores.sql import leader_lease_and_owners as lead

if lease := float(os.environ.get("FLEET_LEASE", "0")):
    lead.LEASE_SECONDS = lead.OWNER_SECONDS = lease
    lead.HEARTBEAT_SECONDS = lease / 5


class WorkInput(BaseOperationInput):
    operation: Literal["run"]
    naps: float = 0.0


async def work_run(ctx: RunContext[Path], naps: float = 0.0) -> str:
    execution = current_execution()
    assert execution is not None
    note = f"{execution.execution_id} {os.getpid()}\n"
    await asyncio.to_thread(_append, ctx.deps / "starts", note)
    await asyncio.sleep(naps)
    await asyncio.to_thread(_append, ctx.deps / "ends", note)
    return "done"


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line)


def register(injector: Injector) -> None:
    """Register the AgenTool ``work``."""
    create_agentool("work", WorkInput, {"run": work_run}, deps=Path(os.environ["FLEET_FOLDER"]), injector=injector)
