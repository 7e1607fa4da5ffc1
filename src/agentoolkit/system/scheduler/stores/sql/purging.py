"""Deletes old jobs that are over, and history that belongs to no job."""

from __future__ import annotations

import json

from agentoolkit.database.database import Session
from agentoolkit.system.scheduler.stores.sql.claims import EACH

# A job is over since its last execution ended or, without executions, since it was created; a cancelled one not before that.
_ENDS = """
    SELECT j.job_id AS id, COALESCE(j.ended_at, 0) AS cancelled, COALESCE(
        (SELECT e.finished_at FROM agentool_executions e WHERE e.job_id = j.job_id AND e.finished_at IS NOT NULL
        ORDER BY e.finished_at DESC LIMIT 1), j.created_at) AS latest
    FROM agentool_jobs j WHERE j.live = 0
    AND NOT EXISTS (SELECT 1 FROM agentool_executions u WHERE u.job_id = j.job_id AND u.finished_at IS NULL)
"""
_OVER = "SELECT id, CASE WHEN cancelled > latest THEN cancelled ELSE latest END AS ended FROM ({of}) AS ends"
# Only executions without a job have places up to 0, by which an index finds them.
_HOMELESS = """
    SELECT e.execution_id AS id, e.finished_at AS ended FROM agentool_executions e WHERE e.sequence <= 0 AND e.finished_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM agentool_jobs j WHERE j.job_id = e.job_id)
"""
_YOUNG = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM ({of}) AS those WHERE ended >= :before LIMIT :kept) AS young"
_OLD = "SELECT id FROM ({of}) AS those WHERE ended < :before ORDER BY ended DESC, id LIMIT :most OFFSET :kept"
MAX_AT_ONCE = 500
"""Jobs, and executions without a job, that one transaction deletes: with their histories, fifty thousand rows."""


def purge(session: Session, before: int, kept: int) -> bool:
    """Delete a portion of the records of `JobStore.purge`. Return True if there may be more.

    Args:
        session: The session.
        before: The instant, in microseconds, before which records are old.
        kept: Number of records of each kind that stay however old they are.
    """
    # A job cannot be over before it was created, so recently created jobs need not be read.
    jobs = _old(session, _OVER.format(of=_ENDS), _OVER.format(of=_ENDS + " AND j.created_at < :before"), before, kept)
    _delete(session, "agentool_executions", "finished_at IS NOT NULL AND job_id", jobs)
    _delete(session, "agentool_jobs", "job_id", jobs)
    homeless = _old(session, _HOMELESS, _HOMELESS, before, kept)
    _delete(session, "agentool_executions", "execution_id", homeless)
    return MAX_AT_ONCE in (len(jobs), len(homeless))


def _old(session: Session, all_: str, candidates: str, before: int, kept: int) -> list[str]:
    """Return the ids of old records beyond the `kept` newest. Young records count among the newest."""
    young = session.row(_YOUNG.format(of=all_), {"before": before, "kept": kept}) or (0,)
    limits = {"before": before, "kept": kept - young[0], "most": MAX_AT_ONCE}
    return [id_ for (id_,) in session.rows(_OLD.format(of=candidates), limits)]


def _delete(session: Session, table: str, key: str, ids: list[str]) -> None:
    sql = f"DELETE FROM {table} WHERE {key} IN ({EACH[session.dialect]})"  # noqa: S608  names of ours
    session.run(sql, {"ids": json.dumps(ids)})
