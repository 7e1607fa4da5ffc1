"""The interface of a store that several processes may open: lead, stop, and ownership of executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agentoolkit.system.scheduler.ports.records import Begins, CanRun, Claimed, Owner, any_job, none_begins


class SharedStore(Protocol):
    """The part of a `JobStore` that concerns other processes."""

    async def lead(self, now: datetime) -> bool:
        """Acquire or renew the lead: only the leader claims. Return True if this process leads now."""
        ...

    async def release_all(self) -> None:
        """Release the lead and our waiting executions; the next leader starts them."""
        ...

    async def leader(self) -> Owner | None:
        """Return the leading process, if there is one."""
        ...

    async def owners(self) -> Sequence[Owner]:
        """Return the processes that have the store open, the oldest first; empty if the store is not shared."""
        ...

    async def set_stopped(self, stopped: bool, seconds: float | None = None) -> None:
        """Forbid all processes to claim, or allow it again. It lasts until the next call or, in a shared store, for `seconds`."""
        ...

    async def is_stopped(self) -> bool:
        """Tell whether claiming is forbidden."""
        ...

    async def claim_executions(
        self, execution_ids: Sequence[str], now: datetime, can_run: CanRun = any_job, begins: Begins = none_begins
    ) -> Sequence[Claimed]:
        """Claim executions that wait for room or for a due retry, or whose process has ended visibly.

        Executions whose job fails `can_run` keep their owner; a damaged job is passed to it as `job_records.unreadable`.
        Return the claimed executions in the given order, with their jobs, as `take_over` does. Each is claimed once, even
        if several processes claim it, or one process twice. A waiting execution for which `begins` is true is also marked
        as started. Both functions are called in the store's thread, and again if the transaction is retried.
        """
        ...

    async def note_waiting(self, reasons: Mapping[str, str]) -> Sequence[str]:
        """Write reasons into the records of waiting executions that no worker has claimed. A claim removes them.

        Return the ids of the executions whose reason is new.
        """
        ...
