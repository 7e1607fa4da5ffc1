"""The classes of crontab text that croniter reads in another way than crontab(5), or not at all."""

from __future__ import annotations

import re

from .crontab_reference import NAMES, read

EITHER_DAY = "both days given, one starting with `*`"
ONE_VALUE_RANGE = "a range of one value"
NTH_WEEKDAY = "`#` in a list, or beside a day-of-month"
LAST_WEEKDAY = "`5L` and `LW`"
WEEKDAY_STEP = "a step in day-of-week"
STAR_LATER = "both days given, a `*` further on in one, the other naming all its values"

REASONS = {
    EITHER_DAY: "Debian's cron takes a day that matches both fields as soon as one of them starts with `*`; croniter takes either one.",
    ONE_VALUE_RANGE: "`a-a` is the single value a; croniter takes it as a range all the way round, so as every value.",
    NTH_WEEKDAY: "An extension, not in crontab(5). Here it is one more weekday term under the ordinary rule; croniter refuses the list, "
    "and lets a day-of-month and an nth weekday match only together.",
    LAST_WEEKDAY: "Extensions, not in crontab(5). croniter does not know them; it writes the last Friday `L5`.",
    STAR_LATER: "Only a field's first character decides between either and both; croniter also heeds a `*` further on.",
    WEEKDAY_STEP: "The field runs from 0 to 7, both Sunday, so a step may reach 7; croniter stops at 6.",
}


def differences(text: str) -> list[str]:
    """Return the classes that a valid crontab text belongs to."""
    found = {EITHER_DAY: _days_and(text), STAR_LATER: _star_later(text), ONE_VALUE_RANGE: _one_value_range(text), **_day_of_week(text)}
    return [name for name, present in found.items() if present]


def _days_and(text: str) -> bool:
    _, _, day, _, weekday = text.split()
    return "*" not in (day, weekday) and (day[0] == "*" or weekday[0] == "*")


def _star_later(text: str) -> bool:
    _, _, day, _, weekday = text.split()
    crontab = read(text)
    all_listed = set(range(1, 32)) <= crontab.days or set(range(7)) <= crontab.weekdays
    return all_listed and ("*" in day[1:] or "*" in weekday[1:])


def _day_of_week(text: str) -> dict[str, bool]:
    _, _, day, _, weekday = text.upper().split()
    return {
        NTH_WEEKDAY: "#" in weekday and ("," in weekday or day != "*"),
        LAST_WEEKDAY: "LW" in day or bool(re.search(r"\dL", weekday)),
        WEEKDAY_STEP: "/" in weekday.replace("*/", "") or ("*/" in weekday and weekday not in ("*/1", "*/2", "*/3", "*/4", "*/5", "*/6")),
    }


def _one_value_range(text: str) -> bool:
    return any(
        _number(index, a) == _number(index, b)
        for index, part in enumerate(text.lower().split())
        for a, b in re.findall(r"(\w+)-(\w+)", part)
    )


def _number(index: int, word: str) -> int:
    return NAMES[index][word] if word in NAMES.get(index, {}) else int(word)
