"""What a handler is told besides its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from agentool.core.injector import Injector

Deps = TypeVar("Deps", default=None)


@dataclass(frozen=True, slots=True)
class RunContext(Generic[Deps]):
    """First argument of every handler.

    It has the attribute ``deps`` of pydantic-ai's class of the same name, so a handler written for
    one can be called with the other, and importing it does not import pydantic-ai.
    """

    deps: Deps
    """What the AgenTool holds between calls, as given to `create_agentool`."""

    injector: Injector
    """Where other AgenTools are reached: ``await ctx.injector.run(name, data)``."""

    agentool_name: str
