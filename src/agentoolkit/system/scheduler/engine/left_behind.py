"""Handlers that ignore their cancellation: nobody waits for them any more, neither the scheduler nor ``asyncio.run``."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Any

from agentoolkit.system.scheduler.engine.attempts import current_execution

logger = logging.getLogger(__name__)


_TURNS = 5
"""Turns of the event loop that what was just cancelled, and what it has begun, get to end or to wait again."""


async def leave_handlers_behind() -> None:
    """Let ``asyncio.run`` not wait for the handlers that are left on this event loop, nor for tasks that they have begun."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    executions = {task: context.run(current_execution) for task in asyncio.all_tasks() if (context := _context_of(task)) is not None}
    stubborn = {found.execution_id for task, found in executions.items() if found is not None and task.cancelling()}
    for task, found in executions.items():
        if found is not None and found.execution_id in stubborn:
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
