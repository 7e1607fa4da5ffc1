"""The answers of a store with a single process: it always leads, and there are no other processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from agentoolkit.system.scheduler.ports import Change, Owner, PendingCancel


class OneProcess:
    """The part of a `JobStore` that concerns other processes, of which there are none."""

    survives_restart = False
    shared = False
    owner = ""
    _stopped = False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def lead(self, now: datetime) -> bool:
        return True

    async def release_all(self) -> None: ...

    async def leader(self) -> Owner | None:
        return None

    async def owners(self) -> Sequence[Owner]:
        return ()

    async def set_stopped(self, stopped: bool, seconds: float | None = None) -> None:
        self._stopped = stopped

    async def is_stopped(self) -> bool:
        return self._stopped

    async def cancel_requests(self) -> Sequence[PendingCancel]:
        return ()

    async def acknowledge_cancel(self, execution_id: str) -> None:
        """Do nothing: no other process requests anything."""

    async def note_waiting(self, reasons: Mapping[str, str]) -> Sequence[str]:
        return ()  # nothing is sent to workers

    async def changes(self) -> Sequence[Change]:
        return ()

    async def damaged(self, limit: int) -> Sequence[str]:
        return ()

    async def purge(self, now: datetime) -> None:
        """Do nothing: the limits are kept at every write."""
