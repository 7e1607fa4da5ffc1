"""Log each change of a job or an execution in one line at level DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agentoolkit.system.scheduler.events import Event

logger = logging.getLogger(__name__)


def log_events(events: Sequence[Event]) -> None:
    """Log events. Pass it to ``scheduler.subscribe_to_portions``."""
    if logger.isEnabledFor(logging.DEBUG):
        for event in events:
            if not event.elsewhere:
                _log(event)


def _log(event: Event) -> None:
    execution = event.execution
    if execution is None:
        logger.debug("%s: job %s", event.type, event.job_id)
        return
    took = "" if execution.duration is None else f" in {execution.duration:.3f} s"
    why = f": {execution.error}" if execution.error else ""
    attempt = f"{execution.agentool_name}, attempt {execution.attempt}"
    logger.debug("%s: %s calls %s%s%s", event.type, execution.execution_id, attempt, took, why)
