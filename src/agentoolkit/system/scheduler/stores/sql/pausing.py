"""Pauses jobs that fail repeatedly, in the transaction that writes a failure."""

from __future__ import annotations

import json
from collections.abc import Collection

from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.pausing import COUNTED, failures_since, pause_if_failing
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.stores.sql.claims import EACH
from agentoolkit.system.scheduler.stores.sql.records import STATE, state_of
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction

_STANDS = f"SELECT job_id, revision, definition, {STATE.selected} FROM agentool_jobs WHERE live <> 0 AND job_id IN"  # noqa: S608  columns of ours
_COUNTED = frozenset(status.value for status in COUNTED)
_PAUSE = "UPDATE agentool_jobs SET state = :state, reason = :reason WHERE job_id = :job_id AND state = 'active'"
_OUTCOMES = """
    SELECT status FROM agentool_executions WHERE job_id = :job_id AND finished_at IS NOT NULL AND finished_at >= :since
    ORDER BY finished_at DESC, sequence DESC LIMIT :most
"""


def pause_failing(tx: Transaction, job_ids: Collection[str]) -> None:
    """Pause those of the jobs that have now failed too often in a row."""
    session = tx.session
    if not job_ids:
        return
    # Without a lock, which would block others: if two processes write failures of a job at once, the next failure pauses it.
    rows = session.rows(f"{_STANDS} ({EACH[session.dialect]})", {"ids": json.dumps(sorted(job_ids))})
    for job_id, revision, definition, *stands in rows:
        try:
            job, state = tx.definitions.read(job_id, revision, definition), state_of(stands)
        except Exception:  # noqa: S112  a damaged job is reported at its claim, and its failure is written nevertheless
            continue
        if job.policies.pause_after_failures is None:
            continue
        since = failures_since(job, state)
        ended = session.rows(_OUTCOMES, {"job_id": job_id, "since": micros(since), "most": tx.history_length})
        newest = (ExecutionStatus(status) for (status,) in ended if status in _COUNTED)
        if (paused := pause_if_failing(job, state, newest)) is not None:
            session.run(_PAUSE, {"job_id": job_id, "state": paused.status.value, "reason": paused.reason})
