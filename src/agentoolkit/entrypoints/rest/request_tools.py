"""How a request reaches the AgenTools: through the injector, as its caller."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Request

from agentool.caller import Caller, acting_as
from agentool.core.injector import Injector, get_injector
from agentoolkit.entrypoints.rest.access import caller_of


class Tools:
    """The AgenTools, for one request.

    Args:
        injector: Has the AgenTools.
        caller: The caller of the request.
    """

    def __init__(self, injector: Injector, caller: Caller) -> None:
        self.injector = injector
        self.caller = caller

    async def run(self, tool: str, operation: str, /, **fields: Any) -> Any:
        """Perform an operation and return its whole answer. Fields that are None are left out."""
        given = {name: value for name, value in fields.items() if value is not None}
        with acting_as(self.caller):
            return await self.injector.run(tool, {"operation": operation, **given})

    async def scheduler(self, operation: str, /, **fields: Any) -> dict[str, Any]:
        """Perform an operation of the scheduler and return its data."""
        return (await self.run("scheduler", operation, **fields)).data or {}

    def acting_for(self, owner: str) -> Tools:
        """Return the AgenTools for a call on behalf of another owner. Only administrators may do so."""
        return Tools(self.injector, replace(self.caller, acts_for=owner))


async def tools_of(request: Request) -> Tools:
    """Return the AgenTools for a request: those of its application, or of the current injector."""
    injector: Injector | None = getattr(request.app.state, "injector", None)
    return Tools(injector or get_injector(), caller_of(request.scope))


RequestTools = Annotated[Tools, Depends(tools_of)]
