"""What is decided once for a text is the same at any time and in any zone."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, read_schedule
from agentoolkit.system.scheduler.schedules.words import program_text, text_words, tokens

from .said import READ, REFUSED

BEFORE = (datetime(2026, 11, 20, 15, 0, tzinfo=ZoneInfo("Europe/Berlin")), "Europe/Berlin")
AFTER = (datetime(2027, 3, 2, 4, 30, 7, tzinfo=UTC), "America/New_York")
_PROGRAMS = ("5 minutes", "*/5 * * * *", "@daily Asia/Tokyo", "CRON_TZ=Asia/Tokyo 0 9 * * *", "@every 90m", "PT5M", "2027-03-03")
_MORE = (
    "2027-03-03T09:00:00",
    "RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=20270401",
    "Mon..Fri *-*-* 09:00:00",
    "1795000000",
    "TZ=UTC 0 9 * * *",
)


@pytest.fixture
def nothing_decided() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    for decided in (program_text._form_of, text_words.words_of, tokens._tokens):
        decided.cache_clear()


def _read(text: str, now: datetime, zone: str) -> object:
    try:
        return read_schedule(text, now=now, timezone=zone)
    except InvalidSchedule as refused:
        return str(refused)


@pytest.mark.parametrize("text", [*dict.fromkeys(text for text, *_ in (*READ[::4], *REFUSED[::4])), *_PROGRAMS, *_MORE])
def test_a_text_is_read_anew_each_time(text: str, nothing_decided: None) -> None:
    """A text that was read before, at another time and in another zone, is read as if it had not been."""
    _read(text, *BEFORE)
    again = _read(text, *AFTER)
    _forget()
    assert again == _read(text, *AFTER)


@given(
    micros=st.integers(0, 4_000_000_000_000_000),
    where=st.timezones(),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_now_is_read_as_the_grammar_reads_it(micros: int, where: tzinfo, zone: str) -> None:
    """What programs write is 'now'; beside other words, and in capitals, the grammar reads it, with the same result."""
    now = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(where)
    assert _read("now", now, zone) == _read("right now", now, zone) == _read("NOW", now, zone)


def test_a_schedules_rule_is_no_part_of_its_value() -> None:
    """A schedule that has computed due times equals one that has not, and so do its copies, which compute the same."""
    used, fresh = (Schedule(kind="cron", text="0 9 * * *", timezone="Europe/Berlin", jitter=60.0, jitter_key="a") for _ in range(2))
    due = used.next_after(BEFORE[0])
    copies = (copy.copy(used), copy.deepcopy(used), pickle.loads(pickle.dumps(used)))
    for other in (fresh, *copies, Schedule.from_json(used.to_json())):
        assert (other, hash(other), repr(other)) == (used, hash(used), repr(used))
        assert other.next_after(BEFORE[0]) == due
