"""Runs one attempt: begin → gate → references → ``injector.run`` → outcome. Every execution passes here.

The timer of a timeout is in `active_executions`; `dispatch` cancels the handler.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context, ContextVar
from datetime import datetime
from functools import partial
from typing import Any

from agentool.caller import current_caller
from agentool.core.injector import Injector
from agentool.references import PREFIX, resolve_references
from agentool.secrets_here import secrets_here, without_texts
from agentoolkit.endings import GoesOnLater, part_done
from agentoolkit.failure_log import log_failure
from agentoolkit.interrupts import ends_the_loop
from agentoolkit.system.scheduler.decisions import outcomes
from agentoolkit.system.scheduler.decisions.secrets_in_records import secrets_in, without_secrets
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Interrupted, Outcome, Phase
from agentoolkit.system.scheduler.engine.gates import ask
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.recording import Recorder
from agentoolkit.system.scheduler.engine.remote_executions import RemoteExecutions
from agentoolkit.system.scheduler.event_loops import AttemptTask, all_end
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Route

logger = logging.getLogger(__name__)

MIN_GRACE = 5.0
"""Minimum seconds for a cancelled handler to clean up before it is given up."""

_STARTING, _RUNNING, _WRITING = Phase.STARTING, Phase.RUNNING, Phase.WRITING  # an enum is slow to look into

_current: ContextVar[Execution | None] = ContextVar("agentool_execution", default=None)


def current_execution() -> Execution | None:
    """Return the execution this handler runs in: its id, due time and attempt. None outside of one.

    The id is the same for every attempt at one due time, so it can serve as an idempotency key.
    """
    return _current.get()


def execution_in(context: Context) -> Execution | None:
    """Return the execution that runs in a context, even if the context is entered at this moment."""
    return context.get(_current)


class LocalAttempts:
    """Begins and runs the executions of this process. `ports.Attempts` is the interface that the executor uses.

    Args:
        parts: Store, injector, time and events.
        active: The executions under way here.
        recorder: Writes the outcomes.
        elsewhere: Follows executions that other processes run.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        recorder: Recorder,
        elsewhere: RemoteExecutions,
    ) -> None:
        self._parts = parts
        self._active = active
        self._recorder = recorder
        self._elsewhere = elsewhere
        self._note_lateness = active.lateness.note

    def begin(self, execution_ids: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """See `ports.Attempts.begin`. The executions count as starting from this call on, not from its answer."""
        now = self._parts.time.now()
        starting = [self._active.get(execution_id) for execution_id in execution_ids]
        for active in starting:
            if active is not None:
                active.phase = _STARTING
                active.execution = active.execution.begun(now)
        return self._begin(starting)

    async def _begin(self, starting: Sequence[ActiveExecution | None]) -> Sequence[bool]:
        """Begin the executions that are under way; one that was withdrawn while it waited is None."""
        known = [active for active in starting if active is not None]
        try:
            begun = await self._parts.store.begin([active.execution for active in known])
        except Exception:
            log_failure(logger, "Writing the start of %d executions failed; trying each by itself", len(known))
            return [active is not None for active in starting]
        except BaseException:
            for active in known:
                self._active.end(active, None)
            raise
        self.note_begun([active for active, is_begun in zip(known, begun, strict=True) if is_begun])
        for active, is_begun in zip(known, begun, strict=True):
            if not is_begun:
                self._not_begun(active)
        if len(begun) == len(starting):
            return begun
        answers = iter(begun)
        return [active is not None and next(answers) for active in starting]

    async def run(self, execution_id: str) -> None:
        """See `ports.Attempts.run`."""
        if (active := self._active.get(execution_id)) is None:
            return
        try:
            if active.phase is _STARTING:  # the store refused to begin it with others
                if not await self._recorder.begin_again(active.execution):
                    self._not_begun(active)
                    return
                self.note_begun([active])
            outcome = await run_attempt(active, self._parts, self._active)
            if not active.given_up:
                active.phase = _WRITING
                self._recorder.put(active, _without_secrets(outcome, active.secrets) if active.secrets else outcome)
        except BaseException:
            self._active.end(active, None)  # so that the next take-over finds it
            raise

    def forget(self, execution_ids: Sequence[str]) -> None:
        """See `ports.Attempts.forget`."""
        self._elsewhere.forget(execution_ids)

    def unclaimed(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """See `ports.Attempts.unclaimed`."""
        self._elsewhere.unclaimed(routes, too_long=too_long)

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """See `ports.Attempts.statuses`."""
        return await self._parts.store.statuses(execution_ids)

    def note_begun(self, begun: Sequence[ActiveExecution]) -> None:
        """Publish executions whose start was written, and note how late they started."""
        for active in begun:
            active.phase = _RUNNING
            self._note_lateness(active.execution)
        announcer = self._parts.announcer
        if announcer.is_heard:
            announcer.executions_changed([(active.execution, active.work.caller.name) for active in begun])

    def _not_begun(self, active: ActiveExecution) -> None:
        ended = active.execution._replace(status=ExecutionStatus.CANCELLED, reason="cancelled before it started", started_at=None)
        self._active.end(active, Outcome(ended))


async def run_attempt(active: ActiveExecution, parts: Parts, table: ActiveExecutions) -> Outcome:
    """Call the handler of an execution, and return the outcome, whatever it is.

    Args:
        active: The execution. Its `cancel_reason` is set before its task is cancelled.
        parts: The injector that finds gate, references and handler, and the time source.
        table: Watches the deadline, and has the maximum size of a result.
    """
    execution, work, injector, clock = active.execution, active.work, parts.injector, parts.time
    if active.cancel_reason:
        return Outcome(outcomes.record_cancellation(execution, active.cancel_reason, clock.now(), 0.0))
    _current.set(execution)  # never reset: the context belongs to this attempt's task, and to tasks that the handler starts
    current_caller.set((work.caller, execution.execution_id))
    table.watch(active)
    began = time.perf_counter()
    try:
        gate, data = work.policies.gate, work.input_data
        if (
            gate is not None
            and execution.trigger not in ("run_now", "requested")
            and (closed := await ask(gate, injector, partial(_fill, active, injector)))
        ):
            return Outcome(outcomes.record_skip(execution, closed, clock.now(), time.perf_counter() - began))
        for value in data.values():  # most inputs have nothing to resolve or copy, and every execution passes here
            if PREFIX in value if isinstance(value, str) else not (value is None or isinstance(value, (int, float))):
                data = await _fill(active, injector, data)  # a copy, so that a handler cannot change its job
                break
        output = await injector.run(work.agentool_name, data)
    except asyncio.CancelledError as error:
        return _stopped(active, error, clock.now(), time.perf_counter() - began, stopping=table.stopping)
    except BaseException as error:
        if ends_the_loop(error):
            raise
        return _failed(execution, error, clock.now(), time.perf_counter() - began)
    else:
        return _succeeded(active, output, clock.now(), time.perf_counter() - began, table.result_size)
    finally:
        active.deadline = None


def _succeeded(active: ActiveExecution, output: object, now: datetime, took: float, result_size: int) -> Outcome:
    late = "ended after its timeout" if active.timed_out else ""
    try:
        return Outcome(outcomes.record_success(active.execution, output, now, took, late, result_size))
    except Exception as error:  # reading a result may run its own code
        return _failed(active.execution, error, now, took, "its result could not be recorded")


async def _fill(active: ActiveExecution, injector: Injector, given: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve the references of an input, and note the secrets among their values."""
    filled = await resolve_references(given, injector)
    if secrets := secrets_in(given, filled):
        active.secrets = sorted(secrets.union(active.secrets), key=len, reverse=True)
        secrets_here.set(active.secrets)
    return filled


def _without_secrets(outcome: Outcome, secrets: Sequence[str]) -> Outcome:
    """Return an outcome that shows none of the secrets."""
    execution, error = without_secrets(outcome.execution, secrets), outcome.error
    if isinstance(error, GoesOnLater):  # its reason goes into the record of the next attempt
        try:
            error.reason = without_texts(str(error.reason), secrets)
        except Exception:  # the reason's own code raised: as recorded, the job is not called again
            error = None
    return Outcome(execution, error)


def _failed(execution: Execution, error: BaseException, now: datetime, took: float, reason: str = "") -> Outcome:
    try:
        return Outcome(outcomes.record_failure(execution, error, now, took, reason), error)
    except Exception as unreadable:  # reading an error may run its own code
        problem = f"{type(error).__name__}, of which nothing more can be recorded: reading it raised {type(unreadable).__name__}"
        readable = RuntimeError(problem)
        return Outcome(outcomes.record_failure(execution, readable, now, took, f"raised {type(error).__name__}"), readable)


def _stopped(active: ActiveExecution, error: asyncio.CancelledError, now: datetime, took: float, *, stopping: bool) -> Outcome:
    execution, task = active.execution, asyncio.current_task()
    cancelled = task is not None and task.cancelling() > 0
    while task is not None and task.cancelling():
        task.uncancel()
    done = part_done(error, outcomes.RESULT_SIZE)
    if cancelled and active.cancel_reason:
        return Outcome(outcomes.record_cancellation(execution, active.cancel_reason, now, took)._replace(result=done), error)
    if cancelled and active.timed_out:
        execution, timeout = timed_out(active, now, took)
        return Outcome(execution._replace(result=done), timeout)
    if cancelled and (stopping or (all_end() and not (isinstance(task, AttemptTask) and task.cancelled_itself))):
        return Outcome(outcomes.record_cancellation(execution, "the scheduler stopped", now, took)._replace(result=done), Interrupted())
    reason = "cancelled its own task" if cancelled else "raised CancelledError itself"
    return _failed(execution, error, now, took, reason)


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""

    def __init__(self, active: ActiveExecution, more: str = "") -> None:
        super().__init__(f"The handler did not end within its timeout of {active.timeout:g} s{more}.")


def grace_of(active: ActiveExecution) -> float:
    """Return the seconds for a cancelled handler to end: its timeout, and at least `MIN_GRACE`."""
    return max(active.timeout or 0.0, MIN_GRACE)


def timed_out(active: ActiveExecution, now: datetime, took: float) -> Outcome:
    """Return the outcome of a handler that ended after its timeout had cancelled it."""
    timeout = HandlerTimeout(active)
    return Outcome(outcomes.record_failure(active.execution, timeout, now, took), timeout)


def given_up(active: ActiveExecution, now: datetime, took: float) -> Outcome:
    """Return the outcome of a handler that ignored its cancellation and was given up."""
    timeout = HandlerTimeout(active, ", and ignored its cancellation")
    return Outcome(outcomes.record_failure(active.execution, timeout, now, took, reason="ignored its cancellation and was given up"))
