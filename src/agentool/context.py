"""The context: first argument of every handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Generic, NoReturn

from typing_extensions import TypeVar

from agentool.errors import ConfigurationError

if TYPE_CHECKING:
    from agentool.core.injector import Injector

Deps = TypeVar("Deps", default=None)


class _NoArgument:
    """Raises an error if pydantic-ai, which does not know this context, takes it for an argument of a language model."""

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
    """The AgenTool's state between calls, as given to `create_agentool`."""

    injector: Injector
    """Calls other AgenTools: ``await ctx.injector.run(name, data)``."""

    agentool_name: str
