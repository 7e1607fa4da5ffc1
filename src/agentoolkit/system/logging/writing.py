"""Lines on their way out: a queue, a thread, and the standard library's handlers behind it."""

from __future__ import annotations

import json
import logging
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from logging.handlers import QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Queue
from typing import Any

from agentoolkit.system.logging.records import NUMBERS, Format, Record, line

MAX_WAITING = 10_000
"""Records that wait for a slow disk; what comes beyond that is counted, not written."""


class Output:
    """Writes records to handlers, in a thread that starts with the first one.

    Args:
        handlers: Of the standard library, with the form of what each writes.
    """

    def __init__(self, handlers: list[tuple[logging.Handler, Format]]) -> None:
        self.dropped = 0
        self._queue: Queue[Any] = Queue()
        for handler, form in handlers:
            handler.setFormatter(_Formatter(form))
        self._handlers = [handler for handler, _ in handlers]
        self._listener: QueueListener | None = None
        self._ending: Callable[[], object] | None = None

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def write(self, record: Record) -> None:
        """Hand over a record and return at once."""
        if not self._handlers:
            return
        if self._queue.qsize() >= MAX_WAITING:
            self.dropped += 1
            return
        self._start()
        self._queue.put_nowait(logging.makeLogRecord({"levelno": NUMBERS[record.level], "record": record}))

    def flush(self) -> None:
        """Wait until everything handed over is written. Blocks."""
        if self._listener is not None:
            self._queue.join()

    def close(self) -> None:
        """Write what is left and let go of files. Blocks. The next record starts anew."""
        if self._ending is not None:
            self._ending()
        self._listener = self._ending = None

    def _start(self) -> None:
        if self._listener is None:
            self._listener = QueueListener(self._queue, *self._handlers)
            self._listener.start()
            self._ending = weakref.finalize(self, _end, self._listener, self._handlers)


class _Formatter(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form: Format = form

    def format(self, record: logging.LogRecord) -> str:
        return line(record.__dict__["record"], self._form)


def rotating(path: Path, size: int, files: int) -> RotatingFileHandler:
    """Make a handler that begins a new file at a size, and keeps so many old ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return RotatingFileHandler(path, maxBytes=size, backupCount=files, encoding="utf-8", delay=True)


def newest_first(path: Path, files: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a log file and of those it was before, the newest first. A line that is no record is left out."""
    for place in (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, files + 1))):
        if place.exists():
            with place.open(encoding="utf-8", errors="replace") as file:
                yield from filter(None, map(_record, reversed(deque(file))))


def _record(text: str) -> dict[str, Any] | None:
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    keys = {"time", "level", "logger_name", "message", "data"}
    return found if isinstance(found, dict) and keys <= found.keys() else None  # pyright: ignore[reportUnknownVariableType]


def _end(listener: QueueListener, handlers: list[logging.Handler]) -> None:
    listener.stop()
    for handler in handlers:
        handler.close()
