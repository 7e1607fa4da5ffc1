"""Searches in the store in memory: reads records in the order of the pages, up to the limit of one page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import TypeVar

from agentoolkit.system.scheduler.ports import WINDOW, Position

T = TypeVar("T")

PORTION = 500
"""Records that are read before other tasks get the event loop: a few milliseconds."""


async def page_of(
    records: Callable[[Position | None], Iterable[T]],
    start: Position | None,
    fits: Callable[[T], bool],
    place: Callable[[T], tuple[datetime, str]],
    limit: int,
) -> tuple[list[T], Position | None]:
    """Return the first `limit` matching records and the cursor of the next page; None on the last page.

    Args:
        records: Yields the records after a position, in order. They may change between two portions.
        start: The position after which the page begins.
        fits: Tells whether a record matches.
        place: Returns a record's sort key.
        limit: Maximum number of records on the page.
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
