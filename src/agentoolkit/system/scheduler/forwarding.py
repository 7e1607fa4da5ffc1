"""From the outbox to the queues: outcomes are delivered by the ``queue`` AgenTool, with tries of their own."""

from __future__ import annotations

import asyncio
import logging

from agentool.core.injector import Injector
from agentoolkit.system.scheduler.ports import JobStore, Message
from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)

ATTEMPTS = 5
"""Tries at one delivery before it is given up."""
BATCH = 1_000


class Forwarding:
    """Empties the outbox into queues. A message's id is its execution's, so a second delivery is recognised."""

    def __init__(self, store: JobStore, injector: Injector, time: TimeSource) -> None:
        self._store = store
        self._injector = injector
        self._time = time
        self._round: asyncio.Task[None] | None = None
        self._again = False
        self._retry: Cancellable | None = None

    def nudge(self) -> None:
        """There is something in the outbox. Returns at once; `settled` waits."""
        self._again = True
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._rounds())

    async def settled(self) -> None:
        """Wait until all that can be delivered now has been."""
        while self._round is not None and not self._round.done():
            await asyncio.wait({self._round})

    def forget(self) -> None:
        """Let go of what belongs to an event loop that is gone, or to a scheduler that stops."""
        if self._retry is not None:
            self._retry.cancel()
        self._round = self._retry = None

    async def _rounds(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._deliver_all()
            except Exception:
                logger.exception("Reading the outbox failed")
                self._retry_after(1.0)

    async def _deliver_all(self) -> None:
        messages = await self._store.outbox(BATCH)
        refused = [message for message in messages if not await self._deliver(message)]
        if refused:
            self._retry_after(2.0 ** min(message.attempts for message in refused))

    async def _deliver(self, message: Message) -> bool:
        enqueue = {
            "operation": "enqueue",
            "queue_name": message.queue_name,
            "message": message.payload,
            "message_id": message.execution_id,
        }
        try:
            await self._injector.run("queue", enqueue)
        except Exception as error:
            give_up = message.attempts + 1 >= ATTEMPTS
            outcome = "given up" if give_up else "will be tried again"
            logger.warning("Delivering %s to queue %r failed (%s): %s", message.execution_id, message.queue_name, outcome, error)
            await self._store.undelivered(message, give_up=give_up)
            return give_up
        await self._store.delivered(message.execution_id)
        return True

    def _retry_after(self, seconds: float) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self._time.call_later(seconds, self.nudge)
