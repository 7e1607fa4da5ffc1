"""Executions that end before they begin: cancelled while they wait, or without a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message, record_cancellation, record_failure
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, Work
from agentoolkit.system.scheduler.ports import Claimed, DamagedJob, Ending


class UnstartedExecutions:
    """Writes down the end of executions that never ran, with its message and what comes after it.

    Args:
        parts: Store, time and events.
        ended: Called with each that has ended so.
        follow: Called with what comes after one, and whether it left a message.
    """

    def __init__(self, parts: Parts, ended: Callable[[Execution], None], follow: Callable[[Sequence[Claimed], bool], None]) -> None:
        self._parts = parts
        self._ended = ended
        self._follow = follow

    async def end(self, execution: Execution, work: Work | Job | None, reason: str, seen: ExecutionStatus | None = None) -> bool:
        """Write that an execution is cancelled. Tell whether it was still unfinished, and still as it was seen."""
        return await self._write(record_cancellation(execution, reason, self._parts.time.now()), work, seen)

    async def fail(self, execution: Execution, work: Work | Job, error: SchedulerError) -> bool:
        """Write that an execution which still waits has failed. Tell whether it still did."""
        failed = record_failure(execution, error, self._parts.time.now(), 0.0, error.problem)
        return await self._write(failed._replace(duration=None), work, ExecutionStatus.QUEUED)

    async def _write(self, ended: Execution, work: Work | Job | None, seen: ExecutionStatus | None) -> bool:
        message = outcome_message(work, ended) if work is not None else None
        (finished,) = await self._parts.store.finish([Ending(ended, message, seen)])
        if finished.written:
            self._ended(ended)
            self._parts.announcer.execution_changed(ended)
            self._follow(finished.downstream, message is not None)
        return finished.written

    async def end_stored(self, execution: Execution, reason: str) -> bool:
        """Do so with one that is known by its record alone, as far as its job can be read."""
        job = None
        with suppress(DamagedJob):
            stored = await self._parts.store.find(execution.job_id)
            if stored is not None and stored.job.job_id == execution.job_id:
                job = stored.job
        return await self.end(execution, job, reason, execution.status)

    async def end_all(self, reason: str) -> None:
        """Do so with all that are left, in a store that does not outlive the process."""
        for job, execution in await self._parts.store.take_over(self._parts.time.now(), lambda _: False):
            await self.end(execution, job, reason)
