"""Deliveries that are cut short: what was cancelled, here or by the receiver, is delivered later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.time_source import SystemTime


class Outbox:
    """A store with one message in it, and what it is posted by."""

    survives_restart = True

    def __init__(self) -> None:
        self.messages = [Message("job@1", "https://example.org/hook", {})]
        self.posted = list[str]()
        self.refused = list[int]()

    async def outbox(self, limit: int) -> list[Message]:
        return self.messages[:limit]

    async def run(self, name: str, call: dict[str, Any]) -> None:
        self.posted.append(call["url"])

    async def delivered(self, execution_ids: Sequence[str]) -> None:
        self.messages.clear()

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        self.refused.append(message.attempts + 1)


async def test_what_was_cancelled_before_it_began_is_posted_by_the_next_round() -> None:
    """A task that never had a turn holds nothing back."""
    outbox: Any = Outbox()
    deliveries = Deliveries(outbox, outbox, SystemTime())
    deliveries.wake()
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await deliveries.wait_idle(posted=True)
    assert outbox.posted == []
    deliveries.wake()
    await deliveries.wait_idle(posted=True)
    assert outbox.posted == ["https://example.org/hook"]


def cancels_once(run: Any) -> Any:
    """Return a function that cancels its first call, as a library does whose connection was cut, and answers the others."""
    calls = list[object]()

    async def cancelling(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise asyncio.CancelledError
        return await run(*given)

    return cancelling


async def test_a_call_that_its_queue_cancels_is_made_again(kit, scheduler, monkeypatch):
    """A queue whose call was cancelled counts as refusing: the result is in it a little later."""
    monkeypatch.setattr(kit.queue, "enqueue", cancels_once(kit.queue.enqueue))
    await scheduler.add("1 minute", job_id="job", max_runs=1, result_queue="results")
    await kit.advance(minutes=2)
    assert len(await scheduler.messages("results")) == 1
    assert (await scheduler.history("job"))[0]["delivery"] == "delivered"


async def test_a_post_that_was_cancelled_is_made_again() -> None:
    """A web address whose call was cancelled counts as refusing, so it is called again later."""
    outbox: Any = Outbox()
    outbox.run = cancels_once(outbox.run)
    deliveries = Deliveries(outbox, outbox, SystemTime())
    deliveries.wake()
    await deliveries.wait_idle(posted=True)
    assert (outbox.posted, outbox.refused) == ([], [1])
    await deliveries.stop(0)
