"""What this process hears of executions that others carry out: that none has begun them, how they ended, and how late they were."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.failure_log import log_failure
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unclaimed import UnclaimedExecutions
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Route

logger = logging.getLogger(__name__)

MEASURED = 1_000
"""Starts whose lateness is remembered."""


class Lateness:
    """Seconds between due time and start, of the last executions, wherever they ran."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=MEASURED)

    def note(self, execution: Execution) -> None:
        """Remember how late an execution began, if a schedule asked for it."""
        if execution.started_at is not None and execution.trigger == "schedule" and execution.attempt == 1:
            self._seconds.append((execution.started_at - execution.scheduled_at).total_seconds())

    @property
    def worst(self) -> float | None:
        """The longest of the last hundred; None without any."""
        return max(islice(reversed(self._seconds), 100), default=None)

    def of(self, share: float) -> float | None:
        """Return the seconds that so large a share of the last thousand were late at most; None without any."""
        ordered = sorted(self._seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class ElsewhereExecutions:
    """Follows what other processes carry out, and tells of it here.

    Args:
        parts: Store, and who is told.
        active: What is under way from here.
        gone: Called with an execution that somebody waits for, and how it ended if that is known.
        left: Called when other processes have ended executions.
        unclaimed: Looks at what no worker has begun.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        gone: Callable[[ActiveExecution, Outcome | None], None],
        left: Callable[[], None],
        unclaimed: UnclaimedExecutions,
    ) -> None:
        self._parts = parts
        self._active = active
        self._gone = gone
        self._left = left
        self._unclaimed = unclaimed
        self.lateness = Lateness()
        self.tasks = OwnedTasks()
        """What is read and written of them."""

    def unclaimed(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """See `ports.Attempts.unclaimed`."""
        self.tasks.start(self._unclaimed.look(routes, too_long=too_long))

    def forget(self, execution_ids: Sequence[str]) -> None:
        """See `ports.Attempts.forget`."""
        left = [active for execution_id in execution_ids if (active := self._active.get(execution_id)) is not None]
        if not left:
            return
        for active in left:
            self._active.remove(active)
        if self._parts.announcer.is_heard:
            self.tasks.start(self._tell_of([active for active in left if active.outcome is None]))
        for active in left:
            if active.outcome is not None:
                self.tasks.start(self._read_outcome(active))
        self._left()

    async def _tell_of(self, left: Sequence[ActiveExecution]) -> None:
        """Tell listeners here, such as the metrics, how executions stand that another process has carried out."""
        try:
            rows = await self._parts.store.executions_by_id([active.execution.execution_id for active in left])
        except Exception:
            log_failure(logger, "How %d executions ended elsewhere is not told to listeners", len(left))
            return
        owners = {active.execution.execution_id: active.work.caller.name for active in left}
        for execution in rows:
            ended_here = execution.finished and execution.owner == self._parts.store.owner  # which tells of it itself
            if execution.status is not ExecutionStatus.QUEUED and not ended_here:
                self.lateness.note(execution)
                self._parts.announcer.execution_changed(execution, owners[execution.execution_id], elsewhere=True)

    async def _read_outcome(self, active: ActiveExecution) -> None:
        """Tell whoever waits how an execution ended that another process ran."""
        execution = None
        with suppress(Exception):
            execution = await self._parts.store.execution(active.execution.execution_id)
        self._gone(active, None if execution is None else Outcome(execution))
