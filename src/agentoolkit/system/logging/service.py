"""The log: filters records by level, keeps the latest in memory, and writes them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentool.secrets_here import secrets_here, without_texts, without_texts_in
from agentoolkit.redaction import redacted, redacted_text
from agentoolkit.settings import LogSettings
from agentoolkit.system.logging.package_log import PackageLog
from agentoolkit.system.logging.records import NUMBERS, Format, Level, LogRecord, Record, RecordFilter, is_below, plain
from agentoolkit.system.logging.writing import Output, newest_first, rotating
from agentoolkit.time_source import TimeSource

NOTIFICATIONS = "agentoolkit.notifications"
"""The logger of notifications. It has its own level, so that a quiet log does not drop them."""


class LogService:
    """One log, with loggers by dotted names.

    Args:
        settings: See `LogSettings`.
        time: The time source.
    """

    def __init__(self, settings: LogSettings, time: TimeSource) -> None:
        self._file = settings.file
        self._old_files = settings.files
        self._time = time
        self._levels: dict[str, Level] = {NOTIFICATIONS: "INFO"}
        self._level: Level = settings.level
        self._memory: deque[LogRecord] = deque(maxlen=settings.memory)
        handlers: list[tuple[logging.Handler, Format]] = []
        if settings.console:
            handlers.append((logging.StreamHandler(), settings.format))
        if self._file is not None:
            handlers.append((rotating(self._file, settings.file_size, settings.files), "json"))
        self._output = Output(handlers)
        self._package: PackageLog | None = None

    @property
    def dropped(self) -> int:
        """Number of records that were not written, because the console or the disk was too slow."""
        return self._output.dropped

    def log(self, level: Level, logger_name: str, message: str, data: Mapping[Any, Any], *, on_console: bool = True) -> bool:
        """Log a record; tell whether its logger's level lets it through. May be called from any thread.

        Args:
            level: How much it matters.
            logger_name: Who logs it.
            message: One sentence.
            data: What belongs to it.
            on_console: False if it is shown there already.
        """
        if NUMBERS[level] < NUMBERS[self.level_of(logger_name)]:
            return False
        shown = plain(data)
        if secrets := secrets_here.get():  # what refers to them may log them, and everybody who schedules reads the log
            message, shown = without_texts(message, secrets), without_texts_in(shown, secrets)
        record = Record(self._time.now(), level, logger_name, redacted_text(message), redacted(shown))
        self._memory.append(LogRecord.model_construct(**record.as_dict()))
        self._output.write(record, on_console=on_console)
        return True

    def listen(self, injector: Injector) -> None:
        """Log what this package reports by Python's ``logging`` too, until `close`.

        Args:
            injector: Where several logs listen, each gets what is reported while its injector is the current one.
        """
        if self._package is None:
            self._package = PackageLog(self.log, self._lowest, injector)

    def level_of(self, logger_name: str) -> Level:
        """Return the level of a logger: its own, or that of the nearest above it."""
        above = [name for name in self._levels if is_below(logger_name, name)]
        return self._levels[max(above, key=len)] if above else self._level

    def set_level(self, level: Level, logger_name: str | None) -> None:
        """Set the level of a logger and of those below it; without a name, of all that have none of their own."""
        if logger_name is None:
            self._level = level
        else:
            self._levels = {**self._levels, logger_name: level}  # threads that log go through the old one
        PackageLog.adjust_levels()

    def remembered(self, wanted: RecordFilter, limit: int) -> list[LogRecord]:
        """Return the last records in memory, oldest first."""
        return _last(reversed(self._memory.copy()), wanted, limit)  # threads add to it

    async def from_file(self, wanted: RecordFilter, limit: int) -> list[LogRecord]:
        """Return the last records of the file, oldest first. Raises `InvalidInput` if there is no file."""
        path = self._file
        if path is None:
            remedy = "Read from memory, or set `log_file` (AGENTOOL_LOG_FILE)."
            raise InvalidInput("The log is not written to a file.", field="source", value="file", remedy=remedy)
        await asyncio.to_thread(self._output.flush)
        return await asyncio.to_thread(lambda: _last(newest_first(path, self._old_files), wanted, limit))

    async def close(self) -> None:
        """Stop listening and write what is left. The next record starts anew."""
        if self._package is not None:
            self._package.end()
            self._package = None
        if self._output.is_open:
            await asyncio.to_thread(self._output.close)

    def _lowest(self) -> int:
        """Return the lowest level number that any logger lets through. The logger of notifications is left out: Python's has its level."""
        own = {name: NUMBERS[level] for name, level in self._levels.items() if name != NOTIFICATIONS}
        return min((NUMBERS[self._level], *own.values()))


def _last(newest_first: Iterable[LogRecord], wanted: RecordFilter, limit: int) -> list[LogRecord]:
    return list(islice(filter(wanted.fits, newest_first), limit))[::-1]
