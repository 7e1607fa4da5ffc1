"""A PostgreSQL connection with a bounded wait for answers. Imported only where PostgreSQL is used."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")

SILENT_SECONDS = 75.0
"""Seconds without an answer after which the server counts as lost."""


class BoundedConnection(psycopg.Connection[Any]):
    """Raises `psycopg.OperationalError` when the server is silent for too long.

    The server's own limits do not help if the network loses its answers.
    """

    silent_seconds: float | None = None
    """Replaces `SILENT_SECONDS`."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Let psycopg talk to the server."""
        return super().wait(_bounded(gen, self.silent_seconds or SILENT_SECONDS), *args, **options)


def _bounded(gen: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """Pass on the socket's readiness. Psycopg also wakes up several times a second without any; then the time is checked."""
    try:
        wanted = next(gen)
        heard = time.monotonic()
        while True:
            if ready := (yield wanted):
                heard = time.monotonic()
            elif time.monotonic() - heard > seconds:
                raise psycopg.OperationalError(f"the server has said nothing for {seconds:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
