"""The moving parts on one event loop: clock → claiming → executor → running → forwarding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.deliveries import is_address
from agentoolkit.system.scheduler.engine.attempts import Run, Running
from agentoolkit.system.scheduler.engine.claiming import RETRY_SECONDS, Claiming
from agentoolkit.system.scheduler.engine.clock import Clock
from agentoolkit.system.scheduler.engine.delivery import DELIVERY_SECONDS, Forwarding
from agentoolkit.system.scheduler.engine.leadership import Upkeep
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.executors.local import Limit, LocalExecutor
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, Priority, Work, names_execution
from agentoolkit.system.scheduler.ports import CancelRequest, Change, Claimed, Ending, Message

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""Longest time that stopping takes, whatever the handlers do."""

_QUEUEING = frozenset({"queue_one", "queue_all", "cancel_running"})
_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


class Engine:
    """Runs what is due, on the event loop it was started in. Stopped once, it is not started again: make another.

    Of the processes that share a store one leads: only its clock rings. The others stand by, and run what they are
    asked to run at once.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.loop = asyncio.get_running_loop()
        self.forwarding = Forwarding(parts.store, parts.injector, parts.time)
        self.running = Running(parts, self)
        self.executor = LocalExecutor(self.running.prepare, parts.concurrency)
        self.clock = Clock(parts.time, self._ring)
        self.upkeep = Upkeep(parts.store, parts.time, self, claims=parts.claims)
        self.claiming = Claiming(
            parts.store,
            parts.time,
            set_alarm=self.set_alarm,
            start=self.start_execution,
            passed_over=self._passed_over,
            in_doubt=self.upkeep.hurry,
        )
        self.leading = False
        self.leads_lost = 0
        self._stopping = False
        self._waking: set[asyncio.Task[None]] = set()
        self._expected: set[str] = set()
        """Executions that are between the store and the executor."""

    async def start(self) -> None:
        """Open the store, and lead if no other process does."""
        await self._parts.store.open()
        self.clock.start()
        try:
            await self.upkeep.start()
        except BaseException:
            self.clock.shutdown(wait=False)
            raise
        self.forward()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let handlers end, cancel those that do not, deliver what can be delivered."""
        self._stopping = True
        self.running.stop()
        await self.upkeep.stop(seconds * 0.05)
        if self.clock.running:
            self.clock.shutdown(wait=False)
        await self.claiming.settled(seconds * 0.05)
        await self.executor.drain(seconds * 0.5, grace=seconds * 0.15)
        await self.running.settled(seconds * 0.1)
        self.running.close()
        if not self._parts.store.survives_restart:
            await self._cancel_waiting()
        await self.forwarding.stop(seconds * 0.1)
        await self._give_back(seconds * 0.05)
        await asyncio.sleep(0)  # APScheduler ends in a callback of its own

    async def settled(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        await self.claiming.settled()
        await self.forwarding.settled(posted=True)

    def lead(self, upcoming: Sequence[Change]) -> None:
        """Take up the lead: from now on this clock rings."""
        self.leading = True
        for job_id, at in upcoming:
            self.set_alarm(job_id, at)

    def step_down(self) -> None:
        """Give up the lead. What runs goes on: it is still ours."""
        self.leading = False
        self.leads_lost += 1
        self.clock.clear()

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Tell the clock when a job is due next; None: never. Only a leader's clock is told."""
        if self.leading and not self._stopping:
            self.clock.set_alarm(job_id, at)

    def start_execution(self, claimed: Claimed) -> None:
        """Run a claimed execution as soon as there is room for it."""
        job, execution = claimed
        if job is None:
            return
        if job.policies.overlap == "cancel_running":
            for replaced in self.running.running_of(job.job_id):
                self.running.cancel(replaced, f"replaced by {execution.execution_id} (overlap: cancel_running)")
        self.executor.submit(execution.execution_id, claimed, _URGENCY[job.policies.priority], _limits(job, execution))

    async def run_now(self, work: Work, execution: Execution) -> Run:
        """Run an execution that no schedule asked for, at once, and wait for it."""
        execution = execution._replace(owner=self._parts.store.owner)
        self._expected.add(execution.execution_id)
        try:
            await self._parts.store.insert([execution])
            task = self.executor.run_apart(execution.execution_id, self.running.run(work, execution))
        finally:
            self._expected.discard(execution.execution_id)
        with self.forwarding.watching(execution.execution_id) as tried:
            try:
                ended, error = await asyncio.shield(task)
            except asyncio.CancelledError:
                self.running.cancel(execution.execution_id, "its caller went away")
                raise
            await self._delivered(outcome_message(work, ended), tried)
        return ended, error

    async def cancel_execution(self, execution: Execution, reason: str) -> bool:
        """End an unfinished execution. Tell whether it was ended or told to end."""
        if self.running.cancel(execution.execution_id, reason):
            return True
        if execution.owner != self._parts.store.owner and execution.status is ExecutionStatus.RUNNING:
            return await self._parts.store.request_cancel(execution.execution_id, reason)
        self.executor.withdraw(execution.execution_id)
        self.clock.set_alarm(execution.execution_id, None)
        ended = execution._replace(status=ExecutionStatus.CANCELLED, reason=reason, finished_at=self._parts.time.now())
        done = await self._end(ended, execution.status)
        begun = self.running.cancel(execution.execution_id, reason)  # at this very moment
        return done or begun

    # What upkeep and running ask of their surroundings.

    def forward(self) -> None:
        if self._parts.claims:
            self.forwarding.nudge()

    def follow(self, claimed: Claimed) -> None:
        """Start an execution that comes after another one. Where nothing may start it waits to be found by `take_over`."""
        if claimed.execution.finished or (self.leading and not self._stopping):
            self.take_over(claimed)

    def in_doubt(self) -> None:
        self.upkeep.hurry()

    def retry_later(self, execution_id: str, at: datetime) -> None:
        if not self._stopping:
            self.clock.set_alarm(execution_id, at)

    def cancel_task(self, execution_id: str) -> bool:
        return self.executor.cancel(execution_id)

    def release(self, execution_id: str) -> None:
        self.executor.release(execution_id)

    def detach(self, execution_id: str) -> None:
        self.executor.detach(execution_id)

    def holds(self, execution_id: str) -> bool:
        """Is this execution taken care of here? Asked from the store's thread too."""
        here = self.executor.holds(execution_id) or self.running.holds(execution_id)
        return here or execution_id in self._expected or self.clock.has_alarm(execution_id)

    async def cancel_requested(self, asked: CancelRequest) -> None:
        execution = await self._parts.store.execution(asked.execution_id)
        if execution is not None and not execution.finished:
            await self.cancel_execution(execution, asked.reason or "cancelled by another process")

    def take_over(self, claimed: Claimed) -> None:
        """Go on with an execution that another process, or an earlier engine, left behind."""
        execution = claimed.execution
        if execution.finished:
            self._parts.announcer.became(execution)
            self.forward()
        elif self.holds(execution.execution_id):
            return  # its claim was answered in the meantime
        elif execution.status is ExecutionStatus.RETRYING and execution.retry_at is not None:
            self.retry_later(execution.execution_id, execution.retry_at)
        else:
            self.start_execution(claimed)

    def _ring(self, ids: list[str]) -> None:
        """Claim the jobs that are due, and wake the executions whose retry is."""
        executions = dict.fromkeys(filter(names_execution, ids))
        if jobs := [id_ for id_ in ids if id_ not in executions]:
            self.claiming.ring(jobs)
        for id_ in executions:
            self._expected.add(id_)
            waking = self.loop.create_task(self._wake(id_))
            self._waking.add(waking)
            waking.add_done_callback(self._waking.discard)

    async def _wake(self, execution_id: str) -> None:
        try:
            execution = await self._parts.store.execution(execution_id)
            stored = await self._parts.store.find(execution.job_id) if execution else None
            if execution is None or stored is None or execution.owner != self._parts.store.owner:
                return  # whoever has it now sees to it
            if execution.status is ExecutionStatus.RETRYING:
                self.start_execution(Claimed(stored.job, execution))
        except Exception:
            logger.exception("Waking %s failed; trying again in %s s", execution_id, RETRY_SECONDS)
            self.retry_later(execution_id, self._parts.time.now() + timedelta(seconds=RETRY_SECONDS))
        finally:
            self._expected.discard(execution_id)

    async def _delivered(self, message: Message | None, tried: asyncio.Event) -> None:
        """Wait for a message to reach its queue, where it is this process that brings it: that takes no time unless a queue hangs."""
        if message is not None and self._parts.claims and not is_address(message.queue_name):
            with suppress(TimeoutError):
                await asyncio.wait_for(tried.wait(), DELIVERY_SECONDS)

    async def _give_back(self, seconds: float) -> None:
        """Let others lead and start what waits, also if this process goes on. If they are not told they notice in time."""
        try:
            await asyncio.wait_for(self._parts.store.release_all(), seconds)
        except Exception:
            logger.exception("The store was not told that this process stops")

    def _passed_over(self, claimed: Claimed) -> None:
        self._parts.announcer.became(claimed.execution)

    async def _cancel_waiting(self) -> None:
        now = self._parts.time.now()
        for _, execution in await self._parts.store.take_over(now, lambda _: False):
            ended = execution._replace(status=ExecutionStatus.CANCELLED, reason="the scheduler stopped before it started", finished_at=now)
            await self._end(ended)

    async def _end(self, ended: Execution, seen: ExecutionStatus | None = None) -> bool:
        """Write down what ended before it began. Tell whether it was still unfinished, and still as it was seen."""
        (finished,) = await self._parts.store.finish([Ending(ended, seen=seen)])
        if finished.written:
            self._parts.announcer.became(ended)
        return finished.written


def _limits(job: Job, execution: Execution) -> Sequence[Limit]:
    policies = job.policies
    limits: Sequence[Limit] = ()
    if execution.trigger == "backfill":
        limits = (Limit(f"backfill:{job.job_id}", policies.max_instances),)
    elif policies.overlap in _QUEUEING or (policies.overlap == "skip" and policies.catch_up == "all"):
        limits = (Limit(f"job:{job.job_id}", policies.max_instances),)
    if policies.concurrency_key is not None:
        limits = (*limits, Limit(f"key:{policies.concurrency_key}", 1))
    return limits
