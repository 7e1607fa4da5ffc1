"""Searches in the store in memory: records are looked through in the order of the pages, as many as one page may look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import TypeVar

from agentoolkit.system.scheduler.ports import WINDOW, Position

T = TypeVar("T")

PORTION = 500
"""Records that are looked at before others on the event loop have their turn: a few milliseconds."""


async def page_of(
    records: Callable[[Position | None], Iterable[T]],
    start: Position | None,
    fits: Callable[[T], bool],
    place: Callable[[T], tuple[datetime, str]],
    limit: int,
) -> tuple[list[T], Position | None]:
    """Return those that fit, at most `limit`, and where the next page begins; None: there is none.

    Args:
        records: Begins to yield records, in order, after a position. Others may change them between two portions.
        start: The position after which to begin.
        fits: Does a record belong to what is looked for?
        place: Where a record stands in the order.
        limit: How many are wanted.
    """
    found: list[T] = []
    looked_at = 0
    while looked_at < WINDOW:
        portion = list(islice(records(start), PORTION))
        for record in portion:
            looked_at += 1
            if fits(record):
                found.append(record)
                if len(found) == limit:
                    return found, Position(*place(record))
        if len(portion) < PORTION:
            return found, None
        start = Position(*place(portion[-1]))
        await asyncio.sleep(0)
    return found, start
