"""Searches in the store in memory: records are looked through in the order of the pages, as many as one page may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import TypeVar

from agentoolkit.system.scheduler.ports import WINDOW, Position

T = TypeVar("T")


def page_of(
    records: Iterable[T], fits: Callable[[T], bool], place: Callable[[T], tuple[datetime, str]], limit: int
) -> tuple[list[T], Position | None]:
    """Return those that fit, at most `limit`, and where the next page begins; None: there is none."""
    found: list[T] = []
    looked_at = list(islice(records, WINDOW))
    for last in looked_at:
        if fits(last):
            found.append(last)
            if len(found) == limit:
                return found, Position(*place(last))
    return found, Position(*place(looked_at[-1])) if len(looked_at) == WINDOW else None
