"""Do one action to many items: each item by itself, with progress and failures."""

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
"""Batches that an application remembers."""
MAX_NAMED = 100
"""Failures of one batch that are listed."""
_CLOSE_SECONDS = 3.0

Do = Callable[[str], Awaitable[object]]
"""Does the action to one item."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """One action on some items, and its progress."""

    batch_id: str
    owner: str
    told: str
    """The action as a verb, such as ``Pause``."""
    past: str
    noun: str
    items: Sequence[str]
    action: str = ""
    """The API's name of the action; empty if it was begun on a page."""
    is_cut: bool = False
    """Whether more items matched than are in the batch."""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    done: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Refused items with the reason; the first hundred."""
    failures: int = 0
    stopped: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def total(self) -> int:
        return len(self.items)

    @property
    def finished(self) -> bool:
        """Tell whether the work has ended."""
        return self.task is not None and self.task.done()

    @property
    def left(self) -> int:
        """Number of items that were not tried yet."""
        return self.total - self.done - self.failures

    def abort(self) -> None:
        """Try no further item. A finished batch stays as it is."""
        self.stopped |= not self.finished

    async def work(self, do: Do) -> None:
        """Do the action to each item. A refused item does not stop the others."""
        waiting = iter(self.items)

        async def work_on_items() -> None:
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

        workers = (work_on_items() for _ in range(min(IN_A_TURN, self.total)))
        await asyncio.gather(*workers, return_exceptions=True)  # waits for all of them
        self.finished_at = datetime.now(UTC)


class Batches:
    """The newest batches of an application."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Batch] = OrderedDict()

    def get(self, batch_id: str, owner: str) -> Batch | None:
        """Return a batch of its owner."""
        found = self._kept.get(batch_id)
        return found if found is not None and found.owner == owner else None

    def of(self, caller: Caller) -> list[Batch]:
        """Return the API's batches that a caller may see, the newest first."""
        return [batch for batch in reversed(self._kept.values()) if batch.action and caller.owns(batch.owner)]

    def start(self, batch: Batch, do: Do) -> Batch:
        """Start a batch, or return the existing batch with its id."""
        there = self._kept.setdefault(batch.batch_id, batch)
        if there is batch:
            batch.task = asyncio.create_task(batch.work(do), name=f"batch-{batch.batch_id}")
            while len(self._kept) > KEPT and next(iter(self._kept.values())).finished:
                self._kept.popitem(last=False)
        return there

    async def close(self) -> None:
        """Cancel the running batches."""
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
