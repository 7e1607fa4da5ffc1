"""After another job: ``after extract``, ``after extract failed``, ``after 'an odd name' ended``, ``after any failed``; ``@reboot``.

Such a schedule has no due times of its own: its moments are the ends of another job's executions, or the scheduler's starts.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, NamedTuple, cast, get_args

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.rules import Rule

Outcome = Literal["succeeded", "failed", "ended"]
"""Which ends count: those with a result, those without one, or both."""

MAX_AFTER = 300
"""Characters: a job's id or name has up to 200."""

ANY = "@any"
"""In the place of a job's id: any other job. No id of a job has an ``@``."""

START = "@start"
"""In the place of a job's id: the scheduler's start."""

REBOOT = "@reboot"
"""What crontab(5) calls it, in the company of crontabs."""

_WORD = "after"
_BEGIN = re.compile(rf"\s*{_WORD}(?:\s|$)", re.IGNORECASE)
_FIRST = frozenset("@aAoO")
"""How all of these texts begin; a new schedule is asked several times, and most are none."""
_START_WORDS = (REBOOT, "at every start", *(f"{word} {what}" for word in ("at", "on") for what in ("startup", "start", "boot", "reboot")))
_ANY_WORD = "any"
_OUTCOMES = get_args(Outcome)
_QUOTES = ("'", '"')
_REMEDY = "Write e.g. 'after extract', 'after extract failed' or 'after extract ended', with a job's id or name."


class Upstream(NamedTuple):
    """The job that another one comes after, by its id or name, and which of its ends count."""

    job_id: str
    outcome: Outcome = "succeeded"

    @property
    def text(self) -> str:
        """The canonical text: quoted only where it would be read as something else."""
        if self.job_id == START:
            return REBOOT
        if self.job_id == ANY:
            return f"{_WORD} {_ANY_WORD} {self.outcome}"
        plain = f"{_WORD} {self.job_id} {self.outcome}"
        return plain if upstream_in(plain) == self else f"{_WORD} '{self.job_id}' {self.outcome}"

    @property
    def names_job(self) -> bool:
        """Is it one job, rather than any or the scheduler itself?"""
        return self.job_id not in (ANY, START)

    @property
    def words(self) -> str:
        """It in plain English."""
        if self.job_id == START:
            return "at every start of the scheduler"
        job = "any job" if self.job_id == ANY else f"job {self.job_id!r}"
        return f"{_WORD} {job} {self.outcome}"


class Never(Rule):
    """No due time at all."""

    def count(self, after: datetime, until: datetime) -> int:
        """There is none to count."""
        return 0

    def next_after(self, moment: datetime) -> datetime | None:
        """Return None."""
        return None


def is_after(text: str) -> bool:
    """Does a text begin with the word ``after``?"""
    return _BEGIN.match(text) is not None


def upstream_in(text: str) -> Upstream | None:
    """Read the text of such a schedule; None if it is none. The outcome may be left out: ``succeeded``.

    Raises:
        InvalidSchedule: It names no job.
    """
    if text.lstrip()[:1] not in _FIRST:
        return None
    if " ".join(text.lower().split()) in _START_WORDS:
        return Upstream(START, "ended")
    if not is_after(text):
        return None
    said = text.strip()[len(_WORD) :].strip()
    parts = said.rsplit(maxsplit=1)
    word = parts[1].rstrip(".").lower() if len(parts) == 2 else ""
    name, outcome = (parts[0], cast(Outcome, word)) if word in _OUTCOMES else (said, "succeeded")
    if name.lower() in (_ANY_WORD, f"{_ANY_WORD} job"):
        return Upstream(ANY, outcome)
    inner = name[4:].lstrip() if name[:4].lower() == "job " else name  # as the words of such a schedule say it
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in _QUOTES:
        name = inner[1:-1]
    if not name.strip():
        raise InvalidSchedule(f"{excerpt(text)} names no job to come after.", field="schedule", value=text, remedy=_REMEDY)
    return Upstream(name, outcome)


def required_upstream(text: str) -> Upstream:
    """Read a text that must be that of such a schedule. Raises `InvalidSchedule`."""
    if (found := upstream_in(text)) is None:
        raise InvalidSchedule(f"{excerpt(text)} does not begin with 'after'.", field="schedule", value=text, remedy=_REMEDY)
    return found
