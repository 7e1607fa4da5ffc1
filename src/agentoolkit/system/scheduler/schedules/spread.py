"""Replaces ``H`` in crontab text by a value that is always the same for a job, so that many jobs do not start at once.

H = "H" [ "(" first "-" last ")" ] [ "/" step ]              as Jenkins writes it
"""

from __future__ import annotations

import hashlib
import re

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.cron_text import FIELDS, Field

_TERM = re.compile(r"H(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,2}))?")
_LAST = {"day-of-month": 28, "day-of-week": 6}
"""The last value used, if the field's own last value is not in every month, or is another name of the first."""


def has_spread(text: str) -> bool:
    """Tell whether a text is crontab text of five fields with an ``H``."""
    fields = text.split()
    return len(fields) >= len(FIELDS) and any(_TERM.fullmatch(field) for field in fields[: len(FIELDS)])


def spread(text: str, key: str) -> str:
    """Replace each ``H`` by a value of its field, always the same one for a key.

    Raises:
        InvalidSchedule: A range or a step lies outside its field.
    """
    fields = text.split()
    chosen = [_chosen(field, term, key, text) for field, term in zip(FIELDS, fields, strict=False)]
    return " ".join([*chosen, *fields[len(FIELDS) :]])


def _chosen(field: Field, term: str, key: str, text: str) -> str:
    shape = _TERM.fullmatch(term)
    if shape is None:
        return term
    most = _LAST.get(field.name, field.high)
    first, last = int(shape[1] or field.low), int(shape[2] or most)
    step = int(shape[3] or 0)
    if not field.low <= first <= last <= most or (shape[3] and not 1 <= step <= last - first + 1):
        remedy = f"{field.name} takes e.g. 'H' or 'H({field.low}-{most})'."
        raise InvalidSchedule(f"{field.name} {term!r} lies outside {field.low}-{most}.", field="schedule", value=text, remedy=remedy)
    number = int.from_bytes(hashlib.blake2b(f"{key}|{field.name}".encode(), digest_size=8).digest())
    start = first + number % (step or last - first + 1)
    return f"{start}-{last}/{step}" if step else str(start)
