"""AgenTools: named tools with one input model. Programs, schedules and language models call them in the same way.

Each name is imported at its first use: ``agentool --help`` needs none of them.
"""

from typing import TYPE_CHECKING

from agentool.lazy_names import names_at_home

if TYPE_CHECKING:
    from agentool.agentool import AgenTool, create_agentool
    from agentool.base import BaseOperationInput
    from agentool.context import RunContext
    from agentool.core.injector import Injector, get_injector
    from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, InvalidOutput, MissingExtra, UnknownAgenTool

__all__ = [
    "AgenTool",
    "AgenToolError",
    "BaseOperationInput",
    "ConfigurationError",
    "Injector",
    "InvalidInput",
    "InvalidOutput",
    "MissingExtra",
    "RunContext",
    "UnknownAgenTool",
    "create_agentool",
    "get_injector",
]

_HOMES = {
    **dict.fromkeys(__all__, "agentool.errors"),
    "AgenTool": "agentool.agentool",
    "BaseOperationInput": "agentool.base",
    "Injector": "agentool.core.injector",
    "RunContext": "agentool.context",
    "create_agentool": "agentool.agentool",
    "get_injector": "agentool.core.injector",
}

__getattr__ = names_at_home(__name__, _HOMES)


def __dir__() -> list[str]:
    return list(__all__)
