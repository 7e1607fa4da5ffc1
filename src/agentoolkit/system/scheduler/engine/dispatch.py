"""The one owner of what is under way in this process: expected → waiting → starting → running → writing → gone.

An execution waits with the executor, which begins and runs it by its id as soon as there is room; its outcome is handed to
the recorder, and what was written decides what comes next: an event, a delivery, a retry, an execution downstream.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.deliveries import is_address
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome, Phase
from agentoolkit.system.scheduler.engine.attempts import MIN_GRACE, current_execution, expired, run_attempt
from agentoolkit.system.scheduler.engine.clock import RETRY_SECONDS, Clock
from agentoolkit.system.scheduler.engine.delivery import DELIVERY_SECONDS, Deliveries
from agentoolkit.system.scheduler.engine.failures import log_failure
from agentoolkit.system.scheduler.engine.missing_tools import MissingTools
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.recording import Recorder, Written
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import UNFINISHED, Execution, ExecutionStatus, Job, Priority, Work
from agentoolkit.system.scheduler.ports import Claimed, DamagedJob, Ending, Limit, Order

logger = logging.getLogger(__name__)

_STARTING, _RUNNING, _WRITING = Phase.STARTING, Phase.RUNNING, Phase.WRITING  # an enum is slow to look into
_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_BACKFILL_URGENCY = 4
"""Added for past due times: those of today do not wait for them."""
_STOPPED_FIRST = "the scheduler stopped before it started"


class Dispatch:
    """Takes executions from their claim to their outcome. See `ports.Attempts` for what the executor asks of it."""

    def __init__(self, parts: Parts, clock: Clock, deliveries: Deliveries) -> None:
        self._store = parts.store
        self._injector = parts.injector
        self._time = parts.time
        self._events = parts.announcer
        self._timeout = parts.timeout
        self._delivers = parts.claims
        self._clock = clock
        self._deliveries = deliveries
        self._recorder = Recorder(parts.store, parts.time, self._written)
        self.active = ActiveExecutions(parts.time, self._expired, parts.result_size)
        self.executor = parts.executor(self, parts.concurrency)
        self.tasks: set[asyncio.Task[None]] = set()
        """What is written or read before executions start."""
        self._retrying: dict[str, Execution] = {}
        """Executions that wait for their next attempt, until it is with the executor."""
        self._missing_tools = MissingTools(parts.injector, parts.time, self.start)
        self._lateness: deque[float] = deque(maxlen=100)
        self.leading = False
        """Does this process start what is due?"""
        self.in_doubt = False
        """May executions of ours be written down that nobody works on?"""
        self._stopping = False
        self._suspended = False
        self._early: list[Order] | None = []
        """What was to start before `open`."""

    @property
    def lag(self) -> float | None:
        """Seconds between due time and start, the worst of the last hundred executions."""
        return max(self._lateness, default=None)

    def holds(self, execution_id: str) -> bool:
        """Is this execution taken care of here? Asked from the store's thread too."""
        return execution_id in self.active or execution_id in self._retrying or execution_id in self._missing_tools

    # Starting

    def start(self, claimed: Claimed) -> None:
        """Run a claimed execution as soon as there is room for it; publish one that has ended already."""
        job, execution = claimed
        execution_id = execution.execution_id
        if execution.status not in UNFINISHED:
            self._events.execution_changed(execution, job.owner if job else "")
        elif job is not None and not self._stopping and not self._suspended and execution_id not in self.active:
            policies = job.policies
            if policies.overlap == "cancel_running" and execution.trigger == "schedule" and execution.attempt == 1:
                self._cancel_older(job, execution)
            if job.agentool_name not in self._injector:
                self._missing_tools.keep(claimed)
                return
            timeout = self._timeout if policies.timeout is None else policies.timeout
            self.active[execution_id] = ActiveExecution(job.work, execution, timeout)
            urgency = _URGENCY[policies.priority]
            if execution.trigger == "backfill":
                urgency += _BACKFILL_URGENCY
            order = Order(execution_id, urgency, _limits(job))
            if self._early is None:
                self.executor.submit(order)
            else:
                self._early.append(order)

    def open(self) -> None:
        """Let start what is to start: whoever uses the scheduler had a turn of the event loop to register AgenTools."""
        early, self._early = self._early or (), None
        for order in early:
            self.executor.submit(order)
        self._missing_tools.look()

    def redefine(self, job: Job) -> None:
        """Let what waits of a job run as the job is defined now, as its retries do; what a caller waits for runs as it was asked for."""
        for active in self.active.all():
            if active.execution.job_id == job.job_id and active.phase is Phase.WAITING and active.execution.trigger != "run_now":
                active.work = job.work
                active.timeout = self._timeout if job.policies.timeout is None else job.policies.timeout

    def waits_of(self, job_id: str) -> bool:
        """Does any execution of a job wait here for room?"""
        return any(active.execution.job_id == job_id and active.phase is Phase.WAITING for active in self.active.all())

    def take_over(self, claimed: Claimed) -> None:
        """Go on with an execution that another process, or an earlier engine, left behind."""
        job, execution = claimed
        if execution.finished:
            self._events.execution_changed(execution, job.owner if job else "")
            self._deliveries.wake()
        elif self.holds(execution.execution_id):
            return  # its claim was answered in the meantime
        elif execution.status is ExecutionStatus.RETRYING and execution.retry_at is not None:
            self._retry_at(execution, execution.retry_at)
        else:
            self.start(claimed)

    def wake(self, execution_ids: Sequence[str]) -> None:
        """Start executions whose retry is due."""
        for execution_id in execution_ids:
            if (execution := self._retrying.get(execution_id)) is not None:
                self._own(self._wake(execution))

    async def run_now(self, work: Work, execution: Execution) -> Outcome:
        """Run an execution that no schedule asked for, at once, and wait for it.

        Raises:
            SchedulerError: It was asked for by an execution that it would have to wait for.
        """
        execution = execution._replace(owner=self._store.owner)
        active = ActiveExecution(work, execution, self._timeout if work.policies.timeout is None else work.policies.timeout, Phase.EXPECTED)
        active.names = self._names(work, execution)
        active.outcome = asyncio.get_running_loop().create_future()
        self.active.add(active)
        self._own(self._record(active))
        with self._deliveries.watching(execution.execution_id) as tried:
            try:
                outcome = await asyncio.shield(active.outcome)
            except asyncio.CancelledError:
                self.cancel(execution.execution_id, "its caller went away")
                raise
            await self._delivered(work, outcome.execution, tried)
        return outcome

    async def run_claimed(self, execution_ids: Sequence[str]) -> None:
        """Claim executions by their ids, as a worker does that was sent them, and run them until their outcomes are written.

        What another process has claimed, cancelled or ended meanwhile is passed over.
        """
        try:
            claimed = await self._store.claim_executions(execution_ids)
        except BaseException:
            self.in_doubt = True
            raise
        over: list[asyncio.Future[Outcome]] = []
        for job, execution in claimed:
            if job is None:
                await self._end(execution, None, "its job is gone", execution.status)
                continue
            self.start(Claimed(job, execution))
            if (active := self.active.get(execution.execution_id)) is not None:
                active.outcome = asyncio.get_running_loop().create_future()
                over.append(active.outcome)
        if over:
            await asyncio.wait(over)

    # Ending

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Cancel an execution that runs or is just being started. Tell whether there was one; one that has ended stays as it is."""
        active = self.active.get(execution_id)
        if active is None:
            return False
        if active.phase is Phase.WAITING:
            withdrawn = self.executor.withdraw(execution_id)
            if active.outcome is None:
                if withdrawn:
                    self.active.remove(active)
                return False  # its record says whose it is: it may have been sent to another process
            if withdrawn:
                self._own(self._abandon(active, reason))
        active.cancel_reason = reason
        if active.phase is Phase.RUNNING and active.began is not None:  # before that, its attempt sees the reason
            self.executor.cancel(execution_id)
        return True

    async def cancel_execution(self, execution: Execution, reason: str) -> bool:
        """End an unfinished execution. Tell whether it was ended or told to end."""
        execution_id = execution.execution_id
        if self.cancel(execution_id, reason):
            return True
        if execution.owner != self._store.owner and execution.status is ExecutionStatus.RUNNING:
            return await self._store.request_cancel(execution_id, reason)
        self._clock.set_alarm(execution_id, None)
        done = await self._end(execution, await self._work_of(execution), reason, execution.status)
        self._retrying.pop(execution_id, None)
        self._missing_tools.remove(execution_id)
        begun = self.cancel(execution_id, reason)  # at this very moment
        return done or begun

    def lead(self, leading: bool) -> None:
        """Start what is due, or do not any more. What runs goes on: it is still ours."""
        self.leading = leading
        self.in_doubt = True  # who led before may have left something; and what of ours waits for a retry has lost its alarm
        if not leading:
            self._retrying.clear()

    def suspend(self, suspended: bool) -> None:
        """Start nothing while all processes are stopped: what waits for room or a retry is taken out, so that it can be given back."""
        self._suspended = suspended
        if not suspended:
            return
        for active in self.active.all():
            waits = active.phase is Phase.WAITING and active.execution.trigger != "run_now"
            if waits and self.executor.withdraw(active.execution.execution_id):
                self._gone(active, None)
        self._missing_tools.clear()
        for execution_id in self._retrying:
            self._clock.set_alarm(execution_id, None)
        self._retrying.clear()

    async def stop(self, seconds: float, grace: float) -> None:
        """Start nothing more, let handlers end, cancel those that do not, and have it written down how they ended."""
        self._stopping = True
        self._recorder.stop()
        self._missing_tools.clear()
        self.active.stopping = True
        await self.executor.drain(seconds, grace)
        await self._recorder.wait_idle((seconds + grace) * 0.15)
        self.active.close()
        for active in self.active.all():
            if active.phase not in (Phase.EXPECTED, Phase.WAITING):
                continue
            if active.execution.trigger == "run_now":
                await self._abandon(active, _STOPPED_FIRST)
            else:
                self._gone(active, None)
        for task in self.tasks:
            task.cancel()
        if not self._store.survives_restart:
            await self._cancel_waiting()

    # What the executor asks for

    def begin(self, execution_ids: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """See `ports.Attempts.begin`. From this call on, not from its answer, they are being started."""
        now = self._time.now()
        starting: list[ActiveExecution] = []
        for execution_id in execution_ids:
            if (active := self.active.get(execution_id)) is not None:
                active.phase = _STARTING
                active.execution = active.execution.begun(now)
                starting.append(active)
        return self._begin(starting)

    async def run(self, execution_id: str) -> None:
        """See `ports.Attempts.run`."""
        if (active := self.active.get(execution_id)) is None:
            return
        try:
            if active.phase is _STARTING:  # the store refused to begin it with others
                if not await self._recorder.begin_again(active.execution):
                    self._not_begun(active)
                    return
                self._begun(active)
            outcome = await run_attempt(active, self._injector, self._time, self.active)
        except BaseException:
            self._gone(active, None)  # so that it is found by whoever looks for executions that nobody works on
            raise
        if not active.given_up:
            active.phase = _WRITING
            self._recorder.put(active, outcome)

    def forget(self, execution_ids: Sequence[str]) -> None:
        """See `ports.Attempts.forget`."""
        for execution_id in execution_ids:
            if (active := self.active.get(execution_id)) is not None:
                self.active.remove(active)
                if active.outcome is not None:
                    self._own(self._read_outcome(active))

    async def _read_outcome(self, active: ActiveExecution) -> None:
        """Tell whoever waits how an execution ended that another process ran."""
        execution = None
        with suppress(Exception):
            execution = await self._store.execution(active.execution.execution_id)
        self._gone(active, None if execution is None else Outcome(execution))

    async def _begin(self, starting: Sequence[ActiveExecution]) -> Sequence[bool]:
        try:
            begun = await self._recorder.begin([active.execution for active in starting])
        except Exception:
            log_failure(logger, "Writing down that %d executions begin failed; trying each by itself", len(starting))
            return [True] * len(starting)
        except BaseException:
            for active in starting:
                self._gone(active, None)
            raise
        for active, begins in zip(starting, begun, strict=True):
            if begins:
                self._begun(active)
            else:
                self._not_begun(active)
        return begun

    def _begun(self, active: ActiveExecution) -> None:
        active.phase = _RUNNING
        execution = active.execution
        self._events.execution_changed(execution, active.work.caller.name)
        if execution.started_at is not None and execution.trigger == "schedule" and execution.attempt == 1:
            self._lateness.append((execution.started_at - execution.scheduled_at).total_seconds())

    def _not_begun(self, active: ActiveExecution) -> None:
        reason = "cancelled before it started"
        ended = active.execution._replace(status=ExecutionStatus.CANCELLED, reason=reason, started_at=None)
        self._gone(active, Outcome(ended))

    def _expired(self, active: ActiveExecution) -> None:
        execution_id = active.execution.execution_id
        if not active.timed_out:
            active.timed_out = True
            self.active.extend(active, max(active.timeout or 0.0, MIN_GRACE))
            self.executor.cancel(execution_id)
            return
        active.given_up = True
        active.phase = Phase.WRITING
        self.executor.abandon(execution_id)
        self._recorder.put(active, expired(active, self._time.now(), self._time.monotonic() - (active.began or 0.0))._replace(error=None))

    # What comes after

    def _written(self, active: ActiveExecution, outcome: Outcome, written: Written | None) -> None:
        self._gone(active, outcome)
        if written is None:
            return
        if written.in_doubt:
            self.in_doubt = True
        if not written.kept:
            return
        execution = written.execution
        self._events.execution_changed(execution, active.work.caller.name)
        if execution.retry_at is not None:
            self._retry_at(execution, execution.retry_at)
        self._follow(written.downstream, has_message=written.has_message)

    def _gone(self, active: ActiveExecution, outcome: Outcome | None) -> None:
        self.active.remove(active)
        if active.outcome is not None and not active.outcome.done():
            active.outcome.set_result(outcome or Outcome(_cancelled(active.execution, "the scheduler stopped", self._time.now())))

    def _retry_at(self, execution: Execution, at: datetime) -> None:
        if not self._stopping and not self._suspended:
            self._retrying[execution.execution_id] = execution
            self._clock.set_alarm(execution.execution_id, at)

    async def _wake(self, waiting: Execution) -> None:
        execution_id = waiting.execution_id
        try:
            execution = await self._store.execution(execution_id)
            stored = await self._store.find(execution.job_id) if execution else None
            if execution is None or stored is None or execution.owner != self._store.owner:
                pass  # whoever has it now sees to it
            elif execution.status is ExecutionStatus.RETRYING:
                self.start(Claimed(stored.job, execution))
        except Exception:
            log_failure(logger, "Waking %s failed; trying again in %s s", execution_id, RETRY_SECONDS)
            self._retry_at(waiting, self._time.now() + timedelta(seconds=RETRY_SECONDS))
        else:
            self._retrying.pop(execution_id, None)

    async def _record(self, active: ActiveExecution) -> None:
        """Write down an execution that somebody waits for, and hand it to the executor."""
        try:
            await self._store.insert([active.execution])
        except BaseException as error:
            self.active.remove(active)
            if active.outcome is not None and not active.outcome.done():
                active.outcome.set_exception(error)
                active.outcome.exception()  # its caller may have gone
            if not isinstance(error, Exception):
                raise
            return
        active.phase = Phase.WAITING
        self.executor.submit(Order(active.execution.execution_id, 0, _limits_now(active), at_once=True))

    async def _delivered(self, work: Work, execution: Execution, tried: asyncio.Event) -> None:
        """Wait for a message to reach its queue, where it is this process that brings it: that takes no time unless a queue hangs."""
        message = outcome_message(work, execution)
        if message is not None and self._delivers and not is_address(message.queue_name):
            with suppress(TimeoutError):
                await asyncio.wait_for(tried.wait(), DELIVERY_SECONDS)

    def _names(self, work: Work, execution: Execution) -> frozenset[str]:
        """Return what an execution and those that wait for it hold."""
        own = {f"job:{execution.job_id}"}
        if work.policies.concurrency_key is not None:
            own.add(f"key:{work.policies.concurrency_key}")
        asking = current_execution()
        parent = self.active.get(asking.execution_id) if asking is not None else None
        if parent is None:
            return frozenset(own)
        held = parent.names or frozenset({f"job:{parent.execution.job_id}", f"key:{parent.work.policies.concurrency_key}"})
        if waits := held & own:
            name = min(waits).partition(":")[2]
            problem = f"{execution.job_id!r} would wait for itself: {parent.execution.execution_id!r}, which asks for it, holds {name!r}."
            raise SchedulerError(
                problem, field="job_id", value=execution.job_id, remedy="Schedule it with 'now' instead of waiting for it."
            )
        return held | own

    def _cancel_older(self, job: Job, execution: Execution) -> None:
        """Cancel the oldest scheduled executions of a job, queued and retrying ones too, until there is room for this one."""
        here = [*(active.execution for active in self.active.all() if active.phase is not Phase.WRITING and not active.cancel_reason)]
        waiting = (*self._retrying.values(), *self._missing_tools.executions)
        older = [one for one in (*here, *waiting) if one.job_id == job.job_id and one.trigger == "schedule"]
        older.sort(key=lambda one: one.scheduled_at)
        for replaced in older[: max(0, len(older) + 1 - job.policies.max_instances)]:
            reason = f"replaced by {execution.execution_id} (overlap: cancel_running)"
            if not self.cancel(replaced.execution_id, reason):
                self._own(self._cancel_waiting_one(replaced, reason))

    async def _cancel_waiting_one(self, execution: Execution, reason: str) -> None:
        try:
            await self.cancel_execution(execution, reason)
        except Exception:
            log_failure(logger, "Cancelling %s failed", execution.execution_id)
            self.in_doubt = True

    async def _abandon(self, active: ActiveExecution, reason: str) -> None:
        """End an execution that somebody waits for, and that never got to start."""
        with suppress(Exception):
            await self._end(active.execution, active.work, reason)
        self._gone(active, Outcome(_cancelled(active.execution, reason, self._time.now())))

    async def _cancel_waiting(self) -> None:
        for job, execution in await self._store.take_over(self._time.now(), lambda _: False):
            await self._end(execution, job.work if job else None, _STOPPED_FIRST)

    async def _end(self, execution: Execution, work: Work | None, reason: str, seen: ExecutionStatus | None = None) -> bool:
        """Write down what ended before it began. Tell whether it was still unfinished, and still as it was seen."""
        ended = _cancelled(execution, reason, self._time.now())
        message = outcome_message(work, ended) if work is not None else None
        (finished,) = await self._store.finish([Ending(ended, message, seen)])
        if finished.written:
            self._events.execution_changed(ended)
            self._follow(finished.downstream, has_message=message is not None)
        return finished.written

    async def _work_of(self, execution: Execution) -> Work | None:
        """Return what an execution that is not here does, as far as its job can be read."""
        with suppress(DamagedJob):
            stored = await self._store.find(execution.job_id)
            if stored is not None and stored.job.job_id == execution.job_id:
                return stored.job.work
        return None

    def _follow(self, downstream: Sequence[Claimed], *, has_message: bool) -> None:
        """Deliver what an outcome has to be delivered of, and start what comes after it."""
        if has_message:
            self._deliveries.wake()
        for claimed in downstream:
            # Where nothing may start it, it waits to be found by `take_over`.
            if claimed.execution.finished or self.leading:
                self.take_over(claimed)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def _cancelled(execution: Execution, reason: str, now: datetime) -> Execution:
    return execution._replace(status=ExecutionStatus.CANCELLED, reason=reason, finished_at=now)


def _limits(job: Job) -> Sequence[Limit]:
    """Return what each execution of a job holds while it runs."""
    policies = job.policies
    of_job = Limit(f"job:{job.job_id}", policies.max_instances, policies.overlap != "allow")
    return (of_job,) if policies.concurrency_key is None else (of_job, Limit(f"key:{policies.concurrency_key}", 1))


def _limits_now(active: ActiveExecution) -> Sequence[Limit]:
    """Return what an execution holds that a caller waits for: others wait for it, and it waits for its key alone."""
    policies = active.work.policies
    of_job = Limit(f"job:{active.execution.job_id}", policies.max_instances, waits=False)
    return (of_job,) if policies.concurrency_key is None else (of_job, Limit(f"key:{policies.concurrency_key}", 1))
