"""Executions that this process was sent the ids of, as a worker is: claimed, begun by the same write where there is room, and run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from agentoolkit.system.scheduler.decisions.recovery import begins_as_claimed
from agentoolkit.system.scheduler.decisions.waiting import waits_for_reader, waits_for_tool
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.failures import log_failure
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted import UnstartedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job
from agentoolkit.system.scheduler.ports import Claimed, Executor, Limit, Order

logger = logging.getLogger(__name__)


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

    async def run(self, execution_ids: Sequence[str]) -> None:
        """Claim executions by their ids, and run them until their outcomes are written.

        What another process has claimed, cancelled or ended meanwhile is passed over, and so is what cannot run here, which
        its record says then: whoever sent it sends it again, so that another worker may have it.
        """
        lacks: dict[str, str] = {}
        reserved = frozenset(execution_id for execution_id in execution_ids if self._reserve(execution_id))
        try:
            claimed, failed = await self._claim(execution_ids, reserved, lacks)
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
        if lacks:
            await self._refuse({id_: lacks[job_id_of(id_)] for id_ in execution_ids if job_id_of(id_) in lacks})
        if over:
            await asyncio.wait(over)
        if failed is not None:
            raise failed

    async def _claim(
        self, execution_ids: Sequence[str], reserved: frozenset[str], lacks: dict[str, str]
    ) -> tuple[Sequence[Claimed], Exception | None]:
        """Claim them, and begin those that room is reserved for. Return them, and why others may have been claimed unheard.

        What is missing here for jobs that cannot run is put into `lacks`.
        """
        store, now = self._parts.store, self._parts.time.now()

        def can_run(job: Job) -> bool:
            if lack := self._lack(job):
                lacks[job.job_id] = lack
            return not lack

        try:
            return await store.claim_executions(
                execution_ids, now, can_run, lambda id_, job: id_ in reserved and begins_as_claimed(job.policies)
            ), None
        except Exception as error:  # a commit whose answer was lost was one all the same
            self._doubt()
            rows = await store.executions_by_id(list(reserved))
            begun = [row for row in rows if (row.owner, row.status, row.started_at) == (store.owner, ExecutionStatus.RUNNING, now)]
            return [Claimed((await self._job_of(row)), row) for row in begun], error

    def _lack(self, job: Job) -> str:
        """Return why a job cannot run here; nothing: it can. Called in the store's thread."""
        if not job.readable:
            return waits_for_reader()
        return "" if job.agentool_name in self._parts.injector else waits_for_tool(job.agentool_name)

    async def _refuse(self, reasons: Mapping[str, str]) -> None:
        """Let the records of executions that stay whose they are say why: in a write of their own, and told here once."""
        try:
            told = await self._parts.store.note_waiting(reasons)
        except Exception:
            log_failure(logger, "It is not said of %d executions that they cannot run here", len(reasons))
            return
        for execution_id in told:
            logger.warning("Execution %s is left to another worker: it %s", execution_id, reasons[execution_id])

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
