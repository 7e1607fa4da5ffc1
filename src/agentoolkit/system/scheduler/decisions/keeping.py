"""How much of what a job's executions returned is kept: the records are few, and what they hold may be large."""

from __future__ import annotations

from agentoolkit.system.scheduler.jobs import Execution

RESULT_SIZE = 10_000_000
"""Bytes of JSON that one result may have. A larger one fails its execution."""
HISTORY_SIZE = 50_000_000
"""Bytes of JSON that all results have together that are kept of a job. The newest one is kept whatever its size."""
LEFT_OUT = "its result was left out, to make room for those of newer executions"


def smallest_counted(length: int, size: int) -> int:
    """Return from which size on results count: as many smaller ones as are kept take no more than `size` together."""
    return max(size // length, 1)


def without_result(execution: Execution) -> Execution:
    """Leave out a result; why is said unless there is another reason."""
    return execution._replace(result=None, reason=execution.reason or LEFT_OUT)
