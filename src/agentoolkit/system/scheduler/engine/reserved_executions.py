"""Reserves room for executions until their claim is answered. The claim can then record them as ours and running."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from agentoolkit.system.scheduler.decisions.recovery import begins_as_claimed
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecutions
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted_executions import UnstartedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import Begins, Claimed, DamagedJob, Executor, Limit, Order, none_begins


class ReservedExecutions(dict[str, str]):
    """Executions with reserved room, by id, and the reason if one is to be cancelled. Their claim can also begin them.

    Args:
        parts: The store, and the check whether a job can run here.
        active: The executions under way here.
        executor: Has the room.
        unstarted: Ends executions whose job is gone.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        executor: Executor,
        unstarted: UnstartedExecutions,
    ) -> None:
        super().__init__()
        self._parts = parts
        self._active = active
        self._executor = executor
        self._unstarted = unstarted

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Cancel an execution as soon as its claim is answered. Return False if it is not being claimed."""
        if execution_id not in self:
            return False
        self[execution_id] = reason
        return True

    def hold(self, execution_ids: Iterable[str]) -> frozenset[str]:
        """Reserve room for as many executions as there is room for now, and return their ids. `let_go` frees it."""
        return frozenset(execution_id for execution_id in execution_ids if self._reserve(execution_id))

    def hold_all(self, number: int, execution_ids: Iterable[str]) -> frozenset[str]:
        """Reserve room for all executions, or for none if there is too little: before the claim their urgency is unknown."""
        return self.hold(execution_ids) if number <= self._executor.room else frozenset()

    def let_go(self, reserved: frozenset[str]) -> None:
        """Free the reserved room that is not used."""
        for execution_id in reserved:
            self._executor.unreserve(execution_id)
            del self[execution_id]

    def begins(self, reserved: frozenset[str]) -> Begins:
        """Return a function that tells whether the claim also begins an execution. The store's thread calls it."""

        def begins(execution_id: str, job: Job) -> bool:
            return execution_id in reserved and begins_as_claimed(job.policies) and self._parts.runs_here(job)

        return begins if reserved else none_begins

    async def begun(self, reserved: frozenset[str], at: datetime) -> Sequence[Claimed]:
        """Return the executions that a claim at this instant has begun. Its answer was lost, but it may have been committed."""
        store = self._parts.store
        rows = await store.executions_by_id(list(reserved))
        begun = [row for row in rows if (row.owner, row.status, row.started_at) == (store.owner, ExecutionStatus.RUNNING, at)]
        return [Claimed(await self._job_of(row), row) for row in begun]

    async def give_up(self, claimed: Iterable[Claimed]) -> None:
        """End executions without a job, and release those that were begun but cannot start: a stop, or a missing AgenTool."""
        unstarted = [each for each in claimed if not each.execution.finished and each.execution.execution_id not in self._active]
        try:
            for job, execution in unstarted:
                if job is None:
                    await self._unstarted.end(execution, None, "its job is gone or cannot be read", execution.status)
                elif execution.status is ExecutionStatus.RUNNING:
                    await self._parts.store.release(execution)
        except BaseException:
            self._active.in_doubt = True
            raise

    async def _job_of(self, execution: Execution) -> Job | None:
        try:
            stored = await self._parts.store.find(execution.job_id)
        except DamagedJob:  # treated as an execution without a job, so that the others start
            return None
        return stored.job if stored is not None and stored.job.job_id == execution.job_id else None

    def _reserve(self, execution_id: str) -> bool:
        """Reserve room for an execution of which only the id is known: one a job, and only if none of the job runs here."""
        job = Limit(f"job:{job_id_of(execution_id)}", 1)
        if execution_id in self._active or not self._executor.reserve(Order(execution_id, limits=(job,))):
            return False
        self[execution_id] = ""
        return True
