"""Croner 11 and cron-parser 5, asked through Node: 5,000 random crontabs in six zones, their answers kept beside the tests."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import read_schedule

LINES = [json.loads(line) for line in (Path(__file__).parent / "judges" / "node-engines.jsonl").read_text("utf-8").splitlines()]


def ours(line: dict[str, Any]) -> list[int] | None:
    """Return the next three times in minutes from the start; None where the text is refused."""
    start = moment = datetime.fromisoformat(line["start"])
    try:
        schedule = read_schedule(line["expression"], now=start, timezone=line["zone"], kind="cron").schedule
    except InvalidSchedule:
        return None
    found: list[int] = []
    while len(found) < 3 and (due := schedule.next_after(moment)) is not None:
        found.append((due - start) // timedelta(minutes=1))
        moment = due
    return found


def has_star_beside_a_day(expression: str) -> bool:
    """Whether one day field begins with ``*`` and the other one is restricted: Debian's cron lets both count, JavaScript's either."""
    _, _, date, _, weekday = expression.split()
    return (date.startswith("*") or weekday.startswith("*")) and date != "*" and weekday != "*"


def is_a_name_of_seven(expression: str) -> bool:
    """Whether ``0-SUN`` is in it, which Croner takes for 0-7, every day, and we for the one value 0."""
    return "0-SUN" in expression.upper()


def test_there_are_five_thousand_in_six_zones() -> None:
    """The answers are kept for CI."""
    assert len(LINES) == 5_000
    assert len({line["zone"] for line in LINES}) == 6


def test_both_engines_and_we_agree_outside_the_documented_class() -> None:
    """No difference but for a ``*`` beside a day, where Debian's cron is followed, and the range ``0-SUN``."""
    agreed = [line for line in LINES if "cron-parser" not in line]
    assert len(agreed) >= 4_990  # of the others a change of clocks is to blame: no two engines treat it alike
    judged = [line for line in agreed if not has_star_beside_a_day(line["expression"]) and not is_a_name_of_seven(line["expression"])]
    assert len(judged) > 3_500
    assert [line["expression"] for line in judged if ours(line) != line["croner"]] == []


def test_within_the_class_we_differ_as_documented() -> None:
    """Where a day field begins with ``*``, ours are never earlier: both fields count."""
    within = [line for line in LINES if has_star_beside_a_day(line["expression"])]
    answers = [(mine, line["croner"]) for line in within if (mine := ours(line))]
    assert all(mine[0] >= theirs[0] for mine, theirs in answers)
    assert any(mine != theirs for mine, theirs in answers)
