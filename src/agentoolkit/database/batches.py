"""Work that waits for a database thread, and how a batch of it is divided, run and undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import Session

BulkWork = Callable[[Session, Sequence[Any]], Sequence[Any]]
"""Takes the facts of all callers of the same work, and returns their answers in order."""

LEFT_OUT = object()
"""The answer to a fact whose caller was cancelled before its work started."""


class Item(NamedTuple):
    """Waiting work, its facts, and the callers' futures: one for each fact, or none at all."""

    work: BulkWork
    facts: list[Any]
    futures: list[asyncio.Future[Any]]
    order: LockOrder
    undo: Callable[[Any, Any], Any] | None = None
    """See `Database.write_together`."""

    def is_unwanted(self, index: int) -> bool:
        """Tell whether the caller of a fact was cancelled, so that its work can be skipped."""
        return self.undo is not None and bool(self.futures) and self.futures[index].cancelled()


def divided(batch: Sequence[Item]) -> list[list[Item]]:
    """Separate reads from writes, reads first: a failing commit must not fail a read."""
    reading = [item for item in batch if item.order is LockOrder.READING]
    writing = [item for item in batch if item.order is not LockOrder.READING]
    return [part for part in (reading, writing) if part]


def commits_itself(batch: Sequence[Item]) -> bool:
    """Tell whether a batch is one and the same work that writes by one statement. See `LockOrder.EXECUTIONS`."""
    return batch[0].order is LockOrder.EXECUTIONS and all(item.work is batch[0].work for item in batch)


def apart(item: Item) -> list[Item]:
    """Split work into one item for each fact."""
    futures = [[future] for future in item.futures] or [[]] * len(item.facts)
    return [item._replace(facts=[fact], futures=waiting) for fact, waiting in zip(item.facts, futures, strict=True)]


def results_of(session: Session, batch: Sequence[Item], room: LockOrder) -> list[list[Any]]:
    """Run a batch in the order of its rooms, each work once for all its facts. Return the answers of each item's facts in order."""
    results: list[list[Any]] = [[LEFT_OUT] * len(item.facts) for item in batch]
    same: dict[BulkWork, list[tuple[int, int]]] = {}
    for place in sorted(range(len(batch)), key=lambda place: batch[place].order):
        item = batch[place]
        wanted = [(place, index) for index in range(len(item.facts)) if not item.is_unwanted(index)]
        if wanted:
            same.setdefault(item.work, []).extend(wanted)
    for work, places in same.items():
        if (order := batch[places[0][0]].order) is not room:
            session.enter(order)
            room = order
        answers = work(session, [batch[place].facts[index] for place, index in places])
        for (place, index), answer in zip(places, answers, strict=True):
            results[place][index] = answer
    return results


def opposite_of(item: Item, done: Sequence[tuple[Any, Any]]) -> Item | None:
    """Return the work that undoes finished facts, given with their answers; None if there is nothing to undo."""
    if item.undo is None:
        return None
    facts = [fact for asked, answer in done if answer is not LEFT_OUT and (fact := item.undo(asked, answer)) is not None]
    return Item(item.work, facts, [], item.order) if facts else None
