"""Runs executions that were sent to this worker by id: claimed, begun by the same write if there is room, and run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from agentoolkit.failure_log import log_again, log_failure
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import waits_for_reader, waits_for_tool
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.reserved_executions import ReservedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import Claimed

logger = logging.getLogger(__name__)


class ReceivedExecutions:
    """Runs executions by their ids.

    Args:
        parts: Store and time.
        active: The executions under way here.
        reserved: Reserves room for them until their claim is answered.
        start: Called with each claimed execution.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        reserved: ReservedExecutions,
        start: Callable[[Claimed], None],
    ) -> None:
        self._parts = parts
        self._active = active
        self._reserved = reserved
        self._start = start

    async def run(self, execution_ids: Sequence[str]) -> None:
        """Claim executions by their ids, and run them until their outcomes are written.

        Executions that another process has claimed, cancelled or ended meanwhile are skipped. So are those that cannot
        run here: their records say why, and the sender sends them again, so that another worker can claim them.
        """
        lacks: dict[str, str] = {}
        reserved = self._reserved.hold(execution_ids)
        try:
            claimed, failed = await self._claim(execution_ids, reserved, lacks)
            over = [outcome for each in claimed if (outcome := self._run(each)) is not None]
        except BaseException:
            self._active.in_doubt = True  # executions that were claimed but not started are ours
            raise
        finally:
            self._reserved.let_go(reserved)
        await self._reserved.give_up(claimed)
        if lacks:
            await self._refuse({id_: lacks[job_id_of(id_)] for id_ in execution_ids if job_id_of(id_) in lacks})
        if not (claimed or lacks or failed):
            await self._tell_if_unknown(execution_ids)
        if over:
            await asyncio.wait(over)
        if failed is not None:
            raise failed

    async def _claim(
        self, execution_ids: Sequence[str], reserved: frozenset[str], lacks: dict[str, str]
    ) -> tuple[Sequence[Claimed], Exception | None]:
        """Claim executions, and begin those with reserved room. Return them, and the error if the answer was lost.

        For each job that cannot run here, the reason is put into `lacks`.
        """
        store, now = self._parts.store, self._parts.time.now()

        def can_run(job: Job) -> bool:  # called in the store's thread
            if not job.readable:
                lacks[job.job_id] = waits_for_reader()
            elif job.agentool_name not in self._parts.injector:
                lacks[job.job_id] = waits_for_tool(job.agentool_name)
            return job.job_id not in lacks

        try:
            return await store.claim_executions(execution_ids, now, can_run, self._reserved.begins(reserved)), None
        except Exception as error:
            self._active.in_doubt = True
            return await self._reserved.begun(reserved, now), error

    async def _tell_if_unknown(self, execution_ids: Sequence[str]) -> None:
        """Log a warning if none of these executions is in the store: its sender may have another one."""
        try:
            known = await self._parts.store.executions_by_id(execution_ids)
        except Exception:
            log_failure(logger, "Looking for %d executions that were sent here failed", len(execution_ids))
            return
        if execution_ids and not known:
            remedy = "AGENTOOL_DATABASE must name the same one as for the scheduler that sends them, unless their jobs are gone"
            log_again(logger, "The executions of a message (%d) are not in this database: %s", len(execution_ids), remedy)

    async def _refuse(self, reasons: Mapping[str, str]) -> None:
        """Write the reasons to the records of refused executions, which keep their owner, and log each once."""
        try:
            noted = await self._parts.store.note_waiting(reasons)
        except Exception:
            log_failure(logger, "Noting that %d executions cannot run here failed", len(reasons))
            return
        for execution_id in noted:
            logger.warning("Execution %s is left to another worker: it %s", execution_id, reasons[execution_id])

    def _run(self, claimed: Claimed) -> asyncio.Future[Outcome] | None:
        """Start an execution, and return the future of its outcome; None if it does not start here."""
        job, execution = claimed
        if job is not None or execution.finished:
            self._start(claimed)
        active: ActiveExecution | None = self._active.get(execution.execution_id)
        if active is None:
            return None
        active.outcome = asyncio.get_running_loop().create_future()
        return active.outcome
