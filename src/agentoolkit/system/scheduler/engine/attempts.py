"""One attempt: gate → references → ``injector.run`` under a timeout → outcome. Whatever the scheduler executes passes here.

These functions know no engine: a worker elsewhere, which was sent the ids of executions, calls the same ones.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextvars import ContextVar
from datetime import datetime

from agentool.caller import enter_run, leave_run
from agentool.core.injector import Injector
from agentool.references import PREFIX, resolve_references
from agentoolkit.system.scheduler.decisions import outcomes
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Outcome
from agentoolkit.system.scheduler.engine.gates import ask
from agentoolkit.system.scheduler.event_loops import AttemptTask, all_end
from agentoolkit.system.scheduler.jobs import Execution
from agentoolkit.time_source import TimeSource

MIN_GRACE = 5.0
"""Seconds that a cancelled handler has at least, to clean up, before it is given up."""

_current: ContextVar[Execution | None] = ContextVar("agentool_execution", default=None)


def current_execution() -> Execution | None:
    """Return the execution this handler runs in: its id, due time and attempt. None outside of one.

    The id is the same for every attempt at one due time, so it can serve as an idempotency key.
    """
    return _current.get()


class Interrupted(asyncio.CancelledError):
    """The scheduler stopped while the handler ran."""


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""


async def run_attempt(active: ActiveExecution, injector: Injector, clock: TimeSource, table: ActiveExecutions) -> Outcome:
    """Call the handler of an execution, and return how it ended, whatever that was.

    Args:
        active: The execution; who cancels its task says before, in it, why.
        injector: Where gate, references and handler are found.
        clock: Where the time comes from.
        table: What watches its deadline, and says how large a result may be.
    """
    execution, work = active.execution, active.work
    if active.cancel_reason:
        return Outcome(outcomes.record_cancellation(execution, active.cancel_reason, clock.now(), 0.0))
    token, caller = _current.set(execution), enter_run(work.caller, execution.execution_id)
    table.watch(active)
    began = time.perf_counter()
    try:
        gate, data = work.policies.gate, work.input_data
        if gate is not None and execution.trigger not in ("run_now", "requested") and (closed := await ask(gate, injector)):
            return Outcome(outcomes.record_skip(execution, closed, clock.now(), time.perf_counter() - began))
        for value in data.values():  # most inputs hold nothing to resolve or to copy, and every execution asks
            if value.startswith(PREFIX) if isinstance(value, str) else not (value is None or isinstance(value, (int, float))):
                data = await resolve_references(data, injector)  # a copy, so that a handler cannot change its job
                break
        output = await injector.run(work.agentool_name, data)
    except asyncio.CancelledError as error:
        return _stopped(active, error, clock.now(), time.perf_counter() - began, stopping=table.stopping)
    except BaseException as error:
        if _ends_the_loop(error):
            raise
        return _failed(execution, error, clock.now(), time.perf_counter() - began)
    else:
        return _succeeded(active, output, clock.now(), time.perf_counter() - began, table.result_size)
    finally:
        active.deadline = None
        leave_run(caller)
        _current.reset(token)


def expired(active: ActiveExecution, now: datetime, took: float) -> Outcome:
    """Return the outcome of a handler that ignored its cancellation, and is waited for no longer."""
    timeout = HandlerTimeout(f"The handler did not end within its timeout of {active.timeout:g} s, and ignored its cancellation.")
    reason = "ignored its cancellation and was given up"
    return Outcome(outcomes.record_failure(active.execution, timeout, now, took, reason=reason), timeout)


def _succeeded(active: ActiveExecution, output: object, now: datetime, took: float, largest: int) -> Outcome:
    late = "ended after its timeout" if active.timed_out else ""
    try:
        return Outcome(outcomes.record_success(active.execution, output, now, took, late, largest))
    except Exception as error:  # the result's own code, as it was read
        return _failed(active.execution, error, now, took, "its result could not be recorded")


def _failed(execution: Execution, error: BaseException, now: datetime, took: float, reason: str = "") -> Outcome:
    try:
        return Outcome(outcomes.record_failure(execution, error, now, took, reason), error)
    except Exception as unreadable:  # the error's own code, as it was read
        problem = f"{type(error).__name__}, of which nothing more can be recorded: reading it raised {type(unreadable).__name__}"
        return Outcome(outcomes.record_failure(execution, RuntimeError(problem), now, took, f"raised {type(error).__name__}"), error)


def _stopped(active: ActiveExecution, error: asyncio.CancelledError, now: datetime, took: float, *, stopping: bool) -> Outcome:
    execution, task = active.execution, asyncio.current_task()
    cancelled = task is not None and task.cancelling() > 0
    while task is not None and task.cancelling():
        task.uncancel()
    done = outcomes.part_done(error)
    if cancelled and active.cancel_reason:
        return Outcome(outcomes.record_cancellation(execution, active.cancel_reason, now, took)._replace(result=done), error)
    if cancelled and active.timed_out:
        timeout = HandlerTimeout(f"The handler did not end within its timeout of {active.timeout:g} s.")
        return Outcome(outcomes.record_failure(execution, timeout, now, took)._replace(result=done), timeout)
    if cancelled and (stopping or (all_end() and not (isinstance(task, AttemptTask) and task.cancelled_itself))):
        return Outcome(outcomes.record_cancellation(execution, "the scheduler stopped", now, took), Interrupted())
    reason = "cancelled its own task" if cancelled else "raised CancelledError itself"
    return Outcome(outcomes.record_failure(execution, error, now, took, reason=reason), error)


def _ends_the_loop(error: BaseException) -> bool:
    """Is this not the handler's doing: a coroutine that is thrown away, or a person's Ctrl-C that no event loop has caught?"""
    if isinstance(error, GeneratorExit):
        try:
            return asyncio.current_task() is None
        except RuntimeError:
            return True
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return False
