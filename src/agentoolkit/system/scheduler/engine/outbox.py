"""Delivers the outbox to queues and web addresses, through the AgenTools ``queue`` and ``http``, with its own retries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from agentool.core.injector import Injector
from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.delivery_calls import delivery, is_address, shown
from agentoolkit.system.scheduler.event_loops import all_done
from agentoolkit.system.scheduler.ports import JobStore, Message
from agentoolkit.text import in_one_line
from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)

ATTEMPTS = 5
"""Tries of one delivery before it is given up."""
DELIVERY_SECONDS = 10.0
"""Seconds after which one delivery counts as refused."""
BATCH = 1_000
PORTION = 100
"""Messages delivered to queues at once if the store is durable: one commit has all of them, and another that they arrived."""
POSTS = 20
"""Deliveries to web addresses that run at once."""


class Deliveries:
    """Delivers the outbox. A message has the id of its execution, so receivers recognise a second delivery."""

    def __init__(self, store: JobStore, injector: Injector, time: TimeSource, *, delivers: bool = True) -> None:
        self._store = store
        self._injector = injector
        self._time = time
        self._round: asyncio.Task[None] | None = None
        self._again = False
        self._retry: Cancellable | None = None
        self._next_tries: dict[str, datetime] = {}
        self._posting: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(POSTS)
        self._watched: dict[str, asyncio.Event] = {}
        self._stopped = not delivers

    @contextmanager
    def watching(self, execution_id: str) -> Generator[asyncio.Event]:
        """Yield an event that is set when the execution's message has been delivered or refused once."""
        tried = self._watched[execution_id] = asyncio.Event()
        try:
            yield tried
        finally:
            del self._watched[execution_id]

    def wake(self) -> None:
        """Deliver the outbox. Returns at once; `wait_idle` waits."""
        if self._stopped:
            return
        self._again = True
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._rounds())

    async def wait_idle(self, *, posted: bool = False) -> None:
        """Wait for deliveries to queues under way; with `posted`, also for those to web addresses."""
        await all_done(lambda: self._under_way(posted=posted))

    async def stop(self, seconds: float) -> None:
        """Finish the deliveries under way, at most `seconds`. The rest stays in the outbox."""
        self._stopped = True
        if under_way := self._under_way(posted=True):
            await asyncio.wait(under_way, timeout=seconds)
            for task in under_way:
                task.cancel()
        if self._retry is not None:
            self._retry.cancel()

    def _under_way(self, *, posted: bool) -> set[asyncio.Task[None]]:
        rounds = {self._round} if self._round is not None and not self._round.done() else set[asyncio.Task[None]]()
        return rounds | set(self._posting.values()) if posted else rounds

    async def _rounds(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._deliver_all()
            except Exception:
                log_failure(logger, "Reading the outbox failed")
                self._retry_after(1.0)

    async def _deliver_all(self) -> None:
        """Deliver all messages that do not wait for their next try."""
        while True:
            limit = BATCH + len(self._next_tries) + len(self._posting)
            messages = await self._store.outbox(limit)
            now = self._time.now()
            due = [message for message in messages if self._next_tries.get(message.execution_id, now) <= now]
            for message in due:
                id_ = message.execution_id
                if is_address(message.queue_name) and id_ not in self._posting:  # a task: a slow address must not delay the queues
                    self._posting[id_] = asyncio.get_running_loop().create_task(self._post(message))
                    self._posting[id_].add_done_callback(partial(self._posted, id_))
            await self._deliver_to_queues([message for message in due if not is_address(message.queue_name)])
            if len(messages) < limit:
                break
        # Messages that another process delivered meanwhile need no next try.
        left = {message.execution_id for message in messages}
        self._next_tries = {id_: at for id_, at in self._next_tries.items() if id_ in left}
        if self._next_tries:
            self._retry_after((min(self._next_tries.values()) - now).total_seconds())

    async def _deliver_to_queues(self, messages: Sequence[Message]) -> None:
        """Deliver in portions if the store is durable. Order is kept, because each portion is sent before the next."""
        size = PORTION if self._store.survives_restart else 1
        for start in range(0, len(messages), size):
            await self._deliver(messages[start : start + size])

    async def _post(self, message: Message) -> None:
        """Deliver to a web address."""
        try:
            async with self._room:
                await self._deliver([message])
        except Exception:
            log_failure(logger, "Noting a delivery failed")
            self._retry_after(1.0)

    def _posted(self, execution_id: str, _: asyncio.Task[None]) -> None:
        """Note that a delivery to a web address has ended. If it is to be retried, the next round sets the timer."""
        del self._posting[execution_id]
        if execution_id in self._next_tries:
            self.wake()

    async def _deliver(self, messages: Sequence[Message]) -> None:
        """Send messages at once. What became of each is noted as soon as that is known: of many at once, by one write."""
        loop = asyncio.get_running_loop()
        calls = {loop.create_task(self._call(message)): message for message in messages}
        timer = loop.call_later(DELIVERY_SECONDS, _cancel, calls)
        failure: Exception | None = None
        try:
            while calls:
                await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                try:
                    await self._note([(calls.pop(call), _error_of(call)) for call in list(calls) if call.done()])
                except Exception as error:  # the calls under way may still arrive, and are noted too
                    failure = error
        finally:
            timer.cancel()
            _cancel(calls)
        if failure is not None:
            raise failure

    async def _call(self, message: Message) -> None:
        name, call = delivery(message)
        await self._injector.run(name, call)

    async def _note(self, answered: Sequence[tuple[Message, BaseException | None]]) -> None:
        """Write what became of messages, in one transaction."""
        arrived = [message.execution_id for message, error in answered if error is None]
        writes = [self._refused(message, error) for message, error in answered if error is not None]
        await asyncio.gather(*writes, *([self._store.delivered(arrived)] if arrived else []))
        for id_ in arrived:
            self._next_tries.pop(id_, None)
        for message, _ in answered:
            if (tried := self._watched.get(message.execution_id)) is not None:
                tried.set()

    async def _refused(self, message: Message, error: BaseException) -> None:
        give_up = message.attempts + 1 >= ATTEMPTS
        outcome = "given up" if give_up else "will be tried again"
        cause = in_one_line(str(error))  # it may quote the text of a foreign server
        logger.warning("Delivering %s to %r failed (%s): %s", message.execution_id, shown(message.queue_name), outcome, cause)
        await self._store.undelivered(message, give_up=give_up)
        if give_up:
            self._next_tries.pop(message.execution_id, None)
        else:
            self._next_tries[message.execution_id] = self._time.now() + timedelta(seconds=2.0**message.attempts)

    def _retry_after(self, seconds: float) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._stopped:
            return
        self._retry = self._time.call_later(seconds, self.wake)


def _cancel(calls: Iterable[asyncio.Task[None]]) -> None:
    for call in calls:
        call.cancel()


def _error_of(call: asyncio.Task[None]) -> BaseException | None:
    """Return why a call failed; None if it succeeded."""
    return TimeoutError(f"it was cancelled, or took longer than {DELIVERY_SECONDS:g} s") if call.cancelled() else call.exception()
