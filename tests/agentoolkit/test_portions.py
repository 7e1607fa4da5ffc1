"""What is done in portions ends before its answer comes: also where one of it fails, or the caller leaves."""

from __future__ import annotations

import asyncio

import pytest

from agentoolkit.entrypoints.rest.batches import Batch, Batches
from agentoolkit.portions import done_in_portions


class Work:
    """Says which items have ended. Item 1 fails at once, and 3 after it; the rest takes twenty turns of the event loop."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []

    async def do(self, item: int) -> int:
        self.begun.append(item)
        try:
            if item in (1, 3):
                raise ValueError(f"refused {item}")
            for _ in range(20):
                await asyncio.sleep(0)
        finally:
            self.ended.append(item)
        return item


async def test_a_failure_leaves_nothing_running():
    """All of a portion has ended when the failure of one is raised."""
    work = Work()
    with pytest.raises(ValueError, match="refused 1"):
        await done_in_portions(work.do, range(6), 512)
    assert sorted(work.ended) == [0, 1, 2, 3, 4, 5]


async def test_no_portion_begins_after_a_failure():
    """What comes in a later portion than a failure is not begun."""
    work = Work()
    with pytest.raises(ValueError, match="refused 1"):
        await done_in_portions(work.do, range(6), 2)
    assert work.begun == [0, 1]


async def test_the_first_failure_is_told_whichever_comes_first():
    """Of several failures that of the first item is raised, though another one fails sooner."""

    async def do(item: int) -> None:
        for _ in range(5 - item):
            await asyncio.sleep(0)
        raise ValueError(f"refused {item}")

    with pytest.raises(ValueError, match="refused 0"):
        await done_in_portions(do, range(3), 3)


async def test_one_that_is_cancelled_is_no_answer():
    """An item whose own work is cancelled raises that, once the others have ended."""
    ended = list[int]()

    async def do(item: int) -> None:
        if item == 0:
            raise asyncio.CancelledError
        for _ in range(20):
            await asyncio.sleep(0)
        ended.append(item)

    with pytest.raises(asyncio.CancelledError):
        await done_in_portions(do, range(3), 3)
    assert ended == [1, 2]


async def test_a_caller_that_is_cancelled_waits_for_its_portion():
    """Cancelling the caller cancels each item of the portion, and the caller ends after what these clean up."""
    cleaned = list[int]()

    async def do(item: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20 * item):
                await asyncio.sleep(0)
            cleaned.append(item)

    caller = asyncio.create_task(done_in_portions(do, range(6), 3))
    for _ in range(3):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    assert (caller.cancelled(), cleaned) == (True, [0, 1, 2])


async def test_a_batch_that_is_closed_waits_for_its_items():
    """Closing the batches of the API cancels the items under way, and ends after what these clean up."""
    cleaned = list[str]()

    async def do(item: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20 * int(item)):
                await asyncio.sleep(0)
            cleaned.append(item)

    batches = Batches()
    batches.start(Batch(batch_id="b", owner="", told="retry", past="retried", noun="job", items=["0", "1", "2"]), do)
    for _ in range(3):
        await asyncio.sleep(0)
    await batches.close()
    assert cleaned == ["0", "1", "2"]
