"""One attempt: references → ``injector.run`` → outcome → finish. Everything the scheduler ever executes passes here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from agentool.core.injector import Injector
from agentool.references import has_references, resolve_references
from agentoolkit.system.scheduler import outcomes
from agentoolkit.system.scheduler.events import Announcer
from agentoolkit.system.scheduler.jobs import Execution, Status, Work
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 5.0
"""How long a handler that was told to stop may take before it is left alone, and its record says so."""

_current: ContextVar[Execution | None] = ContextVar("agentool_execution", default=None)


def current_execution() -> Execution | None:
    """Return the execution this handler runs in: its id, due time and attempt. None outside of one.

    The id is the same for every attempt at one due time, so it can serve as an idempotency key.
    """
    return _current.get()


class HandlerTimeout(TimeoutError):
    """The handler did not end within its job's timeout."""


class Running:
    """Carries out executions and writes down how they ended, whatever happens."""

    def __init__(
        self, store: JobStore, injector: Injector, time_source: TimeSource, announcer: Announcer, forward: Callable[[], None]
    ) -> None:
        self._store = store
        self._injector = injector
        self._time = time_source
        self._announcer = announcer
        self._forward = forward
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work, execution: Execution) -> tuple[Execution, BaseException | None]:
        """Run one execution to its recorded end. Return the record, and what the handler raised."""
        started = execution._replace(status=Status.RUNNING, started_at=self._time.now())
        if not await self._store.begin(started):
            return started._replace(status=Status.CANCELLED, reason="cancelled before it started"), None
        self._announcer.became(started)
        finished, error = await self._attempt(work, started)
        message = outcomes.message_for(work, finished)
        if await self._store.finish(finished, message):
            self._announcer.became(finished)
            if message is not None:
                self._forward()
        if isinstance(error, asyncio.CancelledError):
            raise error
        return finished, error

    async def _attempt(self, work: Work, execution: Execution) -> tuple[Execution, BaseException | None]:
        token = _current.set(execution)
        began = time.perf_counter()
        try:
            output = await self._call(work)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                return outcomes.cancelled(execution, "the scheduler stopped", self._time.now(), time.perf_counter() - began), error
            return outcomes.failed(execution, error, self._time.now(), time.perf_counter() - began), error
        except (Exception, SystemExit) as error:
            return outcomes.failed(execution, error, self._time.now(), time.perf_counter() - began), error
        else:
            return outcomes.succeeded(execution, output, self._time.now(), time.perf_counter() - began), None
        finally:
            _current.reset(token)

    async def _call(self, work: Work) -> Any:
        if work.timeout is not None:
            return await self._within(work.timeout, asyncio.ensure_future(self._run_target(work)))
        return await self._run_target(work)

    async def _within(self, seconds: float, call: asyncio.Task[Any]) -> Any:
        """Await a call for so long; then cancel it, wait a little, and if need be leave it alone."""
        try:
            if await _ended(call, seconds):
                return call.result()
            call.cancel()
            if await _ended(call, CANCEL_SECONDS):
                raise HandlerTimeout(f"The handler did not end within its timeout of {seconds:g} s and was cancelled.")
        finally:
            if not call.done():
                call.cancel()
                self._abandoned.add(call)
                call.add_done_callback(self._abandoned_ended)
        raise HandlerTimeout(f"The handler did not end within its timeout of {seconds:g} s, and ignored its cancellation.")

    def _abandoned_ended(self, call: asyncio.Task[Any]) -> None:
        self._abandoned.discard(call)
        if not call.cancelled() and (error := call.exception()):
            logger.warning("A handler that had been given up ended with %r", error)

    async def _run_target(self, work: Work) -> Any:
        data = work.input_data
        if has_references(data):
            data = await resolve_references(data, self._injector)
        return await self._injector.run(work.agentool_name, data)


async def _ended(task: asyncio.Task[Any], seconds: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)
