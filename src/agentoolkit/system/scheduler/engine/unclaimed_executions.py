"""Notes on executions sent to workers why no worker has claimed them, and fails those refused for too long.

`executors/sending_to_workers` decides when they are sent again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import given_up, tells_of_workers, waits_for_any, was_refused
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecutions
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted_executions import UnstartedExecutions
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import COMMON_QUEUE, Route
from agentoolkit.text import counted

logger = logging.getLogger(__name__)


class UnclaimedExecutions:
    """Logs each reason once, and fails executions that workers have refused for too long.

    Args:
        parts: The store.
        active: The executions under way.
        unstarted: Ends executions that never ran.
    """

    def __init__(self, parts: Parts, active: ActiveExecutions, unstarted: UnstartedExecutions) -> None:
        self._store = parts.store
        self._active = active
        self._unstarted = unstarted

    async def look(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """Read the records of executions that were sent along these routes some time ago."""
        try:
            found = await self._store.executions_by_id(list(routes))
            rows = [row for row in found if row.owner == self._store.owner]  # any other owner is a worker that has claimed it
            silent = [row.execution_id for row in rows if row.status is ExecutionStatus.QUEUED and not tells_of_workers(row.reason)]
            reasons = {id_: waits_for_any(routes[id_].executor, routes[id_].queue or COMMON_QUEUE) for id_ in silent}
            noted = await self._store.note_waiting(reasons) if reasons else ()
            for reason, number in Counter(reasons[id_] for id_ in noted).items():
                logger.warning("Sent to workers, %s: %s", counted(number, "execution"), reason)
            for row in rows:
                if too_long and was_refused(row):
                    await self._give_up(row)
        except Exception:
            log_failure(logger, "Noting why %d executions wait for a worker failed", len(routes))

    async def _give_up(self, refused: Execution) -> None:
        if (active := self._active.get(refused.execution_id)) is not None:
            error = SchedulerError(given_up(refused))
            if await self._unstarted.fail(refused, active.work, error):
                logger.error("Execution %s has failed: %s", refused.execution_id, error)
