"""Ends executions that have not started: cancelled while they wait, or without a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message, record_cancellation, record_failure
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, Work
from agentoolkit.system.scheduler.ports import Claimed, DamagedJob, Ending


class UnstartedExecutions:
    """Writes the outcome of executions that never ran, with its message and the downstream executions.

    Args:
        parts: Store, time and events.
        ended: Called with each ended execution.
        follow: Called with the downstream executions of each, and whether it has a message.
    """

    def __init__(self, parts: Parts, ended: Callable[[Execution], None], follow: Callable[[Sequence[Claimed], bool], None]) -> None:
        self._parts = parts
        self._ended = ended
        self._follow = follow

    async def end(self, execution: Execution, work: Work | Job | None, reason: str, before: ExecutionStatus | None = None) -> bool:
        """Write that an execution is cancelled. Return False if it was finished, or its status was not `before`."""
        return await self._write(record_cancellation(execution, reason, self._parts.time.now()), work, before)

    async def fail(self, execution: Execution, work: Work | Job, error: SchedulerError) -> bool:
        """Write that a queued execution has failed. Return False if it was not queued any more."""
        failed = record_failure(execution, error, self._parts.time.now(), 0.0, error.problem)
        return await self._write(failed._replace(duration=None), work, ExecutionStatus.QUEUED)

    async def _write(self, ended: Execution, work: Work | Job | None, before: ExecutionStatus | None) -> bool:
        message = outcome_message(work, ended) if work is not None else None
        (finished,) = await self._parts.store.finish([Ending(ended, message, before)])
        if finished.written:
            self._ended(ended)
            self._parts.announcer.execution_changed(ended)
            self._follow(finished.downstream, message is not None)
        return finished.written

    async def end_stored(self, execution: Execution, reason: str) -> bool:
        """Cancel an execution that is known by its record alone. Its job is read if it can be."""
        job = None
        with suppress(DamagedJob):
            stored = await self._parts.store.find(execution.job_id)
            if stored is not None and stored.job.job_id == execution.job_id:
                job = stored.job
        return await self.end(execution, job, reason, execution.status)

    async def end_all(self, reason: str) -> None:
        """Cancel all remaining executions, in a store that does not outlive the process."""
        for job, execution in await self._parts.store.take_over(self._parts.time.now(), lambda _: False):
            await self.end(execution, job, reason)
