"""Reads a text as English and in the languages that are enabled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import is_after
from agentoolkit.system.scheduler.schedules.kinds import Kind
from agentoolkit.system.scheduler.schedules.words import understand
from agentoolkit.system.scheduler.schedules.words.languages import LANGUAGES, EnglishText, Language, in_english, language_name
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase
from agentoolkit.system.scheduler.schedules.words.tokens import EXAMPLES, DayParts, count_known


@dataclass(frozen=True, slots=True)
class ReadingHabits:
    """Defaults for reading a text.

    Attributes:
        timezone: IANA name of the zone; None means this machine's.
        parts: The times of morning, noon, afternoon, evening and night.
        languages: Languages that are read in addition to English.
    """

    timezone: str | None = None
    parts: DayParts = field(default_factory=DayParts)
    languages: tuple[Language, ...] = ()


def read_in_any_language(text: str, now: datetime, kind: Kind | None, timezone: str, habits: ReadingHabits) -> Phrase:
    """Read a text as English and in each enabled language. A text that reads differently in two of them is refused."""
    readings: dict[str, Phrase] = {}
    refused: list[InvalidSchedule] = []
    try:
        readings["English"] = understand(text, now=now, kind=kind, timezone=timezone, parts=habits.parts)
    except InvalidSchedule as wrong:
        refused.append(wrong)
    languages: tuple[Language, ...] = () if is_after(text) else habits.languages
    translations: list[tuple[Language, EnglishText]] = [(language, in_english(text, language)) for language in languages]
    for language, found in translations:
        if not (english := found.english) or english == text:
            continue
        try:
            phrase = understand(english, now=now, kind=kind, timezone=timezone, parts=habits.parts)
            read_as = f"read as {language_name(language)}: {english!r}"
            readings[language_name(language)] = replace(phrase, language=language, remarks=(read_as, *phrase.remarks))
        except InvalidSchedule as wrong:
            refused.append(_refused_as(language, english, wrong, text))
    if len(readings) > 1 and len({(phrase.kind, phrase.text) for phrase in readings.values()}) > 1:
        problem = f"{excerpt(text)} reads differently in {' and '.join(readings)}."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Write it in other words, or as a crontab.")
    if not readings:
        raise _best_refusal(text, refused, translations, _other_language(text, now, kind, timezone, habits))
    return next(iter(readings.values()))


def _refused_as(language: Language, english: str, wrong: InvalidSchedule, text: str) -> InvalidSchedule:
    """Return the refusal of a text in another language: what it is in English, and what is wrong with that."""
    problem = f"{excerpt(text)} is read as {language_name(language)}, {english!r}: {wrong.problem}"
    return InvalidSchedule(problem, field="schedule", value=text, remedy=wrong.remedy)


def _best_refusal(
    text: str, refused: list[InvalidSchedule], translations: list[tuple[Language, EnglishText]], hint: str | None
) -> InvalidSchedule:
    """Return the refusal of the language that knows all words of a text, or most of them; English comes before the others."""
    in_english_words, *others = refused
    if others:
        return others[0]
    if hint is not None:
        return InvalidSchedule(in_english_words.problem, field="schedule", value=text, remedy=hint)
    language, best = max(translations, key=lambda each: each[1].known, default=(None, EnglishText(None, 0)))
    if language is None or best.english is not None or best.known <= count_known(text):
        return in_english_words
    problem = f"{best.unknown!r} is not understood in {language_name(language)}."
    return InvalidSchedule(problem, field="schedule", value=text, remedy=EXAMPLES)


def _other_language(text: str, now: datetime, kind: Kind | None, timezone: str, habits: ReadingHabits) -> str | None:
    """Return a hint if a text can be read in a language that is not enabled; else None."""
    for language in LANGUAGES:
        english = None if language in habits.languages or is_after(text) else in_english(text, language).english
        if not english or english == text:
            continue
        with suppress(InvalidSchedule):
            understand(english, now=now, kind=kind, timezone=timezone, parts=habits.parts)
            setting = f"AGENTOOL_LANGUAGES={','.join([*habits.languages, language])}"
            return f"In {language_name(language)} it is {english!r}: write that, or set {setting} for texts in {language_name(language)}."
    return None
