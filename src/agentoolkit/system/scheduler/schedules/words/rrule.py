"""Reads RRULE text of RFC 5545, as far as a crontab equals it; any other part is refused by name.

FREQ=DAILY|WEEKLY|MONTHLY|YEARLY, with BYHOUR, BYMINUTE, BYDAY, BYMONTHDAY, BYMONTH, UNTIL; INTERVAL for weeks only;
FREQ=HOURLY and MINUTELY where INTERVAL divides the day or the hour.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.cron_text import MAX_WEEKS, normal_cron
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase

_PART = re.compile(r"([A-Z-]+)=([^;=]+)")
_NTH = re.compile(r"([+-]?\d)?(MO|TU|WE|TH|FR|SA|SU)")
_WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_KNOWN = ("FREQ", "INTERVAL", "UNTIL", "BYMINUTE", "BYHOUR", "BYDAY", "BYMONTHDAY", "BYMONTH", "WKST", "BYSECOND")
_BEGIN = re.compile(r"\s*(RRULE:|FREQ=)", re.IGNORECASE)
_REMEDY = "Write e.g. 'RRULE:FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0', or a crontab."


def is_rrule(text: str) -> bool:
    """Tell whether a text is an RRULE."""
    return _BEGIN.match(text) is not None


def rrule_phrase(text: str, timezone: str) -> Phrase:
    """Read an RRULE as a crontab.

    Raises:
        InvalidSchedule: A part of it has no crontab. The error names the part.
    """
    parts = _parts(text)
    days = _days(parts, text)
    minute, hour = _clock(parts, text)
    frequency, said = parts.get("FREQ", ""), parts.get("INTERVAL", "1")
    if not said.isdigit() or not 1 <= int(said) <= MAX_WEEKS or (said != "1" and frequency in ("DAILY", "MONTHLY", "YEARLY")):
        raise _refusal(text, f"INTERVAL={said}", f"with FREQ={frequency} has no crontab")
    weeks = int(said) if frequency == "WEEKLY" else 1
    crontab = f"{minute} {hour} {days}{f' every {weeks} weeks' if weeks > 1 else ''}"
    canonical = normal_cron(crontab)
    return Phrase("cron", canonical, (f"read as cron {canonical!r}",), end_at=_until(parts, text, timezone))


def _parts(text: str) -> dict[str, str]:
    said = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in said.split(";"):
        shape = _PART.fullmatch(part.strip())
        if shape is None or shape[1] in parts:
            raise _refusal(text, part, "cannot be read" if shape is None else "comes twice")
        parts[shape[1]] = shape[2]
    for name in parts:
        if name not in _KNOWN:
            raise _refusal(text, f"{name}={parts[name]}", "has no crontab")
    if parts.get("BYSECOND", "0") != "0":
        raise _refusal(text, f"BYSECOND={parts['BYSECOND']}", "has no crontab, which begins at second 0")
    if parts.get("WKST", "MO") != "MO":
        raise _refusal(text, f"WKST={parts['WKST']}", "has no crontab, whose weeks begin on Monday")
    return parts


def _clock(parts: dict[str, str], text: str) -> tuple[str, str]:
    """Return minute and hour. A rule of days needs both, because its start is not part of the text."""
    frequency, step = parts.get("FREQ", ""), parts.get("INTERVAL", "1")
    minute, hour = _numbers(parts, "BYMINUTE", text), _numbers(parts, "BYHOUR", text)
    if frequency == "MINUTELY":
        return _every(step, 60, text) if minute is None else minute, hour or "*"
    if minute is None:
        raise _refusal(text, f"FREQ={frequency}", "names no minute")
    if frequency == "HOURLY":
        return minute, _every(step, 24, text) if hour is None else hour
    if hour is None:
        raise _refusal(text, f"FREQ={frequency}", "names no hour")
    return minute, hour


def _days(parts: dict[str, str], text: str) -> str:
    frequency = parts.get("FREQ", "")
    if frequency not in ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise _refusal(text, f"FREQ={frequency}", "has no crontab")
    dates, months, weekdays = _month_days(parts, text), _numbers(parts, "BYMONTH", text) or "*", parts.get("BYDAY")
    if dates != "*" and weekdays:
        raise _refusal(text, f"BYDAY={weekdays}", "beside BYMONTHDAY has no crontab: both would have to match")
    if frequency == "WEEKLY" and (dates != "*" or weekdays is None):
        raise _refusal(text, "FREQ=WEEKLY", "goes with BYDAY only")
    if (frequency in ("MONTHLY", "YEARLY") and dates == "*" and weekdays is None) or (frequency == "YEARLY" and months == "*"):
        raise _refusal(text, f"FREQ={frequency}", "names no day" if dates == "*" and weekdays is None else "names no month")
    return f"{dates} {months} {_day_of_week(weekdays, frequency, text)}"


def _day_of_week(said: str | None, frequency: str, text: str) -> str:
    if said is None:
        return "*"
    terms: list[str] = []
    for part in said.split(","):
        shape = _NTH.fullmatch(part)
        if shape is None or (shape[1] and (frequency not in ("MONTHLY", "YEARLY") or int(shape[1]) not in (-1, 1, 2, 3, 4, 5))):
            raise _refusal(text, f"BYDAY={said}", "has no crontab")
        day = _WEEKDAYS.index(shape[2])
        terms.append(f"{day}L" if shape[1] == "-1" else f"{day}#{int(shape[1])}" if shape[1] else str(day))
    return ",".join(terms)


def _month_days(parts: dict[str, str], text: str) -> str:
    if (said := parts.get("BYMONTHDAY")) is None:
        return "*"
    terms = [("L" if int(day) == -1 else f"L{int(day) + 1}") if day.startswith("-") else day for day in _integers(said, "BYMONTHDAY", text)]
    return ",".join(terms)


def _every(step: str, whole: int, text: str) -> str:
    if not step.isdigit() or int(step) < 1 or whole % int(step):
        raise _refusal(text, f"INTERVAL={step}", f"does not divide {whole}, and so has no crontab")
    return "*" if step == "1" else f"*/{step}"


def _numbers(parts: dict[str, str], name: str, text: str) -> str | None:
    return ",".join(_integers(parts[name], name, text)) if name in parts else None


def _integers(said: str, name: str, text: str) -> list[str]:
    numbers = said.split(",")
    if not all(re.fullmatch(r"[+-]?\d{1,2}", number) for number in numbers) or (name != "BYMONTHDAY" and "-" in said):
        raise _refusal(text, f"{name}={said}", "cannot be read")
    return [number.removeprefix("+") for number in numbers]


def _until(parts: dict[str, str], text: str, timezone: str) -> datetime | None:
    if (said := parts.get("UNTIL")) is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as wrong:
        raise _refusal(text, f"UNTIL={said}", "is not a time") from wrong
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    return instant_of(timezone, moment) if "T" in said else instant_of(timezone, moment + timedelta(days=1)) - TICK


def _refusal(text: str, part: str, problem: str) -> InvalidSchedule:
    return InvalidSchedule(f"{part[:60]!r} {problem}.", field="schedule", value=text, remedy=_REMEDY)
