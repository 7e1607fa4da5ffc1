"""Handlers that run now, why one was told to stop, and the one timer that watches all of their deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agentoolkit.system.scheduler.jobs import Execution, Work
from agentoolkit.time_source import Cancellable, TimeSource


class Underway:
    """A handler that runs."""

    __slots__ = ("cancel_reason", "deadline", "execution", "given_up", "task", "timed_out", "timeout", "work")

    def __init__(self, work: Work, execution: Execution, task: asyncio.Task[Any], timeout: float | None) -> None:
        self.work = work
        self.execution = execution
        self.task = task
        self.timeout = timeout
        self.deadline: datetime | None = None
        self.cancel_reason = ""
        self.timed_out = False
        self.given_up = False


class UnderwaySet:
    """The handlers that run in this process. A timer for each of them would cost more than most of them take.

    Args:
        time: Where the time comes from.
        expired: Called with a handler whose deadline has passed, which has none then.
    """

    def __init__(self, time: TimeSource, expired: Callable[[Underway], None]) -> None:
        self._time = time
        self._expired = expired
        self._members: dict[str, Underway] = {}
        self._timer: Cancellable | None = None
        self._rings_at: datetime | None = None

    def add(self, underway: Underway) -> None:
        self._members[underway.execution.execution_id] = underway

    def remove(self, underway: Underway) -> None:
        self._members.pop(underway.execution.execution_id, None)

    def close(self) -> None:
        """Let the timer go; until then it stays set, also for handlers that end long before it rings."""
        self._set_timer(None)

    def get(self, execution_id: str) -> Underway | None:
        return self._members.get(execution_id)

    def of_job(self, job_id: str) -> list[str]:
        """Return the ids of a job's executions."""
        return [id_ for id_, underway in self._members.items() if underway.execution.job_id == job_id]

    def expect(self, underway: Underway, deadline: datetime) -> None:
        """Set when a handler's time is up."""
        underway.deadline = deadline
        if self._rings_at is None or deadline < self._rings_at:
            self._set_timer(deadline)

    def _ring(self) -> None:
        self._timer = self._rings_at = None
        now = self._time.now()
        for underway in list(self._members.values()):
            if underway.deadline is not None and underway.deadline <= now:
                underway.deadline = None
                self._expired(underway)
        deadlines = [underway.deadline for underway in self._members.values() if underway.deadline is not None]
        self._set_timer(min(deadlines, default=None))

    def _set_timer(self, at: datetime | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = None, at
        if at is not None:
            self._timer = self._time.call_later((at - self._time.now()).total_seconds(), self._ring)
