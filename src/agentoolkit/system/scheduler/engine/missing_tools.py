"""Executions that cannot go their way from here: whoever opened the scheduler may still register their AgenTool.

Those for whose executor this process has no courier wait for one that has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.jobs import Execution
from agentoolkit.system.scheduler.ports import Claimed
from agentoolkit.time_source import Cancellable

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 0.5
"""After which it is looked whether the AgenTool is registered by now; doubled each time."""
MAX_LOOK_SECONDS = 60.0


class MissingTools:
    """Keeps executions until nothing is missing for them.

    Args:
        parts: What says which way an execution goes, and what is missing for it.
        start: Called with each execution whose AgenTool is there now.
    """

    def __init__(self, parts: Parts, start: Callable[[Claimed], None]) -> None:
        self._parts = parts
        self._start = start
        self._kept: dict[str, Claimed] = {}
        self._told: set[str] = set()
        """Those that a warning was written of."""
        self._timer: Cancellable | None = None
        self._delay = FIRST_LOOK_SECONDS

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._kept

    @property
    def executions(self) -> Sequence[Execution]:
        """All that are kept."""
        return [claimed.execution for claimed in self._kept.values()]

    def keep(self, claimed: Claimed) -> None:
        """Keep an execution, and look soon whether its AgenTool is there."""
        self._kept[claimed.execution.execution_id] = claimed
        self._delay = FIRST_LOOK_SECONDS
        self._look_later()

    def remove(self, execution_id: str) -> None:
        """Forget one that has ended otherwise."""
        self._kept.pop(execution_id, None)
        self._told.discard(execution_id)

    def clear(self) -> None:
        """Forget all: they are given back, or the scheduler stops."""
        self._kept.clear()
        self._told.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._parts.time.call_later(self._delay, self.look)

    def look(self) -> None:
        """Start those whose AgenTool is registered by now, and warn of the others, once."""
        for execution_id, claimed in list(self._kept.items()):
            job = claimed.job
            lack = self._parts.lack_of(job.agentool_name, self._parts.route_of(job.policies, job.job_name)) if job is not None else ""
            if not lack:
                self.remove(execution_id)
                self._start(claimed)
            elif execution_id not in self._told:
                self._told.add(execution_id)
                logger.warning("Execution %s waits: %s", execution_id, lack)
        if self._kept:
            self._delay = min(self._delay * 2, MAX_LOOK_SECONDS)
            self._look_later()
