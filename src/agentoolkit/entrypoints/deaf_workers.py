"""A worker of Celery that takes nothing though messages wait: it ends, so that whoever started it starts it again.

Its connection may look well and bring nothing, after Redis was away (Celery's issues 8091 and 10205).
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
"""In a row, from the first of which on nothing was taken."""
END_SECONDS = 20.0
"""Within which a worker ends that was told to. One whose own loop hangs does not hear it."""
FAILED = 70
"""The code that Celery's workers end with after a failure: EX_SOFTWARE of BSD's sysexits.h."""


class Look(NamedTuple):
    """What is seen of a worker at one moment."""

    waiting: int
    """Messages in the queues that it takes from."""
    in_hand: bool
    """Does it have messages that are not done?"""
    taken: int
    """How many it has begun since its start."""


def is_deaf(looks: deque[Look]) -> bool:
    """Did messages wait each time, while this worker had none and took none?"""
    idle = all(look.waiting > 0 and not look.in_hand for look in looks)
    return len(looks) == LOOKS and idle and looks[0].taken == looks[-1].taken


class EndsWhenDeaf(bootsteps.StartStopStep):
    """The part of a worker that looks, in a thread of its own, whether it is deaf."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: object) -> None:
        super().__init__(worker)
        self._over = Event()

    def start(self, parent: Any) -> None:
        """Begin to look."""
        Thread(target=self._watch, args=(parent,), name="agentool-deaf-workers", daemon=True).start()

    def stop(self, parent: Any) -> None:
        """Look no more: the worker ends."""
        self._over.set()

    terminate = stop

    def _watch(self, worker: Any) -> None:
        while not self._over.is_set():
            # A broker that is away is told of by Celery. Without a heartbeat, which nobody would send between two looks.
            with suppress(Exception), worker.app.connection_for_read(heartbeat=0) as connection:
                self._look_again_and_again(worker, connection)

    def _look_again_and_again(self, worker: Any, connection: Any) -> None:
        looks = deque[Look](maxlen=LOOKS)
        while not self._over.wait(LOOK_SECONDS):
            looks.append(look_at(worker, connection))
            if is_deaf(looks):
                self._end(looks[-1].waiting)

    def _end(self, waiting: int) -> None:
        """End the worker with a code that says that it failed."""
        logger.critical("Messages wait (%d), and this worker has taken none for %g s: it ends", waiting, LOOK_SECONDS * (LOOKS - 1))
        state.should_stop = FAILED  # pyright: ignore[reportAttributeAccessIssue]  Celery asks for it in its loop
        if not self._over.wait(END_SECONDS):
            os._exit(FAILED)


def look_at(worker: Any, connection: Any) -> Look:
    """Look at a worker, and ask its broker what waits for it. Raises what the broker's client raises."""
    buckets = worker.consumer.task_buckets.values()  # of tasks whose rate is limited
    in_hand = bool(state.reserved_requests) or any(bucket is not None and bucket.contents for bucket in buckets)
    waiting = sum(_count(connection, name) for name in tuple(worker.app.amqp.queues.consume_from))
    return Look(waiting, in_hand, state.all_total_count[0])


def _count(connection: Any, name: str) -> int:
    """Count what waits in a queue. One that is empty may not be there."""
    try:
        with connection.channel() as channel:
            return channel.queue_declare(name, passive=True).message_count
    except ChannelError:
        return 0
