"""Hours after midnight that are said to be of a day's night: ``friday night at 1`` may be the night before the day, or after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.calendar_days import weekday_of
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import WEEKDAY_NAMES

_LATER = {"weekday": "tuesday to saturday", "weekend": "sunday and monday"}
_NIGHTS = (("in", "the", "night"), ("at", "night"), ("night",), ("nights",))
_NOT_SHIFTED = ("of", "to", "-", "through", "except", "but")
"""Beside one of these the following day is not always the next weekday."""


def night_of_date(cursor: Cursor, day: date, said: time) -> InvalidSchedule:
    """Return the refusal of such an hour on one day, to be raised."""
    problem = f"{said:%H:%M} in the night of {day} may be the beginning of that day or of the next one"
    return cursor.either(problem, *(f"{each} at {said:%H:%M}" for each in (day, day + timedelta(days=1))))


def night_of_days(cursor: Cursor) -> InvalidSchedule:
    """Return the refusal of such an hour on days that come again, to be raised."""
    words = _without_night([token.text for token in cursor.tokens])
    problem = "an hour after midnight in the night of a day may be at its beginning or at that of the next one"
    if any(word in _NOT_SHIFTED for word in words) or not any(map(_next_day, words)):
        return cursor.refusal(problem, f"Write '{' '.join(words)}' for its beginning, or name the day after it.")
    return cursor.either(problem, " ".join(words), " ".join(_next_day(word) or word for word in words))


def _without_night(words: Sequence[str]) -> list[str]:
    for night in _NIGHTS:
        for place in range(len(words)):
            if tuple(words[place : place + len(night)]) == night:
                return [*words[:place], *words[place + len(night) :]]
    return list(words)


def _next_day(word: str) -> str | None:
    """Return the day after a weekday, as the word is written: ``fridays`` as ``saturdays``."""
    if (later := _LATER.get(word.removesuffix("s"))) is not None:
        return later
    singular = word if weekday_of(word) is not None else word.removesuffix("s")
    found = weekday_of(singular)
    return None if found is None else WEEKDAY_NAMES[(found + 1) % 7] + ("s" if singular != word else "")
