"""Runs executions in this process, as tasks on its event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence

from agentoolkit.system.scheduler.event_loops import AttemptTask, OwnedTasks, all_done
from agentoolkit.system.scheduler.executors.limits import Limits
from agentoolkit.system.scheduler.ports import Attempts, Order

logger = logging.getLogger(__name__)

CONCURRENCY = 100
"""Default number of executions that run at once in one process."""


class LocalExecutor(Limits):
    """Runs up to `concurrency` tasks on the running event loop. Every task is owned here until its handler has ended.

    Args:
        attempts: Begins and runs the executions that have room.
        concurrency: Maximum number of executions with room.
    """

    def __init__(self, attempts: Attempts, concurrency: int = CONCURRENCY) -> None:
        super().__init__(concurrency)
        self._attempts = attempts
        self._starting = OwnedTasks()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._detached: set[asyncio.Task[None]] = set()

    def cancel(self, execution_id: str) -> bool:
        """See `ports.Executor.cancel`."""
        task = self._tasks.get(execution_id)
        return task is not None and task.cancel()

    def abandon(self, execution_id: str) -> None:
        """See `ports.Executor.abandon`. Its task is owned here until it ends."""
        if (task := self._tasks.get(execution_id)) is not None:
            self._detached.add(task)
            task.add_done_callback(self._detached.discard)
            self._leave(execution_id, task)

    async def drain(self, seconds: float, grace: float) -> None:
        """See `ports.Executor.drain`."""
        self.close()
        for patience in (seconds, grace):
            await all_done(lambda: [*self._starting, *self._tasks.values(), *self._detached], patience)
            for starting in self._starting:
                starting.cancel()
            await asyncio.sleep(0)  # a task that is cancelled before its first step would not run its clean-up
            for task in self._tasks.values():
                task.cancel()

    def run_begun(self, order: Order) -> None:
        """See `ports.Executor.run_begun`."""
        self.admit_begun(order)
        self._run_soon(order.execution_id)

    def start(self, execution_ids: Sequence[str]) -> None:
        """See `Limits.start`."""
        self._starting.start(self._start(execution_ids, self._attempts.begin(execution_ids)))

    async def _start(self, ids: Sequence[str], beginning: Awaitable[Sequence[bool]]) -> None:
        begun: Sequence[bool] = [False] * len(ids)
        try:
            begun = await beginning
        except Exception:
            logger.exception("Starting %d executions failed", len(ids))
        finally:
            for execution_id, begins in zip(ids, begun, strict=True):
                if begins:
                    self._run_soon(execution_id)
                else:
                    self._leave(execution_id, None)

    def _run_soon(self, execution_id: str) -> None:
        loop, context = asyncio.get_running_loop(), self._context.copy()
        self._tasks[execution_id] = AttemptTask(self._run(execution_id), loop=loop, name=execution_id, context=context)

    async def _run(self, execution_id: str) -> None:
        try:
            await self._attempts.run(execution_id)
        finally:
            if self._detached:  # another attempt may have replaced it by now
                self._leave(execution_id, asyncio.current_task())
            else:
                self._tasks.pop(execution_id, None)
                self.leave(execution_id)

    def _leave(self, execution_id: str, task: asyncio.Task[None] | None) -> None:
        """Free an execution's room, unless another attempt has it by now."""
        if self._tasks.get(execution_id) is task:
            self._tasks.pop(execution_id, None)
            self.leave(execution_id)
