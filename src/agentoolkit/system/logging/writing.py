"""Write records: a queue, a thread, and the standard library's handlers."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from logging.handlers import QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from pydantic import ValidationError

from agentool.errors import ConfigurationError
from agentoolkit.system.logging.records import NUMBERS, Format, LogRecord, Record, line

MAX_WAITING = 10_000
"""Most records that wait for a slow disk. Further ones are counted and not written."""


class Output:
    """Writes records to handlers, in a thread that starts with the first one.

    Args:
        handlers: Of the standard library, with the form of what each writes.
    """

    def __init__(self, handlers: list[tuple[logging.Handler, Format]]) -> None:
        self.dropped = 0
        self._queue: Queue[Any] = Queue()
        self._lock = threading.RLock()
        for handler, form in handlers:
            handler.setFormatter(_Formatter(form))
            if not isinstance(handler, RotatingFileHandler):
                handler.addFilter(lambda record: record.__dict__["on_console"])
        self._handlers = [handler for handler, _ in handlers]
        self._listener: QueueListener | None = None
        self._ending: Callable[[], object] | None = None

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def write(self, record: Record, *, on_console: bool = True) -> None:
        """Hand over a record and return at once. May be called from any thread."""
        if not self._handlers:
            return
        known = {"levelno": NUMBERS[record.level], "record": record, "on_console": on_console}
        with self._lock:
            if self._queue.qsize() >= MAX_WAITING:
                self.dropped += 1
                return
            if self._listener is None:
                self._listener = QueueListener(self._queue, *self._handlers)
                self._listener.start()
                self._ending = weakref.finalize(self, _end, self._listener, self._handlers)
            self._queue.put_nowait(logging.makeLogRecord(known))

    def flush(self) -> None:
        """Wait until everything handed over is written. Blocks."""
        if self._listener is not None:
            self._queue.join()

    def close(self) -> None:
        """Write what is left and let go of files. Blocks. The next record starts anew."""
        if self._ending is None:
            return
        self._ending()
        with self._lock:
            # What was handed over meanwhile came after the thread's last look.
            while True:
                try:
                    record = self._queue.get_nowait()
                except Empty:
                    break
                for handler in self._handlers:
                    handler.handle(record)
                self._queue.task_done()
            for handler in self._handlers:
                handler.close()
            self._listener = self._ending = None


class _Formatter(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form: Format = form

    def format(self, record: logging.LogRecord) -> str:
        return line(record.__dict__["record"], self._form)


def rotating(path: Path, size: int, files: int) -> RotatingFileHandler:
    """Make a handler that begins a new file at a size, and keeps a number of old ones.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        problem = f"The log file {path} cannot be written: {error.strerror}."
        raise ConfigurationError(problem, field="log_file", value=str(path), remedy="Set AGENTOOL_LOG_FILE to another file.") from error
    return RotatingFileHandler(path, maxBytes=size, backupCount=files, encoding="utf-8", delay=True)


def newest_first(path: Path, files: int) -> Iterator[LogRecord]:
    """Yield the records of a log file and of those it was before, the newest first. A line that is not a record is left out."""
    for place in (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, files + 1))):
        if place.exists():
            with place.open(encoding="utf-8", errors="replace") as file:
                yield from filter(None, map(_record, reversed(deque(file))))


def _record(text: str) -> LogRecord | None:
    try:
        return LogRecord.model_validate_json(text)
    except ValidationError:
        return None


def _end(listener: QueueListener, handlers: list[logging.Handler]) -> None:
    listener.stop()
    for handler in handlers:
        handler.close()
