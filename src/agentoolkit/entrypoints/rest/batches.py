"""Things done to many at once: each item by itself, with progress, and with what failed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.datastructures import State

from agentool.caller import Caller
from agentoolkit.entrypoints.rest.problems import problem_of
from agentoolkit.portions import IN_A_TURN

KEPT = 100
"""Batches that are remembered."""
MAX_NAMED = 100
"""Failures of one batch that are named one by one."""
_CLOSE_SECONDS = 3.0

Do = Callable[[str], Awaitable[object]]
"""Does it to one item."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """One thing done to some items, and how far it is."""

    batch_id: str
    owner: str
    told: str
    """What is done, as a sentence would begin: ``Pause``."""
    past: str
    noun: str
    items: Sequence[str]
    action: str = ""
    """What the API calls it; empty: it was begun on a page."""
    is_cut: bool = False
    """Did more fit than are taken?"""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    done: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Items that were refused, and why; the first hundred."""
    failures: int = 0
    stopped: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def total(self) -> int:
        return len(self.items)

    @property
    def finished(self) -> bool:
        """Is there nothing left to do?"""
        return self.task is not None and self.task.done()

    @property
    def left(self) -> int:
        """Items not worked on yet."""
        return self.total - self.done - self.failures

    def abort(self) -> None:
        """Begin with no further item. What has ended stays as it ended: done, or aborted before."""
        self.stopped |= not self.finished

    async def work(self, do: Do) -> None:
        """Do it to each item; one that is refused stops no other."""
        waiting = iter(self.items)

        async def take() -> None:
            for item in waiting:
                if self.stopped:
                    return
                try:
                    await do(item)
                    self.done += 1
                except Exception as error:
                    self.failures += 1
                    if len(self.failed) < MAX_NAMED:
                        self.failed.append((item, problem_of(error).detail))

        await asyncio.gather(*(take() for _ in range(min(IN_A_TURN, self.total))), return_exceptions=True)  # ends after all of them
        self.finished_at = datetime.now(UTC)


class Batches:
    """The batches of an application, the newest ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Batch] = OrderedDict()

    def get(self, batch_id: str, owner: str) -> Batch | None:
        """Return a batch of its owner."""
        found = self._kept.get(batch_id)
        return found if found is not None and found.owner == owner else None

    def of(self, caller: Caller) -> list[Batch]:
        """Return the batches that the API began and that a caller may see, the newest first."""
        return [batch for batch in reversed(self._kept.values()) if batch.action and caller.owns(batch.owner)]

    def start(self, batch: Batch, do: Do) -> Batch:
        """Begin with a batch, or return the one of this id that is there already."""
        there = self._kept.setdefault(batch.batch_id, batch)
        if there is batch:
            batch.task = asyncio.create_task(batch.work(do), name=f"batch-{batch.batch_id}")
            while len(self._kept) > KEPT and next(iter(self._kept.values())).finished:
                self._kept.popitem(last=False)
        return there

    async def close(self) -> None:
        """End what is under way."""
        tasks = [batch.task for batch in self._kept.values() if batch.task is not None and not batch.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)


def batches_of(state: State) -> Batches:
    """Return the batches of an application."""
    found: Batches | None = getattr(state, "batches", None)
    if found is None:
        found = state.batches = Batches()
    return found
