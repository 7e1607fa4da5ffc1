"""Counts the runs that callers ask for, beside those of schedules, and refuses too many in a day."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from agentool.caller import get_caller
from agentoolkit.system.scheduler.errors import LimitExceeded
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.search import Search
from agentoolkit.time_source import TimeSource

_TRIGGERS = ("requested", "run_now", "backfill")
_DAY = timedelta(days=1)


class AskedRuns:
    """The runs that each owner has asked for within a day.

    Histories keep only the newest runs of each job, so this process remembers its own; histories tell of other processes.

    Args:
        store: The store of histories.
        time: The time source.
        most: Maximum number of one owner's runs in a day.
    """

    def __init__(self, store: JobStore, time: TimeSource, most: int) -> None:
        self._store = store
        self._time = time
        self._most = most
        self._asked: dict[str, deque[datetime]] = {}
        """Times of the runs by owner, the oldest first; at most `most` of each."""

    async def count(self, number: int = 1) -> None:
        """Count further runs of the caller; those of an administrator are not counted.

        Raises:
            LimitExceeded: They would be more than an owner may ask for in a day. None of them is counted.
        """
        caller = get_caller()
        if caller.is_admin or number == 0:
            return
        kept = await self._kept(caller.name)
        now = self._time.now()
        asked = self._asked.setdefault(caller.name, deque())
        while asked and asked[0] <= now - _DAY:
            asked.popleft()
        if max(kept, len(asked)) + number > self._most:
            problem = f"{caller.name!r} may ask for {self._most} runs in a day, as many as one owner's jobs may have."
            raise LimitExceeded(problem, field="job_id", remedy="Wait, or ask an administrator.")
        asked.extend([now] * number)

    async def _kept(self, owner: str) -> int:
        """Return the number of the owner's runs in a day that histories have kept."""
        asked = Search("executions", owner=owner).with_term("trigger", *_TRIGGERS)
        today = asked.with_term("since", self._time.now() - _DAY)
        page = await self._store.search_executions(today, self._most, with_results=False)
        number = len(page.executions)
        while number < self._most and page.following is not None:
            page = await self._store.search_executions(today, self._most - number, page.following, with_results=False)
            number += len(page.executions)
        return number
