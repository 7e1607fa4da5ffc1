"""One attempt: references → ``injector.run`` → outcome → finish. Everything the scheduler ever executes passes here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol

from agentool.references import PREFIX, resolve_references
from agentoolkit.system.scheduler.decisions import outcomes
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Interrupted
from agentoolkit.system.scheduler.engine.gates import ask
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.recording import Recorder, Told
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Work
from agentoolkit.system.scheduler.ports import Claimed

logger = logging.getLogger(__name__)

MIN_GRACE = 5.0
"""Seconds that a cancelled handler has at least, to clean up, before it is given up."""

_current: ContextVar[Execution | None] = ContextVar("agentool_execution", default=None)


def current_execution() -> Execution | None:
    """Return the execution this handler runs in: its id, due time and attempt. None outside of one.

    The id is the same for every attempt at one due time, so it can serve as an idempotency key.
    """
    return _current.get()


Run = tuple[Execution, BaseException | None]
"""An attempt that has ended: its record, and what the handler raised."""


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""


class Surroundings(Told, Protocol):
    """What running asks of the engine it is part of."""

    def cancel_task(self, execution_id: str) -> bool:
        """Cancel the task that a handler runs in. Tell whether there was one."""
        ...

    def release(self, execution_id: str) -> None:
        """A handler has ended: let others have its room."""

    def detach(self, execution_id: str) -> None:
        """A handler may never end, or is only to be written down: let others have its room, and cancel it no more."""


class Running:
    """Carries out executions, and has it written down how they ended, whatever happens."""

    def __init__(self, parts: Parts, around: Surroundings) -> None:
        self._injector = parts.injector
        self._time = parts.time
        self._announcer = parts.announcer
        self._timeout = parts.timeout
        self._around = around
        self._underway = ActiveExecutions(parts.time, self._expired)
        self._recorder = Recorder(parts, around, self._underway.remove)
        self._lateness: deque[float] = deque(maxlen=100)

    def run(self, work: Work, execution: Execution) -> Coroutine[Any, Any, Run]:
        """Run one attempt to its recorded end. Answer with the record, and what the handler raised.

        From this call on, not from its answer, `cancel` and `holds` know it.
        """
        return self._run(self._add(work, execution, self._time.now()))

    async def _run(self, underway: ActiveExecution) -> Run:
        try:
            if not await self._recorder.begin_one(underway.execution):
                reason = "cancelled before it started"
                return underway.execution._replace(status=ExecutionStatus.CANCELLED, reason=reason, started_at=None), None
            self._begun(underway)
            ended, error = await self._attempt(underway)
            if not underway.given_up:
                self._around.detach(underway.execution.execution_id)
                ended = await self._recorder.write(underway, ended, error)
            return ended, error
        finally:
            self._underway.remove(underway)

    def prepare(self, claimed: Sequence[Claimed]) -> Awaitable[Sequence[Coroutine[Any, Any, None] | None]]:
        """Have it written down that executions begin. Answer with the attempts to be run; None for what may not begin. See `run`."""
        now = self._time.now()
        return self._begin([self._add(job.work, execution, now) for job, execution in claimed if job is not None])

    def stop(self) -> None:
        """From now on, do not try for ever to write down what a store refuses."""
        self._recorder.stop()

    @property
    def lag(self) -> float | None:
        """Seconds between due time and start, the worst of the last hundred executions."""
        return max(self._lateness, default=None)

    def cancel(self, execution_id: str, reason: str) -> bool:
        """Cancel a handler, also one that is just being started. Tell whether there was one; one that has ended stays as it is."""
        underway = self._underway.get(execution_id)
        if underway is None:
            return False
        underway.cancel_reason = reason
        if underway.runs:
            self._around.cancel_task(execution_id)
        return True

    def holds(self, execution_id: str) -> bool:
        """Is this execution being started, run or written down here? Asked from the store's thread too."""
        return self._underway.get(execution_id) is not None

    def running_of(self, job_id: str) -> list[str]:
        """Return the ids of a job's executions that run here."""
        return self._underway.of_job(job_id)

    async def settled(self, seconds: float) -> None:
        """Wait until what has ended is written down, for so long at most."""
        await self._recorder.settled(seconds)

    def close(self) -> None:
        """Let go of the timer that watches deadlines."""
        self._underway.close()

    async def _begin(self, starting: Sequence[ActiveExecution]) -> Sequence[Coroutine[Any, Any, None] | None]:
        try:
            begun = await self._recorder.begin([underway.execution for underway in starting])
        except Exception:
            logger.exception("Writing down that %d executions begin failed; trying each by itself", len(starting))
            return [self._begin_again(underway) for underway in starting]
        except BaseException:
            for underway in starting:
                self._underway.remove(underway)
            raise
        return [
            self._started(underway) if begins else self._underway.remove(underway) for underway, begins in zip(starting, begun, strict=True)
        ]

    async def _begin_again(self, underway: ActiveExecution) -> None:
        begins = False
        try:
            begins = await self._recorder.begin_again(underway.execution)
        finally:
            if not begins:
                self._underway.remove(underway)
                self._around.release(underway.execution.execution_id)
        if begins:
            await self._started(underway)

    def _started(self, underway: ActiveExecution) -> Coroutine[Any, Any, None]:
        self._begun(underway)
        return self._carry_out(underway)

    def _begun(self, underway: ActiveExecution) -> None:
        execution = underway.execution
        self._announcer.became(execution)
        if execution.started_at is not None and execution.trigger == "schedule" and execution.attempt == 1:
            self._lateness.append((execution.started_at - execution.scheduled_at).total_seconds())

    async def _carry_out(self, underway: ActiveExecution) -> None:
        try:
            ended, error = await self._attempt(underway)
        except BaseException:
            self._underway.remove(underway)  # so that it is found by whoever looks for executions that nobody works on
            self._around.release(underway.execution.execution_id)
            raise
        if not underway.given_up:
            self._around.release(underway.execution.execution_id)
            self._recorder.put(underway, ended, error)

    async def _attempt(self, underway: ActiveExecution) -> Run:
        execution = underway.execution
        if underway.cancel_reason:
            return outcomes.record_cancellation(execution, underway.cancel_reason, self._time.now(), 0.0), None
        token = _current.set(execution)
        self._underway.watch(underway)
        began = time.perf_counter()
        try:
            if underway.gate is not None and (closed := await ask(underway.gate, self._injector)):
                return outcomes.record_skip(execution, closed, self._time.now(), time.perf_counter() - began), None
            output = await self._call(underway.work)
        except asyncio.CancelledError as error:
            return self._stopped(underway, error, time.perf_counter() - began)
        except (KeyboardInterrupt, GeneratorExit):
            raise  # the event loop ends
        except BaseException as error:
            return outcomes.record_failure(execution, error, self._time.now(), time.perf_counter() - began), error
        else:
            late = "ended after its timeout" if underway.timed_out else ""
            return outcomes.record_success(execution, output, self._time.now(), time.perf_counter() - began, late), None
        finally:
            underway.ended = True
            _current.reset(token)

    async def _call(self, work: Work) -> Any:
        data = work.input_data
        if not _is_flat(data):
            data = await resolve_references(data, self._injector)  # a copy, so that a handler cannot change its job
        return await self._injector.run(work.agentool_name, data)

    def _stopped(self, underway: ActiveExecution, error: asyncio.CancelledError, took: float) -> Run:
        now, execution = self._time.now(), underway.execution
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            return outcomes.record_failure(execution, error, now, took, reason="raised CancelledError itself"), error
        task.uncancel()
        if underway.cancel_reason:
            return outcomes.record_cancellation(execution, underway.cancel_reason, now, took), error
        if underway.timed_out:
            timeout = HandlerTimeout(f"The handler did not end within its timeout of {underway.timeout:g} s.")
            return outcomes.record_failure(execution, timeout, now, took), timeout
        return outcomes.record_cancellation(execution, "the scheduler stopped", now, took), Interrupted()

    def _add(self, work: Work, execution: Execution, now: datetime) -> ActiveExecution:
        own = work.policies.timeout
        started = execution._replace(status=ExecutionStatus.RUNNING, started_at=now, retry_at=None)
        underway = ActiveExecution(work, started, self._timeout if own is None else own)
        self._underway.add(underway)
        return underway

    def _expired(self, underway: ActiveExecution) -> None:
        if underway.timed_out:
            self._give_up(underway)
            return
        underway.timed_out = True
        self._underway.extend(underway, max(underway.timeout or 0.0, MIN_GRACE))
        self._around.cancel_task(underway.execution.execution_id)

    def _give_up(self, underway: ActiveExecution) -> None:
        underway.given_up = True
        execution, now = underway.execution, self._time.now()
        took = self._time.monotonic() - (underway.began or 0.0)
        timeout = HandlerTimeout(f"The handler did not end within its timeout of {underway.timeout:g} s, and ignored its cancellation.")
        ended = outcomes.record_failure(execution, timeout, now, took, reason="ignored its cancellation and was given up")
        self._around.detach(execution.execution_id)
        self._recorder.put(underway, ended, None)


def _is_flat(data: dict[str, Any]) -> bool:
    """Is there nothing in this input to resolve or to copy? Most inputs are so, and every execution asks."""
    for value in data.values():
        if isinstance(value, str):
            if value.startswith(PREFIX):
                return False
        elif not (value is None or isinstance(value, (int, float))):
            return False
    return True
