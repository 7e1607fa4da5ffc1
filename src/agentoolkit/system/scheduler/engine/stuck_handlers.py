"""Abandons handlers that ignore their cancellation: neither the scheduler nor ``asyncio.run`` waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

from agentoolkit.system.scheduler.engine.attempts import execution_in
from agentoolkit.system.scheduler.execution_records import Execution

logger = logging.getLogger(__name__)


_TURNS = 5
"""Turns of the event loop in which cancelled handlers, and the tasks they started, can end or wait again."""


async def leave_handlers_behind(is_ours: Callable[[Context], bool]) -> None:
    """Keep ``asyncio.run`` from waiting for handlers that ignore their cancellation, and for tasks that they started.

    Args:
        is_ours: Tells whether a context belongs to a handler of the scheduler that stops, or to a task of one.
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

    # The asyncio documentation ("Extending") describes how a task is registered, and no public way to unregister it.
    asyncio.tasks._unregister_task(task)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    # An extra reference keeps it from being collected: that would close it by an exception, which it may ignore for ever.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))


def _context_of(task: asyncio.Task[Any]) -> Context | None:
    if (get_context := getattr(task, "get_context", None)) is not None:  # from Python 3.12 on
        return get_context()
    waits_for: Any = getattr(task, "_fut_waiter", None)
    callbacks: list[tuple[Any, Context]] = getattr(waits_for, "_callbacks", None) or []
    return next((context for callback, context in callbacks if getattr(callback, "__self__", None) is task), None)
