"""Executions that room is held for until their claim is answered: by then the store may have them as ours, and as running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from agentoolkit.system.scheduler.decisions.recovery import begins_as_claimed
from agentoolkit.system.scheduler.engine.active import ActiveExecutions
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted import UnstartedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job
from agentoolkit.system.scheduler.ports import Begins, Claimed, DamagedJob, Executor, Limit, Order, none_begins


class ReservedExecutions(dict[str, str]):
    """Executions that room is held for before they are claimed, so that the claim may begin them; by id, why one is to be cancelled.

    Args:
        parts: Store, and what says whether a job can run here.
        active: What is under way here.
        executor: Has room for them, or has none.
        unstarted: Ends those whose job is gone.
        doubt: Called when executions may be ours that nobody works on.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        executor: Executor,
        unstarted: UnstartedExecutions,
        doubt: Callable[[], None],
    ) -> None:
        super().__init__()
        self._parts = parts
        self._active = active
        self._executor = executor
        self._unstarted = unstarted
        self._doubt = doubt

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Let an execution end as soon as its claim is answered. Tell whether it is being claimed."""
        if execution_id not in self:
            return False
        self[execution_id] = reason
        return True

    def hold(self, execution_ids: Iterable[str]) -> frozenset[str]:
        """Hold room for those of these executions that have some now, and return them. `let_go` gives it back."""
        return frozenset(execution_id for execution_id in execution_ids if self._reserve(execution_id))

    def hold_all(self, number: int, execution_ids: Iterable[str]) -> frozenset[str]:
        """Do so if there is room for so many, else for none: before the claim nobody knows which are the urgent ones."""
        return self.hold(execution_ids) if number <= self._executor.room else frozenset()

    def let_go(self, reserved: frozenset[str]) -> None:
        """Give back the room of those that do not run."""
        for execution_id in reserved:
            self._executor.unreserve(execution_id)
            del self[execution_id]

    def begins(self, reserved: frozenset[str]) -> Begins:
        """Return what a claim asks of each execution, in the store's thread: does it begin by this very write?"""

        def begins(execution_id: str, job: Job) -> bool:
            return execution_id in reserved and begins_as_claimed(job.policies) and self._parts.runs_here(job)

        return begins if reserved else none_begins

    async def begun(self, reserved: frozenset[str], at: datetime) -> Sequence[Claimed]:
        """Return those that a claim at this instant has begun, though its answer was lost: its commit was one all the same."""
        store = self._parts.store
        rows = await store.executions_by_id(list(reserved))
        begun = [row for row in rows if (row.owner, row.status, row.started_at) == (store.owner, ExecutionStatus.RUNNING, at)]
        return [Claimed(await self._job_of(row), row) for row in begun]

    async def give_up(self, claimed: Iterable[Claimed]) -> None:
        """End what has no job, and give back what was begun and does not start: meanwhile the scheduler stops, or lacks its AgenTool."""
        left = [each for each in claimed if not each.execution.finished and each.execution.execution_id not in self._active]
        try:
            for job, execution in left:
                if job is None:
                    await self._unstarted.end(execution, None, "its job is gone or cannot be read", execution.status)
                elif execution.status is ExecutionStatus.RUNNING:
                    await self._parts.store.release(execution)
        except BaseException:
            self._doubt()
            raise

    async def _job_of(self, execution: Execution) -> Job | None:
        try:
            stored = await self._parts.store.find(execution.job_id)
        except DamagedJob:  # it goes as one without a job does, and keeps no other from starting
            return None
        return stored.job if stored is not None and stored.job.job_id == execution.job_id else None

    def _reserve(self, execution_id: str) -> bool:
        """Hold room for an execution of which nothing is known but its id: for one of each job that none runs of here."""
        job = Limit(f"job:{job_id_of(execution_id)}", 1)
        if execution_id in self._active or not self._executor.reserve(Order(execution_id, limits=(job,))):
            return False
        self[execution_id] = ""
        return True
