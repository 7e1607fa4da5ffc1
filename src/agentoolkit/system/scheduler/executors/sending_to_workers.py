"""Sends execution ids to workers in messages, and reads from the store when they are finished."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentoolkit.failure_log import log_again
from agentoolkit.system.scheduler.execution_records import UNFINISHED, ExecutionStatus
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.jobs import ExecutorName, Priority
from agentoolkit.system.scheduler.ports import Attempts, Courier, Limit, Order, Portion, Route

logger = logging.getLogger(__name__)

IDS_IN_A_MESSAGE = 50
MESSAGES_AT_ONCE = 50
"""Messages that are given to an engine's client together."""
PORTION_SECONDS = 30.0
"""Executions with a longer timeout are sent alone, because a worker keeps a message until all its executions end."""
SEND_AGAIN_SECONDS = 30.0
"""Seconds after which an execution that no worker has begun is sent again, as its message may be lost; doubled up to an hour."""
MAX_SEND_AGAIN_SECONDS = 3_600.0
FAILED_SEND_SECONDS = 1.0
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 0.5
"""Seconds between two reads of the store. It is read often while executions end."""
LOOKED_AT = 200
"""The shortest pause grows by its own length for each 200 executions at workers: a read costs as much as it reads."""


@dataclass(slots=True)
class Sent:
    """An execution that was sent to workers."""

    route: Route
    again_at: float = 0.0
    """Time at which it is sent again if no worker has begun it, by the event loop's clock."""
    patience: float = field(default_factory=lambda: SEND_AGAIN_SECONDS)
    is_on_its_way: bool = False
    """True until its message is handed to the engine."""


class RemoteExecutor(LocalExecutor):
    """Runs local executions here and sends the others to workers. Limits and keys count both together.

    Args:
        attempts: Runs local executions, and knows the statuses of the others.
        concurrency: Maximum number of executions that run here.
        couriers: Functions that create the courier of each engine, at its first use.
        sent_at_once: Maximum number of executions at the workers of one engine, waiting or running. The others wait here.
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
        """See `ports.Executor.submit`. An execution that is submitted again has lost its worker."""
        self._over(order.execution_id)
        executor = order.route.executor
        room = Limit(f"executor:{executor}", self._capacity[executor], waits=not order.at_once)
        super().submit(order._replace(limits=(*order.limits, room)))

    def reserve(self, order: Order) -> bool:
        """See `ports.Executor.reserve`. A process that sends to workers reserves nothing."""
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
        """See `ports.Executor.abandon`. The execution is not sent again."""
        super().abandon(execution_id)
        self._over(execution_id)

    async def drain(self, seconds: float, grace: float) -> None:
        """See `ports.Executor.drain`. Executions at workers continue there."""
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
        for (name, _, _), messages in queues.items():  # a task each: a queue that its engine refuses must not delay the others
            self._own(self._bring(name, messages))

    async def _bring(self, name: ExecutorName, messages: Sequence[Portion]) -> None:
        """Send the messages of one queue to an engine in batches, so that its workers can begin with the first."""
        begin = 0
        try:
            courier = await self._courier(name)
            for begin in range(0, len(messages), MESSAGES_AT_ONCE):
                if wanted := list(self._still_wanted(messages[begin : begin + MESSAGES_AT_ONCE])):
                    await courier.send(wanted)
        except Exception as error:
            unsent = _ids(self._still_wanted(messages[begin:]))
            log_again(logger, "%d executions were not sent to the workers of %s, and are sent again: %s", len(unsent), name, _reason(error))
            soon = asyncio.get_running_loop().time() + FAILED_SEND_SECONDS
            for execution_id in unsent:
                if (sent := self._sent.get(execution_id)) is not None:
                    sent.again_at, sent.patience = soon, SEND_AGAIN_SECONDS
        for execution_id in _ids(messages):
            if (sent := self._sent.get(execution_id)) is not None:
                sent.is_on_its_way = False

    def _still_wanted(self, messages: Iterable[Portion]) -> Iterator[Portion]:
        """Leave out executions that were abandoned while other messages were sent."""
        for portion in messages:
            if wanted := [execution_id for execution_id in portion.execution_ids if execution_id in self._sent]:
                yield portion._replace(execution_ids=wanted)

    async def _courier(self, name: ExecutorName) -> Courier:
        """Return the courier of an engine. It is created at its first use, in a thread, because the import takes long."""
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(asyncio.to_thread(self._couriers[name]))
        try:
            return await asyncio.shield(self._made[name])
        except Exception:
            self._made.pop(name, None)
            raise

    async def _watch(self) -> None:
        """Read the store until no execution is at the workers any more."""
        pause = SHORTEST_LOOK
        try:
            while self._sent:
                await asyncio.sleep(pause)
                try:
                    some_over = await self._look()
                except Exception as error:
                    log_again(logger, "Reading the statuses of executions at workers failed; trying again: %s", error)
                    pause = LONGEST_LOOK
                else:
                    pause = pause_after(len(self._sent)) if some_over else min(pause * 2, LONGEST_LOOK)
        finally:
            self._watching = None

    async def _look(self) -> bool:
        """Forget finished executions and send late ones again. Return True if any was finished."""
        looked_at = dict(self._sent)
        statuses = await self._attempts.statuses(list(looked_at))
        same = {id_: sent for id_, sent in looked_at.items() if self._sent.get(id_) is sent}  # the others were submitted again meanwhile
        over = [id_ for id_ in same if statuses.get(id_) not in _WITH_WORKERS]
        if over:
            self._attempts.forget(over)
        for execution_id in over:
            self._over(execution_id)
        now = asyncio.get_running_loop().time()
        if late := {id_: sent for id_, sent in same.items() if statuses.get(id_) is ExecutionStatus.QUEUED and sent.again_at <= now}:
            for too_long in (False, True):  # before `_send`, which doubles their patience
                if routes := {id_: sent.route for id_, sent in late.items() if (sent.patience >= MAX_SEND_AGAIN_SECONDS) is too_long}:
                    self._attempts.unclaimed(routes, too_long=too_long)
            self._send(late)
        return bool(over)

    def _over(self, execution_id: str) -> None:
        """Free the room of an execution that was sent to workers."""
        if self._sent.pop(execution_id, None) is not None:
            self.leave(execution_id)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task


def pause_after(number: int) -> float:
    """Return the seconds until the next read, after some executions have ended and `number` are left at workers."""
    return min(SHORTEST_LOOK * (1 + number / LOOKED_AT), LONGEST_LOOK)


_WITH_WORKERS = UNFINISHED - {ExecutionStatus.RETRYING}
"""Statuses of executions at workers. One that waits for a retry is released: the leader starts it, under its limits."""


def _close(made: asyncio.Future[Courier]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def _ids(messages: Iterable[Portion]) -> list[str]:
    return [execution_id for portion in messages for execution_id in portion.execution_ids]


def _reason(error: Exception) -> str:
    """Return the text of an error and its cause: Celery's errors may say only that sending failed."""
    cause = str(error.__cause__ or "")
    return str(error) if cause in str(error) else f"{error}: {cause}"


def portions(sent: Mapping[str, Sent]) -> Iterable[Portion]:
    """Group executions into messages: those of one engine, queue and priority together, if their timeouts are short."""
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
