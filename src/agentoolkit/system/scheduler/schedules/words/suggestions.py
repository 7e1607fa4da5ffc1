"""Suggests what to write instead: fixed answers to common phrases, and a similar word if the corrected text can be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agentoolkit.system.scheduler.schedules.words.tokens import KNOWN_WORDS, tokenise
from agentoolkit.system.scheduler.schedules.words.vocabulary import WEEKDAYS
from agentoolkit.system.scheduler.schedules.zones import zone_of_city

_MAX_LENGTH = 20
"""Maximum characters of a word that is looked up."""

_BETTER_SAID = {
    "biweekly": "Write 'every 2 weeks', or name two days, e.g. 'every monday and thursday'.",
    "biannually": "Write 'semiannually' for January and July, or count in days, e.g. 'every 730 days'.",
    "bimonthly": "Write '0 0 1 */2 *' for every other month, or e.g. '1st and 15th of the month'.",
    "nightly": "Write e.g. 'every day at 2:00'.",
    "weekend": "Name the day, e.g. 'saturday at 10:00', or write 'every weekend at 10:00'.",
    "eod": "Name the time, e.g. 'friday at 17:00', or write 'end of day' for 23:59.",
    "cob": "Name the time, e.g. 'friday at 17:00'.",
    "by": "Name the time itself, e.g. 'friday at 17:00'.",
    "within": "Write e.g. 'in 2 hours' for the end of that time.",
    **dict.fromkeys(
        (
            "diwali",
            "holi",
            "eid",
            "ramadan",
            "mawlid",
            "purim",
            "passover",
            "hanukkah",
            "yom",
            "rosh",
            "vesak",
            "pongal",
            "onam",
            "jayanti",
        ),
        "The moon decides its date: write the date, e.g. '2027-03-10', or list the dates in 'only'.",
    ),
    "never": "A schedule names a time; to stop a job, pause or cancel it.",
    "asap": "Write 'now'.",
    "immediately": "Write 'now'.",
    "soon": "Write e.g. 'in 10 minutes'.",
    "few": "Name the number, e.g. 'in 3 days'.",
    "several": "Name the number, e.g. 'in 3 days'.",
}
"""Remedies for words that are too vague, or whose nearest known word means something else."""

_MAX_MONTHS = 120
_UNITS_OF_MONTHS = {1: "month", 3: "quarter", 12: "year"}
_TIME = r"(?:at )?(\d{1,2}(?::\d\d)?\s?(?:am|pm)|\d{1,2}:\d\d|noon|midnight)"
_SPAN = re.compile(r"\b(?:from|between|since|through|thru|until|till)\b|(?<=[\dm]) ?(?:-|\bto\b) ?(?=\d)")
_AGAIN = re.compile(r"\b(?:every|each|daily|hourly|weekly|monthly|weekdays|weekends|\w+days|\w+ings|nights)\b")
_TIME_AT_END = re.compile(r"\d|noon|midnight|hour|minute")
_CLOCK_AT_END = re.compile(r" at [^;]*$")
_RATE = re.compile(r"rate\((\d+ [a-z]+)\)")
_EVERY_TIME = re.compile(rf"(?:every|each) {_TIME}")


class WayOut(NamedTuple):
    """The problem of a phrase, if known, and the remedy."""

    problem: str | None
    remedy: str


def every_months(count: int) -> str:
    """Return the way out for a length of so many months: the crontab that has it, else about as many days."""
    if count > _MAX_MONTHS:
        return "The longest interval is ten years: write e.g. 'every 3650 days'."
    days = f"Count in days, e.g. 'every {round(count * 365 / 12)} days'"
    if (unit := _UNITS_OF_MONTHS.get(count)) is not None:
        return f"{days}, or write 'every {unit}'."
    return f"{days}, or write '0 0 1 */{count} *' for the first of every {count} months from January." if 12 % count == 0 else f"{days}."


def fixed_answer(text: str) -> WayOut | None:
    """Return the answer to a common phrase; None for any other."""
    said = " ".join(text.casefold().split())
    if shape := _EVERY_TIME.fullmatch(said):
        return WayOut(f"{said!r} names a time of day, and not on which days.", f"Write 'every day at {shape[1]}'.")
    if days := _weekdays_without_every(said):
        return WayOut(f"{said[:60]!r} may mean these days once or every week.", f"Write '{days}'.")
    if shape := _RATE.fullmatch(said):
        return WayOut(f"{said[:60]!r} is AWS's way to say it.", f"Write 'every {shape[1]}'.")
    if _SPAN.search(said) and not _AGAIN.search(said):
        return WayOut(
            f"{said[:60]!r} is a span of time, and what is due is due at a moment.", "Name its beginning, e.g. 'thursday at 9:30'."
        )
    words = [token.text for token in tokenise(said) if token.kind == "word"]
    if (better := next((_BETTER_SAID[word] for word in words if word in _BETTER_SAID), None)) is not None:
        return WayOut(None, better)
    zone = next((zone for word in words if word not in KNOWN_WORDS and (zone := zone_of_city(word)) is not None), None)
    return None if zone is None else WayOut(None, f"Write the zone as {zone!r}, at the end.")


def nearest_text(text: str, reads: Callable[[str], bool]) -> WayOut | None:
    """Suggest the only word of the grammar that differs by a typing slip, if the text can then be read; else None."""
    strange = next((token.text for token in tokenise(text) if token.kind == "word" and token.text not in KNOWN_WORDS), None)
    if strange is None or not 3 < len(strange) <= _MAX_LENGTH:
        return None
    # ``noons`` come again, and ``noon`` does not.
    near = [word for word in sorted(KNOWN_WORDS) if len(word) > 3 and is_slip(strange, word) and (word[-1] == "s" or strange != f"{word}s")]
    reading = [word for word in near if reads(re.sub(rf"(?<![a-z]){re.escape(strange)}(?![a-z])", word, text.casefold()))]
    return WayOut(None, f"Did you mean {reading[0]!r}?") if len(reading) == 1 else None


def with_at(text: str, reads: Callable[[str], bool]) -> WayOut | None:
    """Suggest ``at nine thirty`` for what reads as a time of day only so; None else."""
    said = f"at {text.strip()}"
    return WayOut(None, f"Write {said!r}.") if reads(said) else None


def as_list(text: str, reads: Callable[[str], bool]) -> WayOut | None:
    """Suggest ``every monday at 9; every thursday at 10`` for the same with ``and`` or a comma, if both then read; None else.

    Where only the last one names a time of day, it is meant for both.
    """
    said = " ".join(text.casefold().split())
    for between in re.finditer(r",? and |, ", said):
        left, right = said[: between.start()], said[between.end() :].removeprefix("the ")
        if _CLOCK_AT_END.search(left) is None and (clock := _CLOCK_AT_END.search(right)) is not None:
            left += clock[0]
        both = [each if _AGAIN.search(each) else f"every {each}" for each in (left, right)]
        is_one = _TIME_AT_END.search(both[0]) is None and _TIME_AT_END.search(both[1]) is not None  # on weekdays, every 30 minutes
        if not is_one and _AGAIN.search(said[: between.start()]) and all(map(reads, both)):
            return WayOut(None, f"Write '{'; '.join(both)}'.")
    return None


def is_slip(said: str, meant: str) -> bool:
    """Tell whether one letter is missing, doubled, wrong, or swapped with its neighbour; the first letter must be right."""
    if said[0] != meant[0] or abs(len(said) - len(meant)) > 1 or said == meant:
        return False
    start = next((index for index, (left, right) in enumerate(zip(said, meant, strict=False)) if left != right), min(len(said), len(meant)))
    rest, wanted = said[start:], meant[start:]
    return rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:] or (rest[1::-1] == wanted[:2] and rest[2:] == wanted[2:])


def _weekdays_without_every(said: str) -> str | None:
    """Return ``every monday and wednesday at 9am`` for ``monday, wednesday at 9am``."""
    days, *clocks = re.split(r" (?:at )?(?=\d|noon|midnight)", said, maxsplit=1)
    clock = clocks[0] if clocks else ""
    names = re.split(r", and |, | and |,|/| & ", days)
    if len(names) < 2 or any(name not in WEEKDAYS for name in names):
        return None
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"every {listed} at {clock or '9:00'}"
