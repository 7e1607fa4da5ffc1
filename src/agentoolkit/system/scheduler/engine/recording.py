"""Writes the outcomes of attempts: those that end in the same turn of the event loop together, retried until the store accepts."""

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
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, Interrupted, Outcome
from agentoolkit.system.scheduler.event_loops import RECORDING, all_done
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import FINISHED, NOT_FINISHED, Claimed, Ending, Finished, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

T = TypeVar("T")

MIN_DELAY = 0.05
"""Seconds after which a write that the store refused is tried again; doubled each time."""
STOPPING_DELAY = 0.4
"""While the scheduler stops, the last try comes when the delay has reached this."""
MAX_DELAY = 2.0


class Written(NamedTuple):
    """The record that was written when an attempt ended."""

    execution: Execution
    """The record in the store now."""
    kept: bool = False
    """False if the execution was no longer ours, or was released: then it is not published."""
    has_message: bool = False
    """True if the outbox has a message of it."""
    downstream: Sequence[Claimed] = ()
    """The downstream executions that were created."""
    in_doubt: bool = False
    """True if the store's answer was lost, so that it may hold further executions."""


Ended = tuple[ActiveExecution, Outcome, Written | None]
"""An attempt, its outcome, and the written record; None if writing it failed for good."""

_ending, _as_written = maker_of(Ending), maker_of(Written)


class Recorder:
    """Writes the starts and outcomes of attempts, and retries: a full disk must not lose an outcome.

    Args:
        store: The store that is written to.
        time: The time source.
        written: Called with the attempts that were written together.
    """

    def __init__(self, store: JobStore, time: TimeSource, written: Callable[[Sequence[Ended]], None]) -> None:
        self._store = store
        self._time = time
        self._written = written
        self._ended: list[tuple[ActiveExecution, Outcome, Ending]] = []
        """Attempts whose outcomes will be written together."""
        self._writing: set[asyncio.Task[None]] = set()
        self._context = copy_context()
        """Outcomes are written in a copy of this context, not in the context of a handler."""
        self._stopping = False

    def stop(self) -> None:
        """From now on, give up a refused write after a few tries."""
        self._stopping = True

    async def wait_idle(self, seconds: float) -> None:
        """Wait until all outcomes are written, at most `seconds`."""
        await all_done(lambda: self._writing, seconds)

    async def begin_again(self, execution: Execution) -> bool:
        """Write the start of an attempt after the store has refused it once. Return True if it may begin."""

        async def begin() -> bool:
            (begun,) = await self._store.begin([execution])
            return begun

        begun, in_doubt = await self._write_again(begin, execution)
        return begun or in_doubt

    def put(self, active: ActiveExecution, outcome: Outcome) -> None:
        """Write the outcome of an attempt, in this turn of the event loop or soon."""
        if outcome.error is not None:
            self._own(self._tell(active, outcome, partial(self._write, active, outcome)))
            return
        if not self._ended:
            self._own(self._write_ended())
        ended = outcome.execution
        self._ended.append((active, outcome, _ending((ended, outcome_message(active.work, ended), None))))

    async def _write_ended(self) -> None:
        """Write all outcomes that were put since this task was created."""
        if self._store.survives_restart:
            await asyncio.sleep(0)  # in this turn the executions that get the freed room begin, and share the commit
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
        """Write one attempt and report the record; None if writing fails for good."""
        written = None
        try:
            written = await write()
        finally:
            self._written([(active, outcome, written)])

    async def _write(self, active: ActiveExecution, outcome: Outcome) -> Written:
        """Write the outcome of an attempt: released until the next start, waiting for a retry, or finished."""
        ended, error = outcome
        policies, is_awaited = active.work.policies, ended.trigger == "run_now"
        if isinstance(error, Interrupted) and self._store.survives_restart and not is_awaited and policies.on_interrupt == "retry":
            released = active.execution._replace(result=ended.result)  # the part that was done
            await self._until_written(lambda: self._store.release(released), released)
            return Written(ended)
        again = None
        if error is not None and ended.status is ExecutionStatus.FAILED and not is_awaited and not active.cancel_reason:
            try:
                again = plan_retry(ended, error, policies, self._time.now())
            except Exception:  # reading an error may run its own code
                log_failure(logger, "Deciding whether %s is retried failed: it is not", ended.execution_id)
        if again is not None:
            ending, waiting = Ending(ended, outcome_message(active.work, ended)), again
            made_at = active.work.created_at if isinstance(active.work, Job) else None
            answer, in_doubt = await self._until_written(lambda: self._store.retry(waiting, ending, made_at), again)
            if answer.finished:  # its job is gone: this was its last attempt
                return Written(ended, True, ending.message is not None, answer.finished.downstream)
            if not active.cancel_reason:
                return Written(again, kept=answer.waits or in_doubt)
            now = self._time.now()  # it was cancelled while that was written, and the canceller was told that it ends
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
        """Retry a write that the store has refused once, as `_until_written` does.

        An earlier try may have been committed though its answer was lost: then this one finds the record written by us.
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
            logger.error("An outcome was not written: the scheduler stopped, and the store refused it", exc_info=error)


def _fence(execution: Execution) -> tuple[object, ...]:
    return execution.owner, execution.attempt, execution.status, execution.started_at, execution.retry_at
