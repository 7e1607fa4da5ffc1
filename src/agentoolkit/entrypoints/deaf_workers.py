"""End a worker of Celery that receives nothing though messages wait, so that its supervisor restarts it.

After Redis was away, the worker's connection may be open but deliver nothing (Celery's issues 8091 and 10205).
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import suppress
from threading import Event, Thread
from typing import Any, NamedTuple

from celery import bootsteps
from celery.worker import state
from kombu.exceptions import ChannelError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
LOOKS = 4
"""Looks in a row without a received message after which a worker counts as deaf."""
END_SECONDS = 20.0
"""Time for a worker to end by itself. If its own loop hangs, it is killed then."""
FAILED = 70
"""Exit code of Celery's workers after a failure: EX_SOFTWARE of BSD's sysexits.h."""


class Look(NamedTuple):
    """The state of a worker at one moment."""

    waiting: int
    """Messages in its queues."""
    in_hand: bool
    """Whether it has received messages that are not done."""
    taken: int
    """Messages begun since its start."""


def is_deaf(looks: deque[Look]) -> bool:
    """Tell whether messages waited at every look, while the worker had none and began none."""
    idle = all(look.waiting > 0 and not look.in_hand for look in looks)
    return len(looks) == LOOKS and idle and looks[0].taken == looks[-1].taken


class EndsWhenDeaf(bootsteps.StartStopStep):
    """A step of a worker that checks in a thread whether the worker is deaf."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: object) -> None:
        super().__init__(worker)
        self._over = Event()

    def start(self, parent: Any) -> None:
        """Start the thread."""
        Thread(target=self._watch, args=(parent,), name="agentool-deaf-workers", daemon=True).start()

    def stop(self, parent: Any) -> None:
        """Stop the thread, because the worker ends."""
        self._over.set()

    terminate = stop

    def _watch(self, worker: Any) -> None:
        while not self._over.is_set():
            looks = deque[Look](maxlen=LOOKS)
            # Errors are suppressed: Celery reports a broker that is away. No heartbeat, which nothing would send between two looks.
            with suppress(Exception), worker.app.connection_for_read(heartbeat=0) as connection:
                while not self._over.wait(LOOK_SECONDS):
                    looks.append(look_at(worker, connection))
                    if is_deaf(looks):
                        self._end(looks[-1].waiting)

    def _end(self, waiting: int) -> None:
        """End the worker with the exit code of a failure."""
        logger.critical("Messages wait (%d), and this worker has taken none for %g s: it ends", waiting, LOOK_SECONDS * (LOOKS - 1))
        state.should_stop = FAILED  # pyright: ignore[reportAttributeAccessIssue]  Celery's loop reads it
        if not self._over.wait(END_SECONDS):
            os._exit(FAILED)


def look_at(worker: Any, connection: Any) -> Look:
    """Read a worker's state, and ask its broker for waiting messages. Raises the errors of the broker's client."""
    buckets = worker.consumer.task_buckets.values()  # they hold messages of tasks with a rate limit
    in_hand = bool(state.reserved_requests) or any(bucket is not None and bucket.contents for bucket in buckets)
    waiting = sum(_count(connection, name) for name in tuple(worker.app.amqp.queues.consume_from))
    return Look(waiting, in_hand, state.all_total_count[0])


def _count(connection: Any, name: str) -> int:
    """Count the messages in a queue. An empty queue may not exist."""
    try:
        with connection.channel() as channel:
            return channel.queue_declare(name, passive=True).message_count
    except ChannelError:
        return 0
