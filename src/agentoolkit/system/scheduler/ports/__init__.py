"""What the scheduler asks of a back end: of a store (`store`, `records`, `audit`), and of an executor (`executor`)."""

from __future__ import annotations

from agentoolkit.system.scheduler.ports.audit import Action, AuditEntry
from agentoolkit.system.scheduler.ports.executor import HERE, Attempts, Courier, Executor, Limit, Order, Portion, Route
from agentoolkit.system.scheduler.ports.records import (
    FINISHED,
    NOT_FINISHED,
    Change,
    Claimed,
    Claims,
    DamagedJob,
    Ending,
    Finished,
    FoundExecutions,
    FoundJobs,
    Message,
    Owner,
    PendingCancel,
    Position,
    Removed,
    Retried,
    StoredJob,
)
from agentoolkit.system.scheduler.ports.store import KEPT, RETENTION, WINDOW, JobStore, any_job

__all__ = [
    "FINISHED",
    "HERE",
    "KEPT",
    "NOT_FINISHED",
    "RETENTION",
    "WINDOW",
    "Action",
    "Attempts",
    "AuditEntry",
    "Change",
    "Claimed",
    "Claims",
    "Courier",
    "DamagedJob",
    "Ending",
    "Executor",
    "Finished",
    "FoundExecutions",
    "FoundJobs",
    "JobStore",
    "Limit",
    "Message",
    "Order",
    "Owner",
    "PendingCancel",
    "Portion",
    "Position",
    "Removed",
    "Retried",
    "Route",
    "StoredJob",
    "any_job",
]
