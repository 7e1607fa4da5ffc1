"""AgenTools: named tools with one input model, called alike by programs, schedules and language models.

Each name is loaded when it is first asked for: a command that only explains itself needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    "AgenTool": "agentool.agentool",
    "BaseOperationInput": "agentool.base",
    "Injector": "agentool.core.injector",
    "RunContext": "agentool.context",
    "create_agentool": "agentool.agentool",
    "get_injector": "agentool.core.injector",
}
"""The modules of the names; errors are all in one."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES.get(name, "agentool.errors")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)
