"""Translates the terms of a search into SQL conditions. They may accept too many records, never too few: see `searching`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.search import Bound, Search, Term, TermValue
from agentoolkit.system.scheduler.search.matching import MAX_LABEL

LABELS = frozenset({"job", "tag", "owner", "tool"})
"""Terms that refer to the labels of a job."""
_LAST_OUTCOME = """(
    SELECT e.status FROM agentool_executions e WHERE e.job_id = agentool_jobs.job_id AND e.finished_at IS NOT NULL
    ORDER BY e.finished_at DESC, e.sequence DESC LIMIT 1
)"""
_DUE = "CASE state WHEN 'active' THEN next_run_at WHEN 'paused' THEN paused_until END"
_PLAIN = re.compile(r"[ !#-\[\]-~]+")
"""Text that JSON does not escape."""
_JOB_STATUSES = {**{status.value: status.value for status in JobStatus}, JobStatus.CANCELLED.value: "removed"}


class Values:
    """The parameters of a statement, each under a name of its own.

    Args:
        dialect: The statement's database system.
        table: The table that it reads.
    """

    def __init__(self, dialect: str, table: str) -> None:
        self.table = table
        self.like = "LIKE" if dialect == "sqlite" else "ILIKE"
        """The operator that ignores the case of ASCII letters."""
        self.parameters: dict[str, object] = {}

    def add(self, value: object) -> str:
        """Add a value, and return its placeholder."""
        number = len(self.parameters)
        name = f"value_{chr(97 + number // 26)}{chr(97 + number % 26)}"
        self.parameters[name] = value
        return f":{name}"

    def list_of(self, values: Sequence[object]) -> str:
        """Add values, and return their placeholders for ``IN (…)``."""
        return ", ".join(map(self.add, values))


def job_conditions(search: Search, values: Values) -> list[str]:
    """Return conditions that hold for every matching job."""
    return _conditions(search, values, _of_job)


def execution_conditions(search: Search, values: Values) -> list[str]:
    """Return conditions that hold for every matching execution."""
    return _conditions(search, values, _of_execution)


def time_conditions(search: Search, values: Values) -> list[str]:
    """Return conditions on the due times of matching executions, in the form of the indexes."""
    return [_of_execution(term, values) for term in search.terms if term.key in ("since", "until") and not term.is_negated]


def label_conditions(search: Search, values: Values) -> list[str]:
    """Return conditions on the labels of every job that matches, or whose executions match."""
    terms = [term for term in search.terms if term.key in LABELS and not term.is_negated]
    return [*_of_owner(search, values), *(_has_label((term.key,), term.texts, values) for term in terms)]


def compared(column: str, bounds: Sequence[TermValue], values: Values) -> str:
    """Return a condition that a column meets at least one of the bounds."""
    return _any([f"{column} {bound.sign} {values.add(bound.number)}" for bound in bounds if isinstance(bound, Bound)])


def _conditions(search: Search, values: Values, of: Callable[[Term, Values], str]) -> list[str]:
    found = _of_owner(search, values)
    for term in search.terms:
        if not term.is_negated:
            found.append(of(term, values))
        elif term.key not in ("", "error"):  # their conditions accept too much, so their negation would reject too much
            found.append(f"NOT COALESCE({of(term, values)}, FALSE)")
    return found


def _of_owner(search: Search, values: Values) -> list[str]:
    return [] if search.owner is None else [_labelled(("owned",), [("=", search.owner)], values)]


def _of_job(term: Term, values: Values) -> str:
    match term.key:
        case "status":
            jobs = [_JOB_STATUSES[value] for value in term.values if isinstance(value, str) and value in _JOB_STATUSES]
            outcomes = [value for value in term.values if value not in _JOB_STATUSES]
            parts = [f"state IN ({values.list_of(jobs)})"] if jobs else []
            return _any([*parts, f"{_LAST_OUTCOME} IN ({values.list_of(outcomes)})"] if outcomes else parts)
        case "since" | "until":
            return _in_time(_DUE, term, values)
        case "error":
            return _says(("reason",), term, values)
        case "":
            words = [f"%{_escaped(text)}%" for text in term.texts]
            return _any([_says(("reason",), term, values), _labelled(("job", "text"), [("LIKE", word) for word in words], values)])
        case _:
            return _has_label((term.key,), term.texts, values)


def _of_execution(term: Term, values: Values) -> str:
    match term.key:
        case "status":
            return f"status IN ({values.list_of(term.values)})"
        case "trigger":
            return f"cause IN ({values.list_of(term.values)})"
        case "took":
            return compared("duration", term.values, values)
        case "cost":
            return compared("cost", term.values, values)
        case "since" | "until":
            return _in_time("scheduled_at", term, values)
        case "error":
            return _says(("reason", "error"), term, values)
        case "":
            return _says(("execution_id", "agentool_name", "reason", "error"), term, values)
        case "job":
            return _any([_has_label(("job",), term.texts, values), f"job_id IN ({values.list_of(term.values)})"])
        case _:
            return _has_label((term.key,), term.texts, values)


def _has_label(kinds: Sequence[str], texts: Sequence[str], values: Values) -> str:
    """Return a condition that a job has a label of these kinds that equals one of the texts; a star stands for any text."""
    patterns = {text: _escaped(text).replace("*", "%").replace("?", "_") for text in texts if "*" in text or "?" in text}
    comparisons = [("LIKE", patterns[text]) if text in patterns else ("=", text) for text in texts]
    return _labelled(kinds, [(sign, text[:MAX_LABEL]) for sign, text in comparisons], values)


def _labelled(kinds: Sequence[str], comparisons: Sequence[tuple[str, str]], values: Values) -> str:
    """Return the condition as a subquery for each job. OFFSET keeps databases from reading all labels of a kind instead."""
    each = _any([f"l.value {sign} {values.add(text)}{_ESCAPE if sign == 'LIKE' else ''}" for sign, text in comparisons])
    of_kinds = _any([f"l.kind = '{kind}'" for kind in kinds])
    of_job = f"SELECT 1 FROM agentool_job_labels l WHERE l.job_id = {values.table}.job_id"  # noqa: S608  names of ours
    return f"EXISTS ({of_job} AND {of_kinds} AND {each} LIMIT 1 OFFSET 0)"


_ESCAPE = " ESCAPE '\\'"


def _says(columns: Sequence[str], term: Term, values: Values) -> str:
    """Return a condition that a column contains the longest part of a text that JSON does not escape; true if there is none."""
    parts = [max(_PLAIN.findall(text), key=len, default="") for text in term.texts]
    words = [values.add(f"%{_escaped(part)}%") for part in parts]
    return _any([f"{column} {values.like} {word}{_ESCAPE}" for word in words for column in columns])


def _in_time(column: str, term: Term, values: Values) -> str:
    sign = ">=" if term.key == "since" else "<"
    moments = [micros(value) for value in term.values if isinstance(value, datetime)]
    return _any([f"{column} {sign} {values.add(moment)}" for moment in moments])


def _any(conditions: Sequence[str]) -> str:
    return f"({' OR '.join(conditions)})"


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
