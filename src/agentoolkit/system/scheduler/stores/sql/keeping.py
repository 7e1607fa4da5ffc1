"""Leaving out old results, in the transaction that writes a large one."""

from __future__ import annotations

from collections.abc import Iterable

from agentoolkit.system.scheduler.decisions.keeping import LEFT_OUT, smallest_counted
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction

# The newest has none before it, so that the sum is null and it stays.
_LEAVE_OUT = """
    UPDATE agentool_executions SET result = NULL, reason = CASE WHEN reason = '' THEN :left_out ELSE reason END
    WHERE execution_id IN (SELECT execution_id FROM (
        SELECT execution_id, LENGTH(result) AS own, SUM(LENGTH(result)) OVER (
            ORDER BY finished_at DESC, sequence DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newer
        FROM agentool_executions WHERE job_id = :job_id AND finished_at IS NOT NULL AND LENGTH(result) >= :smallest) AS counted
    WHERE own + newer > :most)
"""


def make_room(tx: Transaction, written: Iterable[tuple[str, str]]) -> None:
    """Leave out the oldest results of jobs whose results are too much together.

    Args:
        tx: The transaction.
        written: Executions by their ids, with the results that were just written of them.
    """
    smallest = smallest_counted(tx.history_length, tx.history_size)
    limits = {"smallest": smallest, "most": tx.history_size, "left_out": LEFT_OUT}
    for job_id in sorted({job_id_of(execution_id) for execution_id, result in written if len(result) >= smallest}):
        tx.session.run(_LEAVE_OUT, {"job_id": job_id, **limits})
