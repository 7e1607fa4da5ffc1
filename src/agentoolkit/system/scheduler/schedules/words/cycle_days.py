"""The days of a crontab in words: ``monday to friday``, ``first monday of the month``, ``1st and 15th``, ``25 december``.

weekdays = span { ("," | "and") span }
span     = weekday [ ("to" | "-" | "through") weekday ] | "weekday" | "weekend"
position = ( "first" … "fifth" | "last" ) ( weekday | "day" | "weekday" ) [ again ] | ordinal { ("," | "and") ordinal } [ again ]
again    = "of" ( "the" | "every" | "each" ) "month"
date     = month-name day-number | day-number [ "of" ] month-name
"""

from __future__ import annotations

from agentoolkit.system.scheduler.schedules.words.days import POSITIONS, month_of, weekday_of
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

Days = tuple[str, str, str]
"""Day-of-month, month and day-of-week of a crontab."""

EVERY_DAY: Days = ("*", "*", "*")

_AGAIN = ("the", "every", "each")


def weekdays(cursor: Cursor) -> Days:
    """Take ``monday and thursday``, ``monday to friday`` or ``weekday``."""
    chosen: set[int] = set()
    while True:
        chosen |= _weekday_span(cursor)
        ahead = 1 if cursor.peek().text in ("and", ",") else 0
        ahead += 1 if cursor.sees(",", "and") else 0
        follows = cursor.peek(ahead).text
        if not ahead or _weekday(follows) is None:
            break
        cursor.place += ahead
    return ("*", "*", _listed(sorted(chosen)))


def _listed(numbers: list[int]) -> str:
    """Write numbers as crontab does, three or more in a row as a range."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def _weekday_span(cursor: Cursor) -> set[int]:
    word = cursor.peek().text
    if word.removesuffix("s") in ("weekday", "weekend"):
        cursor.next()
        return {1, 2, 3, 4, 5} if word.startswith("weekday") else {0, 6}
    first, _, last = word.partition("-")
    start = _weekday(first)
    if start is None:
        raise cursor.unexpected()
    cursor.next()
    end_word = last or (cursor.next().text if cursor.take_one_of("to", "through", "-") else first)
    end = _weekday(end_word)
    if end is None:
        raise cursor.refusal(f"{end_word!r} is no weekday", "Write e.g. 'every monday to friday'.")
    return {(start + step) % 7 for step in range((end - start) % 7 + 1)}


def _weekday(word: str) -> int | None:
    """Return crontab's number of a weekday or its plural, Sunday being 0."""
    found = weekday_of(word)
    if found is None and word.endswith("s"):
        found = weekday_of(word.removesuffix("s"))
    return None if found is None else (found + 1) % 7


def position_comes_again(cursor: Cursor) -> bool:
    """Whether a position in every month comes next, such as ``first monday of the month``."""
    index = 0
    while cursor.peek(index).text in ("on", "the"):
        index += 1
    if cursor.peek(index).text not in POSITIONS and cursor.peek(index).kind != "ordinal":
        return False
    while cursor.peek(index).text in POSITIONS or cursor.peek(index).kind == "ordinal" or cursor.peek(index).text in ("and", ",", "the"):
        index += 1
    if cursor.peek(index).text != "of":
        index += 1
    return cursor.peek(index).text == "of" and cursor.peek(index + 1).text in _AGAIN and cursor.peek(index + 2).text == "month"


def positions(cursor: Cursor) -> Days | None:
    """Take ``first monday``, ``last day`` or ``1st and 15th``, with or without ``of the month``."""
    start = 0
    while cursor.peek(start).text in ("on", "the"):
        start += 1
    place, what = cursor.peek(start), cursor.peek(start + 1).text
    if place.text in POSITIONS and (weekday_of(what) is not None or what in ("day", "weekday")):
        cursor.place += start + 2
        days = _nth(cursor, place.text, what)
    elif place.kind == "ordinal":
        cursor.place += start
        days = (_ordinals(cursor), "*", "*")
    else:
        return None
    if cursor.take("of") and not (cursor.take_one_of(*_AGAIN) and cursor.take("month")):
        raise cursor.unexpected()
    return days


def _nth(cursor: Cursor, place: str, what: str) -> Days:
    position = POSITIONS[place]
    if what == "day":
        return ("L" if position < 0 else str(position), "*", "*")
    if what == "weekday":
        if position > 0:
            raise cursor.refusal(f"no crontab says the {place} weekday of a month", "Use 'last weekday of the month' or a weekday's name.")
        return ("LW", "*", "*")
    day = _weekday(what)
    return ("*", "*", f"{day}L" if position < 0 else f"{day}#{position}")


def _ordinals(cursor: Cursor) -> str:
    numbers: set[int] = set()
    while cursor.peek().kind == "ordinal":
        numbers.add(int(cursor.next().text[:-2]))
        ahead = 1 if cursor.peek().text in ("and", ",") else 0
        ahead += 1 if cursor.peek(ahead).text == "the" else 0
        cursor.place += ahead if cursor.peek(ahead).kind == "ordinal" else 0
    if max(numbers) > 31 or min(numbers) < 1:
        raise cursor.refusal(f"no month has a day {max(numbers) if max(numbers) > 31 else 0}", "Days go from 1st to 31st.")
    if max(numbers) > 28:
        cursor.remark(f"months without a day {max(numbers)} are left out; 'last day of the month' is in all")
    return _listed(sorted(numbers))


def names_date_of_year(cursor: Cursor) -> bool:
    """Whether a date without a year comes next."""
    first, second, third = (cursor.peek(index) for index in range(3))
    if month_of(first.text):
        return True
    return first.kind in ("number", "ordinal") and bool(month_of(third.text if second.text == "of" else second.text))


def date_of_year(cursor: Cursor) -> Days:
    """Take ``25 december``, ``the 25th of december`` or ``december 25``."""
    cursor.take("the")
    words = [cursor.next(), cursor.next()]
    if words[1].text == "of":
        words[1] = cursor.next()
    month = next((month_of(word.text) for word in words if month_of(word.text)), None)
    number = next((int(word.text.rstrip("stndrh")) for word in words if word.kind in ("number", "ordinal") and "." not in word.text), 0)
    if month is None or not 1 <= number <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31):
        raise cursor.refusal("that is no date of the year", "Write e.g. 'every year on 25 december at 9:00'.")
    return (str(number), str(month), "*")
