"""Natural language: what is understood, what is refused, what is remarked."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Reading, read_schedule

from .said import READ, REFUSED

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=BERLIN)


def said(text: str, now: datetime = NOW, **more: object) -> Reading:
    return read_schedule(text, now=now, **{"timezone": "Europe/Berlin", **more})  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def _bare(text: str) -> str:
    return "".join(text.casefold().split())


@pytest.mark.parametrize(("text", "kind", "canonical"), READ)
def test_is_understood_as(text: str, kind: str, canonical: str) -> None:
    """Each phrase becomes exactly this schedule."""
    schedule = said(text).schedule
    assert (schedule.kind, schedule.text) == (kind, canonical)


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_is_refused_because(text: str, problem: str) -> None:
    """Each phrase is refused with exactly this sentence, the text, or the zone in it, as value, and a way out."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert refusal.value.problem == problem
    assert refusal.value.field == "schedule"
    assert refusal.value.value == text or ("zone" in problem and _bare(str(refusal.value.value)) in _bare(text))
    assert refusal.value.remedy


@pytest.mark.parametrize(("text", "_problem"), REFUSED)
def test_a_refusal_shows_what_was_given(text: str, _problem: str) -> None:
    """The message of each refusal, its way out left aside, repeats a part of the text: many a reader sees no more of it."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    told = str(refusal.value).removesuffix(str(refusal.value.remedy))
    repeated = re.findall(r"['\"]([^'\"]+)['\"]|(\d[\d:-]*)", told)
    assert any(_bare(quoted or number) in _bare(text) for quoted, number in repeated)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("-5 seconds", "Write e.g. '5 minutes' or 'in 5 minutes'."),
        ("every -5 minutes", "Write e.g. '5 minutes' or 'in 5 minutes'."),
        ("every 5 minutes at 9", "Leave the time out, and give it as start_at if the first one is to be then."),
        ("hourly at 15", "Leave the time out, and give it as start_at if the first one is to be then."),
        ("every 2 days at 9am", "Leave the time out, or give a crontab, e.g. '0 9 */2 * *' for 09:00 on odd days of the month."),
        ("biweekly", "Write 'every 2 weeks', or name two days, e.g. 'every monday and thursday'."),
        ("bimonthly at 9", "Write '0 0 1 */2 *' for every other month, or e.g. '1st and 15th of the month'."),
        ("tomorrow at 9 in London", "Write the zone as 'Europe/London', at the end."),
        ("thursday from 9:30 to 11:00", "Name its beginning, e.g. 'thursday at 9:30'."),
        ("8am - 1pm", "Name its beginning, e.g. 'thursday at 9:30'."),
        ("diwali 2027", "The moon decides its date: write the date, e.g. '2027-03-10', or list the dates in 'only'."),
        ("every weekday at 8:30 and saturday at 10:00", "Write 'every weekday at 8:30; every saturday at 10:00'."),
        ("every third friday", "Write 'every 3 weeks on friday' or 'third friday of the month'."),
        ("every 3rd day", "Write 'every 3 days' or '3rd day of the month'."),
        ("2 hours before midnight on new year's eve", "Write e.g. '31 december at 22:00'."),
        ("after christmas", "Write 'the day after christmas', or 'after christmas succeeded' if that is a job's name."),
        ("rate(5 minutes)", "Write 'every 5 minutes'."),
        ("0 0 12 * * ?", "Quartz puts seconds first: write '0 12 * * *'."),
        ("0 0/5 9-17 ? * MON-FRI", "Quartz puts seconds first: write '0/5 9-17 * * MON-FRI'."),
        ("cron(0 9 * * ? *)", "AWS puts a year at the end: write '0 9 * * *'."),
        ("this weekend", "Name the day, e.g. 'saturday at 10:00', or write 'every weekend at 10:00'."),
        ("by friday", "Name the time itself, e.g. 'friday at 17:00'."),
    ],
)
def test_the_way_out_fits_what_was_meant(text: str, remedy: str) -> None:
    """What people write and no schedule can be is answered with what they may have meant."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert refusal.value.remedy == remedy


@pytest.mark.parametrize("text", ["every 2 weeks", "every monday and thursday", "0 0 1 */2 *", "1st and 15th of the month", "0 0 1 */3 *"])
def test_the_ways_out_are_schedules(text: str) -> None:
    """What such an answer offers can be read."""
    assert said(text).schedule.next_after(NOW)


@pytest.mark.parametrize("text", ["Tomorrow  At 2PM", "TOMORROW AT 2PM", "\ttomorrow at\n2pm ", "tomorrow at 2pm."])
def test_case_blanks_and_a_full_stop_do_not_matter(text: str) -> None:
    """However it is typed, the same phrase means the same."""
    assert said(text).schedule == said("tomorrow at 2pm").schedule


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("every weekday at 9am", "read as cron '0 9 * * 1-5'"),
        ("@daily", "read as cron '0 0 * * *'"),
        ("every 5 minutes", "read as an interval of 5 minutes"),
        ("every other day", "read as an interval of 2 days"),
        ("at 14:30", "that time has passed today, so tomorrow"),
        ("friday at 9:00", "that time has passed today, so 2026-11-27"),
        ("tomorrow", "no time of day given: the present one, 15:00"),
        ("every monday", "no time of day given: at midnight, 00:00"),
        ("2026-12-25", "no time of day given: 00:00"),
        ("25 december", "no time of day given: 00:00"),
        ("december 25, 2027", "no time of day given: 00:00"),
        ("on the 15th", "no time of day given: 00:00"),
        ("tomorrow at 9", "'9' without am or pm is read on the 24-hour clock, as 09:00"),
        ("tonight at 8", "tonight, so 20:00"),
        ("end of month", "no time of day given: 23:59"),
        ("every 31st at 9:00", "months without a day 31 are left out; 'last day of the month' is in all"),
        ("every 15 minutes between 9:00 and 17:00", "from 09:00 until just before 17:00"),
        ("28 march 2027 at 02:30", "on 2027-03-28 02:30 does not exist in Europe/Berlin; runs at 03:00+02:00"),
        ("31 october 2027 at 02:30", "on 2027-10-31 02:30 comes twice in Europe/Berlin; runs once, the first time, at 02:30+02:00"),
    ],
)
def test_remarks_say_what_was_decided(text: str, remark: str) -> None:
    """Whatever the reader decides by itself, it says."""
    assert remark in said(text).remarks


@pytest.mark.parametrize(
    ("now", "text", "answer"),
    [
        ("2027-01-31T10:00", "next month", "2027-02-28T10:00:00+01:00"),
        ("2028-02-29T10:00", "next year", "2029-02-28T10:00:00+01:00"),
        ("2026-11-30T10:00", "end of month", "2026-11-30T23:59:00+01:00"),
        ("2026-12-31T10:00", "tomorrow", "2027-01-01T10:00:00+01:00"),
        ("2026-11-22T10:00", "end of week", "2026-11-22T23:59:00+01:00"),
        ("2026-11-23T07:00", "monday at 8:00", "2026-11-23T08:00:00+01:00"),
        ("2026-11-23T07:00", "next monday at 8:00", "2026-11-30T08:00:00+01:00"),
        ("2027-03-27T02:30", "tomorrow", "2027-03-28T03:00:00+02:00"),
        ("2027-03-27T12:00", "tomorrow", "2027-03-28T12:00:00+02:00"),
        ("2027-03-27T12:00", "in 24 hours", "2027-03-28T13:00:00+02:00"),
        ("2026-10-25T00:30", "in 2 hours", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T00:30", "in 3 hours", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_dates_at_the_edges_of_months_and_changes_of_clocks(now: str, text: str, answer: str) -> None:
    """Days keep the time on the wall, hours are elapsed time, and a month too short gives its last day."""
    assert said(text, now=at(now)).schedule.text == answer


def test_today_is_the_day_in_the_zone_named() -> None:
    """``today`` is judged in the zone of the text: at 15:00 in Berlin it is already Saturday in Auckland."""
    reading = said("today at 9am Pacific/Auckland", timezone=None)
    assert reading.schedule.text == "2026-11-21T09:00:00+13:00"
    assert reading.schedule.timezone == "Pacific/Auckland"


@pytest.mark.parametrize(
    "text", ["every day at 8:30 Asia/Tokyo", "30 8 * * * Asia/Tokyo", "tomorrow at 8:30 Asia/Tokyo", "every 5 minutes Asia/Tokyo"]
)
@pytest.mark.parametrize(
    ("timezone", "remark"), [(None, None), ("Europe/Berlin", "the text names Asia/Tokyo, which goes before Europe/Berlin")]
)
def test_a_zone_in_the_text_goes_before_any_other(text: str, timezone: str | None, remark: str | None) -> None:
    """A schedule lives in the zone its text names; when ``timezone`` says otherwise, the reading says so."""
    reading = said(text, timezone=timezone)
    assert reading.schedule.timezone == "Asia/Tokyo"
    assert [said for said in reading.remarks if "goes before" in said] == ([remark] if remark else [])


@pytest.mark.parametrize("text", ["tomorow at 9am", "evry monday", "every wednsday at 9"])
def test_a_near_miss_names_the_nearest_word(text: str) -> None:
    """A misspelt word is refused with the word that was probably meant."""
    with pytest.raises(InvalidSchedule, match=r"Did you mean '(tomorrow|every|wednesday)'\?"):
        said(text)


def test_a_near_miss_of_a_zone_names_the_nearest_zone() -> None:
    """A misspelt zone is refused with the zone that was probably meant."""
    with pytest.raises(InvalidSchedule, match="Did you mean 'Europe/Berlin'"):
        said("tomorrow at 9am Europe/Berln")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("every 9am", "Write 'every day at 9am'."),
        ("every 14:30", "Write 'every day at 14:30'."),
        ("each noon", "Write 'every day at noon'."),
        ("Monday, Wednesday at 9am", "Write 'every monday and wednesday at 9am'."),
        ("mon, wed and fri at 9:00", "Write 'every mon, wed and fri at 9:00'."),
        ("1798189200", "Write '2026-12-25T10:00:00+01:00'."),
        ("1798189200000", "Write '2026-12-25T10:00:00+01:00'."),
        ("TZ=Asia/Tokyo 0 9 * * *", "Write 'CRON_TZ=Asia/Tokyo 0 9 * * *'."),
        ("immediately", "Write 'now'."),
        ("in a few days", "Name the number, e.g. 'in 3 days'."),
    ],
)
def test_common_phrases_have_fixed_answers(text: str, remedy: str) -> None:
    """What is often written and cannot be read is answered with the text that can, and that is a schedule."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert refusal.value.remedy == remedy
    offered = re.findall(r"'([^']+)'", remedy)[0]
    assert said(offered).schedule.next_after(NOW - timedelta(seconds=1))


@pytest.mark.parametrize("text", ["never", "every never", "once a dya or so", "every noght or day", "smarch 5", "wekdays or so"])
def test_no_suggestion_means_something_else(text: str) -> None:
    """A word is suggested only if the text reads with it, and one letter apart."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert "Did you mean" not in str(refusal.value.remedy)


@pytest.mark.parametrize(
    ("text", "word"),
    [("every mondya at 9", "monday"), ("in 5 minuts", "minute"), ("tommorow at 9", "tomorrow"), ("evry day at 9", "every")],
)
def test_a_slip_is_suggested_where_the_corrected_text_reads(text: str, word: str) -> None:
    """One letter missing, doubled, wrong or swapped."""
    with pytest.raises(InvalidSchedule, match=f"Did you mean '{word}s?'|{word}"):
        said(text)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("every morning", "'morning' is read as 09:00"),
        ("tomorrow evening", "'evening' is read as 18:00"),
        ("next saturday at 9", "'next Saturday' is read as the first one after today, 2026-11-21; the one of next week is 2026-11-28"),
        ("every business day at 9", "business days are Monday to Friday; holidays are left out by 'exclude'"),
        ("twice a day", "no times of day given: at 00:00, 12:00"),
        ("monday, feb 18", "the next 18 February that is a Monday is in 2030"),
    ],
)
def test_remarks_name_other_readings_and_assumptions(text: str, remark: str) -> None:
    """What a text leaves open is named."""
    assert remark in said(text).remarks


def test_a_next_weekday_that_has_one_reading_is_not_remarked() -> None:
    """On a Friday, next Wednesday is the first one to come and the one of next week."""
    assert not [remark for remark in said("next wednesday at 9:00").remarks if "next" in remark]


@pytest.mark.parametrize(
    ("timezone", "remedy"), [("UTC+2", "Etc/GMT-2"), ("gmt-5", "Etc/GMT+5"), ("+05:30", "Asia/Kolkata"), ("UTC+02:00", "Etc/GMT-2")]
)
def test_an_offset_as_a_zone_is_answered_with_the_zone_that_has_it(timezone: str, remedy: str) -> None:
    """``UTC+2`` is not UTC: the answer is a zone that is two hours ahead."""
    with pytest.raises(InvalidSchedule, match=re.escape(remedy)):
        said("every day at 9", timezone=timezone)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("every day at 9:00 for 2 weeks", None, "2026-12-04T15:00:00"),
        ("every 5 minutes for the next hour", None, "2026-11-20T16:00:00"),
        ("every monday at 9:00 from 1 december for 3 months", "2026-12-01T00:00:00", "2027-03-01T00:00:00"),
        ("every day at 9:00 for 2 weeks from monday", "2026-11-23T00:00:00", "2026-12-07T00:00:00"),
        ("daily starting tomorrow at 9:00", "2026-11-21T09:00:00", None),
        ("daily at 9:00 until christmas", None, "2026-12-25T23:59:59.999999"),
        ("daily at 9:00 from january", "2027-01-01T00:00:00", None),
    ],
)
def test_limits_in_words_are_bounds(text: str, start: str | None, end: str | None) -> None:
    """`for` counts from the start, or from now; `until` holds to the last moment of its day."""
    schedule = said(text).schedule
    assert (schedule.start_at, schedule.end_at) == (start and at(start), end and at(end))


@pytest.mark.parametrize(
    ("text", "the_same"),
    [
        ("starting tomorrow, every day at 9:00", "every day at 9:00 starting tomorrow"),
        ("Starting tomorrow at 9:00 every hour", "every hour starting tomorrow at 9:00"),
        ("beginning next monday, every weekday at 8:00", "every weekday at 8:00 beginning next monday"),
        ("as of tomorrow, mondays at 9:00", "mondays at 9:00 from tomorrow"),
        ("effective 1 january, every month on the 1st at noon", "every month on the 1st at noon from 1 january"),
        ("until friday, every 2 hours", "every 2 hours until friday"),
        ("for the next 2 weeks, daily at 8:00", "daily at 8:00 for the next 2 weeks"),
        ("between 9:00 and 17:00 every 15 minutes", "every 15 minutes between 9:00 and 17:00"),
        ("from monday to friday every hour", "every hour from monday to friday"),
        ("starting immediately, every hour", "every hour starting now"),
        ("from now on, every day at 9:00", "every day at 9:00"),
        ("every monday at 9:00 from now on", "every monday at 9:00"),
    ],
)
def test_a_limit_may_stand_before_what_comes_again(text: str, the_same: str) -> None:
    """A start, an end, a length or hours that come first limit the cycle that follows; `from now on` limits nothing."""
    assert said(text).schedule == said(the_same).schedule


@pytest.mark.parametrize("text", ["starting tomorrow, at 9:00", "from every monday", "until each friday", "starting now", "from now on"])
def test_a_limit_alone_is_refused(text: str) -> None:
    """A limit is no schedule where nothing comes again behind it."""
    with pytest.raises(InvalidSchedule):
        said(text)


def test_the_time_of_the_start_is_that_of_each_day() -> None:
    """`daily starting tomorrow at 9` is daily at 9; where a time is named, that one holds."""
    assert "at 09:00, the time of its start" in said("daily starting tomorrow at 9:00").remarks
    assert said("daily at 8:00 starting tomorrow at 9:00").schedule.text == "0 8 * * *"


@pytest.mark.parametrize("text", ["every day at 9:00", "0 9 * * 1-5", "tomorrow at 9:00"])
@pytest.mark.parametrize("marked", ["**{}**", "*{}*", "_{}_", "`{}`", '"{}"', "'{}'", "# {}", "- {}", "> {}", "- **{}**"])
def test_marks_are_refused_with_the_words_without_them(marked: str, text: str) -> None:
    """Markdown and quotes, as a model copies them: the way out is the text itself."""
    with pytest.raises(InvalidSchedule, match="has marks around its words") as refusal:
        said(marked.format(text))
    assert (refusal.value.value, refusal.value.remedy) == (marked.format(text), f"Write {text!r}.")


@pytest.mark.parametrize("text", ["-5 minutes", "* 0 9 * * *", "* 0 0 9 * * *", "**", '""', "**every day at 25:00**", "* * 32 * *"])
def test_what_is_wrong_without_its_marks_too_is_not_blamed_on_them(text: str) -> None:
    """A sign, a field too many or an hour too late is what is told."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert "marks" not in refusal.value.problem
