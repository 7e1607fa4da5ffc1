"""Groups dead letters by cause: reasons that differ only in numbers and quoted parts count as the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LONGEST = 2_000
"""Characters of a fingerprint."""
_VARIES = re.compile(r"0x[0-9a-f]+|\d[\d.,:-]*|'[^']*'|\"[^\"]*\"")


class LetterGroup(NamedTuple):
    """Dead letters that died of the same."""

    fingerprint: str
    letters: Sequence[Mapping[str, Any]]


def fingerprint(reason: str) -> str:
    """Return what a reason has in common with those that mean the same."""
    return _VARIES.sub("…", reason)[:LONGEST]


def grouped(letters: Sequence[Mapping[str, Any]]) -> list[LetterGroup]:
    """Put dead letters together by their fingerprints, the largest group first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for letter in letters:
        groups.setdefault(fingerprint(letter["reason"]), []).append(letter)
    return sorted((LetterGroup(shared, found) for shared, found in groups.items()), key=lambda group: -len(group.letters))
