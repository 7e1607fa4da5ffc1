"""Reads schedules after another job: ``after extract failed``, ``after 'an odd name' ended``, ``after any failed``; ``@reboot``.

Such a schedule has no due times: its job starts when an execution of the other job ends, or when the scheduler starts.
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
"""Maximum characters of the text: a job's id or name has up to 200."""

ANY = "@any"
"""Stands for any other job in place of a job's id. No job's id has an ``@``."""

START = "@start"
"""Stands for the scheduler's start in place of a job's id."""

REBOOT = "@reboot"
"""The name of a scheduler's start in crontab(5)."""

_WORD = "after"
_BEGIN = re.compile(rf"\s*{_WORD}(?:\s|$)", re.IGNORECASE)
_FIRST = frozenset("@aAoO")
"""First characters of all these texts, for a quick check: most schedules are of another kind."""
_START_WORDS = (REBOOT, "at every start", *(f"{word} {what}" for word in ("at", "on") for what in ("startup", "start", "boot", "reboot")))
_ANY_WORD = "any"
_OUTCOMES = get_args(Outcome)
_QUOTES = ("'", '"')
_REMEDY = "Write e.g. 'after extract', 'after extract failed' or 'after extract ended', with a job's id or name."


class Upstream(NamedTuple):
    """An upstream job, by id or name, and which of its ends count."""

    job_id: str
    outcome: Outcome = "succeeded"

    @property
    def text(self) -> str:
        """The canonical text, quoted only if it would otherwise be read differently."""
        if self.job_id == START:
            return REBOOT
        if self.job_id == ANY:
            return f"{_WORD} {_ANY_WORD} {self.outcome}"
        plain = f"{_WORD} {self.job_id} {self.outcome}"
        return plain if upstream_in(plain) == self else f"{_WORD} '{self.job_id}' {self.outcome}"

    @property
    def names_job(self) -> bool:
        """True if it is one job, and not any job or the scheduler."""
        return self.job_id not in (ANY, START)

    @property
    def words(self) -> str:
        """The condition in plain English."""
        if self.job_id == START:
            return "at every start of the scheduler"
        job = "any job" if self.job_id == ANY else f"job {self.job_id!r}"
        return f"{_WORD} {job} {self.outcome}"


class Never(Rule):
    """No due time at all."""

    def count(self, after: datetime, until: datetime) -> int:
        """Return 0."""
        return 0

    def next_after(self, moment: datetime) -> datetime | None:
        """Return None."""
        return None


def is_after(text: str) -> bool:
    """Tell whether a text begins with the word ``after``."""
    return _BEGIN.match(text) is not None


def upstream_in(text: str) -> Upstream | None:
    """Read the text of such a schedule; None for any other text. The outcome defaults to ``succeeded``.

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
    inner = name[4:].lstrip() if name[:4].lower() == "job " else name  # as `words` writes it
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in _QUOTES:
        name = inner[1:-1]
    if not name.strip():
        raise InvalidSchedule(f"{excerpt(text)} names no job to come after.", field="schedule", value=text, remedy=_REMEDY)
    return Upstream(name, outcome)


def required_upstream(text: str) -> Upstream:
    """Read a text that must be such a schedule. Raises `InvalidSchedule` if it is not."""
    if (found := upstream_in(text)) is None:
        raise InvalidSchedule(f"{excerpt(text)} does not begin with 'after'.", field="schedule", value=text, remedy=_REMEDY)
    return found
