"""Who created, changed, ran and cancelled what, from which door: entries are added and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agentool.caller import Caller

Action = Literal["created", "changed", "paused", "resumed", "cancelled", "ran", "started", "backfilled", "cancelled_execution", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    at: datetime
    caller: Caller
    action: Action
    owner: str
    """Whose job it was done to."""
    job_id: str
    """Empty where it was done to all of them."""
    execution_id: str = ""
    before: Mapping[str, Any] | None = None
    """The job as it was, and where it stood; secrets hidden."""
    after: Mapping[str, Any] | None = None
