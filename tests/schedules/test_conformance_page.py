"""The tables of ``docs/reference/schedules.md`` are made here, from the package, the reference and croniter.

``AGENTOOL_REWRITE=1`` writes them anew; otherwise a page that differs fails.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

from .crontab_reference import wall_times
from .differences import EITHER_DAY, LAST_WEEKDAY, NTH_WEEKDAY, ONE_VALUE_RANGE, REASONS, STAR_LATER, WEEKDAY_STEP, differences
from .random_crontabs import crontabs
from .test_croniter import by_croniter
from .test_crontab_reference import START, actual, expected

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "schedules.md"
BERLIN = ZoneInfo("Europe/Berlin")

CRONTABS = (
    *("0 9 * * 1-5", "0 0 * * 0", "0 0 * * 7", "0 0 * * 5-7", "0 0 * * sun-tue", "0 0 13 * 5", "0 0 */2 * 1", "0 0 29 2 *"),
    *("0 9 * * mon#1", "0 9 * * 1#1", "0 9 1 * mon#1", "0 9 * * 1#1,3", "0 9 L * *", "0 9 LW * *", "0 9 * * 5L", "0 9 * * L5"),
    *(
        "*/7 * * * *",
        "5/15 * * * *",
        "7-7/2 3 * * *",
        "*/90 * * * *",
        "0 22-2 * * *",
        "0 9 15W * *",
        "0 9 L-3 * *",
        "0 0 * * fri-mon",
        "0 9 ? * 1",
    ),
    *("0 0 30 2 *", "@daily", "@reboot", "0 0 9 * * 1", "٠ ٩ * * *"),
)
EXAMPLES = {
    EITHER_DAY: "0 0 */2 * 1",
    STAR_LATER: "0 0 12,*/25 * 0-6",
    ONE_VALUE_RANGE: "7-7 3 * * *",
    NTH_WEEKDAY: "0 9 1 * mon#1",
    LAST_WEEKDAY: "0 9 * * 5L",
    WEEKDAY_STEP: "0 9 * * 5/2",
}
CHANGES = ("30 2 * * *", "0,30 2 * * *", "0 3 * * *", "*/20 2 * * *", "30 * * * *", "15 */2 * * *", "*/30 * * * *")
SAMPLE = 2_000


def conformance() -> Iterable[str]:
    """Each crontab with the times it fires, and what croniter says of it."""
    yield "| crontab | read as | next firings after 2026-11-20 14:37 UTC | croniter |"
    yield "| --- | --- | --- | --- |"
    for text in CRONTABS:
        ours, theirs = _ours(text), _theirs(text)
        yield f"| `{text}` | {_words(text)} | {ours} | {'the same' if ours == theirs else theirs} |"


def classes() -> Iterable[str]:
    """Every class of difference from croniter, with the reason and the figures of a sample."""
    texts = [text for text in crontabs(seed=7, count=SAMPLE) if actual(text)]
    differing = {text for text in texts if _croniter(text) != actual(text)[:2]}
    plain = [text for text in texts if not differences(text)]
    yield f"Of {len(texts):,} random crontabs, {len(plain):,} belong to no class; croniter differs in {len(differing & {*plain})} of those."
    yield ""
    yield "| class | crontabs | croniter differs | example: brute force | croniter | why |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, reason in REASONS.items():
        within = [text for text in texts if name in differences(text)]
        example = EXAMPLES[name]
        judged = _times(wall for wall in itertools.islice(wall_times(example, START), 2))
        shown = f"`{example}`: {judged}"
        yield f"| {name} | {len(within)} | {len(differing & {*within})} | {shown} | {_theirs(example)} | {reason} |"


def clock_changes() -> Iterable[str]:
    """What each kind of pattern does in the two nights in which Berlin's clocks change."""
    yield "| crontab | clocks go forward, 28 March 2027 | clocks go back, 31 October 2027 |"
    yield "| --- | --- | --- |"
    for text in CHANGES:
        yield f"| `{text}` | {_night(text, 28, 3)} | {_night(text, 31, 10)} |"


TABLES = {"conformance": conformance, "classes": classes, "clock changes": clock_changes}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_the_tests_find(name: str) -> None:
    """Each table of the page is the one made from the program as it is."""
    page = PAGE.read_text("utf-8")
    assert f"croniter {version('croniter')}" in page or os.environ.get("AGENTOOL_REWRITE"), "another croniter made the page"
    table = "\n".join(TABLES[name]())
    fresh = re.sub(_between(name), lambda found: f"{found[1]}\n{table}\n{found[2]}", page, flags=re.DOTALL)
    if os.environ.get("AGENTOOL_REWRITE"):
        PAGE.write_text(fresh, "utf-8")
    assert f"<!-- {name} -->" in page
    assert page == fresh or os.environ.get("AGENTOOL_REWRITE"), "run the tests with AGENTOOL_REWRITE=1 and read the difference"


def test_no_difference_is_left_unexplained() -> None:
    """In the page's own sample, every crontab that croniter reads otherwise belongs to a named class."""
    unexplained = [
        text for text in crontabs(seed=7, count=SAMPLE) if not differences(text) and actual(text) and _croniter(text) != actual(text)[:2]
    ]
    assert unexplained == []


def test_each_example_of_a_class_follows_the_reference() -> None:
    """Where croniter differs, the package sides with the brute-force reference."""
    assert [text for text in EXAMPLES.values() if actual(text) != expected(text)] == []


def _between(name: str) -> str:
    return rf"(<!-- {name} -->).*?(<!-- end of {name} -->)"


def _words(text: str) -> str:
    try:
        return read_schedule(text, now=START.replace(tzinfo=UTC), timezone="UTC").words
    except InvalidSchedule:
        return "–"


def _ours(text: str) -> str:
    try:
        return _times(actual(read_schedule(text, now=START.replace(tzinfo=UTC), timezone="UTC").schedule.text)[:2])
    except InvalidSchedule as refused:
        return f"refused: {refused.problem}"


def _theirs(text: str) -> str:
    found = _croniter(text)
    return _times(found) if found else "refused"


def _croniter(text: str) -> list[datetime]:
    try:
        return by_croniter(text, 2)
    except (ValueError, KeyError):
        return []


def _times(found: Iterable[datetime]) -> str:
    return ", ".join(f"{time:%a %Y-%m-%d %H:%M}" for time in found)


def _night(text: str, day: int, month: int) -> str:
    start = datetime(2027, month, day, tzinfo=BERLIN)
    schedule = Schedule(kind="cron", text=text, timezone="Europe/Berlin")
    runs = [due.astimezone(BERLIN) for due in firings(schedule, start + timedelta(hours=1), start + timedelta(hours=4))]
    return ", ".join(run.isoformat(timespec="minutes")[11:] for run in runs) or "none"


def phrases() -> list[str]:
    """Return the phrases in the first column of the table of words, as they are: `…` and single units stand for parts of one."""
    table = PAGE.read_text(encoding="utf-8").split("| phrase | means |")[1].split("\n\n")[0]
    said = (phrase for row in table.splitlines() if row.startswith("| `") for phrase in re.findall(r"`([^`]+)`", row.split(" | ")[0]))
    return [phrase for phrase in said if "…" not in phrase and phrase not in ("week", "month", "year")]


@pytest.mark.parametrize("phrase", phrases())
def test_every_phrase_of_the_page_is_read(phrase: str) -> None:
    """On a Wednesday morning, when all of them lie ahead, each is a schedule that fires."""
    morning = datetime(2026, 11, 18, 6, 0, tzinfo=BERLIN)
    assert read_schedule(phrase, now=morning, timezone="Europe/Berlin").schedule.first_from(morning) is not None


@pytest.mark.parametrize(
    "form",
    [
        "every two, three, four weeks",
        "near a day, before the last, round the end of the week",
        "a zone or a length in crontab text",
        "a stable minute: h",
        "rrule",
        "oncalendar",
        "several schedules of one job",
        "after another job",
        "days with names",
        "settings and languages",
        "calendars",
    ],
)
def test_each_form_has_a_section_with_an_example_that_is_run(form: str) -> None:
    """Blocks of Python on this page are run by the tests of the pages."""
    sections = re.split(r"^#{2,3} (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    bodies = {title.lower(): body for title, body in zip(sections[1::2], sections[2::2], strict=True)}
    assert "```python" in bodies[form]
