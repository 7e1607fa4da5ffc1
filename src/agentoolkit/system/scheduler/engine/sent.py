"""Executions that this process was sent the ids of, as a worker is: claimed, begun by the same write where there is room, and run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agentoolkit.system.scheduler.decisions.recovery import begins_as_claimed
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted import UnstartedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job
from agentoolkit.system.scheduler.ports import Claimed, Executor, Limit, Order


class SentExecutions:
    """Runs executions by their ids. Those that room is reserved for are in it until their claim is answered.

    Args:
        parts: Store and time.
        active: What is under way here.
        executor: Has room for them, or lets them wait.
        start: Called with each that was claimed.
        unstarted: Ends those whose job is gone.
        doubt: Called when executions may be ours that nobody works on.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        executor: Executor,
        start: Callable[[Claimed], None],
        unstarted: UnstartedExecutions,
        doubt: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._active = active
        self._executor = executor
        self._start = start
        self._unstarted = unstarted
        self._doubt = doubt
        self._reserved: dict[str, str] = {}
        """By id, why it is to be cancelled; empty: it is not. The store may have them running as ours, and nobody works on them yet."""

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._reserved

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Let an execution end as soon as its claim is answered. Tell whether it is being claimed."""
        if execution_id in self._reserved:
            self._reserved[execution_id] = reason
            return True
        return False

    async def run(self, execution_ids: Sequence[str], can_run: Callable[[Job], bool]) -> None:
        """Claim executions by their ids, and run them until their outcomes are written.

        What another process has claimed, cancelled or ended meanwhile is passed over, and so is what has no AgenTool here:
        whoever sent it sends it again, so that another worker may have it.
        """
        reserved = frozenset(execution_id for execution_id in execution_ids if self._reserve(execution_id))
        try:
            claimed, failed = await self._claim(execution_ids, can_run, reserved)
            over = [outcome for each in claimed if (outcome := self._run(each)) is not None]
            left = [each for each in claimed if not each.execution.finished and each.execution.execution_id not in self._active]
        except BaseException:
            self._doubt()  # what was claimed, and not started, is ours
            raise
        finally:
            for execution_id in reserved:
                self._executor.unreserve(execution_id)
                del self._reserved[execution_id]
        await self._give_up(left)
        if over:
            await asyncio.wait(over)
        if failed is not None:
            raise failed

    async def _claim(
        self, execution_ids: Sequence[str], can_run: Callable[[Job], bool], reserved: frozenset[str]
    ) -> tuple[Sequence[Claimed], Exception | None]:
        """Claim them, and begin those that room is reserved for. Return them, and why others may have been claimed unheard."""
        store, now = self._parts.store, self._parts.time.now()
        try:
            return await store.claim_executions(
                execution_ids, now, can_run, lambda id_, job: id_ in reserved and begins_as_claimed(job.policies)
            ), None
        except Exception as error:  # a commit whose answer was lost was one all the same
            self._doubt()
            rows = await store.executions_by_id(list(reserved))
            begun = [row for row in rows if (row.owner, row.status, row.started_at) == (store.owner, ExecutionStatus.RUNNING, now)]
            return [Claimed((await self._job_of(row)), row) for row in begun], error

    async def _job_of(self, execution: Execution) -> Job | None:
        stored = await self._parts.store.find(execution.job_id)
        return stored.job if stored is not None and stored.job.job_id == execution.job_id else None

    async def _give_up(self, left: Sequence[Claimed]) -> None:
        """End what has no job, and give back what was begun: the scheduler stops, or has lost its AgenTool, meanwhile."""
        try:
            for job, execution in left:
                if job is None:
                    await self._unstarted.end(execution, None, "its job is gone", execution.status)
                elif execution.status is ExecutionStatus.RUNNING:
                    await self._parts.store.release(execution)
        except BaseException:
            self._doubt()
            raise

    def _reserve(self, execution_id: str) -> bool:
        """Hold room for an execution of which nothing is known but its id: for one of each job that none runs of here."""
        job = Limit(f"job:{job_id_of(execution_id)}", 1)
        if execution_id in self._active or not self._executor.reserve(Order(execution_id, limits=(job,))):
            return False
        self._reserved[execution_id] = ""
        return True

    def _run(self, claimed: Claimed) -> asyncio.Future[Outcome] | None:
        """Start an execution, and return what is done when its outcome is written; None: it does not start here."""
        job, execution = claimed
        if job is not None or execution.finished:
            self._start(claimed)
        active: ActiveExecution | None = self._active.get(execution.execution_id)
        if active is None:
            return None
        active.cancel_reason = active.cancel_reason or self._reserved.get(execution.execution_id, "")
        active.outcome = asyncio.get_running_loop().create_future()
        return active.outcome
