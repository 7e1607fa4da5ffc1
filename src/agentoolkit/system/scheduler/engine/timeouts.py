"""Outcomes of handlers that exceed their timeout: `Dispatch` cancels them first, and gives them up if they ignore that."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.decisions.outcomes import record_failure
from agentoolkit.system.scheduler.engine.active import ActiveExecution, Outcome

MIN_GRACE = 5.0
"""Minimum seconds for a cancelled handler to clean up before it is given up."""


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""

    def __init__(self, active: ActiveExecution, more: str = "") -> None:
        super().__init__(f"The handler did not end within its timeout of {active.timeout:g} s{more}.")


def grace_of(active: ActiveExecution) -> float:
    """Return the seconds for a cancelled handler to end: its timeout, and at least `MIN_GRACE`."""
    return max(active.timeout or 0.0, MIN_GRACE)


def timed_out(active: ActiveExecution, now: datetime, took: float) -> Outcome:
    """Return the outcome of a handler that ended after its timeout had cancelled it."""
    timeout = HandlerTimeout(active)
    return Outcome(record_failure(active.execution, timeout, now, took), timeout)


def given_up(active: ActiveExecution, now: datetime, took: float) -> Outcome:
    """Return the outcome of a handler that ignored its cancellation and was given up."""
    timeout = HandlerTimeout(active, ", and ignored its cancellation")
    return Outcome(record_failure(active.execution, timeout, now, took, reason="ignored its cancellation and was given up"))
