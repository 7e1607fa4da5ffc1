"""What this process hears of executions that others carry out: that none has begun them, how late they were, and how they ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unclaimed import UnclaimedExecutions
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Route

logger = logging.getLogger(__name__)


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
        told: list[tuple[Execution, str]] = []
        for execution in rows:
            ended_here = execution.finished and execution.owner == self._parts.store.owner  # which tells of it itself
            if execution.status is not ExecutionStatus.QUEUED and not ended_here:
                self._active.lateness.note(execution)
                told.append((execution, owners[execution.execution_id]))
        self._parts.announcer.executions_changed(told, elsewhere=True)

    async def _read_outcome(self, active: ActiveExecution) -> None:
        """Tell whoever waits how an execution ended that another process ran."""
        execution = None
        with suppress(Exception):
            execution = await self._parts.store.execution(active.execution.execution_id)
        self._gone(active, None if execution is None else Outcome(execution))
