"""Pages of a large table, by going through the parts of it that an index holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from agentoolkit.database.times import instant, micros
from agentoolkit.system.scheduler.ports import WINDOW, Position
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction

GROWTH = 10
"""Times as many places are asked for as before, where too little fits: what has no order is sorted anew each time."""
LOADED = 1_000
"""Records that are loaded at once, so that they need not all be in memory."""


class Listing(NamedTuple):
    """A table in the order of its pages."""

    table: str
    at: str
    id: str
    beyond: str
    """How a record compares with the one before which it does not come."""
    order: str


JOBS = Listing("agentool_jobs", "created_at", "job_id", ">", "ASC")
EXECUTIONS = Listing("agentool_executions", "scheduled_at", "execution_id", "<", "DESC")


class Base(NamedTuple):
    """A part of a table that an index holds."""

    where: str
    is_ordered: bool = True
    """Does the index hold it in the order of the pages? If not, it is sorted: it is small, or an owner's."""


class ListedAt(NamedTuple):
    """Where a record stands in its listing."""

    at: int
    id: str


class Walk:
    """Goes through parts of a table in the order of its pages.

    Args:
        tx: Where.
        listing: The table.
        bases: Its parts, none of which overlap.
        conditions: What holds for all that is found.
        parameters: The values in both, and in `own`.
        own: Parts that have all that is still to be found where `WINDOW` has ended: of what SQL leaves of them, `WINDOW` more.
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
        """Return what fits, at most `limit`, and where the next page begins; None: there is none."""
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
        """Yield places that are looked at, and after which one what comes next begins; None: nothing does."""
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
        """Return the last record of a part in order that is looked at; None: all are."""
        ordered = [base for base in bases if base.is_ordered]
        return next(iter(self._places(ordered, [], f"1 OFFSET {WINDOW - 1}", start=start)), None) if ordered else None

    def _places(
        self, bases: Sequence[Base], conditions: Sequence[str], limit: str, *, start: ListedAt | None = None, end: ListedAt | None = None
    ) -> list[ListedAt]:
        """Return where records stand that meet conditions, after `start` and up to `end`: the database puts all parts in one order."""
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
            # With "+ 0" no index in the order of the pages serves: it would lead past all that the base leaves out.
            by = at if base.is_ordered else f"{at} + 0"
            part = f"SELECT {at}, {id_} FROM {table} WHERE {where} ORDER BY {{at}} {order}, {id_} {order} LIMIT {limit}"  # noqa: S608
            parts.append(f"SELECT * FROM ({part.replace('{at}', by)}) AS part")  # noqa: S608
        sql = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS parts ORDER BY {at} {order}, {id_} {order} LIMIT {limit.split()[0]}"  # noqa: S608
        return [ListedAt(*row) for row in self._tx.session.rows(sql, parameters)]


def _loaded(places: Sequence[ListedAt], load: Callable[[Sequence[str]], dict[str, Any]]) -> Iterator[tuple[ListedAt, Any]]:
    """Yield the records at some places, without those that are gone."""
    for first in range(0, len(places), LOADED):
        portion = places[first : first + LOADED]
        records = load([place.id for place in portion])
        yield from ((place, records[place.id]) for place in portion if place.id in records)
