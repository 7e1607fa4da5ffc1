"""Forgetting: jobs that are over, and history that belongs to no job."""

from __future__ import annotations

import json

from agentoolkit.database.database import Session
from agentoolkit.system.scheduler.stores.sql.claims import EACH

# A job is over since its last execution ended; one without executions, since it was made.
_OVER = """
    SELECT j.job_id AS id, COALESCE(
        (SELECT e.finished_at FROM agentool_executions e WHERE e.job_id = j.job_id AND e.finished_at IS NOT NULL
        ORDER BY e.finished_at DESC LIMIT 1), j.created_at) AS ended
    FROM agentool_jobs j WHERE j.live = 0
    AND NOT EXISTS (SELECT 1 FROM agentool_executions u WHERE u.job_id = j.job_id AND u.finished_at IS NULL)
"""
# Only executions that no job counts have places up to 0, by which an index finds them.
_HOMELESS = """
    SELECT e.execution_id AS id, e.finished_at AS ended FROM agentool_executions e WHERE e.sequence <= 0 AND e.finished_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM agentool_jobs j WHERE j.job_id = e.job_id)
"""
_YOUNG = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM ({of}) AS those WHERE ended >= :before LIMIT :kept) AS young"
_OLD = "SELECT id FROM ({of}) AS those WHERE ended < :before ORDER BY ended DESC, id LIMIT :most OFFSET :kept"
MAX_AT_ONCE = 500
"""Jobs, and executions without a job, that are forgotten in one transaction: with their histories, fifty thousand rows."""


def purge(session: Session, before: int, kept: int) -> bool:
    """Forget some of what `JobStore.purge` says, and tell whether there may be more.

    Args:
        session: Where.
        before: The instant, in microseconds, up to which history is old.
        kept: How many of each kind stay however old they are.
    """
    # Nothing is over since before it was made: those that were made lately need not be looked at.
    jobs = _old(session, _OVER, _OVER + " AND j.created_at < :before", before, kept)
    _delete(session, "agentool_executions", "finished_at IS NOT NULL AND job_id", jobs)
    _delete(session, "agentool_jobs", "job_id", jobs)
    homeless = _old(session, _HOMELESS, _HOMELESS, before, kept)
    _delete(session, "agentool_executions", "execution_id", homeless)
    return MAX_AT_ONCE in (len(jobs), len(homeless))


def _old(session: Session, all_: str, candidates: str, before: int, kept: int) -> list[str]:
    """Return the ids of some that are old and not among the newest that are kept; what is young takes their places first."""
    young = session.row(_YOUNG.format(of=all_), {"before": before, "kept": kept}) or (0,)
    limits = {"before": before, "kept": kept - young[0], "most": MAX_AT_ONCE}
    return [id_ for (id_,) in session.rows(_OLD.format(of=candidates), limits)]


def _delete(session: Session, table: str, key: str, ids: list[str]) -> None:
    sql = f"DELETE FROM {table} WHERE {key} IN ({EACH[session.dialect]})"  # noqa: S608  names of ours
    session.run(sql, {"ids": json.dumps(ids)})
