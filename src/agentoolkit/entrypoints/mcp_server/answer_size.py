"""Bound the size of answers, and shorten larger ones."""

from __future__ import annotations

import json
from typing import Any, cast

from agentool.flat_calls import MAX_ANSWER
from agentool.secrets_here import beginning_of

_MAX_VALUE = 1_000
"""Characters of one text in the data of a shortened answer."""


def shorten(data: dict[str, Any]) -> dict[str, Any]:
    """Return data of at most `MAX_ANSWER` characters: long texts are cut first, then the last items of lists are left out."""
    if _size(data) <= MAX_ANSWER:
        return data
    shortened = _cut_values(data)
    lists = [key for key, value in shortened.items() if isinstance(value, list)]
    while _size(shortened) > MAX_ANSWER and any(shortened[key] for key in lists):
        longest = max(lists, key=lambda key: _size(shortened[key]))
        shortened[longest] = shortened[longest][: len(shortened[longest]) // 2]
    return shortened if _size(shortened) <= MAX_ANSWER else {"cut": True}


def _cut_values(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MAX_VALUE else f"{beginning_of(value, _MAX_VALUE)}…"
    if isinstance(value, (list, tuple)):
        return [_cut_values(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        kept = {key: _cut_values(item) for key, item in pairs.items()}
        if "result" in kept and _size(kept["result"]) > _MAX_VALUE:
            kept["result"] = f"{beginning_of(json.dumps(kept['result']), _MAX_VALUE)}…"
        return kept
    return value


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
