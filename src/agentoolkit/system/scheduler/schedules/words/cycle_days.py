"""Reads the days of a crontab in words: ``monday to friday``, ``first monday of the month``, ``1st and 15th``, ``25 december``.

weekdays = span { [ "," | "and" ] span }
span     = weekday [ ("to" | "-" | "through") weekday ] | "weekday" | "weekend" | "business day" | "day"
position = place { ("," | "and") place } [ weekday | "day" | "weekday" | "business day" ] [ again ]
         | ordinal { ("," | "and") ordinal } [ again ]
place    = "first" … "fifth" | [ "second" … "fifth" ] "last"
again    = "of" ( ( "the" | "every" | "each" ) ( "month" | "quarter" | "year" ) | month-name )
date     = month-name day-number | day-number [ "of" ] month-name | named                      see named_days.py
months   = month-name { ("," | "and") month-name }
"""

from __future__ import annotations

from agentoolkit.system.scheduler.schedules.words.calendar_days import month_of, weekday_of
from agentoolkit.system.scheduler.schedules.words.dates import count_articles, day_number
from agentoolkit.system.scheduler.schedules.words.named_days import named_ahead
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import POSITIONS

Days = tuple[str, str, str]
"""Day-of-month, month and day-of-week of a crontab."""

EVERY_DAY: Days = ("*", "*", "*")

_AGAIN = ("the", "every", "each")
_SPANS = ("month", "quarter", "year")
_BUSINESS = "business days are Monday to Friday; holidays are left out by 'exclude'"


def weekdays(cursor: Cursor) -> Days:
    """Take ``monday and thursday``, ``monday to friday`` or ``weekday``."""
    return ("*", "*", listed(sorted(weekday_set(cursor))))


def weekday_set(cursor: Cursor) -> set[int]:
    """Take weekdays, and return their numbers in crontab, with 0 for Sunday."""
    chosen: set[int] = set()
    while True:
        chosen |= _weekday_span(cursor)
        ahead = 1 if cursor.peek().text in ("and", ",") else 0
        ahead += 1 if cursor.sees(",", "and") else 0
        following = cursor.peek(ahead).text
        if _weekday(following.partition("-")[0]) is None and not (ahead and _is_kind_of_day(following)):
            return chosen
        cursor.place += ahead


def weekdays_of(days: Days) -> set[int] | None:
    """Return the weekdays if only weekdays restrict the days; else None."""
    if days[:2] != ("*", "*") or not set(days[2]) <= set("0123456,-*"):
        return None
    if days[2] == "*":
        return set(range(7))
    spans = (part.partition("-") for part in days[2].split(","))
    return {number for first, _, last in spans for number in range(int(first), int(last or first) + 1)}


def listed(numbers: list[int]) -> str:
    """Write numbers as a crontab term, three or more in a row as a range."""
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
    """Return the number of a weekday or its plural in crontab, with 0 for Sunday."""
    found = weekday_of(word)
    if found is None and word.endswith("s"):
        found = weekday_of(word.removesuffix("s"))
    return None if found is None else (found + 1) % 7


def position_comes_again(cursor: Cursor) -> bool:
    """Tell whether a position in every month comes next, such as ``first monday of the month``."""
    index = count_articles(cursor)
    if cursor.peek(index).text not in POSITIONS and cursor.peek(index).kind != "ordinal":
        return False
    while cursor.peek(index).text in POSITIONS or cursor.peek(index).kind == "ordinal" or cursor.peek(index).text in ("and", ",", "the"):
        index += 1
    several = any(cursor.peek(place).text in ("and", ",") for place in range(index))
    index += cursor.peek(index).text == "business"
    if several and weekday_of(cursor.peek(index).text) is not None and cursor.peek(index + 1).text not in ("of", "in"):
        return True  # first and third monday
    if several and cursor.peek(index - 1).kind == "ordinal" and cursor.peek(index).text in ("", "at"):
        return True  # 1st and 15th
    if cursor.peek(index).text != "of":
        index += 1
    of, again, span = (cursor.peek(index + ahead).text for ahead in range(3))
    return of == "of" and again in _AGAIN and span in _SPANS


def positions(cursor: Cursor) -> Days | None:
    """Take ``first monday``, ``first and third monday``, ``last day`` or ``1st and 15th``, with or without ``of the month``."""
    places, after = _places(cursor, count_articles(cursor))
    what = cursor.peek(after).text
    business = what == "business" and cursor.peek(after + 1).text == "day"
    if places and (business or weekday_of(what) is not None or what in ("day", "weekday")):
        said = " ".join(token.text for token in cursor.tokens[cursor.place : cursor.place + after])
        cursor.place += after + 1 + business
        days = _nth(cursor, places, said, "weekday" if business else what)
        if business:
            cursor.remark(_BUSINESS)
    elif (
        places
        and (what == "of" or (what in ("", "at") and count_articles(cursor)))
        and min(places) > 0
        and not month_of(cursor.peek(after + 1).text)
    ):
        cursor.place += after
        days = (",".join(map(str, places)), "*", "*")
    elif cursor.peek(start := count_articles(cursor)).kind == "ordinal" and not month_of(cursor.peek(start + 1).text):
        cursor.place += start
        days = (_ordinals(cursor), "*", "*")
    else:
        return None
    return _of_span(cursor, days) if cursor.take("of") else days


def in_quarter(cursor: Cursor, days: Days) -> Days:
    """Put days into quarters: first days into the first month of each quarter, last days into the last month.

    Raises:
        InvalidSchedule: They are neither at the beginning nor at the end.
    """
    return _in_span(cursor, days, "1,4,7,10", "3,6,9,12", "quarter")


def _places(cursor: Cursor, start: int) -> tuple[list[int], int]:
    """Return the positions that come next, ``second last`` as -2, and the number of words up to the end of them."""
    places, ahead = list[int](), start
    while (number := POSITIONS.get(cursor.peek(ahead).text)) is not None:
        ahead += 1
        if number > 0 and cursor.peek(ahead).text == "last":
            number, ahead = -number, ahead + 1
        places.append(number)
        skipped = ahead + (cursor.peek(ahead).text in ("and", ","))
        skipped += cursor.peek(skipped).text == "the"
        if cursor.peek(skipped).text not in POSITIONS:
            break
        ahead = skipped
    return places, ahead


def _of_span(cursor: Cursor, days: Days) -> Days:
    """Take the span after ``of``: a month by its name, or every month, quarter or year."""
    if month_of(cursor.peek().text):
        return (days[0], months(cursor), days[2])
    span = cursor.peek(1).text
    if cursor.peek().text not in _AGAIN or span not in _SPANS:
        raise cursor.unexpected()
    cursor.place += 2
    if span == "month":
        return days
    return in_quarter(cursor, days) if span == "quarter" else _in_span(cursor, days, "1", "12", "year")


def _in_span(cursor: Cursor, days: Days, first: str, last: str, span: str) -> Days:
    terms = [term for term in (*days[0].split(","), *days[2].split(",")) if term != "*"]
    at_end = [term.startswith("L") or term.endswith("L") for term in terms]
    if any(at_end) and not all(at_end):
        raise cursor.refusal(f"those days are at both ends of the {span}", "Make one schedule for each end.")
    return (days[0], last if all(at_end) else first, days[2])


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


def _nth(cursor: Cursor, places: list[int], said: str, what: str) -> Days:
    """Return the days of ``first and third monday``; ``said`` are the words of the places."""
    if what == "day":
        return (",".join(str(place) if place > 0 else "L" if place == -1 else f"L-{-place - 1}" for place in places), "*", "*")
    if what == "weekday":
        if not set(places) <= {1, -1}:
            raise cursor.refusal(f"no crontab says the {said} weekday of a month", "Use 'last weekday of the month' or a weekday's name.")
        return (",".join("LW" if place < 0 else "1W" for place in places), "*", "*")
    if min(places) < -1:
        raise cursor.refusal(f"no crontab says the {said} {what} of a month", f"Write e.g. 'last {what} of the month'.")
    day = _weekday(what)
    return ("*", "*", ",".join(f"{day}L" if place < 0 else f"{day}#{place}" for place in places))


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
    """Tell whether a date without a year comes next, perhaps by its name."""
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
        cursor.place = named.end
        if named.rule.crontab_days is None:
            remedy = f"Write '{named.name} at 9:00' for the next one, or 'every day at 9:00' with {named.name!r} in 'only'."
            raise cursor.refusal(f"no crontab says {named.name!r}, {named.rule.words}", remedy)
        cursor.remark(f"{named.name!r} is {named.rule.words}")
        return named.rule.crontab_days
    words = [cursor.next(), cursor.next()]
    if words[1].text == "of":
        words[1] = cursor.next()
    month = next((month_of(word.text) for word in words if month_of(word.text)), None)
    number = next((day_number(word.text) for word in words if day_number(word.text) is not None), None) or 0
    if month is None or not 1 <= number <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31):
        raise cursor.refusal("there is no such date in a year", "Write e.g. 'every year on 25 december at 9:00'.")
    return (str(number), str(month), "*")
