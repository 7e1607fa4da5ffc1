"""Forgetting: jobs that are over, and history that belongs to no job."""

from __future__ import annotations

from agentoolkit.database import Session

# A job is over since its last execution ended; one without executions, since it was made.
_OVER = """
    SELECT job_id FROM (
        SELECT j.job_id, COALESCE((SELECT MAX(e.scheduled_at) FROM agentool_executions e WHERE e.job_id = j.job_id), j.created_at) AS ended
        FROM agentool_jobs j WHERE j.live = 0
        AND NOT EXISTS (SELECT 1 FROM agentool_executions u WHERE u.job_id = j.job_id AND u.finished_at IS NULL)
        ORDER BY ended DESC, j.job_id LIMIT :most OFFSET :kept
    ) AS over_jobs WHERE ended < :before
"""
_HOMELESS = """
    SELECT execution_id FROM (
        SELECT e.execution_id, e.finished_at FROM agentool_executions e
        WHERE NOT EXISTS (SELECT 1 FROM agentool_jobs j WHERE j.job_id = e.job_id) AND e.finished_at IS NOT NULL
        ORDER BY e.finished_at DESC, e.execution_id LIMIT :most OFFSET :kept
    ) AS homeless WHERE finished_at < :before
"""
_MOST_AT_ONCE = 10_000
"""Forgotten in one transaction; the rest the next time."""


def tidy(session: Session, before: int, kept: int) -> None:
    """See `JobStore.tidy`; `before` is the instant, in microseconds, up to which history is old."""
    limits = {"before": before, "kept": kept, "most": _MOST_AT_ONCE}
    jobs = [{"job_id": job_id} for (job_id,) in session.rows(_OVER, limits)]
    session.run_many("DELETE FROM agentool_executions WHERE job_id = :job_id", jobs)
    session.run_many("DELETE FROM agentool_jobs WHERE job_id = :job_id", jobs)
    homeless = [{"execution_id": execution_id} for (execution_id,) in session.rows(_HOMELESS, limits)]
    session.run_many("DELETE FROM agentool_executions WHERE execution_id = :execution_id", homeless)
