"""Converts facts to rows and back. Each column is declared once: its name, type, and how its field is written and read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from agentoolkit.database.session import Row
from agentoolkit.database.times import instant, micros, moment
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.execution_records import Attempt, DeliveryStatus, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.stores.sql.definitions import encode

_BLANKS: dict[str, object] = {"TEXT": "", "BIGINT": 0, "DOUBLE PRECISION": -1.0}
"""Stand-ins for null in bulk rows, because for ``sqlite3`` a null there costs as much as ten texts."""


class Column(NamedTuple):
    """A column of a table, and the field of the fact that it stores."""

    name: str
    type: str
    field: str
    """The field's attribute path."""
    write: Callable[[Any], object] | None = None
    """Converts a field's value, unless it is None, to the stored value; None stores it unchanged."""
    read: Callable[[Any], Any] | None = None
    nullable: bool = False


class Columns:
    """Some columns of one table, in order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.name: column for column in columns}
        self.names = tuple(self._columns)
        self.types: Mapping[str, str] = {column.name: column.type for column in columns}
        self.selected = ", ".join(self.names)

    @cached_property
    def row(self) -> Callable[[Any], Row]:
        """A function that converts a fact to a bulk row, with a blank for null. See `value`."""
        return self._compiled("fact", [_written(column, repr(_BLANKS[column.type])) for column in self._columns.values()])

    @cached_property
    def facts(self) -> Callable[[Sequence[Any]], Row]:
        """A function that converts a row to field values. It raises `ValueError`, `KeyError` or `TypeError` if damaged."""
        return self._compiled("row", [_read(column, place) for place, column in enumerate(self._columns.values())])

    def only(self, *names: str) -> Columns:
        """Return the named columns, in this order."""
        return Columns([self._columns[name] for name in names])

    def parameters(self, fact: object) -> dict[str, Any]:
        """Return a fact's stored values by column name."""
        return dict(zip(self.names, self._stored(fact), strict=True))

    @cached_property
    def _stored(self) -> Callable[[Any], Row]:
        return self._compiled("fact", [_written(column, "None") for column in self._columns.values()])

    def value(self, name: str) -> str:
        """Return a column of the bulk table ``r`` as SQL, with null for the blank."""
        column = self._columns[name]
        if not column.nullable:
            return f"r.{name}"
        blank = _BLANKS[column.type]
        return f"NULLIF(r.{name}, {blank!r})"

    def _compiled(self, given: str, values: Sequence[str]) -> Callable[[Any], Row]:
        """Compile a function that returns these expressions, as `dataclasses` does.

        Every firing writes five rows and reads one: a loop over the columns took more than twice as long.
        """
        converters = {f"{way}_{name}": getattr(column, way) for name, column in self._columns.items() for way in ("write", "read")}
        return eval(f"lambda {given}: ({', '.join(values)},)", converters)  # noqa: S307  names of ours


def _written(column: Column, null: str) -> str:
    value = f"fact.{column.field}"
    stored = f"write_{column.name}({value})" if column.write else value
    return f"{null} if {value} is None else {stored}" if column.nullable else stored


def _read(column: Column, place: int) -> str:
    return f"None if row[{place}] is None else read_{column.name}(row[{place}])" if column.read else f"row[{place}]"


def _member_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Return a function that reads a member by its value: calling the enum takes five times as long."""
    members = {member.value: member for member in kind}
    return lambda stored: members.get(stored) or kind(stored)


def plain(text: str) -> str:
    """Return text that every database accepts: without lone surrogates and NUL."""
    return text if text.isprintable() else text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _attempts_text(attempts: Sequence[Attempt]) -> str | None:
    if not attempts:
        return None
    return encode([[past.attempt, micros(past.started_at), micros(past.finished_at), past.error] for past in attempts])


def _attempts_of(stored: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(number, moment(started), moment(finished), None if error is None else ErrorRecord(*error))
        for number, started, finished, error in json.loads(stored)
    )


def _error_of(stored: str) -> ErrorRecord:
    return ErrorRecord(*json.loads(stored))


_due = lru_cache(maxsize=256)(instant)
_shared = lru_cache(maxsize=256)(micros)
"""Cached, because many jobs are due, and begin, at the same instant."""

STATE = Columns(
    (
        Column("state", "TEXT", "status._value_", read=_member_of(JobStatus)),
        Column("next_run_at", "BIGINT", "next_run_at", micros, _due, nullable=True),
        Column("runs", "BIGINT", "runs"),
        Column("version", "BIGINT", "version"),
        Column("reason", "TEXT", "reason", plain),
        Column("paused_until", "BIGINT", "paused_until", micros, instant, nullable=True),
        Column("ended_at", "BIGINT", "ended_at", micros, instant, nullable=True),
        Column("failures_from", "BIGINT", "failures_from", micros, instant, nullable=True),
    )
)
"""The columns of a job's state, in the order of the fields of `JobState`."""

UNFINISHED = "COALESCE(agentool_executions.finished_at, 0) = 0"
"""The condition for executions found by id. It keeps PostgreSQL from using the index on unfinished ones, which statistics of
a quiet hour show as nearly empty: in a burst, each id would be searched among all that wait."""

EXECUTION = Columns(
    (
        Column("execution_id", "TEXT", "execution_id"),
        Column("job_id", "TEXT", "job_id"),
        Column("agentool_name", "TEXT", "agentool_name"),
        Column("scheduled_at", "BIGINT", "scheduled_at", _shared, instant),
        Column("cause", "TEXT", "trigger"),
        Column("status", "TEXT", "status._value_", read=_member_of(ExecutionStatus)),
        Column("reason", "TEXT", "reason", plain),
        Column("due_count", "BIGINT", "due_count"),
        Column("attempt", "BIGINT", "attempt"),
        Column("started_at", "BIGINT", "started_at", _shared, instant, nullable=True),
        Column("finished_at", "BIGINT", "finished_at", micros, instant, nullable=True),
        Column("duration", "DOUBLE PRECISION", "duration", nullable=True),
        Column("result", "TEXT", "result", encode, json.loads, nullable=True),
        Column("error", "TEXT", "error", encode, _error_of, nullable=True),
        Column("delivery", "TEXT", "delivery._value_", read=_member_of(DeliveryStatus)),
        Column("retry_at", "BIGINT", "retry_at", micros, instant, nullable=True),
        Column("attempts", "TEXT", "attempts", _attempts_text, _attempts_of, nullable=True),
        Column("owner", "TEXT", "owner"),
    )
)
"""The columns of an execution, in the order of its fields."""
_ATTEMPTS = EXECUTION.names.index("attempts")

WITHOUT_RESULT = ", ".join("NULL" if name == "result" else name for name in EXECUTION.names)
"""The columns of an execution without its result, which may be large."""


_state, _execution = maker_of(JobState), maker_of(Execution)


def state_of(row: Sequence[Any]) -> JobState:
    """Read the columns `STATE`. Raises `ValueError` or `OverflowError` if they are damaged."""
    return _state(STATE.facts(row))


_UNREADABLE = "it cannot be read: "
"""Beginning of the reason of a job whose row cannot be read."""


def unreadable_state(error: Exception, before: JobState | None = None) -> JobState:
    """Return the state of a job whose row cannot be read. Its due time and runs are kept, for a process that can read it.

    A pause cannot be kept beside it, so a paused job does not go on by itself.
    """
    kept = before if before is not None and before.status is not JobStatus.PAUSED else JobState()
    return kept._replace(status=JobStatus.BROKEN, reason=f"{_UNREADABLE}{error!r}")


def readable_state(state: JobState) -> JobState:
    """Return the state of a job that can be read. If it was broken because a process could not read it, it goes on where it was."""
    could_not = state.status is JobStatus.BROKEN and state.next_run_at is not None and state.reason.startswith(_UNREADABLE)
    return state.resumed() if could_not else state


def execution_of(row: Row) -> Execution:
    """Read the columns `EXECUTION`. Raises `ValueError`, `TypeError` or `OverflowError` if they are damaged."""
    facts = list(EXECUTION.facts(row))
    if facts[_ATTEMPTS] is None:
        facts[_ATTEMPTS] = ()
    return _execution(facts)


def execution_or_damaged(row: Row) -> Execution:
    """Read the columns `EXECUTION`. A damaged row is returned as lost, with a reason that names the damage."""
    try:
        return execution_of(row)
    except Exception as error:
        return damaged_execution(row, error)


def damaged_execution(row: Row, error: Exception) -> Execution:
    """Return the stand-in for an execution whose row cannot be read."""
    stored = dict(zip(EXECUTION.names, row, strict=True))
    known = Execution(
        str(stored["execution_id"]), str(stored["job_id"]), str(stored["agentool_name"]), time_or_first(stored["scheduled_at"])
    )
    finished = time_or_first(stored["finished_at"]) if stored["finished_at"] is not None else None
    reason = f"damaged: its record cannot be read: {error}"
    return known._replace(status=ExecutionStatus.LOST, reason=reason, finished_at=finished, owner=str(stored["owner"]))


def message_of(row: Row) -> Message:
    """Read ``execution_id, queue_name, payload, attempts``. Raises `ValueError` if they are damaged."""
    return Message(row[0], row[1], json.loads(row[2]), row[3])


def time_or_first(stored: object) -> datetime:
    """Read an instant; a damaged one is read as 1970-01-01."""
    try:
        return instant(int(str(stored)))
    except (ValueError, OverflowError):
        return instant(0)
