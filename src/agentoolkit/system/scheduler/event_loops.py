"""Waits for tasks, and runs work on the event loop of another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from agentoolkit.system.scheduler.errors import SchedulerError

T = TypeVar("T")

ANSWER_SECONDS = 10.0
"""Seconds after which the other event loop counts as blocked."""


RECORDING = "agentool-recording"
"""The name of tasks that write outcomes: they start while others end."""


class AttemptTask(asyncio.Task[None]):
    """A task that knows whether it was cancelled from inside."""

    cancelled_itself = False

    def cancel(self, msg: Any | None = None) -> bool:
        if asyncio.current_task(self.get_loop()) is self:
            self.cancelled_itself = True
        return super().cancel(msg)


class OwnedTasks(set[asyncio.Task[None]]):
    """A set of running tasks. Each is removed when it has ended."""

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work as a task on the running event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self.add(task)
        task.add_done_callback(self.discard)
        return task


def all_end() -> bool:
    """Tell whether every other task on this event loop is being cancelled, as at the end of ``asyncio.run``."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return all(task.cancelling() or task.get_name() == RECORDING for task in others)


async def done_on(loop: asyncio.AbstractEventLoop | None, work: Callable[[], Awaitable[T]]) -> T:
    """Run work on the event loop of another thread, and wait for it; None runs it here.

    Raises:
        SchedulerError: The other loop is blocked, or ended meanwhile.
        Exception: Any error of the work.
    """
    if loop is None:
        return await work()
    await _answered(loop)

    async def there() -> T:
        return await work()

    try:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), loop))
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        raise SchedulerError("The event loop that the scheduler runs on has ended.", remedy="Ask again.") from None


async def _answered(loop: asyncio.AbstractEventLoop) -> None:
    answer: Future[None] = Future()

    def give() -> None:
        if answer.set_running_or_notify_cancel():
            answer.set_result(None)

    loop.call_soon_threadsafe(give)
    try:
        await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_SECONDS)
    except TimeoutError as error:
        problem = f"The event loop that the scheduler runs on has not answered for {ANSWER_SECONDS:g} s."
        raise SchedulerError(problem, remedy="Do not block it: `await` what takes long, or do it in a thread.") from error


async def all_done(tasks: Callable[[], Iterable[asyncio.Task[Any]]], seconds: float | None = None) -> None:
    """Wait for tasks, and for those that are added meanwhile, for at most `seconds` in total; None means for ever."""
    clock = asyncio.get_running_loop().time
    deadline = None if seconds is None else clock() + seconds
    while unfinished := {task for task in tasks() if not task.done()}:
        remaining = None if deadline is None else deadline - clock()
        if remaining is not None and remaining <= 0:
            break
        await asyncio.wait(unfinished, timeout=remaining)
