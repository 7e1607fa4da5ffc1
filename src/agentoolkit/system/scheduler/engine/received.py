"""Executions that this process was sent the ids of, as a worker is: claimed, begun by the same write where there is room, and run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.decisions.waiting import waits_for_reader, waits_for_tool
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.reserved import ReservedExecutions
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import Claimed

logger = logging.getLogger(__name__)


class ReceivedExecutions:
    """Runs executions by their ids.

    Args:
        parts: Store and time.
        active: What is under way here.
        reserved: Holds room for them until their claim is answered.
        start: Called with each that was claimed.
        doubt: Called when executions may be ours that nobody works on.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        reserved: ReservedExecutions,
        start: Callable[[Claimed], None],
        doubt: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._active = active
        self._reserved = reserved
        self._start = start
        self._doubt = doubt

    async def run(self, execution_ids: Sequence[str]) -> None:
        """Claim executions by their ids, and run them until their outcomes are written.

        What another process has claimed, cancelled or ended meanwhile is passed over, and so is what cannot run here, which
        its record says then: whoever sent it sends it again, so that another worker may have it.
        """
        lacks: dict[str, str] = {}
        reserved = self._reserved.hold(execution_ids)
        try:
            claimed, failed = await self._claim(execution_ids, reserved, lacks)
            over = [outcome for each in claimed if (outcome := self._run(each)) is not None]
        except BaseException:
            self._doubt()  # what was claimed, and not started, is ours
            raise
        finally:
            self._reserved.let_go(reserved)
        await self._reserved.give_up(claimed)
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
            return await store.claim_executions(execution_ids, now, can_run, self._reserved.begins(reserved)), None
        except Exception as error:
            self._doubt()
            return await self._reserved.begun(reserved, now), error

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

    def _run(self, claimed: Claimed) -> asyncio.Future[Outcome] | None:
        """Start an execution, and return what is done when its outcome is written; None: it does not start here."""
        job, execution = claimed
        if job is not None or execution.finished:
            self._start(claimed)
        active: ActiveExecution | None = self._active.get(execution.execution_id)
        if active is None:
            return None
        active.outcome = asyncio.get_running_loop().create_future()
        return active.outcome
