"""What a handler is told besides its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Generic, NoReturn

from typing_extensions import TypeVar

from agentool.errors import ConfigurationError

if TYPE_CHECKING:
    from agentool.core.injector import Injector

Deps = TypeVar("Deps", default=None)


class _NoArgument:
    """Refuses to be an argument that a language model gives, which pydantic-ai takes a context for that it does not know."""

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> NoReturn:
        raise ConfigurationError(
            "A handler of an AgenTool takes the AgenTool's own context, which a pydantic-ai agent does not have.",
            remedy="Write Agent(tools=[for_agents(handler, 'its AgenTool')]), from agentool.toolset.",
        )


@dataclass(frozen=True, slots=True)
class RunContext(Generic[Deps]):
    """First argument of every handler.

    It has the attribute ``deps`` of pydantic-ai's class of the same name, so a handler written for
    one can be called with the other, and importing it does not import pydantic-ai.
    """

    deps: Annotated[Deps, _NoArgument()]
    """What the AgenTool holds between calls, as given to `create_agentool`."""

    injector: Injector
    """Where other AgenTools are reached: ``await ctx.injector.run(name, data)``."""

    agentool_name: str
