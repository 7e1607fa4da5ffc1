"""Outcomes that are delivered in portions, from a real database to queues in it: in order, and noted as soon as they have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agentoolkit.system.queue.enqueue import EnqueueRequest
from agentoolkit.system.queue.ports import AddedMessage

from .lives import RUN, Life


class Gate:
    """Holds the messages of some jobs back from their queue until it is opened, and notes which deliveries are noted together."""

    def __init__(self, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = {"first", "second", "third"}
        self.waiting = list[str]()
        self.noted = list[Sequence[str]]()
        self.is_open, self.was_noted = asyncio.Event(), asyncio.Event()
        self._enqueue, self._delivered = life.kit.queue.enqueue, life.kit.scheduler.store.delivered
        monkeypatch.setattr(life.kit.queue, "enqueue", self.enqueue)
        monkeypatch.setattr(life.kit.scheduler.store, "delivered", self.delivered)

    async def enqueue(self, request: EnqueueRequest) -> AddedMessage:
        job_id = str(request.message_id).partition("@")[0]
        if job_id in self.held:
            self.waiting.append(job_id)
            await self.is_open.wait()
        return await self._enqueue(request)

    async def delivered(self, execution_ids: Sequence[str]) -> None:
        await self._delivered(execution_ids)
        self.noted.append([execution_id.partition("@")[0] for execution_id in execution_ids])
        self.was_noted.set()


@pytest.fixture
async def gate(life: Life, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate, and three jobs that are due in a minute."""
    gate = Gate(life, monkeypatch)
    for job_id in ("first", "second", "third"):
        await life.ask("schedule", job_id=job_id, schedule="in 1 minute", result_queue="results", **RUN)
    return gate


async def deliveries(life: Life) -> dict[str, str]:
    return {found.job_id: found.delivery.value for found in await life.kit.scheduler.store.executions(None, 10)}


async def until_noted(gate: Gate, number: int) -> None:
    async with asyncio.timeout(15):
        while len(gate.noted) < number:
            gate.was_noted.clear()
            await gate.was_noted.wait()


async def test_portions_of_results_arrive_in_their_order(life: Life, monkeypatch: pytest.MonkeyPatch):
    """Results that are delivered in portions are in their queue in the order of the outbox, each once."""
    store, read = life.kit.scheduler.store, list[str]()
    outbox = store.outbox

    async def noted(limit: int):
        messages = await outbox(limit)
        read.extend(message.execution_id for message in messages if message.execution_id not in read)
        return messages

    monkeypatch.setattr(store, "outbox", noted)
    for number in range(250):
        await life.ask("schedule", job_id=f"job{number}", schedule="in 1 minute", result_queue="results", **RUN)
    await life.advance(minutes=2)
    asked = {"operation": "peek", "queue_name": "results", "limit": 1_000}
    delivered = [message["message"]["execution_id"] for message in (await life.kit.injector.run("queue", asked)).data["messages"]]
    assert (len(delivered), delivered) == (250, read)


async def test_what_arrives_together_is_noted_by_one_write(life: Life, gate: Gate):
    """Three results that their queue takes at the same time are noted by one call of the store."""
    await life.advance(minutes=2)
    assert sorted(gate.waiting) == ["first", "second", "third"]
    gate.is_open.set()
    await life.kit.scheduler.lifecycle.wait_idle()
    assert [sorted(noted) for noted in gate.noted] == [["first", "second", "third"]]


async def test_what_has_arrived_is_noted_while_another_hangs(life: Life, gate: Gate):
    """Two results are noted as delivered though the third of their portion has no answer yet."""
    gate.held = {"second"}
    await life.advance(minutes=2)
    await until_noted(gate, 1)
    meanwhile = await deliveries(life)
    gate.is_open.set()
    await life.kit.scheduler.lifecycle.wait_idle()
    assert meanwhile == {"first": "delivered", "second": "pending", "third": "delivered"}
    assert set((await deliveries(life)).values()) == {"delivered"}


async def test_one_cancelled_call_of_a_portion_holds_up_no_other(life: Life, gate: Gate, monkeypatch: pytest.MonkeyPatch):
    """A queue that cancels one call gets that result a little later, and the others of the portion at once."""
    gate.held = {"second"}
    monkeypatch.setattr(gate.is_open, "wait", _cancelled)
    await life.advance(minutes=1, seconds=0.5)
    await until_noted(gate, 1)
    meanwhile = await deliveries(life)
    gate.held = set()
    await life.advance(seconds=10)
    await until_noted(gate, 2)
    assert meanwhile == {"first": "delivered", "second": "pending", "third": "delivered"}
    assert set((await deliveries(life)).values()) == {"delivered"}


async def _cancelled() -> None:
    raise asyncio.CancelledError
