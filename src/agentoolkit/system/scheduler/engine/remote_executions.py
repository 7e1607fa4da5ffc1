"""Follows executions that other processes run: their lateness, their outcomes, and those that no worker has begun."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from agentoolkit.failure_log import log_lost
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unclaimed_executions import UnclaimedExecutions
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Route

logger = logging.getLogger(__name__)


class RemoteExecutions:
    """Follows executions of other processes, and publishes their outcomes here.

    Args:
        parts: Store and events.
        active: The executions under way.
        deliveries: Looks for the messages of executions that other processes ended.
        unclaimed: Looks at executions that no worker has begun.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        deliveries: Deliveries,
        unclaimed: UnclaimedExecutions,
    ) -> None:
        self._parts = parts
        self._active = active
        self._deliveries = deliveries
        self._unclaimed = unclaimed
        self.tasks = OwnedTasks()
        """Tasks that read and write these executions."""

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
        self._active.in_doubt = True  # the next round looks for their retries and downstream executions
        self._deliveries.wake()

    async def _tell_of(self, left: Sequence[ActiveExecution]) -> None:
        """Publish executions that another process has run to listeners here, such as the metrics."""
        try:
            rows = await self._parts.store.executions_by_id([active.execution.execution_id for active in left])
        except Exception:
            log_lost(logger, "Publishing %d executions that ended elsewhere failed", len(left))
            return
        owners = {active.execution.execution_id: active.work.caller.name for active in left}
        changed: list[tuple[Execution, str]] = []
        for execution in rows:
            ended_here = execution.finished and execution.owner == self._parts.store.owner  # published when it ended
            if execution.status is not ExecutionStatus.QUEUED and not ended_here:
                self._active.lateness.note(execution)
                changed.append((execution, owners[execution.execution_id]))
        self._parts.announcer.executions_changed(changed, elsewhere=True)

    async def _read_outcome(self, active: ActiveExecution) -> None:
        """Give the outcome of an execution that another process ran to the caller that waits for it."""
        execution = None
        with suppress(Exception):
            execution = await self._parts.store.execution(active.execution.execution_id)
        self._active.end(active, None if execution is None else Outcome(execution))
