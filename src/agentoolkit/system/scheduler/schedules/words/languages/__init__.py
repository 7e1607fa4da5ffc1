"""Translates schedules of other languages to English, and answers back.

Each language is a file with three tables: phrases, forms of times and dates, and phrases of answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from agentoolkit.system.scheduler.schedules.words.languages import french, german, spanish

Language = Literal["de", "es", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_MAX_WORDS = 7
"""Words of the longest phrase of a table, its hyphens counted."""
_TOKEN = re.compile(
    r"<[^<>]+>|\d{4}-\d\d-\d\d|\d+(?::\d\d)+|\d+(?:/\d+)+|\d+\.\d+\.\d+|\d+\.\d+|\d+\.(?=\s|$)|\d+(?:st|th)?"
    r"|[^\W\d_]+(?:'[^\W\d_]+)*(?:/[^\W\d]+)*|[^\s\w]",
    re.UNICODE,
)
_KEPT = re.compile(r"\d.*|[,;-]|<.*>|[a-z_]+/\S+|utc|gmt", re.IGNORECASE)
"""What is the same in English; what stands between ``<`` and ``>`` is English already."""

_TABLES: Mapping[str, Mapping[str, str]] = {"de": german.WORDS, "es": spanish.WORDS, "fr": french.WORDS}
_FORMS = {
    name: [(re.compile(shape), instead) for shape, instead in language.FORMS]
    for name, language in {"de": german, "es": spanish, "fr": french}.items()
}
_ANSWERS: Mapping[str, Mapping[str, str]] = {"de": german.ANSWERS, "es": spanish.ANSWERS, "fr": french.ANSWERS}
_NAMES = {"de": "German", "es": "Spanish", "fr": "French"}

_KEPT_IN_ANSWERS = re.compile(r"\d.*|[,;()]")


class _Found(NamedTuple):
    words: list[str]
    known: int
    unknown: str = ""


class EnglishText(NamedTuple):
    """A text in English words.

    Attributes:
        english: The text; None if the language's table lacks one of its words.
        known: How many of its words the table has.
        unknown: The first word that the table lacks.
    """

    english: str | None
    known: int
    unknown: str = ""


def in_english(text: str, language: Language) -> EnglishText:
    """Write a text of another language in English words."""
    said = _unmarked(text)
    for shape, instead in _FORMS[language]:
        said = shape.sub(instead, said)
    found = _translated(_TOKEN.findall(said), _TABLES[language], _KEPT)
    if found.unknown:
        as_written = (word for word in re.findall(r"[\w'’]+", text) if _unmarked(word) == found.unknown)
        return EnglishText(None, found.known, next(as_written, found.unknown))
    words = " ".join(word.strip("<>").removesuffix(".") for word in found.words)
    words = re.sub(r"(?<!1)([123])th\b", lambda digit: digit[1] + {"1": "st", "2": "nd", "3": "rd"}[digit[1]], words)
    return EnglishText(re.sub(r"\s+", " ", words).replace(" ,", ",").strip(), found.known)


def _unmarked(text: str) -> str:
    """Return a text in small letters without marks."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def answered_in(language: Language, words: str) -> str:
    """Translate the description of a schedule from English. It stays English if the table lacks one of its words."""
    few = re.sub(r"\bevery (\d+) (day)?", lambda found: f"every few {'whole ' if found[2] else ''}{found[1]} {found[2] or ''}", words)
    found = _translated(re.findall(r"\d[\d:+-]*|[A-Za-z]+|\S", few), _ANSWERS[language], _KEPT_IN_ANSWERS)
    return words if found.unknown else re.sub(r" (?=[,;)])|(?<=\() ", "", " ".join(found.words))


def _translated(words: Sequence[str], table: Mapping[str, str], kept: re.Pattern[str]) -> _Found:
    """Replace phrases by their entries in a table, the longest first, up to the first word that the table lacks."""
    found, place, known = list[str](), 0, 0
    while place < len(words):
        for length in range(min(_MAX_WORDS, len(words) - place), 0, -1):
            if (other := table.get(" ".join(words[place : place + length]).replace(" - ", "-"))) is not None:
                found.append(other)
                place, known = place + length, known + length
                break
        else:
            if not kept.fullmatch(words[place]):
                known += sum(word in table for word in words[place:])
                return _Found(found, known, words[place])
            found.append(words[place])
            place += 1
    return _Found(found, known)


def language_name(language: Language) -> str:
    """Return the English name of a language."""
    return _NAMES[language]
