"""Handlers that ignore their cancellation: nobody waits for them any more, neither the scheduler nor ``asyncio.run``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

from agentoolkit.system.scheduler.engine.attempts import execution_in
from agentoolkit.system.scheduler.jobs import Execution

logger = logging.getLogger(__name__)


_TURNS = 5
"""Turns of the event loop that what was just cancelled, and what it has begun, get to end or to wait again."""


async def leave_handlers_behind(is_ours: Callable[[Context], bool]) -> None:
    """Let ``asyncio.run`` wait neither for handlers that ignore their cancellation, nor for tasks that they have begun.

    Args:
        is_ours: Tells whether what runs in a context is a handler of the scheduler that stops, or was begun by one.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    executions: dict[asyncio.Task[Any], Execution] = {}
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        context = _context_of(task)
        if context is not None and is_ours(context) and (execution := execution_in(context)) is not None:
            executions[task] = execution
    stubborn = {execution.execution_id for task, execution in executions.items() if task.cancelling()}
    for task, execution in executions.items():
        if execution.execution_id in stubborn:
            _leave_behind(task)
    for execution_id in sorted(stubborn):
        logger.warning("The handler of %s ignores its cancellation and is left behind", execution_id)


def _leave_behind(task: asyncio.Task[Any]) -> None:
    import ctypes

    # "Extending", in the documentation of asyncio, has how a task is made known to it, and no more.
    asyncio.tasks._unregister_task(task)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    # One reference more than there are: as garbage it would be closed, by an exception that it may ignore as well, for ever.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))


def _context_of(task: asyncio.Task[Any]) -> Context | None:
    if (get_context := getattr(task, "get_context", None)) is not None:  # from Python 3.12 on
        return get_context()
    waits_for: Any = getattr(task, "_fut_waiter", None)
    callbacks: list[tuple[Any, Context]] = getattr(waits_for, "_callbacks", None) or []
    return next((context for callback, context in callbacks if getattr(callback, "__self__", None) is task), None)
