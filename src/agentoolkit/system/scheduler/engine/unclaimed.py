"""Executions that were sent to workers, and that none has claimed: their records say why they wait, and at last that nobody can.

When they are sent again is decided in `executors/sending_to_workers`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.decisions.waiting import given_up, tells_of_workers, waits_for_any, was_refused
from agentoolkit.system.scheduler.engine.active import ActiveExecutions
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted import UnstartedExecutions
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import COMMON_QUEUE, Route
from agentoolkit.text import counted

logger = logging.getLogger(__name__)


class UnclaimedExecutions:
    """Tells of them, each reason once, and ends those that workers have refused for too long.

    Args:
        parts: The store.
        active: What is under way from here.
        unstarted: Ends what never ran.
    """

    def __init__(self, parts: Parts, active: ActiveExecutions, unstarted: UnstartedExecutions) -> None:
        self._store = parts.store
        self._active = active
        self._unstarted = unstarted

    async def look(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """Look at the records of executions that went these ways some time ago."""
        try:
            found = await self._store.executions_by_id(list(routes))
            rows = [row for row in found if row.owner == self._store.owner]  # any other owner is a worker, which has claimed it
            await self._note([row for row in rows if row.status is ExecutionStatus.QUEUED and not tells_of_workers(row.reason)], routes)
            for row in rows:
                if too_long and was_refused(row):
                    await self._give_up(row)
        except Exception:
            log_failure(logger, "It is not known why %d executions wait for a worker", len(routes))

    async def _note(self, silent: Sequence[Execution], routes: Mapping[str, Route]) -> None:
        if not silent:
            return
        reasons = {row.execution_id: _none_takes(routes[row.execution_id]) for row in silent}
        for reason, number in Counter(reasons[id_] for id_ in await self._store.note_waiting(reasons)).items():
            logger.warning("Of what was sent to workers, %s: %s", counted(number, "execution"), reason)

    async def _give_up(self, refused: Execution) -> None:
        if (active := self._active.get(refused.execution_id)) is not None:
            error = SchedulerError(given_up(refused))
            if await self._unstarted.fail(refused, active.work, error):
                logger.error("Execution %s has failed: %s", refused.execution_id, error)


def _none_takes(route: Route) -> str:
    return waits_for_any(route.executor, route.queue or COMMON_QUEUE)
