"""What a program says beside its answers, kept small: the end of its standard error, and the first lines logged about it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import IO

from agentool.secrets_here import without_cut_beginning

MAX_LINES = 10
"""Lines that a library logs about one call."""
TAIL = 500
"""Characters of what a program wrote that a failure shows."""

_KEPT = 4 * TAIL
"""Bytes: a character has at most four."""
_FREE = 1_000_000
"""Bytes that are read as fast as they come."""
_PAUSE = 0.005
"""Seconds."""
_LINGER = 0.3
"""Seconds that the last words of a program are waited for."""


class StandardError(asyncio.Protocol):
    """Reads what a program writes to its standard error, to the end, and keeps the end of it. No file grows with it."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        """What the program writes to."""
        self._closed = asyncio.get_running_loop().create_future()
        self._kept = b""
        self._read = 0
        self._transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.ReadTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-_KEPT:]
        self._read += len(data)
        if self._read > _FREE and self._transport is not None:
            pause(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set_result(None)

    async def written(self, secrets: Sequence[str]) -> str:
        """Return the end of what was written, without a part of one of these at the cut; empty if nothing was."""
        self.source.close()
        await asyncio.wait({self._closed}, timeout=_LINGER)
        text = self._kept.decode(errors="replace")
        return (without_cut_beginning(text, secrets) if self._read > len(self._kept) else text).strip()


def pause(pipe: asyncio.ReadTransport) -> None:
    """Read no further for a moment. Output without end that is only dropped would take the event loop from all others."""
    if not pipe.is_closing():
        pipe.pause_reading()
        asyncio.get_running_loop().call_later(_PAUSE, lambda: None if pipe.is_closing() else pipe.resume_reading())


@asynccontextmanager
async def standard_error() -> AsyncGenerator[StandardError]:
    """Open a pipe for a program's standard error, and read it inside an ``async with`` block."""
    reading, writing = os.pipe()
    said = StandardError(os.fdopen(writing, "wb", buffering=0))
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: said, os.fdopen(reading, "rb", buffering=0))
    try:
        yield said
    finally:
        said.source.close()
        transport.close()


_lines_left: ContextVar[list[int] | None] = ContextVar("agentool_lines_left", default=None)
"""How many may still be logged for this call, in a list of one that the tasks of a call share."""


class _FirstLines(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        left = _lines_left.get()
        if left is None:
            return True
        left[0] -= 1
        return left[0] >= 0


_first_lines = _FirstLines()


@contextmanager
def few_lines(loggers: Iterable[str]) -> Generator[None]:
    """Let these loggers write no more than the first `MAX_LINES` lines inside a ``with`` block, tasks that begin there included."""
    for name in loggers:
        logging.getLogger(name).addFilter(_first_lines)  # of which a logger takes one
    token = _lines_left.set([MAX_LINES])
    try:
        yield
    finally:
        _lines_left.reset(token)
