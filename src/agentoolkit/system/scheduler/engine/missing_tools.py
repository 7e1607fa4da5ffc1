"""Keeps executions whose AgenTool is not registered yet: the program may still register it.

Executions of an executor that this process cannot send to wait for a process that can.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.ports import Claimed
from agentoolkit.time_source import Cancellable

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 0.5
"""Seconds until the first look whether the AgenTool is registered; doubled each time."""
MAX_LOOK_SECONDS = 60.0


class MissingTools:
    """Keeps executions until nothing is missing for them.

    Args:
        parts: Knows the route of an execution, and what is missing for it.
        start: Called with each execution whose AgenTool is registered now.
    """

    def __init__(self, parts: Parts, start: Callable[[Claimed], None]) -> None:
        self._parts = parts
        self._start = start
        self._kept: dict[str, Claimed] = {}
        self._warned: set[str] = set()
        """Executions for which a warning was logged."""
        self._timer: Cancellable | None = None
        self._delay = FIRST_LOOK_SECONDS

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._kept

    @property
    def executions(self) -> Sequence[Execution]:
        """All kept executions."""
        return [claimed.execution for claimed in self._kept.values()]

    def keep(self, claimed: Claimed) -> None:
        """Keep an execution, and look soon whether its AgenTool is registered."""
        self._kept[claimed.execution.execution_id] = claimed
        self._delay = FIRST_LOOK_SECONDS
        self._look_later()

    def remove(self, execution_id: str) -> None:
        """Forget an execution that has ended otherwise."""
        self._kept.pop(execution_id, None)
        self._warned.discard(execution_id)

    def clear(self) -> None:
        """Forget all executions: they are released, or the scheduler stops."""
        self._kept.clear()
        self._warned.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._parts.time.call_later(self._delay, self.look)

    def look(self) -> None:
        """Start executions whose AgenTool is registered by now. Warn once of each of the others."""
        for execution_id, claimed in list(self._kept.items()):
            job = claimed.job
            lack = self._parts.lack_of(job.agentool_name, self._parts.route_of(job.policies, job.job_name)) if job is not None else ""
            if not lack:
                self.remove(execution_id)
                self._start(claimed)
            elif execution_id not in self._warned:
                self._warned.add(execution_id)
                logger.warning("Execution %s waits: %s", execution_id, lack)
        if self._kept:
            self._delay = min(self._delay * 2, MAX_LOOK_SECONDS)
            self._look_later()
