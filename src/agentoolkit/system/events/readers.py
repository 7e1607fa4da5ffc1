"""Whether anybody reads events: only then are the scheduler's, of which there are many, written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agentoolkit.system.events.ports import EventStore
from agentoolkit.time_source import TimeSource

READER_LIFE = timedelta(minutes=10)
"""How long somebody who has read is expected to come back: until then the scheduler's events are kept for them."""
ASKED_SECONDS = 1.0
"""How often the store is asked whether another process has a reader."""


class Readers:
    """Knows whether somebody reads, here or in another process.

    Args:
        store: Where all processes note it.
        time: The time source.
    """

    def __init__(self, store: EventStore, time: TimeSource) -> None:
        self._store = store
        self._time = time
        self._noted_until = datetime.fromtimestamp(0, UTC)
        """Until when the store knows that somebody here reads."""
        self._none_until = 0.0
        """Until when it holds that nobody reads, by the monotonic clock."""

    @property
    def none(self) -> bool:
        """Is it known that nobody reads?"""
        return self._time.monotonic() < self._none_until

    def expect(self) -> None:
        """Take it that somebody reads from now on."""
        self._none_until = 0.0

    async def note(self) -> None:
        """Let all processes know that somebody reads, before half of the time is over that they know it for."""
        self.expect()
        if (now := self._time.now()) > self._noted_until - READER_LIFE / 2:
            await self._store.note_reader(now + READER_LIFE)
            self._noted_until = now + READER_LIFE

    async def find(self) -> bool:
        """Tell whether somebody reads; if not, that holds for `ASKED_SECONDS`."""
        if self._here or await self._store.has_readers(self._time.now()) or self._here:  # it may have begun meanwhile
            return True
        self._none_until = self._time.monotonic() + ASKED_SECONDS
        return False

    @property
    def _here(self) -> bool:
        return self._time.now() < self._noted_until
