"""What is logged: records, their levels and their forms."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agentoolkit.text import in_one_line, printable_json

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Format = Literal["text", "json"]

NUMBERS: dict[Level, int] = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
}


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


def line(record: Record, form: Format) -> str:
    """Write a record in one line; nothing in it can begin another one."""
    if form == "json":
        return printable_json(record.as_dict())
    data = f" {printable_json(record.data)}" if record.data else ""
    name, message = (in_one_line(text.replace("\\", "\\\\")) for text in (record.logger_name, record.message))
    return f"{record.time.isoformat(timespec='milliseconds')} {record.level} {name}: {message}{data}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are asked for."""

    level: Level = "DEBUG"
    """This one or above."""
    logger_name: str | None = None
    """This one and those below it, by dots."""
    text: str | None = None
    """Somewhere in the message or the data; upper and lower case are the same."""

    def fits(self, record: dict[str, Any]) -> bool:
        """Is this one of them?"""
        return (
            NUMBERS[record["level"]] >= NUMBERS[self.level]
            and (self.logger_name is None or is_below(record["logger_name"], self.logger_name))
            and (self.text is None or self.text.lower() in f"{record['message']} {json.dumps(record['data'], default=str)}".lower())
        )


def is_below(name: str, above: str) -> bool:
    """Is a logger the other one, or below it?"""
    return name == above or name.startswith(f"{above}.")
