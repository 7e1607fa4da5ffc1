"""What is logged: records, their levels and their forms."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from agentoolkit.setting_groups import LogFormat as Format
from agentoolkit.setting_groups import LogLevel as Level
from agentoolkit.text import in_one_line, printable_json

NUMBERS: dict[Level, int] = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
}
MAX_DEPTH = 50
"""Lists and objects within each other that a record's data keeps."""


class LogRecord(BaseModel):
    """A record."""

    model_config = ConfigDict(strict=True)

    time: str = Field(description="ISO 8601, in UTC")
    level: Level
    logger_name: str
    message: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was logged, with secrets taken out."""

    time: datetime
    level: Level
    logger_name: str
    message: str
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "time": self.time.isoformat(),
            "level": self.level,
            "logger_name": self.logger_name,
            "message": self.message,
            "data": self.data,
        }


def level_named(number: int) -> Level:
    """Return the level that a number of Python's ``logging`` reaches."""
    reached: list[Level] = [level for level, least in NUMBERS.items() if least <= number]
    return reached[-1] if reached else "DEBUG"


def line(record: Record, form: Format) -> str:
    """Write a record in one line; nothing in it can begin another one."""
    if form == "json":
        return printable_json(record.as_dict())
    data = f" {printable_json(record.data)}" if record.data else ""
    name, message = (in_one_line(text.replace("\\", "\\\\")) for text in (record.logger_name, record.message))
    return f"{record.time.isoformat(timespec='milliseconds')} {record.level} {name}: {message}{data}"


def plain(value: object, depth: int = MAX_DEPTH) -> Any:
    """Return a value as what JSON has. Keys become text, and so does whatever is neither text, number, list nor object."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return {str(key): plain(item, depth - 1) for key, item in cast("Mapping[Any, Any]", value).items()}
        return [plain(item, depth - 1) for item in cast("list[Any]", value)]
    return str(value)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are asked for."""

    level: Level = "DEBUG"
    """This one or above."""
    logger_name: str | None = None
    """This one and those below it, by dots."""
    text: str | None = None
    """Somewhere in the message or the data; upper and lower case are the same."""

    def fits(self, record: LogRecord) -> bool:
        """Is this one of them?"""
        return (
            NUMBERS[record.level] >= NUMBERS[self.level]
            and (self.logger_name is None or is_below(record.logger_name, self.logger_name))
            # As it was logged: in JSON a quote or a backslash would be an escape, and not be found.
            and (self.text is None or any(self.text.lower() in part.lower() for part in (record.message, *_texts(record.data))))
        )


def is_below(name: str, above: str) -> bool:
    """Is a logger the other one, or below it?"""
    return name == above or name.startswith(f"{above}.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
    else:
        yield value if isinstance(value, str) else printable_json(value)
