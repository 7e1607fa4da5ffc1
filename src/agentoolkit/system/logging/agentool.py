"""The AgenTool ``logging``: its input, its operations, and how it is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypedDict, Unpack

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentoolkit.system.logging.records import Level, LogRecord, RecordFilter
from agentoolkit.system.logging.service import LogService, LogSettings
from agentoolkit.time_source import SystemTime

NAME = "logging"
LOGGER = "agentool"
"""The logger of records that name none."""
PAGE = 100
MAX_MESSAGE_LENGTH = 100_000

DESCRIPTION = """\
Logs messages with data, with secrets taken out, to the console and to a file that rotates; and reads what was logged."""


class LoggingInput(BaseOperationInput):
    """Input of the AgenTool ``logging``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["log", "read", "set_level"]
    level: Level | None = Field(None, description="Of the record; for read: this one or above")
    message: str | None = Field(None, max_length=MAX_MESSAGE_LENGTH)
    data: dict[str, Any] | None = Field(None, description="What belongs to the message; what has the name of a secret is redacted")
    logger_name: str | None = Field(
        None, min_length=1, max_length=200, description=f"Dotted; a logger includes those below it; {LOGGER!r} by default"
    )
    text: str | None = Field(None, min_length=1, description="For read: what the message or the data contains, in any case")
    limit: int | None = Field(PAGE, ge=1, le=10_000, description="For read: how many records, counted from the last")
    source: Literal["memory", "file"] | None = Field("memory", description="For read: where from")


class ReadOptions(TypedDict, total=False):
    """What ``read`` takes."""

    level: Level
    logger_name: str
    text: str


class Logged(BaseModel):
    """Answer to ``log``."""

    logged: bool = Field(description="False if the level of its logger is above")
    level: Level
    logger_name: str


class LogRecords(BaseModel):
    """Answer to ``read``."""

    records: list[LogRecord] = Field(description="The oldest first")
    count: int
    dropped: int = Field(description="Records since the start that were not written, because console or disk did not keep up")


class LevelSet(BaseModel):
    """Answer to ``set_level``."""

    level: Level
    logger_name: str | None = Field(description="None: all loggers without a level of their own")


async def logging_log(
    ctx: RunContext[LogService], level: Level, message: str, data: dict[str, Any] | None = None, logger_name: str = LOGGER
) -> Logged:
    """Log a message. It is written soon after, without anybody waiting for it."""
    logged = ctx.deps.log(level, logger_name, message, data or {})
    return Logged(logged=logged, level=level, logger_name=logger_name)


async def logging_read(
    ctx: RunContext[LogService], limit: int = PAGE, source: Literal["memory", "file"] = "memory", **wanted: Unpack[ReadOptions]
) -> LogRecords:
    """Return the last records, of those that are remembered or of the file.

    Raises:
        InvalidInput: The log is not written to a file.
    """
    log, asked = ctx.deps, RecordFilter(**wanted)
    found = log.remembered(asked, limit) if source == "memory" else await log.from_file(asked, limit)
    return LogRecords(records=found, count=len(found), dropped=log.dropped)


async def logging_set_level(ctx: RunContext[LogService], level: Level, logger_name: str | None = None) -> LevelSet:
    """Let records through from this level on, of one logger and those below it, or of all."""
    ctx.deps.set_level(level, logger_name)
    return LevelSet(level=level, logger_name=logger_name)


def create_logging_agent(service: LogService | None = None, *, injector: Injector | None = None) -> AgenTool[LogService]:
    """Make the AgenTool ``logging`` and register it; where there is one already, return that.

    Args:
        service: What it works with; by default a log on the console, from INFO on.
        injector: Where to register; the current one by default.
    """
    injector = injector or get_injector()
    if service is None and NAME in injector:
        return injector.get(NAME)
    service = service or LogService(LogSettings(), SystemTime())
    handlers = {"log": logging_log, "read": logging_read, "set_level": logging_set_level}
    return create_agentool(NAME, LoggingInput, handlers, deps=service, description=DESCRIPTION, examples=EXAMPLES, injector=injector)


EXAMPLES = (
    {"operation": "log", "level": "INFO", "message": "Report sent", "data": {"report": 7}},
    {"operation": "read", "level": "WARNING", "limit": 20},
    {"operation": "set_level", "level": "DEBUG", "logger_name": "reports"},
)
