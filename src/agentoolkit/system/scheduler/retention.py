"""How much is kept: executions of a job, what they returned, and jobs that are over.

On a database `stores/sql/claims` prunes histories, as `stores/sql/single_statements` does; `stores/sql/purging` removes jobs.
"""

from __future__ import annotations

from datetime import timedelta

from agentoolkit.system.scheduler.jobs import Execution

HISTORY_LENGTH = 100
"""Executions kept per job. Source: *Scheduler AgenToolkit*, "History Tracking"."""
KEPT = 1_000
"""Jobs that are over, and executions without a job, that are kept however old they are."""
RETENTION = timedelta(days=30)
"""How long others of them are kept at least, where they outlive the process."""
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
