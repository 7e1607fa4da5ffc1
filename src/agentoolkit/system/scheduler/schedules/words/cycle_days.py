"""The days of a crontab in words: ``monday to friday``, ``first monday of the month``, ``1st and 15th``, ``25 december``.

weekdays = span { ("," | "and") span }
span     = weekday [ ("to" | "-" | "through") weekday ] | "weekday" | "weekend" | "business day" | "day"
position = ( "first" … "fifth" | "last" ) ( weekday | "day" | "weekday" | "business day" ) [ again ]
         | ordinal { ("," | "and") ordinal } [ again ]
again    = "of" ( ( "the" | "every" | "each" ) "month" | month-name )
date     = month-name day-number | day-number [ "of" ] month-name | named                      see named_days.py
months   = month-name { ("," | "and") month-name }
"""

from __future__ import annotations

from agentoolkit.system.scheduler.schedules.words.calendar_days import month_of, weekday_of
from agentoolkit.system.scheduler.schedules.words.dates import day_number
from agentoolkit.system.scheduler.schedules.words.named_days import Named, named_ahead
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import POSITIONS

Days = tuple[str, str, str]
"""Day-of-month, month and day-of-week of a crontab."""

EVERY_DAY: Days = ("*", "*", "*")

_AGAIN = ("the", "every", "each")
_BUSINESS = "business days are Monday to Friday; holidays are left out by 'exclude'"


def weekdays(cursor: Cursor) -> Days:
    """Take ``monday and thursday``, ``monday to friday`` or ``weekday``."""
    return ("*", "*", listed(sorted(weekday_set(cursor))))


def weekday_set(cursor: Cursor) -> set[int]:
    """Take weekdays and return crontab's numbers of them, Sunday being 0."""
    chosen: set[int] = set()
    while True:
        chosen |= _weekday_span(cursor)
        ahead = 1 if cursor.peek().text in ("and", ",") else 0
        ahead += 1 if cursor.sees(",", "and") else 0
        if not ahead or (_weekday(cursor.peek(ahead).text.partition("-")[0]) is None and not _is_kind_of_day(cursor.peek(ahead).text)):
            return chosen
        cursor.place += ahead


def weekdays_of(days: Days) -> set[int] | None:
    """Return the weekdays of days that only weekdays restrict; None for others."""
    if days[:2] != ("*", "*") or not set(days[2]) <= set("0123456,-*"):
        return None
    if days[2] == "*":
        return set(range(7))
    spans = (part.partition("-") for part in days[2].split(","))
    return {number for first, _, last in spans for number in range(int(first), int(last or first) + 1)}


def listed(numbers: list[int]) -> str:
    """Write numbers as crontab does, three or more in a row as a range."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def _is_kind_of_day(word: str) -> bool:
    return word.removesuffix("s") in ("weekday", "weekend")


def _weekday_span(cursor: Cursor) -> set[int]:
    word = cursor.peek().text
    if cursor.sees("business") and cursor.peek(1).text in ("day", "days"):
        cursor.place += 2
        cursor.remark(_BUSINESS)
        return {1, 2, 3, 4, 5}
    if _is_kind_of_day(word):
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
        raise cursor.refusal(f"unknown weekday {end_word!r}", "Write e.g. 'every monday to friday'.")
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
    index += cursor.peek(index).text == "business"
    if cursor.peek(index).text != "of":
        index += 1
    return cursor.peek(index).text == "of" and cursor.peek(index + 1).text in _AGAIN and cursor.peek(index + 2).text == "month"


def positions(cursor: Cursor) -> Days | None:
    """Take ``first monday``, ``last day`` or ``1st and 15th``, with or without ``of the month``."""
    start = 0
    while cursor.peek(start).text in ("on", "the"):
        start += 1
    place, what = cursor.peek(start), cursor.peek(start + 1).text
    business = what == "business" and cursor.peek(start + 2).text == "day"
    if place.text in POSITIONS and (business or weekday_of(what) is not None or what in ("day", "weekday")):
        cursor.place += start + 2 + business
        days = _nth(cursor, place.text, "weekday" if business else what)
        if business:
            cursor.remark(_BUSINESS)
    elif place.kind == "ordinal" and not month_of(cursor.peek(start + 1).text):
        cursor.place += start
        days = (_ordinals(cursor), "*", "*")
    else:
        return None
    if not cursor.take("of"):
        return days
    if month_of(cursor.peek().text):
        return (days[0], months(cursor), days[2])
    if not (cursor.take_one_of(*_AGAIN) and cursor.take("month")):
        raise cursor.unexpected()
    return days


def months(cursor: Cursor) -> str:
    """Take ``june`` or ``june, july and august`` as the month field of a crontab."""
    chosen: set[int] = set()
    while month := month_of(cursor.peek().text):
        cursor.next()
        chosen.add(month)
        ahead = 1 if cursor.peek().text in ("and", ",") else 0
        ahead += 1 if cursor.sees(",", "and") else 0
        cursor.place += ahead if month_of(cursor.peek(ahead).text) else 0
        if not ahead:
            break
    if not chosen:
        raise cursor.unexpected()
    return listed(sorted(chosen))


def _nth(cursor: Cursor, place: str, what: str) -> Days:
    position = POSITIONS[place]
    if what == "day":
        return ("L" if position < 0 else str(position), "*", "*")
    if what == "weekday":
        if position not in (1, -1):
            raise cursor.refusal(f"no crontab says the {place} weekday of a month", "Use 'last weekday of the month' or a weekday's name.")
        return ("LW" if position < 0 else "1W", "*", "*")
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
    return listed(sorted(numbers))


def names_date_of_year(cursor: Cursor) -> bool:
    """Whether a date without a year comes next, perhaps by its name."""
    if named_ahead(cursor) is not None:
        return True
    first, second, third = (cursor.peek(index) for index in range(3))
    if month_of(first.text):
        return day_number(second.text) is not None
    return first.kind in ("number", "ordinal") and bool(month_of(third.text if second.text == "of" else second.text))


def date_of_year(cursor: Cursor) -> Days:
    """Take ``25 december``, ``the 25th of december``, ``december 25`` or ``christmas``."""
    cursor.take("the")
    if (named := named_ahead(cursor)) is not None:
        return _named_date(cursor, named)
    words = [cursor.next(), cursor.next()]
    if words[1].text == "of":
        words[1] = cursor.next()
    month = next((month_of(word.text) for word in words if month_of(word.text)), None)
    number = next((day_number(word.text) for word in words if day_number(word.text) is not None), None) or 0
    if month is None or not 1 <= number <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31):
        raise cursor.refusal("there is no such date in a year", "Write e.g. 'every year on 25 december at 9:00'.")
    return (str(number), str(month), "*")


def _named_date(cursor: Cursor, named: Named) -> Days:
    cursor.place = named.end
    if named.rule.crontab_days is None:
        examples = f"'{named.name} at 9:00' for the next one"
        raise cursor.refusal(f"no crontab says {named.name!r}, {named.rule.words}", f"Write e.g. {examples}, or list the dates in 'only'.")
    cursor.remark(f"{named.name!r} is {named.rule.words}")
    return named.rule.crontab_days
