"""Live output: the last characters that each execution of this process has written, without secrets."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple, Self

from agentool.caller import get_caller
from agentool.secrets_here import secrets_here, without_cut_end, without_texts
from agentoolkit.redaction import redacted_text

MAX_KEPT = 20_000
"""Characters shown of one execution. Up to twice as many are kept, so that not every line costs a copy."""
MAX_EXECUTIONS = 200
"""Executions that are kept: those that wrote last."""


class _Written(NamedTuple):
    """The output of one execution, and the secrets to hide in it."""

    text: str = ""
    secrets: Sequence[str] = ()


class LiveOutput:
    """The latest output of executions. It may be used from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Written] = OrderedDict()
        self._lock = Lock()

    def write(self, text: str) -> None:
        """Append text to the output of the execution that runs in this context; without one do nothing."""
        lineage = get_caller().lineage
        if not lineage:
            return
        execution_id, secrets = lineage[-1], secrets_here.get()
        with self._lock:
            before = self._kept.pop(execution_id, _Written())
            if before.secrets is not secrets and before.secrets:  # an earlier attempt may have had others
                secrets = sorted({*before.secrets, *secrets}, key=len, reverse=True)
            text = before.text + text
            if len(text) > 2 * MAX_KEPT:
                text = _end_of(without_texts(text, secrets))
            self._kept[execution_id] = _Written(text, secrets)
            if len(self._kept) > MAX_EXECUTIONS:
                self._kept.popitem(last=False)

    def of(self, execution_id: str) -> str:
        """Return the end of an execution's output, without secrets; empty if it has written nothing here."""
        with self._lock:
            text, secrets = self._kept.get(execution_id, _Written())
        return redacted_text(_end_of(without_cut_end(without_texts(text, secrets), secrets)))


def _end_of(text: str) -> str:
    """Return the last whole lines of a text that is too long: a cut line could lack the name that marks its secret."""
    if len(text) <= MAX_KEPT:
        return text
    lines = text[-MAX_KEPT:].partition("\n")[2]
    return lines or redacted_text(text[-2 * MAX_KEPT :])[-MAX_KEPT:]


class _RecordFactory:
    """Makes log records as before, and copies the records of executions to the listening outputs.

    A handler at the root logger would make an application's ``basicConfig`` do nothing.
    """

    def __init__(self) -> None:
        self.make: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
        self.outputs: Sequence[LiveOutput] = ()

    def __call__(self, *described: Any, **named: Any) -> logging.LogRecord:
        record = self.make(*described, **named)
        if self.outputs and get_caller().lineage:
            with suppress(Exception):  # a message that does not fit its arguments is reported by `logging` itself
                at = time.strftime("%H:%M:%S", time.localtime(record.created))
                for output in self.outputs:
                    output.write(f"{at} {record.levelname} {record.getMessage()}\n")
        return record


_factory: _RecordFactory | None = None
"""One factory for all listeners: a factory in the middle of the process's chain of factories can never leave it."""
_factory_lock = Lock()


class LogListener:
    """Copies log records of executions to an output, inside a ``with`` block. The loggers' levels decide which records exist."""

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
                if logging.getLogRecordFactory() is _factory:  # else a later factory still calls it
                    logging.setLogRecordFactory(_factory.make)
                _factory = None
