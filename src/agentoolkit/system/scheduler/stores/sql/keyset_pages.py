"""Reads pages of a large table by keyset: each page begins after the last record of the page before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from agentoolkit.database.times import instant, micros
from agentoolkit.system.scheduler.ports import WINDOW, Position
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction

GROWTH = 10
"""Factor by which the next query asks for more places if too few match: unordered parts are sorted anew each time."""
LOADED = 1_000
"""Records that are loaded at once, to bound the memory."""


class Listing(NamedTuple):
    """A table in the order of its pages."""

    table: str
    at: str
    id: str
    beyond: str
    """The operator by which a record compares with an earlier one."""
    order: str


JOBS = Listing("agentool_jobs", "created_at", "job_id", ">", "ASC")
EXECUTIONS = Listing("agentool_executions", "scheduled_at", "execution_id", "<", "DESC")


class Base(NamedTuple):
    """A part of a table that an index contains."""

    where: str
    is_ordered: bool = True
    """True if the index has the order of the pages. If not, the part is sorted: it is small, or an owner's."""


class ListedAt(NamedTuple):
    """The place of a record in its listing."""

    at: int
    id: str


class KeysetPages:
    """The pages of a table, read from the parts of it that an index contains.

    Args:
        tx: The transaction.
        listing: The table.
        bases: Its parts, which do not overlap.
        conditions: Conditions on all records.
        parameters: The values in bases, conditions and `own`.
        own: Parts with all remaining records, read after the first `WINDOW` records: up to `WINDOW` that SQL selects from them.
    """

    def __init__(
        self,
        tx: Transaction,
        listing: Listing,
        bases: Sequence[Base],
        conditions: Sequence[str],
        parameters: dict[str, Any],
        own: Sequence[Base] = (),
    ) -> None:
        self._tx = tx
        self._listing = listing
        self._bases = bases
        self._conditions = conditions
        self._parameters = parameters
        self._own = own

    def page(
        self,
        limit: int,
        start: Position | None,
        load: Callable[[Sequence[str]], dict[str, Any]],
        fits: Callable[[Any], bool],
    ) -> tuple[list[Any], Position | None]:
        """Return the first `limit` matching records and the cursor of the next page; None on the last page."""
        found: list[Any] = []
        following: ListedAt | None = None
        for portion in self._portions(limit, ListedAt(micros(start.at) or 0, start.id) if start else None):
            places, following = portion
            for place, record in _loaded(places, load):
                if fits(record):
                    found.append(record)
                    if len(found) == limit:
                        return found, Position(instant(place.at), place.id)
        return found, Position(instant(following.at), following.id) if following else None

    def _portions(self, limit: int, place: ListedAt | None) -> Iterator[tuple[Sequence[ListedAt], ListedAt | None]]:
        """Yield portions of places, each with the place after which the next one begins; None after the last."""
        for bases in filter(None, (self._bases, self._own)):
            end, size, left = self._end(bases, place), limit, WINDOW
            while left > 0:
                places = self._places(bases, self._conditions, str(size), start=place, end=end)
                are_all = len(places) < size
                place = end if are_all else places[-1]
                yield places, place
                left = 0 if are_all else left - size
                size = min(GROWTH * size, left)
            if place is None:
                return

    def _end(self, bases: Sequence[Base], start: ListedAt | None) -> ListedAt | None:
        """Return the place of the last record that is read in ordered parts; None if all are read."""
        ordered = [base for base in bases if base.is_ordered]
        return next(iter(self._places(ordered, [], f"1 OFFSET {WINDOW - 1}", start=start)), None) if ordered else None

    def _places(
        self, bases: Sequence[Base], conditions: Sequence[str], limit: str, *, start: ListedAt | None = None, end: ListedAt | None = None
    ) -> list[ListedAt]:
        """Return the places of matching records after `start` and up to `end`. The database sorts all parts together."""
        table, at, id_, beyond, order = self._listing
        bounds: list[str] = []
        parameters = dict(self._parameters)
        for sign, bound, name in ((beyond, start, "start"), (f"{'>' if beyond == '<' else '<'}=", end, "end")):
            if bound is not None:
                bounds.append(f"({{at}}, {id_}) {sign} (:{name}_at, :{name}_id)")
                parameters |= {f"{name}_at": bound.at, f"{name}_id": bound.id}
        parts: list[str] = []
        for base in bases:
            where = " AND ".join([base.where, *conditions, *bounds])
            # "+ 0" keeps the database from using an index in page order, which would read all records outside of the base.
            by = at if base.is_ordered else f"{at} + 0"
            part = f"SELECT {at}, {id_} FROM {table} WHERE {where} ORDER BY {{at}} {order}, {id_} {order} LIMIT {limit}"  # noqa: S608
            parts.append(f"SELECT * FROM ({part.replace('{at}', by)}) AS part")  # noqa: S608
        sql = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS parts ORDER BY {at} {order}, {id_} {order} LIMIT {limit.split()[0]}"  # noqa: S608
        return [ListedAt(*row) for row in self._tx.session.rows(sql, parameters)]


def _loaded(places: Sequence[ListedAt], load: Callable[[Sequence[str]], dict[str, Any]]) -> Iterator[tuple[ListedAt, Any]]:
    """Yield the records at these places, without deleted ones."""
    for first in range(0, len(places), LOADED):
        portion = places[first : first + LOADED]
        records = load([place.id for place in portion])
        yield from ((place, records[place.id]) for place in portion if place.id in records)
