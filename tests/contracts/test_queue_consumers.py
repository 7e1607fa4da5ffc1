"""Consumers that are cancelled at random, on every back end: no message is lost, leased to nobody, or dead unseen."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import pytest

from agentoolkit.system.queue.messages import Counts, QueueMessage
from agentoolkit.system.queue.service import DequeueRequest, QueueService
from agentoolkit.testing import ManualTime

from .test_queue_backend import BACKENDS, START

MESSAGES = 10_000 if os.environ.get("AGENTOOL_FULL") else 300
CONSUMERS = 10
AT_ONCE = 500


class Consumers:
    """Those who take from one queue, and leave whenever chance says."""

    def __init__(self, service: QueueService, auto_ack: bool) -> None:
        self._service, self._auto_ack = service, auto_ack
        self._chance = random.Random(3)
        self.got: Counter[str] = Counter()
        self.left = 0

    async def consume(self) -> None:
        """Take until nothing is left, but most of the time go before there is an answer."""
        while (await self._service.status("q")).counts.held:
            asked = DequeueRequest("q", timeout=5, count=self._chance.randrange(1, 4), auto_ack=self._auto_ack)
            taking = asyncio.ensure_future(self._service.dequeue(asked))
            await asyncio.wait([taking], timeout=self._chance.choice((0, 0.001, 0.01, 0.1, 1)))
            taking.cancel()
            (answer,) = await asyncio.gather(taking, return_exceptions=True)
            if isinstance(answer, BaseException):
                self.left += 1
                continue
            await self._keep(answer)

    async def _keep(self, messages: list[QueueMessage]) -> None:
        self.got.update(message.message_id for message in messages)
        if not self._auto_ack:
            await asyncio.gather(*(self._service.ack("q", message.receipt) for message in messages))


@pytest.mark.parametrize("auto_ack", [False, True])
@pytest.mark.parametrize("name", BACKENDS)
async def test_each_message_reaches_one_who_stayed(name: str, auto_ack: bool, request: pytest.FixtureRequest, figure):
    """However often takers leave, each message is received once, at its first attempt, and none is dead."""
    async with BACKENDS[name](request) as backend:
        service = QueueService(backend, ManualTime(START))
        consumers = Consumers(service, auto_ack)
        await service.create("q", {})
        for first in range(0, MESSAGES, AT_ONCE):
            added = [QueueMessage(f"m{number}", "q", "1", START, START) for number in range(first, min(first + AT_ONCE, MESSAGES))]
            await asyncio.gather(*(backend.add(message, None) for message in added))
            await asyncio.gather(*(consumers.consume() for _ in range(CONSUMERS)))
        assert (len(consumers.got), set(consumers.got.values())) == (MESSAGES, {1})
        assert (await backend.status("q", START)).counts == Counts()
        assert consumers.left > 0
        await backend.close()
    figure(43, f"{name}: 0 of {MESSAGES} messages lost or dead, {consumers.left} takers left")
