"""Handlers that run now, why one was told to stop, and the one timer that watches all of their deadlines."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from agentoolkit.system.scheduler.jobs import Execution, Gate, Work
from agentoolkit.time_source import Cancellable, TimeSource


class Interrupted(asyncio.CancelledError):
    """The scheduler stopped while the handler ran."""


class ActiveExecution:
    """An attempt, from before it is written down as begun until its end is."""

    __slots__ = ("began", "cancel_reason", "ended", "execution", "given_up", "hard_deadline", "timed_out", "timeout", "work")

    def __init__(self, work: Work, execution: Execution, timeout: float | None) -> None:
        self.work = work
        self.execution = execution
        self.timeout = timeout
        self.began: float | None = None
        """When its handler was called, by the monotonic clock, as every deadline is."""
        self.hard_deadline: float | None = None
        self.cancel_reason = ""
        self.timed_out = False
        self.ended = False
        self.given_up = False

    @property
    def gate(self) -> Gate | None:
        """What is asked whether the handler is called; None also where a person said so."""
        return None if self.execution.trigger == "run_now" else self.work.policies.gate

    @property
    def runs(self) -> bool:
        """Is its handler at work?"""
        return self.began is not None and not self.ended

    @property
    def deadline(self) -> float | None:
        """When its time is up: first to be cancelled, then to be given up; None: never."""
        if self.began is None or self.ended or self.given_up or self.timeout is None:
            return None
        return self.hard_deadline or self.began + self.timeout


class ActiveExecutions:
    """The attempts under way in this process. A timer for each of them would cost more than most of them take.

    Args:
        time: Where the time comes from.
        expired: Called with a handler whose deadline has passed, which has none then.
    """

    def __init__(self, time: TimeSource, expired: Callable[[ActiveExecution], None]) -> None:
        self._time = time
        self._expired = expired
        self._members: dict[str, ActiveExecution] = {}
        self._timer: Cancellable | None = None
        self._reach = math.inf
        """Seconds that lay between the timer's setting and its ring: whatever has as long a timeout need not set it."""

    def add(self, underway: ActiveExecution) -> None:
        self._members[underway.execution.execution_id] = underway

    def watch(self, underway: ActiveExecution) -> None:
        """A handler is called: from now on its time runs."""
        underway.began = self._time.monotonic()
        if underway.timeout is not None and underway.timeout < self._reach:
            self._set_timer(underway.timeout)

    def remove(self, underway: ActiveExecution) -> None:
        if self._members.get(underway.execution.execution_id) is underway:
            del self._members[underway.execution.execution_id]

    def close(self) -> None:
        """Let the timer go; until then it stays set, also for handlers that end long before it rings."""
        self._set_timer(None)

    def get(self, execution_id: str) -> ActiveExecution | None:
        return self._members.get(execution_id)

    def of_job(self, job_id: str) -> list[str]:
        """Return the ids of a job's executions."""
        return [id_ for id_, underway in self._members.items() if underway.execution.job_id == job_id]

    def extend(self, underway: ActiveExecution, seconds: float) -> None:
        """Give a handler that was cancelled so long to end."""
        underway.hard_deadline = self._time.monotonic() + seconds

    def _ring(self) -> None:
        self._set_timer(None)
        now = self._time.monotonic()
        for underway in list(self._members.values()):
            if underway.deadline is not None and underway.deadline <= now:
                self._expired(underway)
        if deadlines := [underway.deadline for underway in self._members.values() if underway.deadline is not None]:
            self._set_timer(min(deadlines) - now)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._reach = None, math.inf
        if seconds is not None:
            self._timer, self._reach = self._time.call_later(seconds, self._ring), seconds
