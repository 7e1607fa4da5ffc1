"""Translate the fields of APScheduler's cron trigger into crontab text with the same meaning.

APScheduler counts weekdays from Monday = 0, a crontab from Sunday. If day and weekday are both set, APScheduler needs both
to match, and a crontab either. APScheduler has years, weeks and seconds, and a crontab has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentoolkit.transfer.translation import Untranslatable

_GREATEST = {"minute": 59, "hour": 23, "day": 31, "month": 12}
_POSITION = "WeekdayPositionExpression"


def cron_text(fields: Iterable[Any]) -> str:
    """Write a trigger's fields as crontab text.

    Raises:
        Untranslatable: No crontab text means the same.
    """
    by_name = {field.name: field for field in fields}
    for name in ("year", "week"):
        if str(by_name[name]) != "*":
            raise Untranslatable(f"it is bound to {name} {by_name[name]}, which a crontab cannot say")
    if str(by_name["second"]) != "0":
        raise Untranslatable(f"it fires at second {by_name['second']}, and a crontab only knows minutes")
    day, weekday = _days(by_name)
    minute, hour, month = (_numbers(by_name[name].expressions, name) for name in ("minute", "hour", "month"))
    return f"{minute} {hour} {day} {month} {weekday}"


def _days(by_name: Mapping[str, Any]) -> tuple[str, str]:
    day, weekdays = by_name["day"].expressions, _weekdays(by_name["day_of_week"].expressions)
    positions = [expression for expression in day if type(expression).__name__ == _POSITION]
    numbers = "" if positions else _numbers(day, "day")
    if numbers != "*" and weekdays != "*":
        raise Untranslatable(_BOTH)
    if not positions:
        return numbers, weekdays
    if len(positions) < len(day):
        raise Untranslatable(f"its day is {by_name['day']}, which mixes numbers and weekdays")
    named = [((expression.weekday + 1) % 7, expression.option_num) for expression in positions]
    return "*", ",".join(f"{weekday}L" if place >= 5 else f"{weekday}#{place + 1}" for weekday, place in named)


_BOTH = "day and day_of_week are both set: it fires on days that match both, and a crontab on days that match either"


def _numbers(expressions: Sequence[Any], name: str) -> str:
    return ",".join(_number_range(expression, name) for expression in expressions)


def _number_range(expression: Any, name: str) -> str:
    if type(expression).__name__ == "LastDayOfMonthExpression":
        return "L"
    first, last, step = getattr(expression, "first", None), getattr(expression, "last", None), expression.step
    if first is None:
        return f"*/{step}" if step else "*"
    if first == last:
        return str(first)
    return f"{first}-{_GREATEST[name] if last is None else last}{f'/{step}' if step else ''}"


def _weekdays(expressions: Sequence[Any]) -> str:
    """Write the weekdays as single numbers: a range that is valid in APScheduler may wrap around Sunday in a crontab."""
    days: set[int] = set()
    for expression in expressions:
        first, last = getattr(expression, "first", None), getattr(expression, "last", None)
        days.update(range(first or 0, (6 if last is None else last) + 1, getattr(expression, "step", None) or 1))
    if len(days) == 7:
        return "*"
    return ",".join(str(number) for number in sorted((day + 1) % 7 for day in days))
