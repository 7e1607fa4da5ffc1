"""The port of key-value back ends, written as obligations. A back end is complete when it passes the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class StoredValue(NamedTuple):
    """A value under its key."""

    text: str
    """The value as JSON text."""
    expires_at: datetime | None = None
    """Time at which the entry expires; None for never."""


ValueChange = Callable[[StoredValue | None], StoredValue | None]
"""Is given what is there and returns what shall be there, None meaning nothing. May be called twice: it only computes."""


class KeptValue(NamedTuple):
    """An entry and where it is held."""

    namespace: str
    key: str
    entry: StoredValue


class Changed(NamedTuple):
    """The entry before and after a change."""

    before: StoredValue | None
    after: StoredValue | None


class KeyValueStore(Protocol):
    """Holds entries. Every method is one transaction, and an entry that has expired is nowhere to be seen."""

    async def get(self, namespace: str, key: str, now: datetime) -> StoredValue | None:
        """Return an entry."""
        ...

    async def change(self, namespace: str, key: str, change: ValueChange, now: datetime) -> Changed:
        """Replace an entry by the function's result.

        The change is atomic. If the function raises, nothing is changed and the error is raised.
        """
        ...

    async def everything(self, now: datetime) -> Sequence[KeptValue]:
        """Return every entry of every namespace, in the order of namespace and key."""
        ...

    async def restore(self, values: Sequence[KeptValue], now: datetime) -> int:
        """Add values where nothing is, all in one transaction, and return how many were added; expired ones are not."""
        ...

    async def keys(self, namespace: str, prefix: str, limit: int, now: datetime) -> Sequence[str]:
        """Return keys that begin with the prefix, in the order of their code points, at most `limit`."""
        ...

    async def damaged(self, limit: int) -> Sequence[str]:
        """Describe at most `limit` unreadable values, among the first thousand."""
        ...
