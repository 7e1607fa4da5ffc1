"""Reads lengths of time in words: ``an hour and a half``, ``1h30m``, ``two weeks``.

duration = part { [ "and" | "," ] part }          from the largest unit to the smallest
part     = quantity unit [ "and a half" ]
quantity = number | number-word | "a" | "an" | "a couple [of]" | "half a" | "a quarter of an" | "three quarters of an"
           each may add "and a half"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import NUMBERS, UNIT_MONTHS, UNIT_SECONDS

_HALF = Fraction(1, 2)
_CLOCK = re.compile(r"([01]?\d|2[0-3])(?:\.?([0-5]\d))?")
_FRACTION = re.compile(r"([1-9])/([1-9])")


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time: calendar months, which differ in length, and seconds, which do not."""

    months: int = 0
    seconds: Fraction = Fraction()

    @property
    def is_whole_days(self) -> bool:
        """True if a clock time may be added to it: ``in 2 days at 9am``."""
        return bool(self.months or self.seconds) and self.seconds % 86_400 == 0


def is_unit(word: str) -> bool:
    """Tell whether a word is a unit of time."""
    return word in UNIT_SECONDS or word in UNIT_MONTHS


def starts_quantity(cursor: Cursor) -> bool:
    """Tell whether a number, or a word for one, comes next."""
    token = cursor.peek()
    is_fraction = token.kind == "slash" and is_unit(cursor.peek(1).text)
    return (
        token.kind == "number"
        or is_fraction
        or token.text in ("a", "an", "half", "couple")
        or cursor.sees("quarter", "of")
        or cursor.sees("quarter", "hour")
        or whole_number(token.text) is not None
    )


def fixed_length(cursor: Cursor, length: Length) -> Fraction:
    """Return a length in seconds.

    Raises:
        InvalidSchedule: It counts months or years.
    """
    if length.months:
        days = round(length.months * 365 / 12)
        count = f"Count in days, e.g. '{days} days'" if length.months <= 120 else "The longest interval is ten years, '3650 days'"
        remedy = f"{count}; or write e.g. 'every month on the 1st'."
        raise cursor.refusal("months and years differ in length", remedy)
    return length.seconds


def whole_number(word: str) -> int | None:
    """Return the value of a number word up to ninety-nine (``twenty-five``); None for any other word."""
    tens, _, ones = word.partition("-")
    if not ones:
        return NUMBERS.get(word)
    high, low = NUMBERS.get(tens, 0), NUMBERS.get(ones, 0)
    return high + low if high >= 20 and 1 <= low <= 9 else None


def duration(cursor: Cursor, unsaid: Fraction | None = None) -> Length:
    """Take a length of time. ``unsaid`` is the number of the first unit if none precedes it (``every hour and a half``).

    Raises:
        InvalidSchedule: A unit is missing, unknown, repeated or out of order.
    """
    months, seconds, smallest = 0, Fraction(), None
    while True:
        count = unsaid or quantity(cursor)
        cursor.take("more")
        unit = cursor.next().text
        size = UNIT_SECONDS.get(unit, 0) or UNIT_MONTHS.get(unit, 0) * 2_592_000
        if not size:
            cursor.place -= 1
            _refuse_unit(cursor, count, smallest)
        if cursor.sees("and", "a", "half") and not is_unit(cursor.peek(3).text):
            cursor.place += 3
            count += _HALF
        if smallest is not None and size >= smallest:
            raise cursor.refusal("units go from the largest to the smallest, each once", "Write e.g. '1 hour 30 minutes'.")
        smallest, unsaid = size, None
        part = count * UNIT_MONTHS.get(unit, 0)
        if part.denominator != 1:
            raise cursor.refusal(f"a part of a {unit} has no certain length", "Count in days or weeks.")
        months += int(part)
        seconds += count * UNIT_SECONDS.get(unit, 0)
        if not _another_part(cursor):
            return Length(months, seconds)


def quantity(cursor: Cursor) -> Fraction:
    """Take a number in digits or words."""
    if cursor.take("half"):
        cursor.take_one_of("a", "an")
        return _HALF
    if cursor.take("a", "quarter", "of", "an"):
        return Fraction(1, 4)
    if cursor.take("three-quarters", "of", "an") or cursor.take("three", "quarters", "of", "an"):
        return Fraction(3, 4)
    if cursor.take("a", "couple") or cursor.take("couple"):
        cursor.take("of")
        return Fraction(2)
    if cursor.take("quarter", "of", "an") or (cursor.sees("quarter", "hour") and cursor.take("quarter")):
        return Fraction(1, 4)
    if cursor.take_one_of("a", "an"):
        return _HALF if cursor.take("half") else Fraction(1)
    count = _number(cursor)
    return count + _HALF if cursor.take("and", "a", "half") else count


def _number(cursor: Cursor) -> Fraction:
    token = cursor.peek()
    if token.kind == "slash" and is_unit(cursor.peek(1).text) and (part := _FRACTION.fullmatch(token.text)):
        cursor.next()
        return Fraction(int(part[1]), int(part[2]))
    if token.kind == "number":
        cursor.next()
        part = _FRACTION.fullmatch(cursor.peek().text)
        if part is not None and is_unit(cursor.peek(1).text):  # 1 1/2 hours
            cursor.next()
            return Fraction(token.text) + Fraction(int(part[1]), int(part[2]))
        return Fraction(token.text)
    value = whole_number(token.text)
    if value is None:
        raise cursor.unexpected()
    cursor.next()
    more = whole_number(cursor.peek().text)
    if value >= 20 and value % 10 == 0 and more is not None and 1 <= more <= 9:
        cursor.next()
        return Fraction(value + more)
    return Fraction(value)


def _another_part(cursor: Cursor) -> bool:
    ahead = 1 if cursor.peek().text in ("and", ",") else 0
    ahead += cursor.sees(",", "and")
    follows = cursor.peek(ahead)
    is_part = follows.kind == "number" or whole_number(follows.text) is not None or follows.text in ("a", "an", "half")
    if is_part:
        cursor.place += ahead
    return is_part


def _with_unit(before: str, number: str, smallest: int | None) -> list[str]:
    """Return what a number without a unit may be: a length, shorter than the one before it, or a time of day."""
    units = [unit for unit, size in (("minutes", 60), ("hours", 3_600)) if smallest is None or size < smallest] or ["seconds"]
    lengths = [f"{before} {number} {unit}".strip() for unit in units]
    clock = _CLOCK.fullmatch(number) if before in ("", "every", "each") else None
    if clock is None:
        return lengths
    return [f"{'every day at' if before else 'at'} {f'{clock[1]}:{clock[2]}' if clock[2] else number}", lengths[0]]


def _refuse_unit(cursor: Cursor, count: Fraction, smallest: int | None) -> None:
    if cursor.at_end():
        number = cursor.peek(-1).text if cursor.peek(-1).kind == "number" else f"{float(count):g}"
        before = cursor.words(0, cursor.place - 1).partition(f"{number} ")[0].strip()
        texts = _with_unit(before, number, smallest) if count < 10**9 else ["5 minutes"]
        raise cursor.either(f"{number if count < 10**9 else 'the number'} of what? A unit is missing", *texts)
    raise cursor.unexpected()
