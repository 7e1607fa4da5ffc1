"""What executions that run in this process have written so far: the end of it, kept while it may be looked at."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from threading import Lock
from typing import Any, NamedTuple, Self

from agentool.caller import get_caller
from agentoolkit.redaction import REDACTED, redacted_text, without_texts

MAX_KEPT = 20_000
"""Characters of one execution that are shown. Up to twice as many are kept, so that not every line costs a copy."""
MAX_EXECUTIONS = 200
"""Those that wrote last."""
_SHORTEST_BEGINNING = 4
"""Characters from which on the end of what is written counts as the beginning of a secret."""

secrets_here: ContextVar[Sequence[str]] = ContextVar("agentool_secrets", default=())
"""Texts that what runs in this context may write and nobody may see, the longest first. Threads and programs inherit it."""


class _Written(NamedTuple):
    """What one execution has written, and what of it nobody may see."""

    text: str = ""
    secrets: Sequence[str] = ()


class LiveOutput:
    """The last words of executions. It may be used from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Written] = OrderedDict()
        self._lock = Lock()

    def write(self, text: str) -> None:
        """Keep what the execution writes that runs here; nobody's words are not kept."""
        for execution_id in get_caller().lineage[-1:]:
            self._write_for(execution_id, text, secrets_here.get())

    def of(self, execution_id: str) -> str:
        """Return the end of what an execution has written here, without secrets; empty if it was nothing."""
        with self._lock:
            text, secrets = self._kept.get(execution_id, _Written())
        return redacted_text(_end_of(_without_beginning(without_texts(text, secrets), secrets)))

    def _write_for(self, execution_id: str, text: str, secrets: Sequence[str]) -> None:
        with self._lock:
            before = self._kept.pop(execution_id, _Written())
            if before.secrets is not secrets and before.secrets:  # an earlier attempt's may be others
                secrets = sorted({*before.secrets, *secrets}, key=len, reverse=True)
            text = before.text + text
            if len(text) > 2 * MAX_KEPT:
                text = _end_of(without_texts(text, secrets))
            self._kept[execution_id] = _Written(text, secrets)
            if len(self._kept) > MAX_EXECUTIONS:
                self._kept.popitem(last=False)


def _end_of(text: str) -> str:
    """Return the last lines of a text that is too long. In the rest of a line a secret's name could be missing."""
    if len(text) <= MAX_KEPT:
        return text
    lines = text[-MAX_KEPT:].partition("\n")[2]
    return lines or redacted_text(text[-2 * MAX_KEPT :])[-MAX_KEPT:]


def _without_beginning(text: str, secrets: Sequence[str]) -> str:
    """Hide a secret also while only its beginning has been written."""
    for secret in secrets:
        for length in range(len(secret) - 1, _SHORTEST_BEGINNING - 1, -1):
            if text.endswith(secret[:length]):
                return text[:-length] + REDACTED
    return text


class _RecordFactory:
    """Makes log records as before, and tells the outputs that listen what executions report.

    A handler at the root would make an application's ``basicConfig`` do nothing.
    """

    def __init__(self) -> None:
        self.make: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
        self.outputs: Sequence[LiveOutput] = ()

    def __call__(self, *described: Any, **named: Any) -> logging.LogRecord:
        record = self.make(*described, **named)
        if self.outputs and get_caller().lineage:
            with suppress(Exception):  # a message that does not fit its arguments is told by whoever writes it
                at = time.strftime("%H:%M:%S", time.localtime(record.created))
                for output in self.outputs:
                    output.write(f"{at} {record.levelname} {record.getMessage()}\n")
        return record


_factory: _RecordFactory | None = None
"""Of all that listen: the process has one chain of factories, and what leaves it from the middle stays in it for good."""
_factory_lock = Lock()


class LogListener:
    """Hears what executions report by Python's ``logging``, inside a ``with`` block, as far as the level of the loggers lets it through."""

    def __init__(self, output: LiveOutput) -> None:
        self._output = output

    def __enter__(self) -> Self:
        global _factory
        with _factory_lock:
            if _factory is None:
                _factory = _RecordFactory()
                logging.setLogRecordFactory(_factory)
            _factory.outputs = (*_factory.outputs, self._output)
        return self

    def __exit__(self, *raised: object) -> None:
        global _factory
        with _factory_lock:
            if _factory is None:
                return
            _factory.outputs = tuple(output for output in _factory.outputs if output is not self._output)
            if not _factory.outputs:
                if logging.getLogRecordFactory() is _factory:  # else whoever came after it still calls it
                    logging.setLogRecordFactory(_factory.make)
                _factory = None
