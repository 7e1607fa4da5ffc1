"""Publishes events of jobs and executions to listeners. They are hints: the store has the records, and a lost event loses no work."""

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
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job

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
"""The names of *Nagatha Assistant Task Scheduler*, "Event Types", and ours for further outcomes."""

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
    """A change of a job or of one of its executions."""

    type: EventType
    job_id: str
    job: Job | None = None
    execution: Execution | None = None
    owner: str = ""
    """The job's owner, if known."""
    elsewhere: bool = False
    """True if another process ran it, and published it to its own listeners and the event bus."""


_event = maker_of(Event)  # two for each firing

Listener = Callable[[Event], None]
PortionListener = Callable[[Sequence[Event]], None]


class EventPublisher:
    """Calls every listener with every event, at once and in order.

    Events of one moment are published together: a listener gets all of them before the next listener does. If a listener
    raises, that is logged, and the listener is kept.
    """

    def __init__(self) -> None:
        self._listeners: tuple[PortionListener, ...] = ()
        self.is_heard = False
        """True if there is a listener."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener. Return a function that removes it, which may be called twice.

        Raises:
            ConfigurationError: It cannot be called with an event, or is asynchronous: it would never be awaited.
        """
        _check(listener)
        subscribed = [listener]
        leave = self.subscribe_to_portions(partial(_tell_each, subscribed))

        def unsubscribe() -> None:
            subscribed.clear()
            leave()

        return unsubscribe

    def subscribe_to_portions(self, listener: PortionListener) -> Callable[[], None]:
        """Add a listener that gets all events of one moment in one call. Return and raise as `subscribe`.

        A hundred executions that begin together are one call, which suits permanent listeners that need few events. If it
        raises, it does not get the other events of that moment.
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
        """Publish an execution's new status, with the job's owner if known."""
        self.executions_changed([(execution, owner)])

    def executions_changed(self, changed: Iterable[tuple[Execution, str]], *, elsewhere: bool = False) -> None:
        """Publish executions that changed together, each with the owner of its job."""
        if self.is_heard:
            self._tell(*[_event((_OUTCOMES[one.status], one.job_id, None, one, owner, elsewhere)) for one, owner in changed])

    def _tell(self, *events: Event) -> None:
        for listener in self._listeners if events else ():
            if listener in self._listeners:  # an earlier listener may have removed it
                _call(listener, events, events[0])


def _check(listener: Callable[..., object]) -> None:
    check_listener(listener)
    if iscoroutinefunction(listener) or iscoroutinefunction(getattr(listener, "__call__", None)):  # noqa: B004  its own method
        problem = f"{getattr(listener, '__name__', listener)!r} is asynchronous, and a listener is called and not awaited."
        raise ConfigurationError(problem, field="listener", remedy="Give a function that starts a task of its own.")


def _tell_each(subscribed: Sequence[Listener], events: Sequence[Event]) -> None:
    for event in events:
        for listener in subscribed:  # empty once it has unsubscribed during one of these events
            _call(listener, event, event)


def _call(listener: Callable[[T], None], argument: T, event: Event) -> None:
    try:
        answer: object = listener(argument)
    except BaseException as error:  # even SystemExit: a listener must stop neither the clock nor running handlers
        if is_interrupt(error):
            raise_from_loop(error)
        logger.exception("A listener failed on %s", event.type)
    else:
        if answer is not None and iscoroutine(answer):
            answer.close()
            logger.error("A listener returned a coroutine on %s, which is never awaited", event.type)
