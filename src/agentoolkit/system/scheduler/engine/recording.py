"""How attempts are written down: those that begin or end in the same turn together, and again until the store has taken them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, NamedTuple, TypeVar

from agentoolkit.failure_log import log_failure
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.retry import plan_retry
from agentoolkit.system.scheduler.engine.active import ActiveExecution, Interrupted, Outcome
from agentoolkit.system.scheduler.event_loops import RECORDING, all_done
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import FINISHED, NOT_FINISHED, Claimed, Ending, Finished, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

T = TypeVar("T")

MIN_DELAY = 0.05
"""Seconds after which a write that the store refused is tried again; doubled each time."""
STOPPING_DELAY = 0.4
"""The delay up to which that goes on while the scheduler stops."""
MAX_DELAY = 2.0


class Written(NamedTuple):
    """What the store was told of an attempt's end."""

    execution: Execution
    """As it is in the store now."""
    kept: bool = False
    """False: it was not ours any more, or was given back, so that there is nothing to tell of it."""
    has_message: bool = False
    """Is there something to be delivered?"""
    downstream: Sequence[Claimed] = ()
    """What comes after it."""
    in_doubt: bool = False
    """May there be more that nobody was told of? The answer was lost."""


Ended = tuple[ActiveExecution, Outcome, Written | None]
"""An attempt, how it ended, and what was written of it; None: nothing ever will be."""

_ending, _as_written = maker_of(Ending), maker_of(Written)


class Recorder:
    """Writes down how attempts begin and end: what has happened must not be forgotten because a disk was full.

    Args:
        store: Where.
        time: Where the time comes from.
        written: Called with attempts that were handed over, those that were written down together at once.
    """

    def __init__(self, store: JobStore, time: TimeSource, written: Callable[[Sequence[Ended]], None]) -> None:
        self._store = store
        self._time = time
        self._written = written
        self._ended: list[tuple[ActiveExecution, Outcome, Ending]] = []
        """Attempts whose outcomes are to be written down together."""
        self._writing: set[asyncio.Task[None]] = set()
        self._context = copy_context()
        """Outcomes are written in a copy of this, not in that of one of the handlers."""
        self._stopping = False

    def stop(self) -> None:
        """From now on, do not try for ever to write down what the store refuses."""
        self._stopping = True

    async def wait_idle(self, seconds: float) -> None:
        """Wait until what was handed over is written down, for so long at most."""
        await all_done(lambda: self._writing, seconds)

    async def begin_again(self, execution: Execution) -> bool:
        """Write down that an attempt begins, after the store has refused it once. Tell whether it may."""

        async def begin() -> bool:
            (begun,) = await self._store.begin([execution])
            return begun

        begun, in_doubt = await self._write_again(begin, execution)
        return begun or in_doubt

    def put(self, active: ActiveExecution, outcome: Outcome) -> None:
        """Have it written down how an attempt ended, in this turn of the event loop or soon."""
        if outcome.error is not None:
            self._own(self._tell(active, outcome, partial(self._write, active, outcome)))
            return
        if not self._ended:
            self._own(self._write_ended())
        ended = outcome.execution
        self._ended.append((active, outcome, _ending((ended, outcome_message(active.work, ended), None))))

    async def _write_ended(self) -> None:
        """Write all that was handed over since this task was made."""
        if self._store.survives_restart:
            await asyncio.sleep(0)  # whoever gets their room is written down as begun in that turn, and so by the same commit
        ended, self._ended = self._ended, []
        try:
            answers = await self._store.finish([ending for _, _, ending in ended])
        except Exception:
            log_failure(logger, "Writing %d outcomes to the store failed; trying each by itself", len(ended))
            for active, outcome, ending in ended:
                self._own(self._tell(active, outcome, partial(self._finish, ending, refused=True)))
            return
        self._written(
            [
                (active, outcome, _as_written((execution, written, message is not None, downstream, False)))
                for (active, outcome, (execution, message, _)), (written, downstream) in zip(ended, answers, strict=True)
            ]
        )

    async def _tell(self, active: ActiveExecution, outcome: Outcome, write: Callable[[], Awaitable[Written]]) -> None:
        """Tell what was written of an attempt by itself, also if that came to nothing."""
        written = None
        try:
            written = await write()
        finally:
            self._written([(active, outcome, written)])

    async def _write(self, active: ActiveExecution, outcome: Outcome) -> Written:
        """Write how an attempt ended: as released to the next start, as a further attempt to come, or for good."""
        ended, error = outcome
        policies, is_awaited = active.work.policies, ended.trigger == "run_now"
        if isinstance(error, Interrupted) and self._store.survives_restart and not is_awaited and policies.on_interrupt == "retry":
            left = active.execution._replace(result=ended.result)  # what was done of it
            await self._until_written(lambda: self._store.release(left), left)
            return Written(ended)
        again = None
        if error is not None and ended.status is ExecutionStatus.FAILED and not is_awaited and not active.cancel_reason:
            try:
                again = plan_retry(ended, error, policies, self._time.now())
            except Exception:  # the error's own code, as it was asked
                log_failure(logger, "Whether %s is tried again cannot be asked of its error: it is not", ended.execution_id)
        if again is not None:
            ending, waiting = Ending(ended, outcome_message(active.work, ended)), again
            answer, in_doubt = await self._until_written(lambda: self._store.retry(waiting, ending), again)
            if answer.finished:  # its job is gone: this was its last attempt
                return Written(ended, True, ending.message is not None, answer.finished.downstream)
            if not active.cancel_reason:
                return Written(again, kept=answer.waits or in_doubt)
            now = self._time.now()  # who cancelled it while that was written was told that it ends
            ended = again._replace(status=ExecutionStatus.CANCELLED, reason=active.cancel_reason, retry_at=None, finished_at=now)
        return await self._finish(Ending(ended, outcome_message(active.work, ended)))

    async def _finish(self, ending: Ending, *, refused: bool = False) -> Written:
        async def finish() -> Finished:
            (finished,) = await self._store.finish([ending])
            return finished

        write = self._write_again if refused else self._until_written
        finished, in_doubt = await write(finish, ending.execution)
        finished = FINISHED if in_doubt else finished or NOT_FINISHED
        return Written(ending.execution, finished.written, ending.message is not None, finished.downstream, in_doubt)

    async def _until_written(self, write: Callable[[], Awaitable[T]], execution: Execution) -> tuple[T, bool]:
        """Write to the store until it accepts it. Return its answer, and whether an earlier answer was lost.

        The answer is falsy if the execution is not ours to write any more.
        """
        try:
            return await write(), False
        except Exception:
            log_failure(logger, "Writing to the store failed; trying again in %.2g s", MIN_DELAY)
        return await self._write_again(write, execution)

    async def _write_again(self, write: Callable[[], Awaitable[T]], execution: Execution) -> tuple[T, bool]:
        """Do so with what the store has refused once.

        A commit whose answer was lost was one all the same: then this try finds it written already, by us.
        """
        delay = MIN_DELAY
        while True:
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_DELAY)
            try:
                answer = await write()
                if answer:
                    return answer, False
                found = await self._store.execution(execution.execution_id)
                return answer, found is not None and _fence(found) == _fence(execution)
            except Exception:
                if self._stopping and delay >= STOPPING_DELAY:
                    raise
                log_failure(logger, "Writing to the store failed; trying again in %.2g s", delay)

    def _own(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(writing, name=RECORDING, context=self._context.copy())
        self._writing.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("An outcome was not written down: the scheduler stopped, and the store refused it", exc_info=error)


def _fence(execution: Execution) -> tuple[object, ...]:
    return execution.owner, execution.attempt, execution.status, execution.started_at, execution.retry_at
