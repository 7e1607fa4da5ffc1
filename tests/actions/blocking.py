"""Functions that the tests of the AgenTool ``function`` call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_may_end = threading.Event()
begun: list[int] = []


@contextmanager
def held() -> Iterator[None]:
    """Let `hang` block until the end of the block, however that comes."""
    _may_end.clear()
    begun.clear()
    try:
        yield
    finally:
        _may_end.set()


def hang(number: int = 0) -> str:
    """Block its thread, as a socket without a timeout would."""
    begun.append(number)
    _may_end.wait(60)
    return "ended"


def quick() -> str:
    return threading.current_thread().name


def stop_iteration() -> object:
    return next(iter(()))
