"""How attempts are written down: those that begin or end in the same turn together, and again until the store has taken them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import copy_context
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.retry import plan_retry
from agentoolkit.system.scheduler.engine.active import ActiveExecution, Interrupted
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.event_loops import all_done
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import FINISHED, Claimed, Ending, Finished, Message, Retried

logger = logging.getLogger(__name__)

T = TypeVar("T")

MIN_DELAY = 0.05
"""Seconds after which a write that the store refused is tried again; doubled each time."""
STOPPING_DELAY = 0.4
"""The delay up to which that goes on while the scheduler stops."""
MAX_DELAY = 2.0


class Told(Protocol):
    """Who is told what was written down: the engine, as the recorder sees it."""

    def forward(self) -> None:
        """There is a message in the outbox."""

    def follow(self, claimed: Claimed) -> None:
        """An execution comes after one that ended."""

    def in_doubt(self) -> None:
        """Something may be written down that nobody was told of."""

    def retry_later(self, execution_id: str, at: datetime) -> None:
        """An execution waits for its next attempt."""


class _Ended(NamedTuple):
    """An attempt whose outcome is to be written down."""

    underway: ActiveExecution
    ending: Ending


class Recorder:
    """Writes down how attempts begin and end: what has happened must not be forgotten because a disk was full.

    Args:
        parts: The scheduler's surroundings.
        told: Who is told what was written down.
        over: Called with each attempt that was handed over, once its outcome is written down, or never will be.
    """

    def __init__(self, parts: Parts, told: Told, over: Callable[[ActiveExecution], None]) -> None:
        self._store = parts.store
        self._time = parts.time
        self._announcer = parts.announcer
        self._told = told
        self._over = over
        self._ended: list[_Ended] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._context = copy_context()
        """Outcomes are written in a copy of this, not in that of one of the handlers."""
        self._stopping = False

    def stop(self) -> None:
        """From now on, do not try for ever to write down what the store refuses."""
        self._stopping = True

    async def settled(self, seconds: float) -> None:
        """Wait until what was handed over is written down, for so long at most."""
        await all_done(lambda: self._writing, seconds)

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        """Write down that attempts begin. Tell of each whether it may: it is ours, and still waits.

        Raises:
            Exception: The store refused, perhaps for one of them: `begin_again` with each.
        """
        return await self._store.begin(executions)

    async def begin_one(self, execution: Execution) -> bool:
        """Write down that an attempt begins. Tell whether it may."""
        return await self._surely(self._begin_one, True, execution)

    async def begin_again(self, execution: Execution) -> bool:
        """Write down that an attempt begins, after the store has refused it once. Tell whether it may."""
        return await self._insist(self._begin_one, True, execution)

    def put(self, underway: ActiveExecution, ended: Execution, error: BaseException | None) -> None:
        """Have it written down how an attempt ended, in this turn of the event loop or soon."""
        if error is not None:
            self._own(self._write_apart(underway, ended, error))
            return
        if not self._ended:
            self._own(self._write_ended())
        self._ended.append(_Ended(underway, Ending(ended, outcome_message(underway.work, ended))))

    async def write(self, underway: ActiveExecution, ended: Execution, error: BaseException | None) -> Execution:
        """Write how an attempt ended: as a further attempt to come, as released to the next start, or for good."""
        if isinstance(error, Interrupted) and self._may_be_released(underway):
            await self._surely(self._store.release, True, underway.execution)
            return ended
        may = _may_be_retried(ended) and not underway.cancel_reason  # whoever cancelled it was told that it ends
        again = plan_retry(ended, error, underway.work.policies, self._time.now()) if error and may else None
        if again is not None and again.retry_at is not None:
            ending = Ending(ended, outcome_message(underway.work, ended))
            answer = await self._surely(self._store.retry, Retried(True), again, ending)
            if not answer.waits:  # its job is gone: this was its last attempt
                self._tell(ending, answer.finished)
                return ended
            self._announcer.became(again)
            self._told.retry_later(again.execution_id, again.retry_at)
            return again
        message = outcome_message(underway.work, ended)
        self._tell(Ending(ended, message), await self._surely(self._finish_one, FINISHED, ended, message))
        return ended

    async def _write_ended(self) -> None:
        """Write all that was handed over since this task was made."""
        ended, self._ended = self._ended, []
        try:
            answers = await self._store.finish([ending for _, ending in ended])
        except Exception:
            logger.exception("Writing %d outcomes to the store failed; trying each by itself", len(ended))
            for one in ended:
                self._own(self._write_again(one))
            return
        for (underway, ending), finished in zip(ended, answers, strict=True):
            try:
                self._tell(ending, finished)
            except Exception:
                logger.exception("Telling how %s ended failed", ending.execution.execution_id)
            finally:
                self._over(underway)

    async def _write_again(self, ended: _Ended) -> None:
        try:
            self._tell(ended.ending, await self._insist(self._finish_one, FINISHED, *ended.ending))
        finally:
            self._over(ended.underway)

    async def _write_apart(self, underway: ActiveExecution, ended: Execution, error: BaseException) -> None:
        try:
            await self.write(underway, ended, error)
        finally:
            self._over(underway)

    def _tell(self, ending: Ending, finished: Finished) -> None:
        if not finished.written:
            return
        self._announcer.became(ending.execution)
        if ending.message is not None:
            self._told.forward()
        for claimed in finished.downstream:
            self._told.follow(claimed)

    async def _begin_one(self, execution: Execution) -> bool:
        (begun,) = await self._store.begin([execution])
        return begun

    async def _finish_one(self, execution: Execution, message: Message | None) -> Finished:
        (finished,) = await self._store.finish([Ending(execution, message)])
        return finished

    def _may_be_released(self, underway: ActiveExecution) -> bool:
        kept = self._store.survives_restart and underway.execution.trigger != "run_now"
        return kept and underway.work.policies.on_interrupt == "retry"

    async def _surely(self, write: Callable[..., Awaitable[T]], unheard: T, execution: Execution, *facts: Any) -> T:
        """Write to the store; see `_insist`."""
        try:
            return await write(execution, *facts)
        except Exception:
            logger.exception("Writing to the store failed; trying again in %.2g s", MIN_DELAY)
        return await self._insist(write, unheard, execution, *facts)

    async def _insist(self, write: Callable[..., Awaitable[T]], unheard: T, execution: Execution, *facts: Any) -> T:
        """Write what the store has refused once, until it takes it.

        Return the store's answer, which is falsy if the execution was not ours to write any more. A commit whose answer
        was lost was one all the same: then a further try finds it written already, by us, and the answer is `unheard`.
        """
        delay = MIN_DELAY
        while True:
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_DELAY)
            try:
                answer = await write(execution, *facts)
                if answer or not await self._is_written(execution):
                    return answer
                self._told.in_doubt()  # what came of it was not heard of either, so somebody has to look for it
                return unheard
            except Exception:
                if self._stopping and delay >= STOPPING_DELAY:
                    raise
                logger.exception("Writing to the store failed; trying again in %.2g s", delay)

    async def _is_written(self, execution: Execution) -> bool:
        found = await self._store.execution(execution.execution_id)
        return found is not None and _fence(found) == _fence(execution)

    def _own(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(writing, context=self._context.copy())
        self._writing.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("An outcome was not written down: the scheduler stopped, and the store refused it", exc_info=error)


def _may_be_retried(ended: Execution) -> bool:
    return ended.status is ExecutionStatus.FAILED and ended.trigger != "run_now"


def _fence(execution: Execution) -> tuple[object, ...]:
    return execution.owner, execution.attempt, execution.status, execution.started_at, execution.retry_at
