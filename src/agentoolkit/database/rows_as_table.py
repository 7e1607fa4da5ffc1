"""Write rows as the table ``r`` of a SQLite statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, compress, count
from operator import not_
from typing import Any

PORTIONS = (512, 500, 256, 128, 100, 64, 32, 16, 8, 4, 2, 1)
"""Rows in one statement. Few sizes, so that SQLite can reuse its statements; among them the usual numbers of rows: a portion,
a claim, and the concurrency limit. A statement costs as much as 6 to 15 rows (measured with ids, on an empty table)."""

MANY = 32
"""Fewest rows for which equal columns become one parameter. For fewer rows there would be too many different statements to reuse."""


def tables_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the beginning of a statement, and its parameters, for each portion of rows."""
    names = tuple(columns)
    if len(rows) == 1:
        yield _text_of(names, (True,) * len(names), 1), rows[0]
        return
    start = 0
    while start < len(rows):
        number = next(size for size in PORTIONS if size <= len(rows) - start)
        yield _table_of(names, rows[start : start + number])
        start += number


def _table_of(columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return rows as a table, with one parameter for a column whose values are equal. Most columns that a firing writes are."""
    number = len(rows)
    values = list(zip(*rows, strict=True))
    if number < MANY:
        same = (number == 1,) * len(columns)
    else:  # the first column is the key
        same = (False, *(each[0] == each[-1] and each.count(each[0]) == number for each in values[1:]))
    shared = [each[0] for each in compress(values, same)]
    apart = zip(*compress(values, map(not_, same)), strict=True)
    return _text_of(columns, same, number), [*shared, *chain.from_iterable(apart)]


@lru_cache(maxsize=256)
def _text_of(columns: tuple[str, ...], same: tuple[bool, ...], number: int) -> str:
    places = count(1)  # SQLite names the columns of VALUES column1, column2 …
    selected = ", ".join("?" if is_same else f"column{next(places)}" for is_same in same)
    row = f"({', '.join('?' * same.count(False))})"
    rows = f" FROM (VALUES {', '.join([row] * number)})" if number > 1 else ""
    return f"WITH r ({', '.join(columns)}) AS (SELECT {selected}{rows})"
