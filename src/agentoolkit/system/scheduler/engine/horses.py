"""Attempts in processes that live for one message each, while another one keeps the store: RQ calls the former its horses.

The keeper claims, watches the time, cancels and writes; a horse calls handlers, and has no connection of its own unless one of
them asks for it. What they tell each other:

    horse ── Claim ──▶ keeper          these ids came by my message
          ◀── Run ───                  begin one of them
          ◀── Cancel                   end it
          ─── Ended ─▶                 how it ended
          ◀── Over ──                  none is left
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from agentoolkit.system.scheduler.decisions.outcomes import record_cancellation
from agentoolkit.system.scheduler.engine.active import ActiveExecution, ActiveExecutions, Interrupted, Outcome, Phase, ProcessEnded
from agentoolkit.system.scheduler.engine.attempts import carry_out
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.event_loops import AttemptTask, all_done
from agentoolkit.system.scheduler.jobs import Execution, Work

STOP_SECONDS = 3.0
"""What handlers that still run are given to end, where the other process has ended."""
_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """A horse asks for executions to be claimed."""

    execution_ids: Sequence[str]
    kind: Literal["claim"] = "claim"


@dataclass(frozen=True, slots=True)
class Run:
    """The keeper orders an attempt."""

    work: Work
    execution: Execution
    timeout: float | None
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Cancel:
    """The keeper orders an attempt to end, and says why."""

    execution_id: str
    reason: str
    timed_out: bool
    stopping: bool
    kind: Literal["cancel"] = "cancel"


@dataclass(frozen=True, slots=True)
class Ended:
    """A horse tells how an attempt ended. See `Outcome`."""

    execution: Execution
    raised: bool
    interrupted: bool
    again: Execution | None
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class Over:
    """None of the executions is left to be carried out, or they could not be claimed."""

    problem: str = ""
    kind: Literal["over"] = "over"


_MESSAGE: TypeAdapter[Claim | Run | Cancel | Ended | Over] = TypeAdapter(Claim | Run | Cancel | Ended | Over)


def framed(message: Claim | Run | Cancel | Ended | Over) -> bytes:
    """Return a message as it is sent. Results may hold lone surrogates, which pydantic's own JSON may not."""
    text = json.dumps(_MESSAGE.dump_python(message, mode="json")).encode()
    return len(text).to_bytes(_SIZE_BYTES, "big") + text


class Link:
    """A connection between a horse and its keeper."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Claim | Run | Cancel | Ended | Over) -> None:
        """Tell the other side something; nothing, if it has gone."""
        self._writer.write(framed(message))

    async def hear(self) -> Claim | Run | Cancel | Ended | Over | None:
        """Wait for what the other side tells; None: it has gone."""
        try:
            size = int.from_bytes(await self._reader.readexactly(_SIZE_BYTES), "big")
            return _MESSAGE.validate_python(json.loads(await self._reader.readexactly(size)))
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Horses:
    """The keeper's side: horses by the executions whose ids they brought."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Horse] = {}

    async def carry_out(self, active: ActiveExecution, parts: Parts, table: ActiveExecutions) -> Outcome:
        """See `attempts.carry_out`. What no horse is there for is given back."""
        if active.cancel_reason:
            return Outcome(record_cancellation(active.execution, active.cancel_reason, parts.time.now(), 0.0))
        horse = self._by_id.get(active.execution.execution_id)
        return Outcome(active.execution, Interrupted()) if horse is None else await horse.carry_out(active, table)

    async def serve(self, link: Link, run_claimed: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        """Have claimed and run what one horse asks for, until it has ended.

        Args:
            link: The horse's.
            run_claimed: Claims executions, and runs them until their handlers have ended.
        """
        asked = await link.hear()
        if isinstance(asked, Claim):
            horse = _Horse(link)
            self._by_id.update(dict.fromkeys(asked.execution_ids, horse))
            listening = asyncio.ensure_future(horse.listen())
            problem = ""
            try:
                await run_claimed(asked.execution_ids)
            except Exception as error:
                problem = str(error) or repr(error)
            for execution_id in asked.execution_ids:
                if self._by_id.get(execution_id) is horse:
                    del self._by_id[execution_id]
            link.send(Over(problem))
            await listening
        await link.close()


class _Horse:
    """A horse, as its keeper sees it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._gone = False
        self._ended: dict[str, asyncio.Future[Outcome]] = {}

    async def listen(self) -> None:
        """Hear how attempts ended, until the horse has. Those that it carries out then end with it."""
        while isinstance(told := await self._link.hear(), Ended):
            if (ended := self._ended.get(told.execution.execution_id)) is not None and not ended.done():
                error = Interrupted() if told.interrupted else SchedulerError(told.execution.reason) if told.raised else None
                ended.set_result(Outcome(told.execution, error, told.again))
        self._gone = True
        for ended in self._ended.values():
            if not ended.done():
                ended.set_exception(ProcessEnded())

    async def carry_out(self, active: ActiveExecution, table: ActiveExecutions) -> Outcome:
        """Order an attempt, and wait for its end. Who cancels it has it cancelled there."""
        execution_id, task = active.execution.execution_id, asyncio.current_task()
        ended = self._ended[execution_id] = asyncio.get_running_loop().create_future()
        if self._gone:
            return Outcome(active.execution, ProcessEnded())
        table.watch(active)
        self._link.send(Run(active.work, active.execution, active.timeout))
        while not ended.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({ended})
            while task is not None and task.cancelling():
                task.uncancel()
                self._link.send(Cancel(execution_id, active.cancel_reason, active.timed_out, table.stopping))
        active.deadline = None
        del self._ended[execution_id]
        return Outcome(active.execution, error) if isinstance(error := ended.exception(), ProcessEnded) else ended.result()


async def carry_out_orders(link: Link, parts: Parts) -> bool:
    """The horse's side: make the attempts that are ordered, until none is left.

    Returns:
        False: the keeper has ended meanwhile, and whoever notices has the executions now. They were cancelled here.

    Raises:
        SchedulerError: They could not be claimed.
    """
    table = ActiveExecutions(parts.time, lambda _: None, parts.result_size)  # whose deadlines the keeper watches
    tasks: dict[str, asyncio.Task[None]] = {}
    while (told := await link.hear()) is not None:
        if isinstance(told, Run):
            active = ActiveExecution(told.work, told.execution, told.timeout, Phase.RUNNING)
            table[told.execution.execution_id] = active
            tasks[told.execution.execution_id] = AttemptTask(_attempt(active, link, parts, table), loop=asyncio.get_running_loop())
        elif isinstance(told, Cancel) and (active := table.get(told.execution_id)) is not None:
            active.cancel_reason, active.timed_out, table.stopping = told.reason, told.timed_out, told.stopping
            tasks[told.execution_id].cancel()
        elif isinstance(told, Over):
            if told.problem:
                raise SchedulerError(told.problem)
            return True
    table.stopping = True
    for task in tasks.values():
        task.cancel()
    await all_done(tasks.values, STOP_SECONDS)
    return False


async def _attempt(active: ActiveExecution, link: Link, parts: Parts, table: ActiveExecutions) -> None:
    outcome = await carry_out(active, parts, table)
    active.phase = Phase.WRITING
    del table[active.execution.execution_id]
    error = outcome.error
    link.send(Ended(outcome.execution, error is not None, isinstance(error, Interrupted), outcome.again))
