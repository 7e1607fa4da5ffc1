"""German, Spanish and French, read where a setting says so; each form of the how-to page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import ReadingHabits, read_schedule
from agentoolkit.system.scheduler.schedules.words.languages import french, german, spanish
from agentoolkit.system.scheduler.schedules.words.tokens import DayParts

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ALL = ReadingHabits("Europe/Berlin", languages=("de", "es", "fr"))

SAID = (
    ("jeden Montag und Donnerstag um 8:30", "every monday and thursday at 8:30"),
    ("werktags um 9 Uhr", "every weekday at 9"),
    ("täglich um 14:30", "every day at 14:30"),
    ("alle 5 Minuten", "every 5 minutes"),
    ("alle zwei Wochen am Montag um 9 Uhr", "every 2 weeks on monday at 9"),
    ("in 30 Minuten", "in 30 minutes"),
    ("morgen um 14 Uhr", "tomorrow at 14"),
    ("übermorgen um 9 Uhr", "day after tomorrow at 9"),
    ("jeden ersten Montag im Monat um 8 Uhr", "every first monday of the month at 8"),
    ("am 25. Dezember um 9 Uhr", "25 december at 9"),
    ("jeden Morgen", "every morning"),
    ("Montag bis Freitag um 9 Uhr", "monday to friday at 9"),
    ("jeden Tag außer Sonntag um 9 Uhr", "every day except sunday at 9"),
    ("an Heiligabend um 18 Uhr", "christmas eve at 18"),
    ("Ostermontag um 9 Uhr", "easter monday at 9"),
    ("Silvester um 23:59", "new year's eve at 23:59"),
    ("jetzt", "now"),
    ("jede Nacht", "every night"),
    ("von Montag bis Freitag um 9", "monday to friday at 9"),
    ("jeden Freitagabend", "every friday evening"),
    ("jede halbe Stunde", "every 30 minutes"),
    ("alle 1,5 Stunden", "every 90 minutes"),
    ("in einer halben Stunde", "in 30 minutes"),
    ("montags und donnerstags um 9 Uhr", "every monday and thursday at 9"),
    ("montags bis freitags um 9 Uhr", "every monday to friday at 9"),
    ("Mo-Fr um 9", "mon-fri at 9"),
    ("jeden Monat am 1. um 9", "every month on the 1st at 9"),
    ("am 22. jedes Monats", "the 22nd of every month"),
    ("am letzten Werktag des Monats", "last weekday of the month"),
    ("jedes Jahr am 25. Dezember um 9", "every year on 25 december at 9"),
    ("täglich um 17.30 Uhr", "every day at 17:30"),
    ("um 17 Uhr 30", "at 17:30"),
    ("um halb sechs", "at 5:30"),
    ("um viertel vor 6", "at 5:45"),
    ("am 24.12. um 18:00", "24 december at 18:00"),
    ("morgen Nachmittag um 3", "tomorrow at 15:00"),
    ("abends um 20 Uhr", "every day at 20"),
    ("dreimal am Tag", "three times a day"),
    ("alle 10 Minuten bis 18 Uhr", "every 10 minutes until 18:00"),
    ("jeden Tag um 9 bis Freitag", "every day at 9 until friday"),
    ("cada lunes y jueves a las 8:30", "every monday and thursday at 8:30"),
    ("todos los días a las 9", "every day at 9"),
    ("cada 5 minutos", "every 5 minutes"),
    ("en 30 minutos", "in 30 minutes"),
    ("mañana a las 14:30", "tomorrow at 14:30"),
    ("de lunes a viernes a las 9", "every monday to friday at 9"),
    ("el 25 de diciembre a las 9", "25 december at 9"),
    ("en navidad a las 9", "on christmas at 9"),
    ("el viernes santo a las 9", "good friday at 9"),
    ("ahora", "now"),
    ("todos los lunes", "every monday"),
    ("todos los lunes y jueves a las 9", "every monday and thursday at 9"),
    ("cada media hora", "every 30 minutes"),
    ("cada hora y media", "every 90 minutes"),
    ("cada noche", "every night"),
    ("cada día a las 12 de la noche", "every day at midnight"),
    ("mañana por la noche", "tomorrow night"),
    ("todas las tardes a las 5", "every day at 17:00"),
    ("cada día a las 5 de la tarde", "every day at 17:00"),
    ("a las cinco y media de la tarde", "at 17:30"),
    ("a las 6 menos cuarto", "at 5:45"),
    ("el 1 de cada mes", "the 1st of every month"),
    ("el último día laborable del mes", "last weekday of the month"),
    ("todos los años el 25 de diciembre a las 9", "every year on 25 december at 9"),
    ("cada 15 minutos entre las 9 y las 17", "every 15 minutes between 9:00 and 17:00"),
    ("cada hora de 9 a 17 de lunes a viernes", "every hour from 9 to 17 on monday to friday"),
    ("un lunes sí y otro no", "every other monday"),
    ("el lunes que viene a las 9", "next monday at 9"),
    ("todos los días menos los domingos a las 9", "every day except sunday at 9"),
    ("dos veces al día", "twice a day"),
    ("todos los días a las 9 hasta el viernes", "every day at 9 until friday"),
    ("chaque lundi et jeudi à 8:30", "every monday and thursday at 8:30"),
    ("tous les jours à 9 h", "every day at 9"),
    ("toutes les 5 minutes", "every 5 minutes"),
    ("dans 30 minutes", "in 30 minutes"),
    ("demain à 14:30", "tomorrow at 14:30"),
    ("du lundi au vendredi à 9 h", "every monday to friday at 9"),
    ("le 25 décembre à 9 h", "25 december at 9"),
    ("à Noël à 9 h", "christmas at 9"),
    ("le lundi de Pâques à 9 h", "easter monday at 9"),
    ("maintenant", "now"),
    ("tous les mois", "every month"),
    ("tous les jours à 9h30", "every day at 9:30"),
    ("tous les jours à 9 heures", "every day at 9"),
    ("chaque matin", "every morning"),
    ("tous les soirs à 20h", "every day at 20"),
    ("le lundi à 9h", "every monday at 9"),
    ("lundi à 9h", "monday at 9"),
    ("le lundi 30 novembre à 9h", "monday 30 november at 9"),
    ("tous les lundis et jeudis à 14h", "every monday and thursday at 14"),
    ("le 1er janvier", "1 january"),
    ("chaque mois le 1er à 9h", "every month on the 1st at 9"),
    ("le 15 de chaque mois", "the 15th of every month"),
    ("tous les 15 jours", "every 2 weeks"),
    ("un lundi sur deux à 9h", "every other monday at 9"),
    ("toutes les heures et demie", "every 90 minutes"),
    ("dans une demi-heure", "in 30 minutes"),
    ("après-demain à 10h", "day after tomorrow at 10"),
    ("à 6h moins le quart", "at 5:45"),
    ("à 5 heures de l'après-midi", "at 17:00"),
    ("chaque week-end à 10h", "every weekend at 10"),
    ("toutes les 15 minutes entre 9h et 17h en semaine", "every 15 minutes between 9:00 and 17:00 on weekdays"),
    ("tous les jours à 9h jusqu'à vendredi", "every day at 9 until friday"),
    ("tous les jours à 9h à partir de lundi", "every day at 9 from monday"),
    ("deux fois par jour", "twice a day"),
)


@pytest.mark.parametrize(("text", "english"), SAID)
def test_it_is_the_schedule_of_the_english_words(text: str, english: str) -> None:
    """With all languages on, each text means one thing."""
    reading = read_schedule(text, now=NOW, habits=ALL)
    assert reading.schedule == read_schedule(english, now=NOW, habits=ALL).schedule


def test_the_answer_says_what_was_read() -> None:
    """The remark names the language and the English words."""
    reading = read_schedule("jeden Montag um 8:30", now=NOW, habits=ALL)
    assert reading.remarks[0] == "read as German: 'every monday at 8:30'"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("werktags um 9 Uhr", "werktags (Montag bis Freitag) um 09:00"),
        ("alle zwei Wochen am Montag um 9 Uhr", "jeden Montag um 09:00, alle 2 Wochen, gezählt ab 2026-11-23"),
        ("jeden ersten Montag im Monat um 8 Uhr", "am ersten Montag des Monats um 08:00"),
        ("am 25. Dezember um 9 Uhr", "einmal, am Freitag 2026-12-25 um 09:00"),
        ("de lunes a viernes a las 9", "cada día laborable (lunes a viernes) a las 09:00"),
        ("mañana a las 14:30", "una vez, el sábado 2026-11-21 a las 14:30"),
        ("toutes les 5 minutes", "toutes les 5 minutes"),
        ("tous les 2 jours", "tous les 2 jours"),
        ("tous les jours à 9 h", "tous les jours à 09:00"),
    ],
)
def test_the_answer_is_in_the_language_of_the_text(text: str, words: str) -> None:
    """The words of the schedule are those of whoever wrote it."""
    assert read_schedule(text, now=NOW, habits=ALL).words == words


def test_each_form_of_the_page_is_answered_in_its_language() -> None:
    """No word of English is left in any of them."""
    words = [read_schedule(text, now=NOW, habits=ALL).words for text, _ in SAID]
    assert [said for said in words if re.search(r"\b(every|once|the|and|of|at|day|hour)\b", said)] == []


def test_what_a_language_has_no_word_for_is_answered_in_english() -> None:
    """Rather that than a sentence in two languages."""
    reading = read_schedule("jeden Montag um 9 Uhr", now=NOW, habits=ALL, jitter=30)
    assert reading.words == "every Monday at 09:00, delayed by up to 30 seconds"


def test_a_crontab_is_answered_in_english() -> None:
    """It is in no language."""
    assert read_schedule("0 9 * * 1", now=NOW, habits=ALL).words == "every Monday at 09:00"


@pytest.mark.parametrize("text", ["jeden Montag um 9 Uhr", "cada lunes a las 9", "chaque lundi à 9 h"])
def test_without_the_setting_it_is_refused(text: str) -> None:
    """English alone is read by default."""
    with pytest.raises(InvalidSchedule):
        read_schedule(text, now=NOW, timezone="Europe/Berlin")


@pytest.mark.parametrize("text", ["jeden Fnord um 9 Uhr", "cada fnord", "chaque monday", "jeden lundi"])
def test_a_text_in_no_one_language_is_refused(text: str) -> None:
    """Languages are not mixed, and unknown words are refused."""
    with pytest.raises(InvalidSchedule):
        read_schedule(text, now=NOW, habits=ALL)


def test_what_two_languages_read_differently_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word of two tables that means two things names both languages."""
    monkeypatch.setitem(german.WORDS, "zzz", "every monday")
    monkeypatch.setitem(french.WORDS, "zzz", "every friday")
    with pytest.raises(InvalidSchedule, match="reads differently in German and French"):
        read_schedule("zzz", now=NOW, habits=ALL)


@pytest.mark.parametrize("table", [german.WORDS, spanish.WORDS, french.WORDS])
def test_tables_are_written_as_texts_are_compared(table: dict[str, str]) -> None:
    """Small letters without marks, at most six words."""
    assert all(phrase == phrase.casefold() and phrase.isascii() and len(phrase.split()) <= 6 for phrase in table)


@pytest.mark.parametrize(
    ("text", "crontab"), [("every morning", "30 7 * * *"), ("every evening", "0 19 * * *"), ("every night", "0 21 * * *")]
)
def test_the_parts_of_the_day_can_be_set(text: str, crontab: str) -> None:
    """Those that are not set keep their default, and the remark names the time."""
    habits = ReadingHabits("Europe/Berlin", DayParts(morning=time(7, 30), evening=time(19)))
    assert read_schedule(text, now=NOW, habits=habits).schedule.text == crontab


def test_settings_name_languages_and_parts_of_the_day() -> None:
    """Both are settings."""
    settings = Settings(languages=("de",), day_parts={"morning": "07:30"})
    assert (settings.languages, settings.day_parts["morning"]) == (("de",), time(7, 30))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("jeden Montag um 8:30", "In German it is 'every monday at 8:30': write that, or set AGENTOOL_LANGUAGES=de for texts in German."),
        ("tous les jours à 9 h", "In French it is 'every day at 9 o'clock'"),
        ("cada 5 minutos", "In Spanish it is 'every 5 minutes'"),
    ],
)
def test_a_text_in_a_language_that_is_not_read_is_refused_with_its_english(text: str, remedy: str) -> None:
    """And with the setting that reads it."""
    with pytest.raises(InvalidSchedule) as refusal:
        read_schedule(text, now=NOW, timezone="Europe/Berlin")
    said = str(refusal.value.remedy)
    assert remedy in said.replace('"', "'")
    language = said.split("AGENTOOL_LANGUAGES=")[1][:2]
    assert read_schedule(text, now=NOW, habits=ReadingHabits("Europe/Berlin", languages=(language,))).schedule  # type: ignore[arg-type]


def test_the_setting_named_keeps_the_languages_that_are_read() -> None:
    """A language is added to those that are on."""
    with pytest.raises(InvalidSchedule, match="AGENTOOL_LANGUAGES=fr,de "):
        read_schedule("jeden Montag um 8:30", now=NOW, habits=ReadingHabits("Europe/Berlin", languages=("fr",)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("heute um 9", "'heute um 9' is read as German, 'today at 9': Friday 2026-11-20 09:00 is in the past."),
        ("heute Abend", "'heute Abend' is read as German, 'tonight': 'tonight' names no time of day."),
        ("am 31. April", "'am 31. April' is read as German, 'on 31 april': there is no day 31 in April 2026."),
        ("esta noche", "'esta noche' is read as Spanish, 'tonight': 'tonight' names no time of day."),
        ("ce soir", "'ce soir' is read as French, 'tonight': 'tonight' names no time of day."),
        ("jeden Fnord um 9 Uhr", "'Fnord' is not understood in German."),
        ("täglich um 9 Öhr", "'Öhr' is not understood in German."),
        ("cada lunes a las fnord", "'fnord' is not understood in Spanish."),
        ("toutes les heures et fnord", "'fnord' is not understood in French."),
        ("every fnord at 9", "'fnord' is not understood."),
        ("tomorrow at 25:00", "'25:00' is no time of day."),
    ],
)
def test_a_refusal_is_that_of_the_language_whose_words_were_known(text: str, problem: str) -> None:
    """What is wrong is told of what was understood; a word is called unknown only where its own language lacks it."""
    with pytest.raises(InvalidSchedule) as refusal:
        read_schedule(text, now=NOW, habits=ALL)
    assert (refusal.value.problem, refusal.value.value) == (problem, text)


@pytest.mark.parametrize("text", ["um halb sechs", "a las cinco y media", "à cinq heures et demie"])
def test_an_hour_that_is_spoken_is_remarked_in_every_language(text: str) -> None:
    """It may be in the afternoon."""
    assert "'half past 5' without am or pm is read on the 24-hour clock, as 05:30" in read_schedule(text, now=NOW, habits=ALL).remarks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alle 15 Minuten zwischen 9 und 17 Uhr", "alle 15 Minuten in den Stunden 9 bis 16, jeden Tag"),
        ("cada hora de 9 a 17", "cada hora de 09:00 a 16:00, todos los días"),
        ("toutes les heures de 9h à 17h", "toutes les heures de 09:00 à 16:00, tous les jours"),
    ],
)
def test_hours_of_the_day_are_answered_in_the_language(text: str, words: str) -> None:
    """A span of hours is a phrase of its own."""
    assert read_schedule(text, now=NOW, habits=ALL).words == words
