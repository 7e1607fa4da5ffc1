"""The key-value service, on top of the port."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from agentool.caller import get_caller
from agentool.errors import InvalidInput, excerpt
from agentoolkit.json_values import NotJson, checked_json
from agentoolkit.own_namespaces import RESERVED
from agentoolkit.storage.kv.errors import DamagedValue, KeyNotFound, NotANumber, NotYours, ValueTooLarge
from agentoolkit.storage.kv.ports import Changed, KeyValueStore, StoredValue, ValueChange
from agentoolkit.time_source import TimeSource

MAX_VALUE_SIZE = 1_000_000
"""Characters, as JSON."""
_NEAREST_OF = 1_000


class Place(NamedTuple):
    """Where a value is."""

    namespace: str
    key: str


class KvService:
    """Values by key, in one store.

    Args:
        store: Where they live.
        time: The time source.
        largest_value: Characters of a value as JSON.
    """

    def __init__(self, store: KeyValueStore, time: TimeSource, largest_value: int = MAX_VALUE_SIZE) -> None:
        self._store = store
        self._time = time
        self._largest_value = largest_value

    async def find(self, place: Place) -> StoredValue | None:
        """Return an entry if it is there."""
        return await self._store.get(*_checked(place), self._time.now())

    async def missing(self, place: Place) -> KeyNotFound:
        """Make the error that names the nearest key."""
        known = await self._store.keys(place.namespace, "", _NEAREST_OF, self._time.now())
        return KeyNotFound.among(place.namespace, place.key, known)

    async def set(self, place: Place, value: JsonValue, ttl: float | None) -> Changed:
        """Put a value there, whatever was there before."""
        entry = self._entry(value, ttl)
        return await self._change(place, lambda _: entry)

    async def delete(self, place: Place) -> Changed:
        """Remove a value."""
        return await self._change(place, lambda _: None)

    async def increment(self, place: Place, by: float, ttl: float | None) -> Changed:
        """Add to a number; nothing counts as 0. A value keeps its time to live unless one is given.

        Raises:
            NotANumber: Something else is there.
        """
        until = self._until(ttl)

        def added(before: StoredValue | None) -> StoredValue:
            expires_at = until if until is not None or before is None else before.expires_at
            return StoredValue(_sum(before, place, by), expires_at)

        return await self._change(place, added)

    async def compare_and_set(self, place: Place, expected: JsonValue, value: JsonValue, ttl: float | None) -> Changed:
        """Put a value there if what is there equals `expected`; None: if nothing is there."""
        entry, wanted = self._entry(value, ttl), None if expected is None else _comparable(encoded(expected, "expected"))

        def replaced(before: StoredValue | None) -> StoredValue | None:
            return entry if (before and _comparable(before.text)) == wanted else before

        return await self._change(place, replaced)

    async def keys(self, namespace: str, prefix: str, limit: int) -> Sequence[str]:
        """Return keys in order."""
        _check_namespace(namespace)
        _refuse_unprintable("namespace", namespace)
        _refuse_unprintable("prefix", prefix)
        return await self._store.keys(namespace, prefix, limit, self._time.now())

    async def _change(self, place: Place, change: ValueChange) -> Changed:
        return await self._store.change(*_checked(place), change, self._time.now())

    def _entry(self, value: JsonValue, ttl: float | None) -> StoredValue:
        text = encoded(value)
        if len(text) > self._largest_value:
            remedy = f"Keep at most {self._largest_value:,} (setting `kv_value_size`), or write a file and keep its path."
            raise ValueTooLarge(f"It has {len(text):,} characters as JSON.", field="value", value=value, remedy=remedy)
        return StoredValue(text, self._until(ttl))

    def _until(self, ttl: float | None) -> datetime | None:
        return None if ttl is None else self._time.now() + timedelta(seconds=ttl)


def encoded(value: JsonValue, field: str = "value") -> str:
    """Write a value as JSON text, an object's keys in order.

    Raises:
        InvalidInput: It has a number that JSON does not have, or no end.
    """
    try:
        return checked_json(value, field, sort_keys=True)
    except NotJson as error:
        remedy = "Use finite numbers."
        raise InvalidInput(error.problem, field=error.field, value=error.value, remedy=remedy) from None


def decoded(entry: StoredValue) -> JsonValue:
    """Read a value as it was written.

    Raises:
        DamagedValue: It was damaged in the database.
    """
    try:
        return json.loads(entry.text)
    except ValueError as error:
        remedy = "Repair its row in the database, or 'set' or 'delete' it."
        raise DamagedValue(f"{excerpt(entry.text)} is not JSON.", field="value", value=entry.text, remedy=remedy) from error


def _comparable(text: str) -> str:
    """Return JSON text in the one form that equal values share: JSON has one kind of number, and 1.0 is 1."""
    try:
        return encoded(json.loads(text, parse_float=_whole))
    except ValueError:  # damaged in the database: it equals nothing
        return f"damaged: {text}"


def _whole(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _sum(before: StoredValue | None, place: Place, by: float) -> str:
    held = 0 if before is None else decoded(before)
    if isinstance(held, bool) or not isinstance(held, (int, float)):
        remedy = "Use another key, or 'set' a number first."
        raise NotANumber(f"{place.key!r} holds {excerpt(held)}.", field="key", value=place.key, remedy=remedy)
    try:
        return encoded(held + by)
    except (OverflowError, InvalidInput) as error:  # too large for a fraction, or the sum is
        remedy = "Add an integer, or 'set' a smaller number first."
        raise NotANumber(f"{place.key!r} holds a number too large for that.", field="by", value=by, remedy=remedy) from error


def _check_namespace(namespace: str) -> None:
    """Refuse what the toolkit keeps for itself to whoever is no administrator. Raises `NotYours`."""
    if namespace in RESERVED and not get_caller().is_admin:
        problem = f"Namespace {namespace!r} is the toolkit's own."
        raise NotYours(problem, field="namespace", value=namespace, remedy="Use another namespace.")


def _checked(place: Place) -> Place:
    _check_namespace(place.namespace)
    for field, text in place._asdict().items():
        _refuse_unprintable(field, text)
    return place


def _refuse_unprintable(field: str, text: str) -> None:
    if not text.isprintable():
        raise InvalidInput(f"{excerpt(text)} has characters that cannot be printed.", field=field, value=text, remedy="Leave them out.")
