"""Taking messages and running an AgenTool with each: acknowledged when it succeeds, given back when it fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pydantic import JsonValue

from agentool.core.injector import Injector
from agentool.errors import InvalidInput, excerpt
from agentool.references import inert
from agentoolkit.json_values import UnrecordableResult, recordable
from agentoolkit.system.queue.enqueue import decoded
from agentoolkit.system.queue.errors import QueueError
from agentoolkit.system.queue.messages import QueueMessage
from agentoolkit.system.queue.service import DequeueRequest, QueueService

MAX_BACKOFF = 60.0
"""Seconds. Failed messages come back after 1, 2, 4, … seconds, unless the caller says otherwise."""


class Executed(NamedTuple):
    """What became of one message. Both `result` and `error` may be None: a target may return nothing."""

    message: QueueMessage
    result: JsonValue = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class AutoExecution:
    """Which AgenTool runs, and what happens to a message that it fails on.

    Args:
        queue: Where messages come from.
        injector: Where the AgenTool is found.
        agentool_name: Its name. It is the caller's word alone: nothing in a message can change it.
        delay: Seconds until a message that failed is available again; None: more with each failure.
    """

    queue: QueueService
    injector: Injector
    agentool_name: str
    delay: float | None = None

    async def run(self, taking: DequeueRequest) -> list[Executed]:
        """Take messages one after another, so that each has the whole visibility timeout, and run each to its end.

        Raises:
            UnknownAgenTool: Nothing was taken.
            QueueNotFound: There is no such queue.
        """
        self.injector.get(self.agentool_name)
        executed: list[Executed] = []
        one = replace(taking, count=1)
        for _ in range(taking.count):
            messages = await self.queue.dequeue(one)
            if not messages:
                break
            executed.append(await self._execute(messages[0]))
            one = replace(one, timeout=0.0)
        return executed

    async def _execute(self, message: QueueMessage) -> Executed:
        try:
            output = await self._call(message)
        except asyncio.CancelledError as error:
            await self._give_back(message, error)
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            return Executed(message, error=error)
        except (Exception, SystemExit) as error:
            await self._give_back(message, error)
            return Executed(message, error=error)
        try:
            await self.queue.ack(message.queue_name, message.receipt)
            return Executed(message, result=recordable(output))
        except (QueueError, UnrecordableResult) as error:
            return Executed(message, error=error)

    async def _call(self, message: QueueMessage) -> Any:
        payload = decoded(message.body)
        if not isinstance(payload, dict):
            remedy = "With auto_execute a message is the input of the AgenTool."
            raise InvalidInput(f"{excerpt(payload)} is not a JSON object.", field="message", value=payload, remedy=remedy)
        # Whoever may fill the queue must not look up values of the one who empties it.
        return await self.injector.run(self.agentool_name, inert(payload))

    async def _give_back(self, message: QueueMessage, error: BaseException) -> None:
        delay = min(2.0**message.attempts, MAX_BACKOFF) if self.delay is None else self.delay
        try:
            await self.queue.nack(message.queue_name, message.receipt, delay, f"{type(error).__name__}: {error}")
        except QueueError as gone:
            error.add_note(f"Its message could not be given back: {gone}")
