"""Run an AgenTool with each message of a queue: acknowledge the message after a success, return it after a failure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import JsonValue

from agentool.core.injector import Injector
from agentool.errors import InvalidInput, excerpt, text_of
from agentool.references import inert
from agentool.secrets_here import beginning_of
from agentoolkit.json_values import UnrecordableResult, recordable
from agentoolkit.redaction import redacted_text
from agentoolkit.system.queue.enqueue import decoded
from agentoolkit.system.queue.messages import QueueMessage
from agentoolkit.system.queue.service import DequeueRequest, QueueService
from agentoolkit.text import with_escapes

MAX_BACKOFF = 60.0
"""Longest delay in seconds. By default failed messages come back after 1, 2, 4, … seconds."""


MAX_TOLD = 2_000
"""Characters of an error's text that are kept and answered, as many as a caller's own reason may have."""


def told(error: BaseException) -> str:
    """Return an error's text for others than its cause: dead letters are read by everybody, so secrets are taken out."""
    return beginning_of(with_escapes(redacted_text(text_of(error))), MAX_TOLD)


class Executed(NamedTuple):
    """The outcome of one message. Both `result` and `error` may be None: an AgenTool may return None."""

    message: QueueMessage
    result: JsonValue = None
    error: BaseException | None = None
    given_back: bool = False
    """True if the message was returned to the queue: the AgenTool failed, and nacking succeeded."""
    ran: bool = False
    """True if the AgenTool succeeded with this result."""


@dataclass(frozen=True, slots=True)
class AutoExecution:
    """The AgenTool to run with each message, and the delay of failed messages.

    Args:
        queue: The queue of the messages.
        injector: The injector that has the AgenTool.
        agentool_name: Its name. Only the caller chooses it: nothing in a message can change it.
        delay: Seconds until a failed message is available again; None to grow with each failure.
    """

    queue: QueueService
    injector: Injector
    agentool_name: str
    delay: float | None = None

    async def run(self, taking: DequeueRequest) -> list[Executed]:
        """Take and run messages one by one, so that each has the whole visibility timeout.

        Raises:
            UnknownAgenTool: No AgenTool has this name; no message was taken.
            QueueNotFound: The queue does not exist.
        """
        self.injector.get(self.agentool_name)
        executed: list[Executed] = []
        one = replace(taking, count=1)
        for _ in range(taking.count):
            try:
                messages = await self.queue.dequeue(one)
            except Exception:
                if not executed:
                    raise
                break  # what ran already is told; the next call meets the same error
            if not messages:
                break
            executed.append(await self._execute(messages[0]))
            one = replace(one, timeout=0.0)
        return executed

    async def _execute(self, message: QueueMessage) -> Executed:
        try:
            payload = decoded(message.body)
            if not isinstance(payload, dict):
                remedy = "With auto_execute a message is the input of the AgenTool."
                raise InvalidInput(f"{excerpt(payload)} is not a JSON object.", field="message", value=payload, remedy=remedy)
            # A message's sender must not look up values with the consumer's rights.
            output = await self.injector.run(self.agentool_name, inert(payload))
        except asyncio.CancelledError as error:
            given_back = await self._nack(message, error)
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            return Executed(message, error=error, given_back=given_back)
        except (Exception, SystemExit) as error:
            return Executed(message, error=error, given_back=await self._nack(message, error))
        result, lost = None, None
        try:
            result = recordable(output)
        except UnrecordableResult as error:
            lost = error
        try:
            await self.queue.ack(message.queue_name, message.receipt)
        except Exception as error:
            error.add_note("The AgenTool ended well; its message may come again.")
            lost = error
        return Executed(message, result, lost, ran=not isinstance(lost, UnrecordableResult))

    async def _nack(self, message: QueueMessage, error: BaseException) -> bool:
        """Return a message to the queue, and tell whether that succeeded."""
        delay = min(2.0**message.attempts, MAX_BACKOFF) if self.delay is None else self.delay
        try:
            await self.queue.nack(message.queue_name, message.receipt, delay, f"{type(error).__name__}: {told(error)}")
        except Exception as gone:
            error.add_note(f"Its message could not be given back: {gone}")
            return False
        return True
