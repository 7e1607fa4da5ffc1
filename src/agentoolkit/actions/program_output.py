"""Limit a program's side output: keep the end of its standard error, and the first log lines about it."""

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
"""Most lines that a library may log about one call."""
TAIL = 500
"""Characters of a program's output that a failure shows."""

_KEPT = 4 * TAIL
"""Bytes that are kept: a character has at most four."""
_FREE = 1_000_000
"""Bytes that are read without pauses."""
_PAUSE = 0.005
"""Seconds of a pause between two reads after that."""
_LINGER = 0.3
"""Longest wait, in seconds, for a program's last output."""


class StandardError(asyncio.Protocol):
    """Reads a program's standard error completely and keeps its end in memory, so no file grows."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        """The writing end of the pipe, for the program."""
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
        """Return the end of the output, without a part of one of these secrets at the cut; empty if there was no output."""
        self.source.close()
        await asyncio.wait({self._closed}, timeout=_LINGER)
        text = self._kept.decode(errors="replace")
        return (without_cut_beginning(text, secrets) if self._read > len(self._kept) else text).strip()


def pause(pipe: asyncio.ReadTransport) -> None:
    """Stop reading for a moment. Reading endless output only to drop it would block the event loop for all other tasks."""
    if not pipe.is_closing():
        pipe.pause_reading()
        asyncio.get_running_loop().call_later(_PAUSE, lambda: None if pipe.is_closing() else pipe.resume_reading())


@asynccontextmanager
async def standard_error() -> AsyncGenerator[StandardError]:
    """Open a pipe for a program's standard error, and read it inside an ``async with`` block."""
    reading, writing = os.pipe()
    errors = StandardError(os.fdopen(writing, "wb", buffering=0))
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: errors, os.fdopen(reading, "rb", buffering=0))
    try:
        yield errors
    finally:
        errors.source.close()
        transport.close()


_lines_left: ContextVar[list[int] | None] = ContextVar("agentool_lines_left", default=None)
"""Lines that this call may still log; a list of one number, which all tasks of the call share."""


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
    """Limit these loggers to the first `MAX_LINES` lines inside a ``with`` block, and in tasks that start there."""
    for name in loggers:
        logging.getLogger(name).addFilter(_first_lines)  # a logger adds the same filter only once
    token = _lines_left.set([MAX_LINES])
    try:
        yield
    finally:
        _lines_left.reset(token)
