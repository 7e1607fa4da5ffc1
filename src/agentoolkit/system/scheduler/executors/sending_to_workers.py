"""What runs elsewhere: ids go to workers in messages, and the store tells when they are over."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentoolkit.failure_log import log_again
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.jobs import UNFINISHED, ExecutionStatus, ExecutorName, Priority
from agentoolkit.system.scheduler.ports import Attempts, Courier, Limit, Order, Portion, Route

logger = logging.getLogger(__name__)

IDS_IN_A_MESSAGE = 50
MESSAGES_AT_ONCE = 50
"""Handed to an engine's client together."""
PORTION_SECONDS = 30.0
"""Executions that may take longer travel alone: a worker has a message until all of it is over."""
SEND_AGAIN_SECONDS = 30.0
"""After which what no worker has begun is sent again, because its message may be lost; doubled each time, up to an hour."""
MAX_SEND_AGAIN_SECONDS = 3_600.0
FAILED_SEND_SECONDS = 1.0
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 0.5
"""Seconds between two looks at the store: it is looked often while executions end."""
LOOKED_AT = 200
"""Executions with the workers for each of which the shortest pause is as long again: a look costs as much as it looks at."""


@dataclass(slots=True)
class Sent:
    """An execution that workers were told of."""

    route: Route
    again_at: float = 0.0
    """When it is sent again if nobody has begun it, by the event loop's clock."""
    patience: float = field(default_factory=lambda: SEND_AGAIN_SECONDS)
    is_on_its_way: bool = False
    """Is its message still here, to be handed to its engine?"""


class RemoteExecutor(LocalExecutor):
    """Runs here what is to run here, and sends the rest to workers. Limits hold for both: a key is one, wherever it is held.

    Args:
        attempts: Carries out what runs here, and knows how the rest stands.
        concurrency: How many have room here.
        couriers: Makes what brings messages to each engine, at its first use.
        sent_at_once: How many may be with the workers of one engine, waiting or running. The others wait here, the urgent first.
    """

    def __init__(
        self,
        attempts: Attempts,
        concurrency: int,
        couriers: Mapping[ExecutorName, Callable[[], Courier]],
        sent_at_once: int,
    ) -> None:
        super().__init__(attempts, concurrency + sent_at_once * len(couriers))
        self._capacity: dict[ExecutorName, int] = {"local": concurrency, **dict.fromkeys(couriers, sent_at_once)}
        self._couriers = couriers
        self._made: dict[ExecutorName, asyncio.Future[Courier]] = {}
        self._sent: dict[str, Sent] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def submit(self, order: Order) -> None:
        """See `ports.Executor.submit`. What is ordered again has lost its worker."""
        self._over(order.execution_id)
        executor = order.route.executor
        room = Limit(f"executor:{executor}", self._capacity[executor], waits=not order.at_once)
        super().submit(order._replace(limits=(*order.limits, room)))

    def reserve(self, order: Order) -> bool:
        """See `ports.Executor.reserve`. Who sends to workers is sent nothing."""
        return False

    def start(self, execution_ids: Sequence[str]) -> None:
        """See `Limits.start`."""
        here: list[str] = []
        away: dict[str, Sent] = {}
        for execution_id in execution_ids:
            route = self.admitted(execution_id).route
            if route.executor == "local":
                here.append(execution_id)
            else:
                away[execution_id] = Sent(route)
        if here:
            super().start(here)
        if away:
            self._sent |= away
            self._send(away)
            if self._watching is None:
                self._watching = self._own(self._watch())

    def abandon(self, execution_id: str) -> None:
        """See `ports.Executor.abandon`. It is sent no more."""
        super().abandon(execution_id)
        self._over(execution_id)

    async def drain(self, seconds: float, grace: float) -> None:
        """See `ports.Executor.drain`. What was sent goes on where it runs."""
        self.close()
        for task in [*self._sending]:
            task.cancel()
        self._sent.clear()
        await super().drain(seconds, grace)
        while self._made:
            self._made.popitem()[1].add_done_callback(_close)

    def _send(self, sent: Mapping[str, Sent]) -> None:
        now = asyncio.get_running_loop().time()
        for one in sent.values():
            one.again_at = now + one.patience
            one.patience = min(one.patience * 2, MAX_SEND_AGAIN_SECONDS)
        leaving = {execution_id: one for execution_id, one in sent.items() if not one.is_on_its_way}
        for one in leaving.values():
            one.is_on_its_way = True
        queues: defaultdict[tuple[ExecutorName, str | None, Priority], list[Portion]] = defaultdict(list)
        for portion in portions(leaving):
            route = portion.route
            queues[route.executor, route.queue, route.priority].append(portion)
        for (name, _, _), messages in queues.items():  # apart: a queue that its engine refuses holds up no other
            self._own(self._bring(name, messages))

    async def _bring(self, name: ExecutorName, messages: Sequence[Portion]) -> None:
        """Hand messages of one queue to an engine, some at a time: its workers begin with the first of many."""
        begin = 0
        try:
            courier = await self._courier(name)
            for begin in range(0, len(messages), MESSAGES_AT_ONCE):
                if wanted := list(self._still_wanted(messages[begin : begin + MESSAGES_AT_ONCE])):
                    await courier.send(wanted)
        except Exception as error:
            unsent = _ids(self._still_wanted(messages[begin:]))
            log_again(logger, "%d executions were not sent to the workers of %s, and are sent again: %s", len(unsent), name, _reason(error))
            self._send_again_soon(unsent)
        for execution_id in _ids(messages):
            if (sent := self._sent.get(execution_id)) is not None:
                sent.is_on_its_way = False

    def _still_wanted(self, messages: Iterable[Portion]) -> Iterator[Portion]:
        """Leave out what was given up while other messages were handed over."""
        for portion in messages:
            if wanted := [execution_id for execution_id in portion.execution_ids if execution_id in self._sent]:
                yield portion._replace(execution_ids=wanted)

    def _send_again_soon(self, execution_ids: Iterable[str]) -> None:
        soon = asyncio.get_running_loop().time() + FAILED_SEND_SECONDS
        for execution_id in execution_ids:
            if (sent := self._sent.get(execution_id)) is not None:
                sent.again_at, sent.patience = soon, SEND_AGAIN_SECONDS

    async def _courier(self, name: ExecutorName) -> Courier:
        """Make what brings messages at its first use, in a thread: an engine takes long to import."""
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(asyncio.to_thread(self._couriers[name]))
        try:
            return await asyncio.shield(self._made[name])
        except Exception:
            self._made.pop(name, None)
            raise

    async def _watch(self) -> None:
        """Look at the store until nothing is with the workers any more."""
        pause = SHORTEST_LOOK
        try:
            while self._sent:
                await asyncio.sleep(pause)
                try:
                    some_over = await self._look()
                except Exception as error:
                    log_again(logger, "It is not known how executions stand that were sent away, and is looked up again: %s", error)
                    pause = LONGEST_LOOK
                else:
                    pause = pause_after(len(self._sent)) if some_over else min(pause * 2, LONGEST_LOOK)
        finally:
            self._watching = None

    async def _look(self) -> bool:
        """Give up what is over, send again what is late, and tell whether any was over."""
        looked_at = dict(self._sent)
        statuses = await self._attempts.statuses(list(looked_at))
        same = {id_: sent for id_, sent in looked_at.items() if self._sent.get(id_) is sent}  # others were ordered anew meanwhile
        over = [id_ for id_ in same if statuses.get(id_) not in _WITH_WORKERS]
        if over:
            self._attempts.forget(over)
        for execution_id in over:
            self._over(execution_id)
        now = asyncio.get_running_loop().time()
        if late := {id_: sent for id_, sent in same.items() if statuses.get(id_) is ExecutionStatus.QUEUED and sent.again_at <= now}:
            for too_long in (False, True):  # asked before they are sent: that doubles their patience
                if routes := {id_: sent.route for id_, sent in late.items() if (sent.patience >= MAX_SEND_AGAIN_SECONDS) is too_long}:
                    self._attempts.unclaimed(routes, too_long=too_long)
            self._send(late)
        return bool(over)

    def _over(self, execution_id: str) -> None:
        """Give the room of an execution that was sent away to others."""
        if self._sent.pop(execution_id, None) is not None:
            self.leave(execution_id)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task


def pause_after(number: int) -> float:
    """Return the seconds until the next look, where some of those that were sent have just ended, and so many are left."""
    return min(SHORTEST_LOOK * (1 + number / LOOKED_AT), LONGEST_LOOK)


_WITH_WORKERS = UNFINISHED - {ExecutionStatus.RETRYING}
"""What waits for a retry is given back: whoever leads starts it, under its limits."""


def _close(made: asyncio.Future[Courier]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def _ids(messages: Iterable[Portion]) -> list[str]:
    return [execution_id for portion in messages for execution_id in portion.execution_ids]


def _reason(error: Exception) -> str:
    """Return what an error says, and what led to it: Celery's may say no more than that it failed."""
    cause = str(error.__cause__ or "")
    return str(error) if cause in str(error) else f"{error}: {cause}"


def portions(sent: Mapping[str, Sent]) -> Iterable[Portion]:
    """Put together what travels together: executions of one engine, queue and priority, if all of them are short."""
    together: defaultdict[tuple[object, ...], list[tuple[str, Route]]] = defaultdict(list)
    for execution_id, one in sent.items():
        route = one.route
        is_short = route.seconds is not None and route.seconds <= PORTION_SECONDS
        together[(route.executor, route.queue, route.priority, None if is_short else execution_id)].append((execution_id, route))
    for group in together.values():
        for place in range(0, len(group), IDS_IN_A_MESSAGE):
            part = group[place : place + IDS_IN_A_MESSAGE]
            longest = max((route.seconds for _, route in part), key=lambda seconds: float("inf") if seconds is None else seconds)
            label = part[0][1].label + (f" +{len(part) - 1}" if len(part) > 1 else "")
            yield Portion([execution_id for execution_id, _ in part], part[0][1]._replace(seconds=longest, label=label))
