"""Limits of what is kept: executions of a job, their results, and jobs that are over.

On a database `stores/sql/claims` and `stores/sql/single_statements` prune histories; `stores/sql/purging` removes jobs.
"""

from __future__ import annotations

from datetime import timedelta

from agentoolkit.system.scheduler.execution_records import Execution

HISTORY_LENGTH = 100
"""Executions kept per job. Source: *Scheduler AgenToolkit*, "History Tracking"."""
KEPT = 1_000
"""Number of jobs that are over, and of executions without a job, that are kept regardless of age."""
RETENTION = timedelta(days=30)
"""Minimum time for which further ones are kept, in stores that outlive the process."""
RESULT_SIZE = 10_000_000
"""Maximum bytes of JSON of one result. A larger one fails its execution."""
HISTORY_SIZE = 50_000_000
"""Maximum bytes of JSON of a job's results together. The newest one is kept regardless of its size."""
LEFT_OUT = "its result was left out, to make room for those of newer executions"


def smallest_counted(length: int, size: int) -> int:
    """Return the size from which on results count: `length` smaller ones together do not exceed `size`."""
    return max(size // length, 1)


def without_result(execution: Execution) -> Execution:
    """Remove the result of an execution, and give that as its reason unless it has one."""
    return execution._replace(result=None, reason=execution.reason or LEFT_OUT)
