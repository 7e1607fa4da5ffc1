"""Other languages for reading: each is one file with a table of its words as English ones. English is the grammar itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

from agentoolkit.system.scheduler.schedules.words.languages import french, german, spanish

Language = Literal["de", "es", "fr"]

_TABLES: Mapping[str, Mapping[str, str]] = {"de": german.WORDS, "es": spanish.WORDS, "fr": french.WORDS}
_NAMES = {"de": "German", "es": "Spanish", "fr": "French"}
_MAX_WORDS = 5
"""Words of the longest phrase of a table."""
_TOKEN = re.compile(r"\d+(?::\d\d)+|\d+\.(?=\s)|\d+|[^\W\d_]+(?:'[^\W\d_]+)*(?:/[^\W\d]+)*|[^\s\w]", re.UNICODE)
_KEPT = re.compile(r"\d.*|[,;-]|[a-z_]+/\S+|utc|gmt", re.IGNORECASE)


def in_english(text: str, language: Language) -> str | None:
    """Write a text of another language in English words; None if it has a word that the language's table has not."""
    words = _TOKEN.findall(_folded(text))
    table, found, place = _TABLES[language], list[str](), 0
    while place < len(words):
        for length in range(min(_MAX_WORDS, len(words) - place), 0, -1):
            if (english := table.get(" ".join(words[place : place + length]))) is not None:
                found.append(english)
                place += length
                break
        else:
            if not _KEPT.fullmatch(words[place]):
                return None
            found.append(words[place].removesuffix("."))
            place += 1
    return re.sub(r"\s+", " ", " ".join(found)).strip()


def language_name(language: Language) -> str:
    """Return the English name of a language."""
    return _NAMES[language]


def _folded(text: str) -> str:
    """Write a text in small letters without marks above them, ``ß`` as ``ss``."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(character for character in plain if not unicodedata.combining(character))
