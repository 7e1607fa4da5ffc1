"""Translates schedules of other languages to English, and answers back. Each language is a file with two tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from agentoolkit.system.scheduler.schedules.words.languages import french, german, spanish

Language = Literal["de", "es", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_TABLES: Mapping[str, Mapping[str, str]] = {"de": german.WORDS, "es": spanish.WORDS, "fr": french.WORDS}
_ANSWERS: Mapping[str, Mapping[str, str]] = {"de": german.ANSWERS, "es": spanish.ANSWERS, "fr": french.ANSWERS}
_NAMES = {"de": "German", "es": "Spanish", "fr": "French"}
_MAX_WORDS = 5
"""Number of words of the longest phrase in a table."""
_TOKEN = re.compile(r"\d+(?::\d\d)+|\d+\.(?=\s)|\d+|[^\W\d_]+(?:'[^\W\d_]+)*(?:/[^\W\d]+)*|[^\s\w]", re.UNICODE)
_KEPT = re.compile(r"\d.*|[,;-]|[a-z_]+/\S+|utc|gmt", re.IGNORECASE)

_KEPT_IN_ANSWERS = re.compile(r"\d.*|[,;()]")


def in_english(text: str, language: Language) -> str | None:
    """Translate a text to English; None if the language's table lacks one of its words."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    unmarked = "".join(character for character in decomposed if not unicodedata.combining(character))
    found = _translated(_TOKEN.findall(unmarked), _TABLES[language], _KEPT)
    return None if found is None else re.sub(r"\s+", " ", " ".join(word.removesuffix(".") for word in found)).strip()


def answered_in(language: Language, words: str) -> str:
    """Translate the description of a schedule from English. It stays English if the table lacks one of its words."""
    few = re.sub(r"\bevery (\d+) (day)?", lambda found: f"every few {'whole ' if found[2] else ''}{found[1]} {found[2] or ''}", words)
    found = _translated(re.findall(r"\d[\d:+-]*|[A-Za-z]+|\S", few), _ANSWERS[language], _KEPT_IN_ANSWERS)
    return words if found is None else re.sub(r" (?=[,;)])|(?<=\() ", "", " ".join(found))


def _translated(words: Sequence[str], table: Mapping[str, str], kept: re.Pattern[str]) -> list[str] | None:
    """Replace phrases by their entries in a table, the longest first; None if the table lacks a word."""
    found, place = list[str](), 0
    while place < len(words):
        for length in range(min(_MAX_WORDS, len(words) - place), 0, -1):
            if (other := table.get(" ".join(words[place : place + length]))) is not None:
                found.append(other)
                place += length
                break
        else:
            if not kept.fullmatch(words[place]):
                return None
            found.append(words[place])
            place += 1
    return found


def language_name(language: Language) -> str:
    """Return the English name of a language."""
    return _NAMES[language]
