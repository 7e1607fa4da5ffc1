"""What other projects say of the same texts: five tables of facts, and each difference with its reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, read_schedule

JUDGES = Path(__file__).parent / "judges"
ENGINES_DIFFER = re.compile("refuses this|accepts this|answers otherwise|takes it")

DIALECT = {
    r"\S+( \S+){5,6}": "six and seven fields are refused: seconds are an interval's",
    r".*\?.*": "? is Quartz's word; write *",
    r".*\+.*": "+ before day-of-week is OCPS 1.4's draft of AND",
    r".* (30|31)W? (2|4) \*|\* \* 31 2 \*": "a date that never comes is refused, as cronsim does",
    r".* \S*L[1-6]\S*": "the last Friday is 5L; croniter alone writes L5",
    r".* \S*(W15|[-/]L|L/\d|LW/\d|1-l)\S*( \S+)*": "no ranges to L, no steps of L, no W before its day",
    r".* (1-7|8-9) JAN MON-FRI#1|.* MON-FRIL": "no range with # or L",
    r".* (Apr|Nov)-(Feb|Mar)\S* .*|.* (thu|Thu)-(tue|Tue)/.*": "only weekdays go round, and without a step",
    r".*/100.*": "a step above the field's highest value is refused",
    r"@reboot": "at every start, as OCPS 1.1 takes it; Croner refuses it",
    r".* MONL": "MONL is read as Croner reads it",
    r".*(\d[wl]\b.*| l .*)|@Y\S+": "letters of any case, as Croner reads them",
    r".*(15W,16|1,15W).*": "W may be in a list, as Croner has it",
    r".* 5,6#3": "# may be in a list",
    r"\S*\d/\d+ .*": "a/n is read as a to the end, and remarked",
    r".* (0-0|7-7|Sun-Sun|\*,sat#3)": "a-a is the single value a, and a list with * is every day",
    r".* 1[5]? \S+ fri#2|0 0 31w 2 0": "# and W beside the other day field: either is enough",
    r"0 16 \*/2 \* sat": "a day field that begins with * makes both count, as in Debian's cron",
    r"0 9 31W \* \*": "a month without a day 31 has no 31W, as OCPS has it",
    r"\* \* \* \* \*|30 2 \* \* \*": "clocks: fixed times run after a gap, patterns twice in an overlap",
}
"""Texts on which we differ from a judge, and why: each is a dialect of its own or a stated rule."""


def lines(name: str) -> Iterator[dict[str, Any]]:
    return map(json.loads, (JUDGES / f"{name}.jsonl").read_text("utf-8").splitlines())


def is_as_judged(line: dict[str, Any]) -> bool:
    """Whether the text is read or refused as the line says, with the same times."""
    zone = line.get("zone") or "UTC"
    start = datetime.fromisoformat(line.get("start") or "2025-01-01T00:00:00")
    start = start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone))
    try:
        schedule = read_schedule(line["expression"] or " ", now=start.astimezone(UTC), timezone=zone, kind="cron").schedule
    except InvalidSchedule:
        return not line["valid"]
    if "next" not in line or not line["valid"]:
        return bool(line["valid"])
    wanted: list[datetime | None] = [_instant(text, zone) for text in line["next"]]
    wanted += [None] if "no further time" in (line.get("note") or "") else []
    return list(_times(schedule, start, len(wanted))) == wanted


def _times(schedule: Schedule, start: datetime, count: int) -> Iterator[datetime | None]:
    moment: datetime | None = start
    for _ in range(count):
        moment = schedule.next_after(moment) if moment else None
        yield moment


def _instant(text: str, zone: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def reason(line: dict[str, Any]) -> str | None:
    if "both day fields must match" in (line.get("note") or ""):
        return "an option of croniter's own"
    return next((why for shape, why in DIALECT.items() if re.fullmatch(shape, line["expression"])), None)


@pytest.mark.parametrize("name", ["ocps", "croniter", "cronsim"])
def test_common_ground_of_five_fields_is_read_as_all_engines_do(name: str) -> None:
    """Of what no other engine disputes, nothing in five fields is read otherwise; an option of croniter's own is left aside."""
    common = [line for line in lines(name) if not ENGINES_DIFFER.search(line.get("note") or "") and len(line["expression"].split()) < 6]
    assert len(common) > 50
    assert [line["expression"] for line in common if not is_as_judged(line) and reason(line) != "an option of croniter's own"] == []


@pytest.mark.parametrize("name", ["ocps", "croniter", "cronsim"])
def test_each_difference_of_dialect_has_its_reason(name: str) -> None:
    """Where engines differ, we side with one of them for a stated reason."""
    assert [line["expression"] for line in lines(name) if not is_as_judged(line) and reason(line) is None] == []


def test_no_reason_is_left_over() -> None:
    """Every class of differences has a line that differs."""
    differing = [line["expression"] for name in ("ocps", "croniter", "cronsim") for line in lines(name) if not is_as_judged(line)]
    assert [why for shape, why in DIALECT.items() if not any(re.fullmatch(shape, text) for text in differing)] == []


LEFT_ASIDE = ("readers differ", "the hour is chrono's own")
"""Lines that are no judges: on these the readers differ from each other."""
GRAINS = ("second", "minute", "hour", "day", "month", "year")
OTHER_READINGS = {
    "next wednesday": "the first Wednesday after today; the remarks name that of next week",
    "3:30": "clock times without am or pm are on the 24-hour clock",
    "at three twenty": "the same in words",
    "in 4 years at 5pm": "four years keep the day of the month",
    "this evening": "evening is 18:00 unless set otherwise",
    "sunday morning": "morning is 9:00 unless set otherwise",
    "at 3 15": "the same with a blank",
    "a year from Christmas": "a year after the next Christmas, not the last one",
    "mardi gras": "the day has begun, so the next one",
}
"""Texts that we answer otherwise, and why."""


def cut(moment: datetime, grain: str) -> datetime:
    """Cut a time to its grain; weeks begin on Monday."""
    if grain == "week":
        return cut(moment, "day") - timedelta(days=moment.weekday())
    if grain == "quarter":
        return cut(moment, "month").replace(month=(moment.month - 1) // 3 * 3 + 1)
    finer = dict(zip(("microsecond", "second", "minute", "hour", "day", "month"), (0, 0, 0, 0, 1, 1), strict=True))
    return moment.replace(**dict(list(finer.items())[: GRAINS.index(grain) + 1]))  # type: ignore[arg-type]


def answered(line: dict[str, Any]) -> datetime | None:
    """Return the time that a text names, None where it is refused."""
    now = datetime.fromisoformat(line["reference"])
    try:
        return read_schedule(line["text"], now=now, timezone=line["zone"], kind="once").schedule.first_from(now)
    except InvalidSchedule:
        return None


def points(name: str) -> list[dict[str, Any]]:
    kept = (line for line in lines(name) if line["kind"] == "point")
    return [line for line in kept if not any(word in (line.get("note") or "") for word in LEFT_ASIDE)]


def is_same(line: dict[str, Any], answer: datetime) -> bool:
    zone = ZoneInfo(line["zone"])
    wanted = datetime.fromisoformat(line["value"]).astimezone(zone)
    return cut(answer.astimezone(zone), line["grain"]) == cut(wanted, line["grain"])


@pytest.mark.parametrize("name", ["duckling-en", "chrono-en"])
def test_words_are_answered_as_other_readers_do(name: str) -> None:
    """Six of ten points in time are answered, and each answer that differs has its reason."""
    named = [line for line in points(name) if line["value"] is not None]
    answers = [(line, answer) for line in named if (answer := answered(line)) is not None]
    assert {line["text"] for line, answer in answers if not is_same(line, answer)} <= OTHER_READINGS.keys()
    assert len(answers) >= 0.6 * len(named)


@pytest.mark.parametrize("name", ["duckling-en", "chrono-en"])
def test_what_other_readers_take_for_no_time_is_refused(name: str) -> None:
    """A text that names no time is not read as one."""
    assert [line["text"] for line in points(name) if line["value"] is None and answered(line) is not None] == []
