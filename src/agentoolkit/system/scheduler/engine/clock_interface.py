"""The interface of an engine's clock, and the clock of a visitor, which is created when its first alarm is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from agentoolkit.time_source import TimeSource

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.engine.clock import Clock

RETRY_SECONDS = 1.0
"""Seconds that the clock waits after a failed round."""

OnDue = Callable[[Mapping[str, datetime]], None]
"""Called with the due ids and their instants. It must set the next alarm of each."""


class Alarms(Protocol):
    """Rings when jobs and retries are due. See `clock.Clock`."""

    on_due: OnDue | None
    delay: float
    state: int

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def shutdown(self, wait: bool = True) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def clear(self) -> None: ...

    def set_alarm(self, job_id: str, at: datetime | None) -> None: ...

    def has_alarm(self, job_id: str) -> bool: ...


class VisitorsAlarms:
    """The alarms of a process that never leads: only retries of executions that it ran itself.

    APScheduler is imported with the first alarm: its import takes longer than a command that lists jobs.

    Args:
        time: The time source.
    """

    delay = 0.0
    state = 0

    def __init__(self, time: TimeSource) -> None:
        self._time = time
        self._clock: Clock | None = None
        self.on_due: OnDue | None = None
        self.running = False

    def start(self) -> None:
        self.running = True

    def shutdown(self, wait: bool = True) -> None:
        self.running = False
        if self._clock is not None:
            self._clock.shutdown(wait)

    def pause(self) -> None:
        """Do nothing: a visitor claims no due times."""

    def resume(self) -> None:
        """Do nothing, as `pause`."""

    def clear(self) -> None:
        if self._clock is not None:
            self._clock.clear()

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        if self._clock is None and at is not None and self.running:
            from agentoolkit.system.scheduler.engine.clock import Clock

            self._clock = Clock(self._time, self.on_due)
            self._clock.start()
        if self._clock is not None:
            self._clock.set_alarm(job_id, at)

    def has_alarm(self, job_id: str) -> bool:
        return self._clock is not None and self._clock.has_alarm(job_id)


def alarms_of(time: TimeSource, *, may_lead: bool) -> Alarms:
    """Return the clock of a process that may lead, or else the alarms of a visitor."""
    if not may_lead:
        return VisitorsAlarms(time)
    from agentoolkit.system.scheduler.engine.clock import Clock

    return Clock(time)
