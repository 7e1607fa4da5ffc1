"""The log: what is let through, what is remembered, and where it is written."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from agentool.errors import InvalidInput
from agentoolkit.redaction import redacted, redacted_text
from agentoolkit.system.logging.records import NUMBERS, Format, Level, Record, Wanted, is_below
from agentoolkit.system.logging.writing import Output, newest_first, rotating
from agentoolkit.time_source import TimeSource

MEMORY = 1_000
"""Records that are remembered."""
FILE_SIZE = 10_000_000
"""Bytes at which a new file is begun."""
FILES = 5
"""Old files that are kept."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where and in which form the log is written."""

    level: Level = "INFO"
    console: bool = True
    format: Format = "text"
    """On the console; a file always has one JSON object a line, so that it can be read again."""
    file: Path | None = None
    file_size: int = FILE_SIZE
    files: int = FILES
    memory: int = MEMORY


class LogService:
    """One log, with loggers by dotted names.

    Args:
        settings: See `LogSettings`.
        time: The time source.
    """

    def __init__(self, settings: LogSettings, time: TimeSource) -> None:
        self._settings = settings
        self._time = time
        self._levels: dict[str, Level] = {}
        self._level: Level = settings.level
        self._memory: deque[dict[str, Any]] = deque(maxlen=settings.memory)
        self._output = Output(_handlers(settings))

    @property
    def dropped(self) -> int:
        """Records that were not written, because the console or the disk did not keep up."""
        return self._output.dropped

    def log(self, level: Level, logger_name: str, message: str, data: dict[str, Any]) -> bool:
        """Log a record; tell whether its logger's level lets it through."""
        if NUMBERS[level] < NUMBERS[self.level_of(logger_name)]:
            return False
        record = Record(self._time.now(), level, logger_name, redacted_text(message), redacted(data))
        self._memory.append(record.as_dict())
        self._output.write(record)
        return True

    def level_of(self, logger_name: str) -> Level:
        """Return the level of a logger: its own, or that of the nearest above it."""
        above = [name for name in self._levels if is_below(logger_name, name)]
        return self._levels[max(above, key=len)] if above else self._level

    def set_level(self, level: Level, logger_name: str | None) -> None:
        """Set the level of a logger and of those below it; without a name, of all that have none of their own."""
        if logger_name is None:
            self._level = level
        else:
            self._levels[logger_name] = level

    def remembered(self, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        """Return the last records that are remembered, the oldest first."""
        return _last(reversed(self._memory), wanted, limit)

    async def from_file(self, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        """Return the last records of the file, the oldest first. Raises `InvalidInput` where there is no file."""
        path = self._settings.file
        if path is None:
            remedy = "Read from memory, or set `log_file` (AGENTOOL_LOG_FILE)."
            raise InvalidInput("The log is not written to a file.", field="source", value="file", remedy=remedy)
        await asyncio.to_thread(self._output.flush)
        return await asyncio.to_thread(lambda: _last(newest_first(path, self._settings.files), wanted, limit))

    async def close(self) -> None:
        """Write what is left. The next record starts anew."""
        if self._output.is_open:
            await asyncio.to_thread(self._output.close)


def _handlers(settings: LogSettings) -> list[tuple[logging.Handler, Format]]:
    handlers: list[tuple[logging.Handler, Format]] = []
    if settings.console:
        handlers.append((logging.StreamHandler(), settings.format))
    if settings.file is not None:
        handlers.append((rotating(settings.file.expanduser(), settings.file_size, settings.files), "json"))
    return handlers


def _last(newest_first: Iterable[dict[str, Any]] | Iterator[dict[str, Any]], wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    return list(islice(filter(wanted.fits, newest_first), limit))[::-1]
