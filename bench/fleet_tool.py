"""An AgenTool that does nothing, as a plugin of workers."""

from __future__ import annotations

from typing import Literal

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.core.injector import Injector


class NoopInput(BaseOperationInput):
    operation: Literal["run"]


async def noop_run(ctx: RunContext[None]) -> None:
    """Do nothing."""


def register(injector: Injector) -> None:
    create_agentool("noop", NoopInput, {"run": noop_run}, injector=injector)
