"""The claim: every due time of every job that is due, decided and written down in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agentoolkit.database import Session
from agentoolkit.system.scheduler.decisions import Decision, decide
from agentoolkit.system.scheduler.jobs import Execution, Job, JobState, Standing, Status
from agentoolkit.system.scheduler.ports import Change, Claimed, Claims
from agentoolkit.system.scheduler.stores.sql.records import (
    EXECUTION,
    STANDING,
    execution_parameters,
    job_of,
    standing_of,
    standing_parameters,
)

_EACH = {"sqlite": "SELECT value FROM json_each(:ids)", "postgres": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))"}

INSERT_EXECUTION = f"""
    INSERT INTO agentool_executions ({EXECUTION}, sequence) VALUES (
        :execution_id, :job_id, :agentool_name, :scheduled_at, :cause, :status, :reason, :due_count, :attempt,
        :started_at, :finished_at, :duration, :result, :error, :delivery, :retry_at, :attempts, :owner, :sequence)
    ON CONFLICT (execution_id) DO NOTHING
"""  # noqa: S608  column names of ours

_MOVE = """
    UPDATE agentool_jobs SET state = :state, live = :live, next_run_at = :next_run_at, runs = :runs, reason = :reason,
        paused_until = :paused_until, sequence = :sequence WHERE job_id = :job_id
"""
_PRUNE = """
    DELETE FROM agentool_executions
    WHERE job_id = :job_id AND sequence <= :sequence - 100 AND finished_at IS NOT NULL
"""


class Definitions:
    """Job definitions that were read before. A definition changes only with its version."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Job]] = {}

    def get(self, job_id: str, version: int, definition: str) -> Job:
        known = self._known.get(job_id)
        if known is not None and known[0] == version:
            return known[1]
        job = job_of(job_id, definition)
        self._known[job_id] = (version, job)
        return job

    def forget(self, job_id: str) -> None:
        self._known.pop(job_id, None)


def claim(session: Session, definitions: Definitions, job_ids: Sequence[str], now: datetime, owner: str) -> Claims:
    """Decide on every due time of these jobs up to `now`, write the records down, and move the jobs on."""
    each = _EACH[session.dialect]
    lock = " ORDER BY job_id FOR UPDATE" if session.dialect == "postgres" else ""
    ids = {"ids": json.dumps(list(job_ids))}
    counted = f"SELECT job_id, COUNT(*) FROM agentool_executions WHERE finished_at IS NULL AND job_id IN ({each}) GROUP BY job_id"  # noqa: S608
    unfinished = dict(session.rows(counted, ids))
    columns = f"SELECT job_id, definition, sequence, {STANDING} FROM agentool_jobs WHERE job_id IN ({each}){lock}"  # noqa: S608
    round_ = _Round(now, owner)
    for job_id, definition, sequence, *columns_ in session.rows(columns, ids):
        round_.add(job_id, definition, sequence, standing_of(tuple(columns_)), definitions, unfinished.get(job_id, 0))
    session.run_many(INSERT_EXECUTION, round_.inserts)
    session.run_many(_MOVE, round_.moves)
    session.run_many(_PRUNE, [move for move in round_.moves if move["sequence"] > 100])
    gone = [Change(job_id, None) for job_id in set(job_ids).difference(change.job_id for change in round_.changes)]
    return Claims(round_.records, [*round_.changes, *gone])


class _Round:
    """What one claim writes."""

    def __init__(self, now: datetime, owner: str) -> None:
        self._now = now
        self._owner = owner
        self.records: list[Claimed] = []
        self.changes: list[Change] = []
        self.inserts: list[dict[str, Any]] = []
        self.moves: list[dict[str, Any]] = []

    def add(self, job_id: str, definition: str, sequence: int, standing: Standing, definitions: Definitions, unfinished: int) -> None:
        try:
            job = definitions.get(job_id, standing.version, definition)
        except Exception as error:
            # A row somebody damaged stops its own job only, and is kept for whoever mends it.
            broken = standing._replace(state=JobState.BROKEN, reason=f"its definition cannot be read: {error!r}")
            self._move(job_id, broken, sequence)
            return
        decision = decide(job, standing, self._now, unfinished)
        if decision.standing == standing and not decision.executions:
            self.changes.append(Change(job_id, standing.due_at))
            return
        self._write(job, decision, sequence)

    def _write(self, job: Job, decision: Decision, sequence: int) -> None:
        for execution in decision.executions:
            sequence += 1
            recorded = self._owned(execution)
            self.inserts.append({**execution_parameters(recorded), "sequence": sequence})
            self.records.append(Claimed(job, recorded))
        self._move(job.job_id, decision.standing, sequence)

    def _owned(self, execution: Execution) -> Execution:
        if execution.status is Status.QUEUED:
            return execution._replace(owner=self._owner)
        return execution._replace(owner=self._owner, finished_at=self._now)

    def _move(self, job_id: str, standing: Standing, sequence: int) -> None:
        self.moves.append({**standing_parameters(standing), "sequence": sequence, "job_id": job_id})
        self.changes.append(Change(job_id, standing.due_at))
