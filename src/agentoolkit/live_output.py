"""What executions that run in this process have written so far: the end of it, kept while it may be looked at."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import Any, Self

from agentool.caller import get_caller

MAX_KEPT = 20_000
"""Characters of one execution."""
MAX_EXECUTIONS = 200
"""Those that wrote last."""


class LiveOutput:
    """The last words of executions. It may be used from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def write(self, text: str) -> None:
        """Keep what the execution writes that runs here; nobody's words are not kept."""
        for execution_id in get_caller().lineage[-1:]:
            self.write_for(execution_id, text)

    def write_for(self, execution_id: str, text: str) -> None:
        """Keep what an execution writes."""
        with self._lock:
            self._kept[execution_id] = (self._kept.pop(execution_id, "") + text)[-MAX_KEPT:]
            if len(self._kept) > MAX_EXECUTIONS:
                self._kept.popitem(last=False)

    def of(self, execution_id: str) -> str:
        """Return the end of what an execution has written here; empty if it was nothing."""
        with self._lock:
            return self._kept.get(execution_id, "")


class LiveLog:
    """Hears what executions report by Python's ``logging``, inside a ``with`` block, as far as the level of the loggers lets it through.

    It hears records as they are made: with a handler at the root, an application's ``basicConfig`` would do nothing.
    """

    def __init__(self, output: LiveOutput) -> None:
        self._output = output
        self._make = logging.getLogRecordFactory()
        self._listens = False

    def __enter__(self) -> Self:
        self._listens = True
        logging.setLogRecordFactory(self)
        return self

    def __exit__(self, *raised: object) -> None:
        self._listens = False  # whoever came after it still calls it
        if logging.getLogRecordFactory() is self:
            logging.setLogRecordFactory(self._make)

    def __call__(self, *described: Any, **named: Any) -> logging.LogRecord:
        """Make a record, and keep what it says if an execution reports it."""
        record = self._make(*described, **named)
        if self._listens and get_caller().lineage:
            with suppress(Exception):  # a message that does not fit its arguments is told by whoever writes it
                at = time.strftime("%H:%M:%S", time.localtime(record.created))
                self._output.write(f"{at} {record.levelname} {record.getMessage()}\n")
        return record
