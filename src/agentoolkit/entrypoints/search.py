"""The search grammar of every door: ``status:failed job:report* tag:x owner:me tool:agent took:>5m cost:>0.10 since:24h error:"timeout"``.

    query  = { ["-"] term }
    term   = key ":" value { "," value }  |  word
    value  = text without spaces  |  '"' text '"'

All terms must hold; of several values one is enough; ``-`` turns a term round. A word is looked for in names, ids and errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.system.scheduler.jobs import ExecutionStatus

MAX_LENGTH = 500
"""Characters of a query."""
KEYS: Mapping[str, str] = {
    "status": "how it stands: failed, success, running …; of tasks: scheduled, paused, done, broken, cancelled",
    "job": "id or name of the task; a star stands for any text",
    "tag": "a label of the task",
    "owner": "whose task it is; 'me' is you",
    "tool": "the AgenTool that is called",
    "trigger": "schedule, run_now, requested, backfill or after",
    "took": "how long it took: >5m, <=300ms",
    "cost": "US dollars: >0.10",
    "since": "due after: 24h ago, 7d, or 2030-01-01",
    "until": "due before",
    "error": "text of the error or the reason",
}
"""What can be searched for, and its meaning; for completion too."""
TASK_STATUSES = frozenset({"scheduled", "paused", "done", "broken", "cancelled"})
_TASK_STATUS = {"active": "scheduled"}
_STATUSES = TASK_STATUSES | {status.value for status in ExecutionStatus}
_OF_TASK = frozenset({"tag", "owner"})
"""Keys that only the task of an execution can answer."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_TERM = re.compile(r'(?P<not>-)?(?:(?P<key>[a-z_]+):)?(?P<value>(?:"[^"]*"|[^\s"])+)\s*')
_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-z]*)")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    key: str
    """Empty: a word that is looked for anywhere."""
    values: tuple[str, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A query that was read."""

    terms: tuple[Term, ...]
    me: str
    now: datetime

    @property
    def needs_tasks(self) -> bool:
        """Does it ask for something that an execution does not know of itself?"""
        return any(term.key in _OF_TASK for term in self.terms)

    @property
    def needs_results(self) -> bool:
        """Does it ask for what only a result tells?"""
        return any(term.key == "cost" for term in self.terms)

    def only(self, key: str) -> str | None:
        """Return the value of a key where it is the one that all that is found has: an index can be asked for it."""
        found = [term.values[0] for term in self.terms if term.key == key and len(term.values) == 1 and not term.is_negated]
        return found[0] if len(found) == 1 else None

    def matches_task(self, job: Mapping[str, Any]) -> bool:
        """Does a job fit, given as the scheduler's ``list`` answers it?"""
        return all(self._holds(term, _task_answers(job)) for term in self.terms)

    def matches_tasks_part(self, job: Mapping[str, Any]) -> bool:
        """Does a job fit those terms that only a task can answer?"""
        return all(self._holds(term, _task_answers(job)) for term in self.terms if term.key in _OF_TASK)

    def matches_execution(self, execution: Mapping[str, Any]) -> bool:
        """Does an execution fit, given as the scheduler answers it, what only its job can answer left aside?"""
        return all(self._holds(term, _execution_answers(execution)) for term in self.terms if term.key not in _OF_TASK)

    def _holds(self, term: Term, answers: Callable[[str], Any]) -> bool:
        return any(self._fits(term.key, value, answers(term.key)) for value in term.values) is not term.is_negated

    def _fits(self, key: str, value: str, there: Any) -> bool:
        if there is None:
            return False
        if key in ("took", "cost"):
            return compares(value, float(there))
        if key in ("since", "until"):
            at, bound = datetime.fromisoformat(there), moment_of(value, self.now)
            return at >= bound if key == "since" else at < bound
        if key == "owner" and value == "me":
            value = self.me
        if key in ("error", ""):
            return any(value.casefold() in text.casefold() for text in there)
        return any(fnmatchcase(text.casefold(), value.casefold()) for text in there)


def read_search(text: str, *, me: str, now: datetime) -> Search:
    """Read a query.

    Raises:
        InvalidInput: A key is unknown, or a value cannot be one of its key.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"A query has at most {MAX_LENGTH} characters.", field="query", value=text[:MAX_LENGTH])
    if text.count('"') % 2:
        raise _wrong("A quote is not closed.", text, 'Write error:"timed out".')
    return Search(tuple(_term(found, now) for found in _TERM.finditer(text.strip())), me, now)


def compares(value: str, there: float) -> bool:
    """Does a number, or a number of seconds, fit ``>5m``, ``<=0.10`` or ``3``?"""
    found = _COMPARISON.fullmatch(value)
    if found is None:
        return False
    bound = float(found["number"]) * _UNITS.get(found["unit"], 1.0)
    return {">": there > bound, ">=": there >= bound, "<": there < bound, "<=": there <= bound}.get(found["sign"], there == bound)


def moment_of(value: str, now: datetime) -> datetime:
    """Return the time that ``24h`` ago was, or that an ISO 8601 time or date names.

    Raises:
        InvalidInput: It is neither.
    """
    found = _COMPARISON.fullmatch(value)
    try:
        if found is not None and found["sign"] is None and found["unit"] in _UNITS:
            return now - timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError) as error:
        raise _wrong(f"{excerpt(value)} is no time.", value, "Write since:24h or since:2030-01-01.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _term(found: re.Match[str], now: datetime) -> Term:
    key, text = found["key"] or "", found["value"]
    if not key and text.endswith(":"):
        key, text = text[:-1], ""
    if key and key not in KEYS:
        remedy = did_you_mean(key, KEYS)
        raise _wrong(f"{key!r} is nothing that can be searched for.", f"{key}:", remedy)
    values = tuple(value for part in _split(text) if (value := part.replace('"', "")))
    if not values:
        raise _wrong(f"{key or 'The word'!s} has no value.", found[0].strip(), f"Write {key}:VALUE." if key else "Leave it out.")
    for value in values:
        _check(key, value, now)
    return Term(key, values, found["not"] is not None)


def _split(text: str) -> Sequence[str]:
    """Return the values between commas; a comma in quotes belongs to its value."""
    return re.findall(r'(?:"[^"]*"|[^,"])+', text)


def _check(key: str, value: str, now: datetime) -> None:
    if key == "status" and value not in _STATUSES:
        raise _wrong(f"{excerpt(value)} is no status.", value, did_you_mean(value, _STATUSES))
    if key in ("took", "cost"):
        _check_comparison(key, value)
    if key in ("since", "until"):
        moment_of(value, now)


def _check_comparison(key: str, value: str) -> None:
    found = _COMPARISON.fullmatch(value)
    right = "took:>5m" if key == "took" else "cost:>0.10"
    is_known = found is not None and (found["unit"] in _UNITS if key == "took" else found["unit"] == "")
    try:
        Decimal(found["number"] if found else "")
    except InvalidOperation:
        is_known = False
    if not is_known:
        raise _wrong(f"{excerpt(value)} cannot be compared.", value, f"Write {right}.")


def _wrong(problem: str, value: str, remedy: str) -> InvalidInput:
    return InvalidInput(problem, field="query", value=value, remedy=remedy)


def _task_answers(job: Mapping[str, Any]) -> Callable[[str], Any]:
    held: dict[str, Any] = {
        "status": [_TASK_STATUS.get(job["state"], job["state"]), job["last_outcome"] or ""],
        "job": [job["job_id"], job["job_name"]],
        "tag": job["tags"],
        "owner": [job["owner"]],
        "tool": [job["agentool_name"]],
        "since": job["next_run"],
        "until": job["next_run"],
        "error": [job["reason"]],
        "": [job["job_id"], job["job_name"], job["description"], job["reason"]],
    }
    return held.get


def _execution_answers(execution: Mapping[str, Any]) -> Callable[[str], Any]:
    error: Mapping[str, Any] = execution["error"] or {}
    texts = [execution["reason"], str(error.get("type", "")), str(error.get("message", ""))]
    held: dict[str, Any] = {
        "status": [execution["status"]],
        "job": [execution["job_id"]],
        "tool": [execution["agentool_name"]],
        "trigger": [execution["trigger"]],
        "took": execution["duration"],
        "cost": _cost(execution["result"]),
        "since": execution["scheduled_at"],
        "until": execution["scheduled_at"],
        "error": texts,
        "": [execution["execution_id"], execution["agentool_name"], *texts],
    }
    return held.get


def _cost(result: Any) -> float | None:
    """Return what a run of an agent has cost, as its result tells."""
    return _number(result.get("cost")) if isinstance(result, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
