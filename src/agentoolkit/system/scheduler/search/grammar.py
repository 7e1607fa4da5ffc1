"""The search grammar of every door: ``status:failed job:report* tag:x owner:me tool:agent took:>5m cost:>0.10 since:24h error:"timeout"``.

    query  = { ["-"] term }
    term   = key ":" value { "," value }  |  word
    value  = text without spaces  |  '"' text '"'

All terms must hold; of several values one is enough; ``-`` negates a term. A word is searched in names, ids and errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.execution_records import TRIGGERS, ExecutionStatus
from agentoolkit.system.scheduler.jobs import LIVE, JobStatus

Subject = Literal["jobs", "executions"]
"""The records that a query searches."""

MAX_LENGTH = 500
"""Maximum characters of a query."""
KEYS: Mapping[str, str] = {
    "status": "how it stands: failed, success, running …; of jobs: scheduled, paused, done, broken, cancelled, or their last outcome",
    "job": "id or name of the job; a star stands for any text",
    "tag": "a label of the job",
    "owner": "whose job it is; 'me' is you",
    "tool": "the AgenTool that the job calls",
    "trigger": f"what started an execution: {TRIGGERS}",
    "took": "of executions, how long it took: >5m, <=300ms",
    "cost": "of executions of agents, US dollars: >0.10",
    "since": "due after: 24h ago, 7d, or 2030-01-01",
    "until": "due before",
    "error": "text of the error or the reason",
}
"""The keys of a query and their meanings, also for completion."""
_OF_EXECUTIONS = frozenset({"trigger", "took", "cost"})
_JOB_STATUSES = {("scheduled" if status is JobStatus.ACTIVE else status.value): status.value for status in JobStatus}
_ALSO = {JobStatus.ACTIVE.value: JobStatus.ACTIVE.value}
"""Statuses by their technical names, if people use another word."""
_STATUSES: Mapping[Subject, Mapping[str, str]] = {
    "jobs": {**{status.value: status.value for status in ExecutionStatus}, **_JOB_STATUSES},
    "executions": {status.value: status.value for status in ExecutionStatus},
}
"""Status values by the words for them."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_TERM = re.compile(r'(?P<not>-)?(?:(?P<key>[a-z_]+):)?(?P<value>(?:"[^"]*"|[^\s"])+)\s*')
_VALUE = re.compile(r'(?:"[^"]*"|[^,"])+')
"""A value between commas; a comma in quotes is part of it."""
_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<number>\d{1,15}(?:\.\d{1,15})?)(?P<unit>[a-z]*)")

Sign = Literal["<", "<=", ">", ">=", "="]


@dataclass(frozen=True, slots=True)
class Bound:
    """A number, or seconds, and the comparison with it."""

    sign: Sign
    number: float

    def holds(self, there: float) -> bool:
        """Tell whether a number meets the bound."""
        signs = {">": there > self.number, ">=": there >= self.number, "<": there < self.number, "<=": there <= self.number}
        return signs.get(self.sign, there == self.number)


TermValue = str | Bound | datetime
"""A text, in which a star stands for any text; a bound of ``took`` or ``cost``; a time of ``since`` or ``until``."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    key: str
    """Empty for a word that is searched everywhere."""
    values: tuple[TermValue, ...]
    is_negated: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The text values in lower case, as they are compared."""
        return tuple(value.casefold() for value in self.values if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed query."""

    subject: Subject
    terms: tuple[Term, ...] = ()
    owner: str | None = None
    """The owner to whose jobs the search is limited; None means all owners."""

    def only(self, key: str) -> Term | None:
        """Return the first term of a key that is not negated."""
        return next((term for term in self.terms if term.key == key and not term.is_negated), None)

    @property
    def job_statuses(self) -> frozenset[JobStatus]:
        """The statuses of jobs to search. Jobs that are over are included only if the query asks for their status or last outcome."""
        term = self.only("status")
        if term is None:
            return LIVE
        asked = frozenset(JobStatus(value) for value in term.values if value in _JOB_STATUSES.values())
        return asked if len(asked) == len(term.values) else LIVE | {JobStatus.DONE} | asked

    def with_term(self, key: str, *values: TermValue) -> Search:
        """Return the search with a further term. It comes first, because the first status decides which jobs are searched."""
        return replace(self, terms=(Term(key, values), *self.terms))


def status_word(status: str) -> str:
    """Return the word by which people search for a job's status."""
    return next((word for word, value in _JOB_STATUSES.items() if value == status), status)


def status_value(word: object) -> object:
    """Return the status that a word of people stands for; anything else as it is. A door that takes statuses takes both words."""
    return _JOB_STATUSES.get(word, word) if isinstance(word, str) else word


def read_search(text: str, subject: Subject, *, me: str, now: datetime) -> Search:
    """Read a query.

    Args:
        text: The query.
        subject: The records that it searches.
        me: The caller's name, for ``owner:me``.
        now: The time that ``since:24h`` counts from.

    Raises:
        InvalidJob: A key is unknown, or a value is invalid for its key.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidJob(f"A query has at most {MAX_LENGTH} characters.", field="query", value=text[:MAX_LENGTH])
    if text.count('"') % 2:
        raise _wrong("A quote is not closed.", text, 'Write error:"timed out".')
    return Search(subject, tuple(_term(found, subject, me, now) for found in _TERM.finditer(text.strip())))


def check_narrows(query: str) -> None:
    """Refuse a query without a term where something is done to all that fit: an unset variable must not mean everything.

    Raises:
        InvalidJob: It has no term.
    """
    if not query.strip():
        raise _wrong("It is empty.", query, "Write job:* for all.")


def _term(found: re.Match[str], subject: Subject, me: str, now: datetime) -> Term:
    key, text = found["key"] or "", found["value"]
    if not key and text.endswith(":"):
        key, text = text[:-1], ""
    if key and key not in KEYS:
        raise _wrong(f"{key!r} is nothing that can be searched for.", f"{key}:", did_you_mean(key, KEYS))
    if key in _OF_EXECUTIONS and subject == "jobs":
        raise _wrong(f"{key!r} is known of executions, not of jobs.", found[0].strip(), "Look for it among the executions.")
    values = [value for part in _VALUE.findall(text) if (value := part.replace('"', ""))]
    if not values:
        raise _wrong(f"{key or 'The word'!s} has no value.", found[0].strip(), f"Write {key}:VALUE." if key else "Leave it out.")
    return Term(key, tuple(_value(key, value, subject, me, now) for value in values), found["not"] is not None)


def _value(key: str, text: str, subject: Subject, me: str, now: datetime) -> TermValue:
    if key == "status":
        known = _STATUSES[subject]
        value = known.get(text) or (_ALSO.get(text) if subject == "jobs" else None)
        if value is None:
            raise _wrong(f"{excerpt(text)} is no status of {subject}.", text, did_you_mean(text, known))
        return value
    if key in ("took", "cost"):
        # ``>5m``, ``<=0.10`` or ``3``
        found = _COMPARISON.fullmatch(text)
        units = {**_UNITS, "": 1.0} if key == "took" else {"": 1.0}
        if found is None or found["unit"] not in units or (key == "took" and not found["unit"]):
            raise _wrong(f"{excerpt(text)} cannot be compared.", text, f"Write {'took:>5m' if key == 'took' else 'cost:>0.10'}.")
        return Bound(found["sign"] or "=", float(found["number"]) * units[found["unit"]])  # type: ignore[arg-type]  as the expression has it
    if key in ("since", "until"):
        return _moment(text, now)
    return me if key == "owner" and text == "me" else text


def _moment(text: str, now: datetime) -> datetime:
    """Return the time of ``24h`` before now, or of an ISO 8601 time or date."""
    found = _COMPARISON.fullmatch(text)
    try:
        if found is not None and found["sign"] is None and found["unit"] in _UNITS:
            return now - timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise _wrong(f"{excerpt(text)} is no time.", text, "Write since:24h or since:2030-01-01.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _wrong(problem: str, value: str, remedy: str) -> InvalidJob:
    return InvalidJob(problem, field="query", value=value, remedy=remedy)
