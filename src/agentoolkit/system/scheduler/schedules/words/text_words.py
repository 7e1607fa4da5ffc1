"""Divides a text into the words that count, and takes its zone out, before the grammar understands it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.cycle_clauses import with_limit_last
from agentoolkit.system.scheduler.schedules.words.tokens import TextToken, tokenise
from agentoolkit.system.scheduler.schedules.words.vocabulary import EXACT, VAGUE
from agentoolkit.system.scheduler.schedules.zones import is_abbreviation, zone_named


class TextWords(NamedTuple):
    """The words of a text, and what they say before they are understood."""

    tokens: Sequence[TextToken]
    """The words that count."""
    left_aside: Sequence[str]
    """Remarks on those that do not."""
    zone: str | None
    offset: str | None
    """``UTC±HH:MM``, if the text ends with an offset in place of a zone."""


@lru_cache(maxsize=1024)
def words_of(text: str) -> TextWords:
    """Return the words of a text. Cached, because most texts come again."""
    tokens = tokenise(text.strip().rstrip("."))
    vague = [token.text for token in tokens if token.text in VAGUE]
    if len(vague) < len(tokens):
        tokens[:] = [token for token in tokens if token.text not in VAGUE and token.text not in EXACT]
    left_aside = tuple(f"'{word}' is left aside: a due time is exact" for word in dict.fromkeys(vague))
    zone, offset = _take_zone(tokens, text)
    return TextWords(tuple(with_limit_last(tokens)), left_aside, zone, offset)


def _take_zone(tokens: list[TextToken], text: str) -> tuple[str | None, str | None]:
    """Remove a zone, or an offset at the end. Return the zone's name, and ``UTC±HH:MM`` for an offset."""
    last = tokens[-1] if len(tokens) > 1 else TextToken("end", "")
    if last.kind == "offset":
        _refuse_span_of_hours(tokens[-2], last, text)
        tokens.pop()
        return None, f"UTC{last.text[:3]}:{last.text[-2:]}"
    named = [
        place for place, token in enumerate(tokens) if token.kind == "zone" or token.text in ("utc", "gmt") or is_abbreviation(token.text)
    ]
    place = named[-1] if named else len(tokens) - 1
    if len(tokens) < 2 or (not named and last.text != "z"):
        return None, None
    name = tokens.pop(place).text
    if tokens[place - 1].text == "in" and place > 1:
        tokens.pop(place - 1)
    return zone_named(name, "schedule"), None


def _refuse_span_of_hours(clock: TextToken, offset: TextToken, text: str) -> None:
    """Refuse ``9:00-10:00``, which may be a span of hours or a time ten hours behind UTC."""
    if (
        clock.kind == "clock"
        and offset.text.startswith("-")
        and clock.text.zfill(5) < offset.text[1:]
        and f"{clock.text}{offset.text}" in text
    ):
        problem = f"'{clock.text}{offset.text}' may be a span of hours, or a time with its offset from UTC."
        remedy = f"Write '{clock.text}' alone, or '{clock.text} UTC{offset.text}'."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy=remedy)
