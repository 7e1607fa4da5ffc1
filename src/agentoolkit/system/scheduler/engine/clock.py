"""The clock: an AsyncIOScheduler that serves as a timer only. It mirrors the next due times of the store.

APScheduler 3.11.3 stops for good when a trigger, a job store or an executor raises inside its round, and takes its
time from ``datetime.now``. So its round is replaced by one that cannot fail and that asks a `TimeSource`. Its state,
jobs, timer and wake-ups are used unchanged.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from apscheduler.executors.base import BaseExecutor  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.job import Job as TimerJob  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.jobstores.base import BaseJobStore  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.schedulers.base import STATE_RUNNING  # pyright: ignore[reportMissingTypeStubs]
from apscheduler.triggers.base import BaseTrigger  # pyright: ignore[reportMissingTypeStubs]

from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS, OnDue
from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)


class RingsOnce(BaseTrigger):
    """The trigger of an alarm. The store knows the time after it; the clock does not."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> None:
        return None


class Alarm(TimerJob):
    """A job's next due time as an APScheduler job. It rings once, and is replaced when the due time is claimed."""

    # Class attributes hold what all alarms share, because every firing creates one.
    _jobstore_alias = "default"
    trigger = RingsOnce()
    func, func_ref, args, kwargs = None, None, (), MappingProxyType[str, Any]({})
    executor, coalesce, misfire_grace_time, max_instances = "default", False, None, 1

    def __init__(self, scheduler: Clock, job_id: str, at: datetime) -> None:
        # Set directly, because APScheduler's checks of callables and arguments cost more than everything else here.
        self._scheduler = scheduler
        self.id = self.name = job_id
        self.next_run_time = at


class AlarmStore(BaseJobStore):
    """The alarms by instant: many often share one, as crontabs share a full minute.

    A replaced alarm stays in the list of its instant until that comes, and is then skipped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._alarms: dict[str, Alarm] = {}
        self._at: dict[datetime, list[Alarm]] = {}
        self._instants: list[datetime] = []

    def take_due(self, now: datetime) -> dict[str, datetime]:
        """Remove the due alarms. Return their instants by job id, the earliest first."""
        due: dict[str, datetime] = {}
        while self._instants and self._instants[0] <= now:
            at = heapq.heappop(self._instants)
            for alarm in self._at.pop(at):
                if self._rings(alarm, at):
                    del self._alarms[alarm.id]
                    due[alarm.id] = at
        return due

    def set(self, alarm: Alarm) -> None:
        self._alarms[alarm.id] = alarm
        at = alarm.next_run_time
        if (alarms := self._at.get(at)) is None:
            alarms = self._at[at] = []
            heapq.heappush(self._instants, at)
        alarms.append(alarm)

    def unset(self, job_id: str) -> None:
        self._alarms.pop(job_id, None)

    def get_next_run_time(self) -> datetime | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        while self._instants:
            first = self._instants[0]
            alarms = self._at[first]
            while alarms and not self._rings(alarms[-1], first):
                alarms.pop()
            if alarms:
                return first
            del self._at[heapq.heappop(self._instants)]
        return None

    def _rings(self, alarm: Alarm, at: datetime) -> bool:
        return self._alarms.get(alarm.id) is alarm and alarm.next_run_time == at

    # The rest of APScheduler's interface of a job store.

    def lookup_job(self, job_id: str) -> Alarm | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._alarms.get(job_id)

    def get_due_jobs(self, now: datetime) -> list[Alarm]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return [alarm for alarm in self.get_all_jobs() if alarm.next_run_time <= now]

    def get_all_jobs(self) -> list[Alarm]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return sorted(self._alarms.values(), key=lambda alarm: alarm.next_run_time)

    def add_job(self, job: Alarm) -> None:
        self.set(job)

    def update_job(self, job: Alarm) -> None:
        self.set(job)

    def remove_job(self, job_id: str) -> None:
        self.unset(job_id)

    def remove_all_jobs(self) -> None:
        self._alarms.clear()
        self._at.clear()
        self._instants.clear()


class NoExecutor(BaseExecutor):
    """The executor that APScheduler requires. It is never called: alarms ring, and `ports.Executor` runs executions."""

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        raise NotImplementedError("alarms are rung, not submitted")


class Clock(AsyncIOScheduler):
    """Rings when jobs are due.

    Args:
        time: The time source.
        on_due: See `clock_interface.OnDue`. Called on the event loop.
    """

    def __init__(self, time: TimeSource, on_due: OnDue | None = None) -> None:
        self._time = time
        self.on_due = on_due
        self._alarms = AlarmStore()
        self._timer: Cancellable | None = None
        self._expected: datetime | None = None
        """Time at which the timer rings."""
        self._rings_at: datetime | None = None
        """Latest time of the next round; None if unknown."""
        self.delay = 0.0
        """Seconds by which the last ring was late, because other tasks blocked the event loop."""
        super().__init__(timezone=UTC, jobstores={"default": self._alarms}, executors={"default": NoExecutor()})  # pyright: ignore[reportUnknownMemberType]

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Set, move or, with None, remove a job's alarm."""
        if at is None:
            self._alarms.unset(job_id)
            return
        self._alarms.set(Alarm(self, job_id, at))
        if (self._rings_at is None or at < self._rings_at) and self.running:
            wait = (at - self._time.now()).total_seconds()
            if wait > 0:
                self._start_timer(wait)
            else:  # at once, without a timer: the time source of a test may stand still
                self._rings_at = at
                self.wakeup()

    def has_alarm(self, job_id: str) -> bool:
        """Tell whether an alarm is set for this id."""
        return self._alarms.lookup_job(job_id) is not None

    def clear(self) -> None:
        """Remove every alarm."""
        self._alarms.remove_all_jobs()

    def _process_jobs(self) -> float | None:
        """Ring the due alarms. Return the seconds until the next round, or None to wait for a wake-up."""
        if self.state != STATE_RUNNING:
            return None
        try:
            now = self._time.now()
            expected, self._expected, self._rings_at = self._expected, None, None
            if expected is not None and now >= expected:
                self.delay = (now - expected).total_seconds()
            if (due := self._alarms.take_due(now)) and self.on_due is not None:
                self.on_due(due)
            upcoming = self._alarms.get_next_run_time()
        except Exception:
            logger.exception("The clock's round failed; trying again in %s s", RETRY_SECONDS)
            return RETRY_SECONDS
        return None if upcoming is None else max((upcoming - now).total_seconds(), 0.0)

    def _start_timer(self, wait_seconds: float | None) -> None:
        self._stop_timer()
        longest = self._time.longest_sleep
        if wait_seconds is None or (longest is not None and longest < wait_seconds):
            wait_seconds = longest
        if wait_seconds is not None and self.running:
            self._expected = self._rings_at = self._time.now() + timedelta(seconds=wait_seconds)
            # `wakeup` would go through the loop's queue for other threads: one more system call and turn of the loop.
            self._timer = self._time.call_later(wait_seconds, lambda: self._start_timer(self._process_jobs()))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
