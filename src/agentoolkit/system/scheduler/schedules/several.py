"""Several schedules of one job: ``0 9 * * 1-5; 0 12 * * 6``. An instant at which two of them are due counts once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule

SEPARATOR = "; "
MAX_PARTS = 20
"""Maximum schedules of one job."""
MAX_FREQUENT = 1
"""How many of them may be due more often than hourly: common due times are found by a walk over the rarer schedule."""

_YEAR = (datetime(2028, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
_HOURS = 366 * 24


@dataclass(frozen=True, slots=True)
class AnyOf(Rule):
    """Due whenever one of the rules is."""

    rules: tuple[Rule, ...]

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        return min((due for rule in self.rules if (due := rule.next_after(moment)) is not None), default=None)

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times of all rules later than ``after`` and not later than ``until``, each instant once."""
        counted = sorted(((rule.count(after, until), place) for place, rule in enumerate(self.rules)))
        number = sum(count for count, _ in counted)
        for rank, (_, place) in enumerate(counted[:-1]):
            denser = [self.rules[other] for _, other in counted[rank + 1 :]]
            due = self.rules[place].next_after(after)
            while due is not None and due <= until:
                number -= any(rule.next_after(due - TICK) == due for rule in denser)
                due = self.rules[place].next_after(due)
        return number

    def wall_of(self, due: datetime, zone: tzinfo) -> datetime:
        """Return the wall time of the first rule that is due then."""
        return next(rule for rule in self.rules if rule.next_after(due - TICK) == due).wall_of(due, zone)


def split_parts(text: str) -> list[str]:
    """Return the schedules that a text lists, each without blanks around it.

    Raises:
        InvalidSchedule: There are too many, or one is empty.
    """
    parts = [part.strip() for part in text.strip().rstrip(";").split(";")]
    remedy = "Write e.g. '0 9 * * 1-5; 0 12 * * 6'."
    if len(parts) > MAX_PARTS:
        raise InvalidSchedule(f"has {len(parts)} schedules, at most {MAX_PARTS} are kept.", field="schedule", value=text, remedy=remedy)
    if not all(any(character.isalnum() or character in "@*" for character in part) for part in parts):
        raise InvalidSchedule(f"{excerpt(text)} lists an empty schedule.", field="schedule", value=text, remedy=remedy)
    return parts


def check_frequency(rules: tuple[Rule, ...], text: str) -> None:
    """Refuse more than one schedule that is due more often than hourly."""
    if sum(rule.count(*_YEAR) > _HOURS for rule in rules) > MAX_FREQUENT:
        problem = f"{excerpt(text)} has several schedules that are due more often than hourly."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Keep one of them, or make a job for each.")
