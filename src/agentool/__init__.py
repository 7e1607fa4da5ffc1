"""AgenTools: named tools with one input model, called alike by programs, schedules and language models."""

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
