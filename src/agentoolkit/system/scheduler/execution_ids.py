"""The ids of executions. Each is computed, so that one cause never becomes two executions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from secrets import token_hex

_EPOCH = datetime.fromtimestamp(0, UTC)
_asked = count()


def execution_id(job_id: str, due: datetime) -> str:
    """Compute the id of a due time's execution: the same due time can never become two of them."""
    return f"{job_id}@{due.isoformat()}"


def asked_execution_id(job_id: str, now: datetime) -> str:
    """Make the id of an execution that somebody asks for. One that was asked for later comes later in the order of ids."""
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    return f"{job_id}@now-{micros:016x}{next(_asked) & 0xFFFF:04x}{token_hex(6)}"


def job_id_of(execution_id: str) -> str:
    """Return the id of the job that an execution belongs to."""
    return execution_id.partition("@")[0]
