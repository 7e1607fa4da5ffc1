"""What the scheduler asks of a store that several processes may open: who leads, who stops, and whose an execution is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agentoolkit.system.scheduler.ports.records import Begins, CanRun, Claimed, Owner, any_job, none_begins


class SharedStore(Protocol):
    """The part of a `JobStore` that is about other processes."""

    async def lead(self, now: datetime) -> bool:
        """Become or stay the one process that claims. Return whether this process leads now."""
        ...

    async def release_all(self) -> None:
        """Give up the lead and our waiting executions; the next leader starts them."""
        ...

    async def leader(self) -> Owner | None:
        """Return the process that claims, if there is one."""
        ...

    async def owners(self) -> Sequence[Owner]:
        """Return the processes that have the store open, the oldest first; none where it is not shared."""
        ...

    async def set_stopped(self, stopped: bool, seconds: float | None = None) -> None:
        """Forbid every process to claim, or allow it again. It holds until the next call or, in a store that is shared, so many seconds."""
        ...

    async def is_stopped(self) -> bool:
        """Return whether claiming is forbidden."""
        ...

    async def claim_executions(
        self, execution_ids: Sequence[str], now: datetime, can_run: CanRun = any_job, begins: Begins = none_begins
    ) -> Sequence[Claimed]:
        """Make executions ours that wait, for room or for a retry that is due, or whose process can be seen to have ended.

        Those whose job we cannot run stay whose they are; one that cannot be read is asked of as `job_records.unreadable`.
        Return the others in the order asked for, with their jobs, as `take_over` does. Of several processes that claim one
        execution, or claim it twice, one gets it once. What waited and `begins` is marked as started too. Both are asked in
        the store's thread, and again if the transaction is.
        """
        ...

    async def note_waiting(self, reasons: Mapping[str, str]) -> Sequence[str]:
        """Let the records of executions that wait, and that no worker has claimed, say why until one does.

        Return those that did not say so before.
        """
        ...
