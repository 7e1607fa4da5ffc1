"""Owns the executions under way in this process: expected → waiting → starting → running → writing → gone.

An execution waits with the executor, which begins and runs it by its id as soon as there is room. The recorder writes
its outcome, and the written record decides what follows: an event, a delivery, a retry, a downstream execution.
Timeouts are handled here too. `waiting_executions` keeps what cannot start yet, and `cancelling` ends what is not wanted any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Outcome, Phase
from agentoolkit.system.scheduler.engine.attempts import LocalAttempts, given_up, grace_of
from agentoolkit.system.scheduler.engine.awaited_executions import AwaitedExecutions
from agentoolkit.system.scheduler.engine.cancelling import Cancelling
from agentoolkit.system.scheduler.engine.clock_interface import Alarms
from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.received_executions import ReceivedExecutions
from agentoolkit.system.scheduler.engine.recording import Ended, Recorder
from agentoolkit.system.scheduler.engine.remote_executions import RemoteExecutions
from agentoolkit.system.scheduler.engine.reserved_executions import ReservedExecutions
from agentoolkit.system.scheduler.engine.unclaimed_executions import UnclaimedExecutions
from agentoolkit.system.scheduler.engine.unstarted_executions import UnstartedExecutions
from agentoolkit.system.scheduler.engine.waiting_executions import WaitingExecutions
from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, Work
from agentoolkit.system.scheduler.ports import Claimed

logger = logging.getLogger(__name__)

_WAITING, _RUNNING = Phase.WAITING, ExecutionStatus.RUNNING  # an enum is slow to look into
_STOPPED_FIRST = "the scheduler stopped before it started"


class Dispatch:
    """Takes executions from their claim to their outcome."""

    def __init__(self, parts: Parts, clock: Alarms, deliveries: Deliveries) -> None:
        self._parts = parts
        self._store = parts.store
        self._time = parts.time
        self._events = parts.announcer
        self._deliveries = deliveries
        self._recorder = Recorder(parts.store, parts.time, self._written)
        self.active = active = ActiveExecutions(parts.time, self._expired, parts.result_size)
        self._unstarted = UnstartedExecutions(parts, self.leave, self._follow)
        elsewhere = RemoteExecutions(parts, active, deliveries, UnclaimedExecutions(parts, active, self._unstarted))
        self.tasks = elsewhere.tasks
        """Tasks that write executions before they start, and tasks that read executions of other processes."""
        self.attempts = LocalAttempts(parts, active, self._recorder, elsewhere)
        self.executor = executor = parts.executor(self.attempts, parts.concurrency)
        self.reserved = ReservedExecutions(parts, active, executor, self._unstarted)
        self.waiting = WaitingExecutions(parts, clock, executor, self.reserved, self.start)
        self.cancelling = Cancelling(parts, active, executor, self.waiting, self._unstarted, self.tasks)
        self._awaited = AwaitedExecutions(parts, active, executor, deliveries, self.tasks, self.cancelling)
        self._received = ReceivedExecutions(parts, active, self.reserved, self.start)
        self.leading = False
        """True if this process starts due jobs."""
        self._stopping = False
        self._suspended = False

    def holds(self, execution_id: str) -> bool:
        """Tell whether this process takes care of an execution. Called from the store's thread too."""
        return execution_id in self.active or execution_id in self.waiting

    def start(self, claimed: Claimed, *, replaces: bool = False) -> None:
        """Run a claimed execution as soon as there is room. One that has ended already is only published.

        With `replaces`, older due times of its job are cancelled to make room for it.
        """
        job, execution = claimed
        status, execution_id = execution.status, execution.execution_id
        if status not in UNFINISHED:
            self._events.execution_changed(execution, job.owner if job else "")
        elif job is not None and not self._stopping and not self._suspended and execution_id not in self.active:
            policies, parts = job.policies, self._parts
            if replaces:
                self.cancelling.cancel_replaced(job, execution_id)
            route = parts.route_of(policies, job.job_name)
            if parts.lack_of(job.agentool_name, route):
                if status is not _RUNNING:
                    self.waiting.missing_tools.keep(claimed)
                return
            active = self.active[execution_id] = ActiveExecution(job, execution, parts.timeout_of(policies), route=route)
            active.cancel_reason = self.reserved.get(execution_id, "")
            if status is _RUNNING:
                self.attempts.note_begun([active])
                self.executor.run_begun(active.order)
            elif self.waiting.early is None:
                self.executor.submit(active.order)
            else:
                self.waiting.early[execution_id] = active

    def redefine(self, job: Job) -> None:
        """Apply a job's new definition to its waiting executions, as its retries do. Submit them again if limits changed."""
        for active in self.active.redefine(job, self._parts.timeout_of(job.policies)):
            if self.executor.withdraw(active.execution.execution_id):
                self.executor.submit(active.order)

    def take_over(self, claimed: Claimed) -> None:
        """Continue an execution that another process, or an earlier engine, left behind."""
        job, execution = claimed
        if execution.finished:
            self.leave(execution)
            self._events.execution_changed(execution, job.owner if job else "")
            self._deliveries.wake()
            return
        if (active := self.active.get(execution.execution_id)) is not None and active.goes_away:
            self.active.remove(active)  # the worker that claimed it has ended
        if self.holds(execution.execution_id):
            return  # its claim was answered in the meantime
        if execution.status is ExecutionStatus.RETRYING and execution.retry_at is not None:
            self.waiting.retries.keep(execution, execution.retry_at)
        else:
            self.start(claimed)

    def leave(self, execution: Execution) -> None:
        """Stop following an execution that was sent to a worker: this process has ended it, and publishes that itself."""
        if (active := self.active.get(execution.execution_id)) is not None and active.goes_away:
            self.executor.abandon(execution.execution_id)
            self.active.end(active, Outcome(execution))

    def wake(self, execution_ids: Sequence[str]) -> asyncio.Task[None] | None:
        """Start executions whose retry is due. The task ends when the executor has them; None if none of them waits here."""
        waiting = [execution_id for execution_id in execution_ids if execution_id in self.waiting.retries]
        return self.tasks.start(self.waiting.retries.wake(waiting)) if waiting else None

    async def run_now(self, work: Work, execution: Execution) -> Outcome:
        """See `AwaitedExecutions.run`."""
        return await self._awaited.run(work, execution)

    async def run_claimed(self, execution_ids: Sequence[str]) -> None:
        """See `ReceivedExecutions.run`."""
        await self._received.run(execution_ids)

    def lead(self, leading: bool) -> None:
        """Begin or cease to lead. Running executions continue: they are still ours."""
        self.leading = leading
        self.active.in_doubt = True  # the previous leader may have left executions, and our retries have lost their alarms
        if not leading:
            self.waiting.retries.clear()

    def suspend(self, suspended: bool) -> None:
        """Start nothing while all processes are stopped. Executions that wait for room or a retry are removed, to be released."""
        self._suspended, self.waiting.retries.accepts = suspended, not suspended and not self._stopping
        if not suspended:
            return
        for active in self.active.all():
            waits = active.phase is _WAITING and active.execution.trigger != "run_now"
            if waits and self.waiting.withdraw(active.execution.execution_id):
                self.active.end(active, None)
        self.waiting.clear()

    async def stop(self, seconds: float, grace: float) -> None:
        """Start nothing more, let handlers end, cancel the rest, and wait until their outcomes are written."""
        self._stopping, self.waiting.retries.accepts = True, False
        self._recorder.stop()
        self.waiting.missing_tools.clear()
        self.active.stopping = True
        await self.executor.drain(seconds, grace)
        await self._recorder.wait_idle((seconds + grace) * 0.15)
        self.active.close()
        for active in [each for each in self.active.all() if each.phase in (Phase.EXPECTED, _WAITING)]:
            if active.execution.trigger == "run_now":
                await self.cancelling.abandon(active, _STOPPED_FIRST)
            else:
                self.active.end(active, None)
        for task in self.tasks:
            task.cancel()
        if not self._store.survives_restart:
            await self._unstarted.end_all(_STOPPED_FIRST)

    def _expired(self, active: ActiveExecution) -> None:
        execution_id = active.execution.execution_id
        if not active.timed_out:
            active.timed_out = True
            self.active.extend(active, grace_of(active))
            self.executor.cancel(execution_id)
            return
        active.given_up = True
        active.phase = Phase.WRITING
        self.executor.abandon(execution_id)
        self._recorder.put(active, given_up(active, self._time.now(), self._time.monotonic() - (active.began or 0.0)))

    def _written(self, ended: Sequence[Ended]) -> None:
        """Publish attempts whose outcomes were written together, and start what follows them."""
        for active, outcome, _ in ended:
            self.active.end(active, outcome)
        if self._events.is_heard:
            kept = [(written.execution, active.work.caller.name) for active, _, written in ended if written and written.kept]
            self._events.executions_changed(kept)
        for _, _, written in ended:
            if written is None:
                continue
            execution, is_kept, has_message, downstream, in_doubt = written
            self.active.in_doubt = self.active.in_doubt or in_doubt
            if is_kept and execution.retry_at is not None:
                self.waiting.retries.keep(execution, execution.retry_at)
            if is_kept and (has_message or downstream):
                self._follow(downstream, has_message)

    def _follow(self, downstream: Sequence[Claimed], has_message: bool) -> None:
        """Deliver an outcome's message, and start the downstream executions."""
        if has_message:
            self._deliveries.wake()
        for claimed in downstream:
            # A process that does not lead leaves it to the leader's `take_over`.
            if claimed.execution.finished or self.leading:
                try:
                    self.take_over(claimed)
                except Exception:  # the next round looks for it again, and the others continue
                    log_failure(logger, "Starting %s failed", claimed.execution.execution_id)
                    self.active.in_doubt = True
