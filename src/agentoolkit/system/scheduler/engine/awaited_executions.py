"""Runs executions that a caller waits for: `run_now` records one, runs it at once, and returns its outcome."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.delivery_calls import is_address
from agentoolkit.system.scheduler.engine.active_executions import ActiveExecution, ActiveExecutions, Outcome, Phase
from agentoolkit.system.scheduler.engine.attempts import current_execution
from agentoolkit.system.scheduler.engine.cancelling import Cancelling
from agentoolkit.system.scheduler.engine.outbox import DELIVERY_SECONDS, Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Policies, Work
from agentoolkit.system.scheduler.ports import Executor


class AwaitedExecutions:
    """Runs executions for callers that wait for their outcome.

    Args:
        parts: The store and the default timeout.
        active: The table of executions under way.
        executor: Runs the executions.
        deliveries: Delivers their messages, for which the caller waits too.
        tasks: Owns the tasks that record them.
        cancelling: Cancels an execution whose caller was cancelled.
    """

    def __init__(
        self,
        parts: Parts,
        active: ActiveExecutions,
        executor: Executor,
        deliveries: Deliveries,
        tasks: OwnedTasks,
        cancelling: Cancelling,
    ) -> None:
        self._parts = parts
        self._active = active
        self._executor = executor
        self._deliveries = deliveries
        self._tasks = tasks
        self._cancelling = cancelling

    async def run(self, work: Work, execution: Execution) -> Outcome:
        """Run an execution at once, without a schedule, and wait for its outcome.

        Raises:
            SchedulerError: An execution requested it that it would have to wait for.
        """
        execution = execution._replace(owner=self._parts.store.owner)
        active = ActiveExecution(work, execution, self._parts.timeout_of(work.policies), Phase.EXPECTED)
        active.route = self._parts.route_of(work.policies, execution.job_id)
        if active.goes_away and (lack := self._parts.lack_of(work.agentool_name, active.route)):
            raise SchedulerError(f"{execution.job_id!r} cannot run: {lack}", field="executor", value=active.route.executor)
        active.names = self._names(work, execution)
        active.outcome = asyncio.get_running_loop().create_future()
        self._active[execution.execution_id] = active
        self._tasks.start(self._record(active))
        with self._deliveries.watching(execution.execution_id) as tried:
            try:
                outcome = await asyncio.shield(active.outcome)
            except asyncio.CancelledError:
                self._cancelling.cancel_soon(execution.execution_id, "its caller went away")
                raise
            # The message arrives at once unless a queue hangs. A visitor does not wait: another process delivers it.
            message = outcome_message(work, outcome.execution)
            if message is not None and self._parts.claims and not is_address(message.queue_name):
                with suppress(TimeoutError):
                    await asyncio.wait_for(tried.wait(), DELIVERY_SECONDS)
        return outcome

    async def _record(self, active: ActiveExecution) -> None:
        """Record an execution, and submit it to the executor."""
        try:
            await self._parts.store.insert([active.execution])
        except BaseException as error:
            self._active.remove(active)
            if active.outcome is not None and not active.outcome.done():
                active.outcome.set_exception(error)
                active.outcome.exception()  # marked as read, because the caller may have been cancelled
            if not isinstance(error, Exception):
                raise
            return
        active.phase = Phase.WAITING
        self._executor.submit(active.order)
        if active.cancel_reason and active.goes_away:  # no attempt here sees the reason
            self._cancelling.cancel_soon(active.execution.execution_id, active.cancel_reason)

    def _names(self, work: Work, execution: Execution) -> frozenset[str]:
        """Return the jobs and keys held by an execution and those that wait for it. Raises `SchedulerError` on a deadlock."""
        own = _held(work.policies, execution)
        asking = current_execution()
        parent = self._active.get(asking.execution_id) if asking is not None else None
        if parent is None:
            return own
        held = parent.names or _held(parent.work.policies, parent.execution)
        if waits := held & own:
            name = min(waits).partition(":")[2]
            problem = f"{execution.job_id!r} would wait for itself: {parent.execution.execution_id!r}, which asks for it, holds {name!r}."
            remedy = "Schedule it with 'now' instead of waiting for it."
            raise SchedulerError(problem, field="job_id", value=execution.job_id, remedy=remedy)
        return held | own


def _held(policies: Policies, execution: Execution) -> frozenset[str]:
    """Return the names that an execution holds while it runs: its job, and its concurrency key if there is one."""
    key = policies.concurrency_key
    return frozenset([f"job:{execution.job_id}"] if key is None else [f"job:{execution.job_id}", f"key:{key}"])
