"""Cancels executions: at once where they run or wait in this process, else through their records, which name their owners."""

from __future__ import annotations

import logging
from contextlib import suppress

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.decisions.outcomes import record_cancellation
from agentoolkit.system.scheduler.decisions.overlap import replaced_by
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Outcome, Phase
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.unstarted_executions import UnstartedExecutions
from agentoolkit.system.scheduler.engine.waiting_executions import WaitingExecutions
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import Executor

logger = logging.getLogger(__name__)


class Cancelling:
    """Cancels executions of this and other processes.

    Args:
        parts: Store and time.
        active: The executions under way here.
        executor: Cancels their handlers.
        waiting: The executions that wait here.
        unstarted: Writes the outcome of executions that never ran.
        tasks: Owns the tasks that read and write records.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        executor: Executor,
        waiting: WaitingExecutions,
        unstarted: UnstartedExecutions,
        tasks: OwnedTasks,
    ) -> None:
        self._store = parts.store
        self._time = parts.time
        self._active = active
        self._executor = executor
        self._waiting = waiting
        self._unstarted = unstarted
        self._tasks = tasks

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Cancel an execution that runs or is being started here. Return True if there is one; an ended one stays as it is."""
        active = self._active.get(execution_id)
        if active is None:
            return self._waiting.reserved.cancel(execution_id, reason)
        if active.phase is Phase.WAITING:
            withdrawn = self._waiting.withdraw(execution_id)
            if active.outcome is None or (active.goes_away and not withdrawn):
                if withdrawn:
                    self._active.remove(active)
                return False  # its record names its owner: it may have been sent to another process
            if withdrawn:
                self._tasks.start(self.abandon(active, reason))
        active.cancel_reason = reason
        if active.phase is Phase.RUNNING and active.began is not None:  # before that, its attempt sees the reason
            self._executor.cancel(execution_id)
        return True

    async def cancel_execution(self, execution: Execution, reason: str) -> bool:
        """Cancel an unfinished execution. Return True if it was ended or its cancellation was requested."""
        execution_id = execution.execution_id
        if self.cancel(execution_id, reason):
            try:  # so that a process that takes over a stuck execution does not start it again
                await self._store.request_cancel(execution_id, reason, is_carried_out=True)
            except Exception:
                log_failure(logger, "Writing the cancel request of %s failed", execution_id)
            return True
        if execution.owner != self._store.owner and execution.status is ExecutionStatus.RUNNING:
            return await self._store.request_cancel(execution_id, reason)
        self._waiting.silence(execution_id)
        done = await self._unstarted.end_stored(execution, reason)
        self._waiting.remove(execution_id)
        if done or self.cancel(execution_id, reason):  # it may have started here while that was written
            return True
        current = await self._store.execution(execution_id)  # its status may have changed meanwhile, here or elsewhere
        return current is not None and not current.finished and current != execution and await self.cancel_execution(current, reason)

    def cancel_soon(self, execution_id: str, reason: str) -> None:
        """Cancel an execution at once if it is under way here, else through its record, in a task."""

        async def cancel_stored() -> None:
            try:
                execution = await self._store.execution(execution_id)
                if execution is not None and not execution.finished:
                    await self.cancel_execution(execution, reason)
            except Exception:
                log_failure(logger, "Cancelling %s failed", execution_id)
                self._active.in_doubt = True

        if not self.cancel(execution_id, reason):
            self._tasks.start(cancel_stored())

    def cancel_replaced(self, job: Job, execution_id: str) -> None:
        """Cancel the executions of a job that a newer one replaces, if its policy for overlaps says so."""
        here = [active.execution for active in self._active.all() if active.phase is not Phase.WRITING and not active.cancel_reason]
        for replaced in replaced_by(job, (*here, *self._waiting.without_room)):
            self.cancel_soon(replaced.execution_id, f"replaced by {execution_id} (overlap: cancel_running)")

    async def abandon(self, active: ActiveExecution, reason: str) -> None:
        """Cancel an execution that a caller waits for, and that has not started."""
        with suppress(Exception):
            await self._unstarted.end(active.execution, active.work, reason)
        self._active.end(active, Outcome(record_cancellation(active.execution, reason, self._time.now())))
