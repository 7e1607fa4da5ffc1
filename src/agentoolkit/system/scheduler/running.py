"""One attempt: references → ``injector.run`` → outcome → finish. Everything the scheduler ever executes passes here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, TypeVar

from agentool.references import PREFIX, resolve_references
from agentoolkit.system.scheduler import outcomes
from agentoolkit.system.scheduler.gates import ask
from agentoolkit.system.scheduler.jobs import Execution, Status, Work
from agentoolkit.system.scheduler.parts import Parts
from agentoolkit.system.scheduler.ports import FINISHED, Claimed
from agentoolkit.system.scheduler.retries import retried
from agentoolkit.system.scheduler.underway import Underway, UnderwaySet

logger = logging.getLogger(__name__)

T = TypeVar("T")

LEAST_GRACE = 5.0
"""Seconds that a cancelled handler has at least, to clean up, before it is given up."""

LEAST_DELAY = 0.05
"""Seconds after which a write that the store refused is tried again; doubled each time."""
STOPPING_DELAY = 0.4
"""The delay up to which that goes on while the scheduler stops."""
LONGEST_DELAY = 2.0

_current: ContextVar[Execution | None] = ContextVar("agentool_execution", default=None)


def current_execution() -> Execution | None:
    """Return the execution this handler runs in: its id, due time and attempt. None outside of one.

    The id is the same for every attempt at one due time, so it can serve as an idempotency key.
    """
    return _current.get()


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""


class Interrupted(asyncio.CancelledError):
    """The scheduler stopped while the handler ran."""


class Surroundings(Protocol):
    """What running asks of the engine it is part of."""

    def forward(self) -> None:
        """There is a message in the outbox."""

    def follow(self, claimed: Claimed) -> None:
        """An execution comes after one that ended."""

    def in_doubt(self) -> None:
        """Something may be written down that nobody was told of."""

    def retry_later(self, execution_id: str, at: datetime) -> None:
        """An execution waits for its next attempt."""

    def cancel_task(self, execution_id: str) -> bool:
        """Cancel the task that a handler runs in. Tell whether there was one."""
        ...

    def release(self, execution_id: str) -> None:
        """An execution's handler has ended, or never will: let others have its room."""


class Running:
    """Carries out executions and writes down how they ended, whatever happens."""

    def __init__(self, parts: Parts, around: Surroundings) -> None:
        self._store = parts.store
        self._injector = parts.injector
        self._time = parts.time
        self._announcer = parts.announcer
        self._timeout = parts.timeout
        self._around = around
        self._underway = UnderwaySet(parts.time, self._expired)
        self._writing: set[asyncio.Task[None]] = set()
        self._lateness: deque[float] = deque(maxlen=100)
        self._stopping = False

    async def run(self, work: Work, execution: Execution) -> tuple[Execution, BaseException | None]:
        """Run one attempt to its recorded end. Return the record, and what the handler raised."""
        underway = self._add(work, execution)
        try:
            if not await self._begin(underway):
                return execution._replace(status=Status.CANCELLED, reason="cancelled before it started"), None
            ended, error = await self._attempt(underway)
            underway.ended = True
            if self._store.shared:  # writing takes a while there, and the next handler need not wait for it
                self._around.release(execution.execution_id)
            if not underway.given_up:
                ended = await self._write_down(underway, ended, error)
            return ended, error
        finally:
            self._underway.remove(underway)

    def stop(self) -> None:
        """From now on, do not try for ever to write down what a store refuses."""
        self._stopping = True

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

    def running_of(self, job_id: str) -> list[str]:
        """Return the ids of a job's executions that run here."""
        return self._underway.of_job(job_id)

    async def settled(self, seconds: float) -> None:
        """Wait until what was given up is written down, for so long at most."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=seconds)

    def close(self) -> None:
        """Let go of the timer that watches deadlines."""
        self._underway.close()

    async def _begin(self, underway: Underway) -> bool:
        """Write down that an attempt begins. Tell whether it may."""
        execution = underway.execution
        now = self._time.now()
        started = underway.execution = execution._replace(status=Status.RUNNING, started_at=now, retry_at=None)
        if not await self._insist(self._store.begin, True, started):
            return False
        underway.began = self._time.monotonic()
        self._announcer.became(started)
        if execution.trigger == "schedule" and execution.attempt == 1:
            self._lateness.append((now - started.scheduled_at).total_seconds())
        return True

    async def _attempt(self, underway: Underway) -> tuple[Execution, BaseException | None]:
        execution = underway.execution
        if underway.cancel_reason:
            return outcomes.cancelled(execution, underway.cancel_reason, self._time.now(), 0.0), None
        token = _current.set(execution)
        began = time.perf_counter()
        try:
            if closed := await self._closed_gate(underway):
                return outcomes.skipped(execution, closed, self._time.now(), time.perf_counter() - began), None
            output = await self._call(underway.work)
        except asyncio.CancelledError as error:
            return self._stopped(underway, error, time.perf_counter() - began)
        except (KeyboardInterrupt, GeneratorExit):
            raise  # the event loop ends
        except BaseException as error:
            return outcomes.failed(execution, error, self._time.now(), time.perf_counter() - began), error
        else:
            late = "ended after its timeout" if underway.timed_out else ""
            return outcomes.succeeded(execution, output, self._time.now(), time.perf_counter() - began, late), None
        finally:
            _current.reset(token)

    async def _closed_gate(self, underway: Underway) -> str:
        """Return why a job's gate keeps this execution from running; empty if it does not, or a person asked for it."""
        gate = underway.work.policies.gate
        if gate is None or underway.execution.trigger == "run_now":
            return ""
        return await ask(gate, self._injector)

    async def _call(self, work: Work) -> Any:
        data = work.input_data
        if not _is_flat(data):
            data = await resolve_references(data, self._injector)  # a copy, so that a handler cannot change its job
        return await self._injector.run(work.agentool_name, data)

    def _stopped(self, underway: Underway, error: asyncio.CancelledError, took: float) -> tuple[Execution, BaseException | None]:
        now, execution = self._time.now(), underway.execution
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            return outcomes.failed(execution, error, now, took, reason="raised CancelledError itself"), error
        task.uncancel()
        if underway.cancel_reason:
            return outcomes.cancelled(execution, underway.cancel_reason, now, took), error
        if underway.timed_out:
            timeout = HandlerTimeout(f"The handler did not end within its timeout of {underway.timeout:g} s.")
            return outcomes.failed(execution, timeout, now, took), timeout
        return outcomes.cancelled(execution, "the scheduler stopped", now, took), Interrupted()

    async def _write_down(self, underway: Underway, ended: Execution, error: BaseException | None) -> Execution:
        """Write how an attempt ended: as a further attempt to come, as released to the next start, or for good."""
        if isinstance(error, Interrupted) and self._may_be_released(underway):
            await self._insist(self._store.release, True, underway.execution)
            return ended
        again = retried(ended, error, underway.work.policies, self._time.now()) if self._may_retry(ended, error) and error else None
        if again is not None and again.retry_at is not None:
            if await self._insist(self._store.retry, True, again):
                self._announcer.became(again)
                self._around.retry_later(again.execution_id, again.retry_at)
            return again
        message = outcomes.message_for(underway.work, ended)
        if done := await self._insist(self._store.finish, FINISHED, ended, message):
            self._announcer.became(ended)
            if message is not None:
                self._around.forward()
            for claimed in done.followers:
                self._around.follow(claimed)
        return ended

    def _may_retry(self, ended: Execution, error: BaseException | None) -> bool:
        return error is not None and ended.status is Status.FAILED and ended.trigger != "run_now"

    def _may_be_released(self, underway: Underway) -> bool:
        kept = self._store.survives_restart and underway.execution.trigger != "run_now"
        return kept and underway.work.policies.on_interrupt == "retry"

    async def _insist(self, write: Callable[..., Awaitable[T]], unheard: T, execution: Execution, *facts: Any) -> T:
        """Write to the store until it succeeds: what has happened must not be forgotten because a disk was full.

        Return the store's answer, which is falsy if the execution was not ours to write any more. A commit whose answer
        was lost was one all the same: then a further try finds it written already, by us, and the answer is `unheard`.
        """
        delay = LEAST_DELAY
        while True:
            try:
                answer = await write(execution, *facts)
                if answer or delay == LEAST_DELAY or not await self._is_written(execution):
                    return answer
                self._around.in_doubt()  # what came of it was not heard of either, so somebody has to look for it
                return unheard
            except Exception:
                if self._stopping and delay >= STOPPING_DELAY:
                    raise
                logger.exception("Writing to the store failed; trying again in %.2g s", delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _is_written(self, execution: Execution) -> bool:
        found = await self._store.execution(execution.execution_id)
        return found is not None and _fence(found) == _fence(execution)

    def _add(self, work: Work, execution: Execution) -> Underway:
        own = work.policies.timeout
        underway = Underway(work, execution, self._timeout if own is None else own)
        self._underway.add(underway)
        return underway

    def _expired(self, underway: Underway) -> None:
        if underway.timed_out:
            self._give_up(underway)
            return
        underway.timed_out = True
        self._underway.extend(underway, max(underway.timeout or 0.0, LEAST_GRACE))
        self._around.cancel_task(underway.execution.execution_id)

    def _give_up(self, underway: Underway) -> None:
        underway.given_up = True
        execution, now = underway.execution, self._time.now()
        took = self._time.monotonic() - (underway.began or 0.0)
        timeout = HandlerTimeout(f"The handler did not end within its timeout of {underway.timeout:g} s, and ignored its cancellation.")
        ended = outcomes.failed(execution, timeout, now, took, reason="ignored its cancellation and was given up")
        self._around.release(execution.execution_id)
        writing = asyncio.get_running_loop().create_task(self._finish_given_up(underway, ended))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _finish_given_up(self, underway: Underway, ended: Execution) -> None:
        await self._write_down(underway, ended, None)


def _fence(execution: Execution) -> tuple[object, ...]:
    return execution.owner, execution.attempt, execution.status, execution.started_at, execution.retry_at


def _is_flat(data: dict[str, Any]) -> bool:
    """Is there nothing in this input to resolve or to copy? Most inputs are so, and every execution asks."""
    for value in data.values():
        if isinstance(value, str):
            if value.startswith(PREFIX):
                return False
        elif not (value is None or isinstance(value, (int, float))):
            return False
    return True
