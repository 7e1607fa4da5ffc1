"""Pass this package's messages of Python's ``logging`` on to the toolkit's log."""

from __future__ import annotations

import logging
import traceback
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from agentool.core.injector import Injector, get_injector
from agentool.errors import text_of
from agentoolkit.system.logging.records import Level, level_named

LOGGERS = ("agentoolkit", "agentool")
"""Loggers that are listened to, with all below them."""


class Log(Protocol):
    """Takes a record. See `LogService.log`."""

    def __call__(self, level: Level, logger_name: str, message: str, data: Mapping[Any, Any], *, on_console: bool = True) -> bool: ...


class LowestLevel(Protocol):
    """Says from which level on records are of use."""

    def __call__(self) -> int: ...


class PackageLog(logging.Handler):
    """Listens to the package's loggers until `end`, or until the log is garbage collected.

    Args:
        log: A bound method, held weakly.
        lowest: A bound method, held weakly.
        injector: The injector whose messages are logged. Messages without a listening injector go to every log.
    """

    _listening: ClassVar[list[PackageLog]] = []
    _levels_before: ClassVar[dict[str, int]] = {}

    def __init__(self, log: Log, lowest: LowestLevel, injector: Injector) -> None:
        super().__init__()
        self._log = weakref.WeakMethod(log, self._forget)  # pyright: ignore[reportArgumentType]  a protocol hides that it is bound
        self._lowest = weakref.WeakMethod(lowest)  # pyright: ignore[reportArgumentType]
        self._injector = weakref.ref(injector)
        if not self._listening:
            self._levels_before.update({name: logging.getLogger(name).level for name in LOGGERS})
        self._listening.append(self)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)
        self.adjust_levels()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of Python's ``logging``."""
        if not self._is_ours() or (log := self._log()) is None:
            return
        # An application that shows Python's log itself has this record on its console already.
        on_console = not logging.getLogger().handlers
        log(level_named(record.levelno), record.name, record.getMessage(), _data(record), on_console=on_console)

    def end(self) -> None:
        """Listen no more, and leave the loggers as they were."""
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self)
        if self in self._listening:
            self._listening.remove(self)
            self.adjust_levels()

    @classmethod
    def adjust_levels(cls) -> None:
        """Let through what a listening log can use; a level that the application has set stays."""
        useful = [lowest() for handler in cls._listening if (lowest := handler._lowest()) is not None]
        for name, before in cls._levels_before.items():
            if before == logging.NOTSET:
                logging.getLogger(name).setLevel(min(useful) if useful else before)

    def _forget(self, _: object) -> None:
        self.end()

    def _is_ours(self) -> bool:
        current = get_injector()
        owners = [handler._injector() for handler in self._listening]
        return self._injector() is current or current not in owners


def _data(record: logging.LogRecord) -> dict[str, Any]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    return {"error": f"{type(error).__name__}: {text_of(error)}", "traceback": "".join(traceback.format_exception(error))}
