"""What executions that run in this process have written so far: the end of it, kept while it may be looked at."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock

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


class LiveLog(logging.Handler):
    """Keeps what executions report by Python's ``logging``, as far as the level of the loggers lets it through."""

    def __init__(self, output: LiveOutput) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of whichever execution reports it."""
        try:
            self._output.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)
