"""What the scheduler does, for those who read the log at DEBUG: one line for each change of a job or an execution."""

from __future__ import annotations

import logging

from agentoolkit.system.scheduler.events import Event

logger = logging.getLogger(__name__)


def log_event(event: Event) -> None:
    """Log an event. Made to be given to ``scheduler.subscribe``."""
    if event.elsewhere or not logger.isEnabledFor(logging.DEBUG):
        return
    execution = event.execution
    if execution is None:
        logger.debug("%s: job %s", event.type, event.job_id)
        return
    took = "" if execution.duration is None else f" in {execution.duration:.3f} s"
    why = f": {execution.error}" if execution.error else ""
    attempt = f"{execution.agentool_name}, attempt {execution.attempt}"
    logger.debug("%s: %s calls %s%s%s", event.type, execution.execution_id, attempt, took, why)
