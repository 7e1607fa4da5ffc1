"""Claims due times and starts downstream jobs: decides on the jobs and writes all records in one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain

from agentoolkit.database.session import Row
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.decisions.decision_records import Decision
from agentoolkit.system.scheduler.decisions.downstream import decide_downstream
from agentoolkit.system.scheduler.decisions.due_or_late import begin_some, decide, recount
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_ids import upstream_of
from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution
from agentoolkit.system.scheduler.jobs import Job, JobState
from agentoolkit.system.scheduler.ports import Begins, Change, Claimed, Claims, none_begins
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, STATE, readable_state, state_of, unreadable_state
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, writes

EACH = {"sqlite": "SELECT value FROM json_each(:ids)", "postgres": "SELECT jsonb_array_elements_text(CAST(:ids AS jsonb))"}
"""The parameter ``ids``, a JSON list, as a table."""

HAS_DOWNSTREAM = f"""
    CASE WHEN EXISTS (SELECT 1 FROM agentool_jobs f WHERE f.follows IS NOT NULL)
    THEN EXISTS (SELECT 1 FROM agentool_jobs f WHERE f.follows IN (agentool_executions.job_id, '{ANY}') AND f.live <> 0) ELSE FALSE END
"""  # noqa: S608  a constant of ours
"""Tells whether an execution's job has downstream jobs. Every outcome asks, and mostly there is no downstream job at all."""

# Counted for each job, so that PostgreSQL uses the index and does not read all unfinished executions.
_UNDER_WAY = "(SELECT COUNT(*) FROM agentool_executions e WHERE e.job_id = agentool_jobs.job_id AND e.finished_at IS NULL)"
_STANDS = f"job_id, revision, sequence, {_UNDER_WAY}, {STATE.selected}"
_NEW = EXECUTION.only(
    "execution_id",
    "job_id",
    "agentool_name",
    "scheduled_at",
    "cause",
    "status",
    "reason",
    "due_count",
    "started_at",
    "finished_at",
    "owner",
)
"""The columns of a new execution."""
_NEW_TYPES = {**_NEW.types, "sequence": "BIGINT"}
_INSERT = f"""
    INSERT INTO agentool_executions ({_NEW.selected}, sequence, attempt, delivery)
    SELECT {", ".join(map(_NEW.value, _NEW.names))}, r.sequence, 1, 'none'
    FROM r WHERE TRUE ON CONFLICT (execution_id) DO NOTHING RETURNING execution_id
"""  # noqa: S608  column names of ours
_MOVED = STATE.only("state", "next_run_at", "runs", "reason")
_MOVED_TYPES = {"job_id": "TEXT", **_MOVED.types, "sequence": "BIGINT"}
_STAY = f"""
    UPDATE agentool_jobs SET next_run_at = {_MOVED.value("next_run_at")}, runs = r.runs, reason = r.reason, paused_until = NULL,
        sequence = r.sequence FROM r WHERE agentool_jobs.job_id = r.job_id
"""  # noqa: S608  names of ours. It changes no indexed column: most claims need no more
_MOVE = f"""
    UPDATE agentool_jobs SET state = r.state, live = CASE r.state WHEN 'done' THEN 0 ELSE 1 END,
        next_run_at = {_MOVED.value("next_run_at")}, runs = r.runs, reason = r.reason, paused_until = NULL, sequence = r.sequence
    FROM r WHERE agentool_jobs.job_id = r.job_id
"""  # noqa: S608  names of ours
_PLACE = "UPDATE agentool_executions SET sequence = r.sequence FROM r WHERE agentool_executions.execution_id = r.execution_id"
# The index on finished executions is in the order of their finish, so the hundredth is found without reading older ones.
_PRUNE = """
    DELETE FROM agentool_executions WHERE execution_id IN (
        SELECT e.execution_id FROM r JOIN agentool_executions e ON e.job_id = r.job_id AND e.finished_at IS NOT NULL
        AND (e.finished_at, e.sequence) < (
            SELECT k.finished_at, k.sequence FROM agentool_executions k WHERE k.job_id = r.job_id AND k.finished_at IS NOT NULL
            ORDER BY k.finished_at DESC, k.sequence DESC LIMIT 1 OFFSET {older})
        AND e.execution_id NOT IN (SELECT spared FROM r))
"""


_claimed = maker_of(Claimed)


class NotLeading(SchedulerError):
    """Another process leads now; nothing was claimed."""


Decide = Callable[[Job, JobState, int], Decision]
"""Decides on a job, given its state and the number of its unfinished executions."""


@writes
def claim(tx: Transaction, job_ids: Sequence[str], now: datetime, begins: Begins = none_begins) -> Claims:
    """See `JobStore.claim`."""
    session = tx.session
    if not tx.ownership.leads(session):
        raise NotLeading("Another process leads now.")
    lock = " ORDER BY job_id FOR UPDATE" if session.dialect == "postgres" else ""
    sql = f"SELECT {_STANDS} FROM agentool_jobs WHERE job_id IN ({EACH[session.dialect]}) AND state <> 'removed'{lock}"  # noqa: S608
    place = {job_id: number for number, job_id in enumerate(job_ids)}
    # In due order again, because rows are locked in the order of ids.
    rows = sorted(session.rows(sql, {"ids": json.dumps(list(job_ids))}), key=lambda row: place[row[0]])
    round_ = Round(tx)

    def decided(job: Job, state: JobState, unfinished: int) -> Decision:
        return begin_some(job, decide(job, state, now, unfinished, tx.owner), now, begins)

    round_.decide(rows, decided)
    records = round_.write()
    return Claims(records, [Change(job_id, at) for job_id, at in round_.next_times.items() if at is not None])


def start_downstream(tx: Transaction, ended: Sequence[Execution], owner: str) -> dict[str, list[Claimed]]:
    """Write the downstream executions of ended executions, owned by `owner`. If it is empty, the leader starts them.

    Return them by the id of their upstream execution.
    """
    ends: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in ended:
        ends[execution.job_id].append(execution)
    if not ends:
        return {}
    lock = " FOR UPDATE" if tx.session.dialect == "postgres" else ""
    sql = f"""
        SELECT {_STANDS}, follows FROM agentool_jobs WHERE live <> 0 AND follows IN ({EACH[tx.session.dialect]}) ORDER BY job_id{lock}
    """  # noqa: S608  column names of ours
    rows = tx.session.rows(sql, {"ids": json.dumps([*ends, ANY])})
    ends[ANY] = list(ended)
    upstream = {row[0]: row[-1] for row in rows}
    round_ = Round(tx)
    round_.decide(
        [row[:-1] for row in rows],
        lambda job, state, unfinished: decide_downstream(job, state, ends[upstream[job.job_id]], unfinished, owner),
    )
    written: defaultdict[str, list[Claimed]] = defaultdict(list)
    for claimed in round_.write():
        written[upstream_of(claimed.execution.execution_id) or ""].append(claimed)
    return written


@writes
def follow(tx: Transaction, ended: Execution) -> list[Claimed]:
    """See `JobStore.follow`."""
    if not tx.ownership.leads(tx.session):
        return []
    return list(chain.from_iterable(start_downstream(tx, [ended], tx.owner).values()))


def prune(tx: Transaction, spared: Iterable[tuple[str, str]]) -> None:
    """Delete old executions of jobs beyond the history's length. `spared` pairs each job with an execution to keep, or ''."""
    tx.session.from_rows(_PRUNE.format(older=tx.history_length - 1), {"job_id": "TEXT", "spared": "TEXT"}, list(spared))


class Round:
    """Collects and writes the decisions of one claim, or on downstream jobs."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._decided: list[tuple[Job, JobState, Decision, int]] = []
        """Jobs, their states before, the decisions, and the place of their newest record before."""
        self._records: list[Claimed] = []
        self._inserts: list[Row] = []
        self.next_times: dict[str, datetime | None] = {}
        self._stays: dict[str, Row] = {}
        self._moves: dict[str, Row] = {}
        """All three by job id. `_moves` has the jobs whose status changes."""

    def decide(self, rows: Sequence[Row], decide: Decide) -> None:
        """Decide on the jobs of these rows of the columns `_STANDS`."""
        definitions = self._tx.definitions
        known = [definitions.known(row[0], row[1]) for row in rows]
        texts = self._texts([row[0] for row, job in zip(rows, known, strict=True) if job is None])
        for (job_id, revision, sequence, unfinished, *stands), read in zip(rows, known, strict=True):
            state = None
            try:
                state = state_of(stands)
                job = read or definitions.read(job_id, revision, texts[job_id])
            except Exception as error:  # a damaged row stops only its own job, which is kept to be repaired
                self._move(job_id, None, unreadable_state(error, state), sequence)
            else:
                self._add(job, state, decide(job, readable_state(state), unfinished), sequence)

    def write(self) -> list[Claimed]:
        """Write all decisions, and return the new records."""
        session = self._tx.session
        inserted = {row[0] for row in session.from_rows(_INSERT, _NEW_TYPES, self._inserts)}
        if len(inserted) < len(self._inserts):
            self._recount(inserted)
        session.from_rows(_STAY, _MOVED_TYPES, list(self._stays.values()))
        session.from_rows(_MOVE, _MOVED_TYPES, list(self._moves.values()))
        # Records of skipped due times are finished at once, so they lengthen the history.
        finished = [execution for _, execution in self._records if execution.status not in UNFINISHED]
        places = {job_id: row[-1] for job_id, row in (*self._stays.items(), *self._moves.items())} if finished else {}
        prune(self._tx, [(e.job_id, e.execution_id) for e in finished if places[e.job_id] > self._tx.history_length])
        return self._records

    def _recount(self, inserted: set[str]) -> None:
        """Drop due times that have a record already, as after a backfill: they neither run again nor take a place in the history."""
        self._records = [claimed for claimed in self._records if claimed.execution.execution_id in inserted]
        places: list[Row] = []
        for job, before, decision, sequence in self._decided:
            new = [execution for execution in decision.executions if execution.execution_id in inserted]
            if len(new) < len(decision.executions):
                self._move(job.job_id, before, recount(job, decision, new), sequence + len(new))
                places += [(execution.execution_id, place) for place, execution in enumerate(_in_order(new), sequence + 1)]
        self._tx.session.from_rows(_PLACE, {"execution_id": "TEXT", "sequence": "BIGINT"}, places)

    def _add(self, job: Job, before: JobState, decision: Decision, sequence: int) -> None:
        recorded, state = decision
        if not recorded and state == before:
            self.next_times[job.job_id] = before.due_at
            return
        self._decided.append((job, before, decision, sequence))
        for execution in _in_order(recorded) if len(recorded) > 1 else recorded:
            sequence += 1
            self._inserts.append((*_NEW.row(execution), sequence))
        for execution in recorded:
            self._records.append(_claimed((job, execution)))
        self._move(job.job_id, before, state, sequence)

    def _move(self, job_id: str, before: JobState | None, after: JobState, sequence: int) -> None:
        row = (job_id, *_MOVED.row(after), sequence)
        if before is not None and before.status is after.status:
            self._stays[job_id] = row
            self._moves.pop(job_id, None)
        else:
            self._moves[job_id] = row
            self._stays.pop(job_id, None)
        self.next_times[job_id] = after.due_at

    def _texts(self, ids: Sequence[str]) -> dict[str, str]:
        """Fetch the definitions of jobs that are not cached. They are the largest part of a row."""
        session = self._tx.session
        if not ids:
            return {}
        each = EACH[session.dialect]
        return dict(session.rows(f"SELECT job_id, definition FROM agentool_jobs WHERE job_id IN ({each})", {"ids": json.dumps(ids)}))  # noqa: S608


def _in_order(recorded: Sequence[Execution]) -> Sequence[Execution]:
    """Sort records by their places in the history: skipped ones are the newest, so that late runs do not push them out."""
    return sorted(recorded, key=lambda execution: execution.finished)
