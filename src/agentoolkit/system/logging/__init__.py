"""A log with data, on the console and in files that rotate."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.settings import LogSettings
    from agentoolkit.system.logging.agentool import LoggingInput, create_logging_agent
    from agentoolkit.system.logging.service import LogService

__all__ = ["LogService", "LogSettings", "LoggingInput", "create_logging_agent"]

__getattr__ = lazy_names(__name__, "service", "agentool")
