"""The event bus: it stores published events in order, and each subscriber reads them at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Any

from agentool.core.injector import Injector
from agentoolkit.failure_log import log_failure
from agentoolkit.listeners import check_listener
from agentoolkit.system.events.loops import BusLoop
from agentoolkit.system.events.messages import EventMessage, EventRecord, checked_agent, checked_pattern, checked_payload, checked_type
from agentoolkit.system.events.ports import EventStore, KeptIds
from agentoolkit.system.events.readers import Readers
from agentoolkit.system.events.subscriptions import PAGE, EventFilter, Handler, Subscription
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

MAX_PENDING = 10_000
"""Most events that wait to be stored. Beyond it the newest are dropped, and counted."""
BATCH = 1_000
POLL_SECONDS = 1.0
"""Seconds between two polls for events of other processes, while somebody listens."""
CLOSE_SECONDS = 2.0
_FIRST_RETRY_SECONDS, _RETRY_SECONDS = 0.02, 0.5
"""Seconds before retries of a refused write, doubled each time: the store may just have been closed by another user.

The longest is a quarter of the time that a close waits for unwritten events.
"""


class EventService:
    """Publishes events and delivers them. It may be used from several threads and event loops.

    Args:
        store: Stores the events.
        time: The time source.
        injector: The current injector of its tasks, whose log gets their messages.
    """

    def __init__(self, store: EventStore, time: TimeSource, injector: Injector) -> None:
        self.store = store
        self.dropped = 0
        """Number of events that were never stored, because the store could not keep up."""
        self._time = time
        self._injector = injector
        self._pending: deque[EventRecord | EventMessage | Subscription] = deque()
        """Events to store, and new subscribers between them: a subscriber gets the events after its place."""
        self._subscriptions: list[Subscription] = []
        self._lock = Lock()
        self.loop = BusLoop()
        self._readers = Readers(store, time)
        self._pump: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        self._known = 0
        """Id of the newest event of any process that subscribers know of."""
        self._reads: dict[tuple[asyncio.AbstractEventLoop, int], asyncio.Task[Sequence[EventMessage]]] = {}

    @property
    def listeners(self) -> int:
        """Number of subscribers."""
        return len(self._subscriptions)

    def publish(
        self,
        event_type: str,
        source_agent: str,
        payload: Mapping[str, Any] | None = None,
        target_agent: str | None = None,
        owner: str = "",
    ) -> EventMessage:
        """Publish an event and return it, without its id yet. It never waits.

        Raises:
            InvalidEvent: The name, the payload or an agent's name is invalid.
        """
        message = EventMessage(
            event_type=checked_type(event_type),
            source_agent=checked_agent("source_agent", source_agent),
            target_agent=None if target_agent is None else checked_agent("target_agent", target_agent),
            payload=checked_payload(payload),
            owner=owner,
            published_at=self._time.now(),
        )
        self._put(message)
        return message

    @property
    def unread(self) -> bool:
        """True if it is known that nobody reads. Checked before each event of an execution, to save making useless ones."""
        return not self._subscriptions and self._readers.none

    def put(self, record: EventRecord) -> None:
        """Publish a frequent event, which is stored only if somebody reads."""
        self._put(record)

    def now(self) -> datetime:
        """Return the present instant, by the bus's own time source."""
        return self._time.now()

    def subscribe(
        self,
        pattern: str = "*",
        handler: Handler | None = None,
        *,
        agent_name: str | None = None,
        name: str | None = None,
        after: int | None = None,
    ) -> Subscription:
        """Subscribe to events.

        Args:
            pattern: A name, or one with stars.
            handler: Called with each event, one after the other; None to wait with `Subscription.next`.
            agent_name: The subscribing agent; events for other agents are left out.
            name: The name of its stored cursor, from which it continues after a restart; None for no cursor.
            after: The id after which it starts, within the stored events; None for new events only.

        Raises:
            InvalidEvent: The pattern is invalid.
            ConfigurationError: The handler cannot be called with an event.
        """
        if handler is not None:
            check_listener(handler)
        wanted = EventFilter(checked_pattern(pattern), agent_name)
        subscription = self.loop.make(lambda: Subscription(self, wanted, handler, name))
        with self._lock:
            self._subscriptions.append(subscription)
        self._readers.expect()
        if after is None:
            self._put(subscription)
        else:
            subscription.begin(after)
            self.loop.call(self._start_pump)
        return subscription

    def unsubscribe(self, who: Subscription | Handler) -> bool:
        """End a subscription, or every one of a handler. Return whether there was one."""
        with self._lock:
            ended = [each for each in self._subscriptions if who in (each, each.handler)]
            self._subscriptions = [each for each in self._subscriptions if each not in ended]
        for subscription in ended:
            subscription.cancel()
        return bool(ended)

    async def read(self, after: int, limit: int = PAGE) -> Sequence[EventMessage]:
        """Return the stored events after an id, oldest first."""
        await self._readers.note()
        return await self.store.read(after, limit)

    async def bounds(self) -> KeptIds:
        """Return the range of stored events."""
        return await self.store.bounds()

    async def read_after(self, after: int) -> Sequence[EventMessage]:
        """Return a page of events after an id. Concurrent callers for the same page share one query."""
        key = (asyncio.get_running_loop(), after)
        reading = self._reads.get(key)
        if reading is None:
            reading = self._reads[key] = asyncio.create_task(self.read(after))
            reading.add_done_callback(lambda _: self._reads.pop(key, None))
        return await asyncio.shield(reading)

    async def load_cursor(self, name: str) -> int | None:
        return await self.store.cursor(name)

    async def save_cursor(self, name: str, event_id: int) -> None:
        await self.store.save_cursor(name, event_id)

    async def wait_idle(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait until all events are stored and handlers are idle, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._pending or any(not each.idle for each in self._subscriptions):  # noqa: ASYNC110  changed by other threads too
                    await asyncio.sleep(0.001)

    async def close(self) -> None:
        """Store the published events, and end every subscription."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._pending:  # noqa: ASYNC110  changed by other threads too
                    await asyncio.sleep(0.001)
        for subscription in list(self._subscriptions):
            self.unsubscribe(subscription)
        for task in (self._pump, self._poller):
            if task is not None and task.get_loop() is asyncio.get_running_loop():
                task.cancel()
                await asyncio.wait({task})
        self._pump = self._poller = None
        self.loop.close()

    def _put(self, entry: EventRecord | EventMessage | Subscription) -> None:
        with self._lock:
            if (waits := len(self._pending)) >= MAX_PENDING and not isinstance(entry, Subscription):
                self.dropped += 1  # the newest: what waits is in order already
                return
            self._pending.append(entry)
        is_at_work = waits and self._pump is not None and not self._pump.done() and self.loop.works
        if not is_at_work or isinstance(entry, Subscription):  # a first reader has to be told of other processes as well
            self.loop.call(self._start_pump)  # else it looks for more when it has written what waits

    def _start_pump(self) -> None:
        loop = self.loop.take()
        if self._pump is None or self._pump.done() or self._pump.get_loop() is not loop:
            self._pump = loop.create_task(self._write_pending(), name="event-bus", context=self._injector.make_context())
        wants_poll = self.store.shared and bool(self._subscriptions)
        if wants_poll and (self._poller is None or self._poller.done() or self._poller.get_loop() is not loop):
            self._poller = loop.create_task(self._poll(), name="event-bus-poll", context=self._injector.make_context())

    async def _write_pending(self) -> None:
        delay = _FIRST_RETRY_SECONDS
        while self._pending:
            try:
                batch = self._next_batch()
                if batch:
                    if read := await self._wanted(batch):
                        self._known = max(self._known, await self.store.append(read))
                    with self._lock:
                        for _ in batch:
                            self._pending.popleft()
                else:
                    await self._readers.note()
                    newest = (await self.store.bounds()).newest
                    with self._lock:
                        subscription = self._pending.popleft()
                    if isinstance(subscription, Subscription):
                        subscription.begin(newest)
            except Exception:
                log_failure(logger, "Events could not be written down; trying again in %g s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _RETRY_SECONDS)
                continue
            delay = _FIRST_RETRY_SECONDS
            self._wake_all()

    def _next_batch(self) -> list[EventRecord | EventMessage]:
        """Return the first waiting events, up to the next new subscriber."""
        batch: list[EventRecord | EventMessage] = []
        with self._lock:
            for entry in self._pending:
                if isinstance(entry, Subscription) or len(batch) >= BATCH:
                    break
                batch.append(entry)
        return batch

    async def _wanted(self, batch: Sequence[EventRecord | EventMessage]) -> Sequence[EventRecord | EventMessage]:
        """Return the events of a batch to store: without the scheduler's if nobody reads."""
        if self._subscriptions or await self._readers.find() or self._subscriptions:  # somebody may have begun meanwhile
            return batch
        return [each for each in batch if isinstance(each, EventMessage)]

    async def _poll(self) -> None:
        """Poll for events of other processes, as long as somebody listens."""
        while self._subscriptions:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._readers.note()
                newest = (await self.store.bounds()).newest
            except Exception:
                log_failure(logger, "Events of other processes could not be looked for")
                continue
            if newest > self._known:
                self._known = newest
                self._wake_all()

    def _wake_all(self) -> None:
        with self._lock:
            self._subscriptions = [each for each in self._subscriptions if each.alive]
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.wake()
