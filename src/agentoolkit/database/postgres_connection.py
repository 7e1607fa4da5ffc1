"""A PostgreSQL connection that waits for no answer without an end. Imported only where PostgreSQL is used."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")

SILENT_SECONDS = 75.0
"""A server that says nothing for longer while it is asked counts as lost."""


class BoundedConnection(psycopg.Connection[Any]):
    """Raises `psycopg.OperationalError` when the server is silent for too long.

    The server's own limits do not help when the network swallows what it says.
    """

    silent_seconds: float | None = None
    """In place of `SILENT_SECONDS`."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Let psycopg talk to the server."""
        return super().wait(_bounded(gen, self.silent_seconds or SILENT_SECONDS), *args, **options)


def _bounded(gen: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """Pass on what the socket is ready for. Several times a second that is nothing, which is when the time is looked at."""
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
