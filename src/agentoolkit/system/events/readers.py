"""Find out whether anybody reads events. The scheduler's many events are stored only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agentoolkit.system.events.ports import EventStore
from agentoolkit.time_source import TimeSource

READER_LIFE = timedelta(minutes=10)
"""Time for which a reader is expected to come back. Until then the scheduler's events are stored."""
ASKED_SECONDS = 1.0
"""Seconds between two queries whether another process has a reader."""


class Readers:
    """Knows whether this or another process has a reader.

    Args:
        store: The store in which all processes record readers.
        time: The time source.
    """

    def __init__(self, store: EventStore, time: TimeSource) -> None:
        self._store = store
        self._time = time
        self._noted_until = datetime.fromtimestamp(0, UTC)
        """End of the recorded reading of this process."""
        self._none_until = 0.0
        """Monotonic time until which the answer "no readers" is reused."""

    @property
    def none(self) -> bool:
        """True if it is known that nobody reads."""
        return self._time.monotonic() < self._none_until

    def expect(self) -> None:
        """Assume from now on that somebody reads."""
        self._none_until = 0.0

    async def note(self) -> None:
        """Record this process's reader in the store, and renew the record when half of its time is over."""
        self.expect()
        if (now := self._time.now()) > self._noted_until - READER_LIFE / 2:
            await self._store.note_reader(now + READER_LIFE)
            self._noted_until = now + READER_LIFE

    async def find(self) -> bool:
        """Tell whether somebody reads. The answer no is reused for `ASKED_SECONDS`."""
        if self._here or await self._store.has_readers(self._time.now()) or self._here:  # it may have begun meanwhile
            return True
        self._none_until = self._time.monotonic() + ASKED_SECONDS
        return False

    @property
    def _here(self) -> bool:
        return self._time.now() < self._noted_until
