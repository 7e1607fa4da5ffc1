"""What the scheduler tells whoever listens. Hints only: the store is the record, and losing an event loses no work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import iscoroutine, iscoroutinefunction
from typing import Literal, NamedTuple, TypeVar

from agentool.errors import ConfigurationError
from agentoolkit.interrupts import is_interrupt, raise_from_loop
from agentoolkit.listeners import check_listener
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job

logger = logging.getLogger(__name__)

T = TypeVar("T")

EventType = Literal[
    "scheduler.task.scheduled",
    "scheduler.task.started",
    "scheduler.task.success",
    "scheduler.task.failure",
    "scheduler.task.retry",
    "scheduler.task.cancelled",
    "scheduler.task.missed",
    "scheduler.task.skipped",
]
"""The names of *Nagatha Assistant Task Scheduler*, "Event Types", and ours for outcomes it does not know."""

_OUTCOMES: dict[ExecutionStatus, EventType] = {
    ExecutionStatus.SUCCESS: "scheduler.task.success",
    ExecutionStatus.FAILED: "scheduler.task.failure",
    ExecutionStatus.LOST: "scheduler.task.failure",
    ExecutionStatus.RETRYING: "scheduler.task.retry",
    ExecutionStatus.CANCELLED: "scheduler.task.cancelled",
    ExecutionStatus.MISSED: "scheduler.task.missed",
    ExecutionStatus.SKIPPED: "scheduler.task.skipped",
    ExecutionStatus.RUNNING: "scheduler.task.started",
}


class Event(NamedTuple):
    """Something that happened to a job or to one of its executions."""

    type: EventType
    job_id: str
    job: Job | None = None
    execution: Execution | None = None
    owner: str = ""
    """Whose job it is, where that is known."""
    elsewhere: bool = False
    """Did another process carry it out? That one has told its own listeners, and the event bus."""


_event = maker_of(Event)  # two for each firing

Listener = Callable[[Event], None]
PortionListener = Callable[[Sequence[Event]], None]


class EventPublisher:
    """Calls every listener with every event, at once and in order, one listener after the other.

    What begins or ends at one moment is told together: one listener hears all of it before the next does. A listener that raises is
    logged and kept.
    """

    def __init__(self) -> None:
        self._listeners: tuple[PortionListener, ...] = ()
        self.is_heard = False
        """Does anybody listen?"""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the answer removes it again, and may be called twice.

        Raises:
            ConfigurationError: It cannot be called with an event, or is asynchronous: nobody would wait for it.
        """
        _check(listener)
        subscribed = [listener]
        leave = self.subscribe_to_portions(partial(_tell_each, subscribed))

        def unsubscribe() -> None:
            subscribed.clear()
            leave()

        return unsubscribe

    def subscribe_to_portions(self, listener: PortionListener) -> Callable[[], None]:
        """Add a listener that is called with all events of one moment together; the answer is that of `subscribe`.

        A hundred executions that begin at once are one call: for those who listen always and seldom want anything. Where it raises,
        the rest of that moment is not told to it. Raises as `subscribe`.
        """
        _check(listener)
        subscribed = [listener]
        self._listeners, self.is_heard = (*self._listeners, listener), True

        def unsubscribe() -> None:
            if subscribed:
                left = list(self._listeners)
                left.remove(subscribed.pop())
                self._listeners, self.is_heard = tuple(left), bool(left)

        return unsubscribe

    def scheduled(self, job: Job) -> None:
        self._tell(Event("scheduler.task.scheduled", job.job_id, job=job, owner=job.owner))

    def cancelled(self, job: Job) -> None:
        self._tell(Event("scheduler.task.cancelled", job.job_id, job=job, owner=job.owner))

    def execution_changed(self, execution: Execution, owner: str = "") -> None:
        """Tell how an execution stands now, and whose job it belongs to, where that is known."""
        self.executions_changed([(execution, owner)])

    def executions_changed(self, changed: Iterable[tuple[Execution, str]], *, elsewhere: bool = False) -> None:
        """Tell how executions stand now that changed together, each with the owner of its job."""
        if self.is_heard:
            self._tell(*[_event((_OUTCOMES[one.status], one.job_id, None, one, owner, elsewhere)) for one, owner in changed])

    def _tell(self, *events: Event) -> None:
        for listener in self._listeners if events else ():
            if listener in self._listeners:  # one before it may have removed it
                _call(listener, events, events[0])


def _check(listener: Callable[..., object]) -> None:
    check_listener(listener)
    if iscoroutinefunction(listener) or iscoroutinefunction(getattr(listener, "__call__", None)):  # noqa: B004  its own method
        problem = f"{getattr(listener, '__name__', listener)!r} is asynchronous, and a listener is called and not awaited."
        raise ConfigurationError(problem, field="listener", remedy="Give a function that starts a task of its own.")


def _tell_each(subscribed: Sequence[Listener], events: Sequence[Event]) -> None:
    for event in events:
        for listener in subscribed:  # none any more, once it has left on one of these events
            _call(listener, event, event)


def _call(listener: Callable[[T], None], told: T, event: Event) -> None:
    try:
        answer: object = listener(told)
    except BaseException as error:  # also what means to end somebody: a listener ends neither the clock nor what runs
        if is_interrupt(error):
            raise_from_loop(error)
        logger.exception("A listener failed on %s", event.type)
    else:
        if answer is not None and iscoroutine(answer):
            answer.close()
            logger.error("A listener returned a coroutine on %s, for which nobody waits", event.type)
