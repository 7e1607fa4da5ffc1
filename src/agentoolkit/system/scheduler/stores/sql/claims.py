"""The claim: every due time of every job that is due, decided and written down in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from agentoolkit.database.database import Session
from agentoolkit.database.session import Row
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.due import Decision, decide, recount
from agentoolkit.system.scheduler.jobs import HISTORY_LENGTH, Execution, Job, JobState
from agentoolkit.system.scheduler.ports import Change, Claimed, Claims
from agentoolkit.system.scheduler.stores.sql.records import NEW_TYPES, STANDING, job_of, new_row, plain, standing_of, unreadable_standing

EACH = {"sqlite": "SELECT value FROM json_each(:ids)", "postgres": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))"}
"""The parameter ``ids``, a JSON list, as a table."""

STANDS = f"job_id, revision, sequence, {STANDING}"
"""Columns of a job: which definition it has, and where it stands."""

_INSERT = f"""
    INSERT INTO agentool_executions ({", ".join(NEW_TYPES)}, attempt, delivery)
    SELECT {", ".join("NULLIF(r.finished_at, 0)" if name == "finished_at" else f"r.{name}" for name in NEW_TYPES)}, 1, 'none'
    FROM r WHERE TRUE ON CONFLICT (execution_id) DO NOTHING RETURNING execution_id
"""  # noqa: S608  column names of ours
_STOOD = {"job_id": "TEXT", "state": "TEXT", "next_run_at": "BIGINT", "runs": "BIGINT", "reason": "TEXT", "sequence": "BIGINT"}
_MOVE = """
    UPDATE agentool_jobs SET state = r.state, live = CASE r.state WHEN 'done' THEN 0 ELSE 1 END, next_run_at = NULLIF(r.next_run_at, 0),
        runs = r.runs, reason = r.reason, paused_until = NULL, sequence = r.sequence FROM r WHERE agentool_jobs.job_id = r.job_id
"""
_PLACE = "UPDATE agentool_executions SET sequence = r.sequence FROM r WHERE agentool_executions.execution_id = r.execution_id"
_PRUNE = f"""
    DELETE FROM agentool_executions WHERE execution_id IN (
        SELECT e.execution_id FROM r JOIN agentool_jobs j ON j.job_id = r.job_id JOIN agentool_executions e
        ON e.job_id = r.job_id AND e.sequence <= j.sequence - {HISTORY_LENGTH} AND e.finished_at IS NOT NULL)
"""  # noqa: S608  a constant


def prune(session: Session, job_ids: Iterable[str]) -> None:
    """Keep the newest hundred executions of these jobs."""
    session.from_rows(_PRUNE, {"job_id": "TEXT"}, [(job_id,) for job_id in job_ids])


def insert(session: Session, rows: Sequence[Row]) -> set[str]:
    """Write new executions down, as `records.new_row` gives them, and return the ids of those that were not there yet."""
    return {row[0] for row in session.from_rows(_INSERT, NEW_TYPES, rows)}


MAX_REMEMBERED = 100_000
"""Definitions, so that jobs that come and go do not fill the memory."""


class Definitions:
    """Job definitions that were read before, by their revision: no two definitions ever have the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Job]] = {}

    def known(self, job_id: str, revision: int) -> Job | None:
        """Return a job that was read before, if it has not changed since."""
        known = self._known.get(job_id)
        return known[1] if known is not None and known[0] == revision else None

    def read(self, job_id: str, revision: int, definition: str) -> Job:
        """Return the job of a row. Raises `ValueError`, `KeyError` or `TypeError` if it was damaged."""
        job = self.known(job_id, revision)
        if job is None:
            job = job_of(job_id, definition)
            self.remember(job, revision)
        return job

    def remember(self, job: Job, revision: int) -> None:
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[job.job_id] = (revision, job)


def claim(session: Session, definitions: Definitions, job_ids: Sequence[str], now: datetime, owner: str) -> Claims:
    """Decide on every due time of these jobs up to `now`, write the records down, and move the jobs on."""
    lock = " ORDER BY job_id FOR UPDATE" if session.dialect == "postgres" else ""
    sql = f"SELECT {STANDS} FROM agentool_jobs WHERE job_id IN ({EACH[session.dialect]}) AND state <> 'removed'{lock}"  # noqa: S608
    rows = session.rows(sql, {"ids": json.dumps(list(job_ids))})
    round_ = Round()
    round_.decide(session, definitions, rows, lambda job, standing, unfinished: decide(job, standing, now, unfinished, owner))
    records = round_.write(session)
    gone = [Change(job_id, None) for job_id in set(job_ids).difference(round_.changes)]
    return Claims(records, [*round_.changes.values(), *gone])


Decide = Callable[[Job, JobState, int], Decision]
"""Decides on a job, by where it stands and how many of its executions run or wait."""


class Round:
    """What one claim writes, or what comes after outcomes."""

    def __init__(self) -> None:
        self.decided: list[tuple[Job, Decision, int]] = []
        """Jobs, what was decided on them, and the place of their newest record before that."""
        self.records: list[Claimed] = []
        self.inserts: list[Row] = []
        self.changes: dict[str, Change] = {}
        self.moves: dict[str, Row] = {}
        """Both by the id of the job."""
        self.full: list[str] = []
        """Jobs whose history has become longer than is kept."""

    def decide(self, session: Session, definitions: Definitions, rows: Sequence[Row], decide: Decide) -> None:
        """Decide on the jobs of these rows, which have the columns `STANDS`."""
        texts = _unknown(session, definitions, rows)
        unfinished = _unfinished(session, rows)
        for job_id, revision, sequence, *stands in rows:
            try:
                standing = standing_of(stands)
                job = definitions.known(job_id, revision) or definitions.read(job_id, revision, texts[job_id])
            except Exception as error:
                self._break(job_id, sequence, error)
            else:
                self._add(job, standing, decide(job, standing, unfinished.get(job_id, 0)), sequence)

    def write(self, session: Session) -> list[Claimed]:
        """Write it all down, and return the records that are new."""
        inserted = insert(session, self.inserts)
        if len(inserted) < len(self.inserts):
            self._recount(session, inserted)
        session.from_rows(_MOVE, _STOOD, list(self.moves.values()))
        prune(session, self.full)
        return self.records

    def _recount(self, session: Session, inserted: set[str]) -> None:
        """Take back what has its record already, as after a backfill: it is not run again and takes no place in the history."""
        self.records = [claimed for claimed in self.records if claimed.execution.execution_id in inserted]
        places: list[Row] = []
        for job, decision, sequence in self.decided:
            new = [execution for execution in decision.executions if execution.execution_id in inserted]
            if len(new) < len(decision.executions):
                self._move(job.job_id, recount(job, decision, new), sequence + len(new))
                places += [(execution.execution_id, place) for place, execution in enumerate(_in_order(new), sequence + 1)]
        session.from_rows(_PLACE, {"execution_id": "TEXT", "sequence": "BIGINT"}, places)

    def _break(self, job_id: str, sequence: int, error: Exception) -> None:
        """Stop a job whose row somebody damaged, and it alone. The row is kept for whoever mends it."""
        self._move(job_id, unreadable_standing(error), sequence)

    def _add(self, job: Job, standing: JobState, decision: Decision, sequence: int) -> None:
        if decision.standing == standing and not decision.executions:
            self.changes[job.job_id] = Change(job.job_id, standing.due_at)
        else:
            self._record(job, decision, sequence)

    def _record(self, job: Job, decision: Decision, sequence: int) -> None:
        recorded = decision.executions
        self.decided.append((job, decision, sequence))
        for execution in _in_order(recorded) if len(recorded) > 1 else recorded:
            sequence += 1
            self.inserts.append(new_row(execution, sequence))
        self.records += [Claimed(job, execution) for execution in recorded]
        self._move(job.job_id, decision.standing, sequence)
        if sequence > HISTORY_LENGTH:
            self.full.append(job.job_id)

    def _move(self, job_id: str, standing: JobState, sequence: int) -> None:
        due = micros(standing.next_run_at) or 0
        self.moves[job_id] = (job_id, str(standing.state), due, standing.runs, plain(standing.reason), sequence)
        self.changes[job_id] = Change(job_id, standing.due_at)


def _in_order(recorded: Sequence[Execution]) -> Sequence[Execution]:
    """Return records as they take their places: what was passed over is newest, so that the runs that catch up do not push it out."""
    return sorted(recorded, key=_is_passed_over)


def _is_passed_over(execution: Execution) -> bool:
    return execution.finished


def _unknown(session: Session, definitions: Definitions, rows: Sequence[Row]) -> dict[str, str]:
    """Fetch the definitions that were not read before: they are most of what a job weighs."""
    ids = [row[0] for row in rows if definitions.known(row[0], row[1]) is None]
    if not ids:
        return {}
    each = EACH[session.dialect]
    return dict(session.rows(f"SELECT job_id, definition FROM agentool_jobs WHERE job_id IN ({each})", {"ids": json.dumps(ids)}))  # noqa: S608


def _unfinished(session: Session, rows: Sequence[Row]) -> dict[str, int]:
    """Count the executions of these jobs that run or wait."""
    if not rows:
        return {}
    each = EACH[session.dialect]
    sql = f"SELECT job_id, COUNT(*) FROM agentool_executions WHERE finished_at IS NULL AND job_id IN ({each}) GROUP BY job_id"  # noqa: S608
    return dict(session.rows(sql, {"ids": json.dumps([row[0] for row in rows])}))
