"""The operations of the queue AgenTool: input → service → output."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, JsonValue
from typing_extensions import Unpack

from agentool.context import RunContext
from agentool.errors import InvalidInput, did_you_mean
from agentool.operations import Handler
from agentoolkit.system.queue import answers
from agentoolkit.system.queue.auto_execute import AutoExecution
from agentoolkit.system.queue.enqueue import EnqueueRequest, read_receipt
from agentoolkit.system.queue.messages import State
from agentoolkit.system.queue.schemas import (
    PAGE,
    DequeueOptions,
    Enqueued,
    EnqueueOptions,
    MessageRef,
    Peeked,
    QueueList,
    QueueOptions,
    QueueOutput,
    Requeued,
    StateName,
)
from agentoolkit.system.queue.service import LIVE, DequeueRequest, QueueService
from agentoolkit.text import counted

Context = RunContext[QueueService]


async def manage_queue(ctx: Context, operation: str, **kwargs: Any) -> QueueOutput:
    """Call the handler of an operation by its name.

    Raises:
        InvalidInput: There is no such operation, or it does not take these fields.
    """
    if operation not in HANDLERS:
        remedy = did_you_mean(operation, HANDLERS)
        raise InvalidInput(f"Unknown queue operation {operation!r}.", field="operation", value=operation, remedy=remedy)
    return await ctx.injector.run(ctx.agentool_name, {"operation": operation, **kwargs})


async def queue_enqueue(ctx: Context, queue_name: str, message: JsonValue, **options: Unpack[EnqueueOptions]) -> QueueOutput:
    """Add a message to a queue; a missing queue is created. A known message id adds nothing.

    Raises:
        InvalidInput: The message is not JSON, or the times contradict each other.
        QueueFull: The queue is full.
    """
    request = EnqueueRequest(queue_name, message, **options)
    held, duplicate = await ctx.deps.enqueue(request)
    result = Enqueued(
        queue_name=queue_name,
        message_id=held.message_id if held else options.get("message_id", ""),
        duplicate=duplicate,
        available_at=held.available_at.isoformat() if held else None,
    )
    done = "was here before; nothing was added to" if duplicate else "was added to"
    return _answer("enqueue", f"Message {result.message_id!r} {done} queue {queue_name!r}.", result)


async def queue_dequeue(
    ctx: Context,
    queue_name: str,
    auto_execute: bool = False,
    agentool_name: str | None = None,
    delay: float | None = None,
    **options: Unpack[DequeueOptions],
) -> QueueOutput:
    """Lease messages, which must be acknowledged in time; or run an AgenTool with each.

    Raises:
        QueueNotFound: There is no such queue.
        UnknownAgenTool: There is no such AgenTool; nothing was taken.
        InvalidInput: The options contradict each other.
    """
    taking = DequeueRequest(queue_name, **options)
    if not auto_execute:
        for field, value in (("agentool_name", agentool_name), ("delay", delay)):
            if value is not None:
                raise InvalidInput("It has a meaning only with auto_execute.", field=field, value=value, remedy="Give auto_execute true.")
        result = answers.dequeued(queue_name, await ctx.deps.dequeue(taking))
        return _answer("dequeue", f"{counted(result.count, 'message')} from queue {queue_name!r}.", result)
    execution = AutoExecution(ctx.deps, ctx.injector, _target(agentool_name, taking), delay)
    result = answers.executed(queue_name, await execution.run(taking))
    outcome = f"{counted(len(result.results), 'message')} succeeded and {len(result.errors)} failed"
    return _answer("dequeue", f"{outcome} in AgenTool {agentool_name!r}.", result)


async def queue_ack(ctx: Context, queue_name: str, receipt: str | None = None, message_id: str | None = None) -> QueueOutput:
    """Remove a processed message. By its id alone it is removed even if another consumer holds it, dead letters included.

    Raises:
        QueueNotFound, MessageNotFound: It is not there, or not any more.
        StaleReceipt: The lease ran out and the message was given to another.
    """
    message = await ctx.deps.ack(queue_name, read_receipt(receipt, message_id))
    result = MessageRef(queue_name=queue_name, message_id=message.message_id)
    return _answer("ack", f"Message {message.message_id!r} is acknowledged.", result)


async def queue_nack(
    ctx: Context,
    queue_name: str,
    receipt: str | None = None,
    message_id: str | None = None,
    delay: float | None = None,
    reason: str | None = None,
) -> QueueOutput:
    """Return an unprocessed message, as a failed attempt. After the last attempt it becomes a dead letter.

    Raises:
        QueueNotFound, MessageNotFound: It is not there, or not any more.
        StaleReceipt: It is not in flight, or was given to another.
    """
    message = await ctx.deps.nack(queue_name, read_receipt(receipt, message_id), delay or 0.0, reason or "it was given back")
    result = answers.message_info(message)
    return _answer("nack", f"Message {result.message_id!r} is {result.state}, after {result.attempts} failed attempts.", result)


async def queue_move_to_dlq(
    ctx: Context, queue_name: str, receipt: str | None = None, message_id: str | None = None, reason: str | None = None
) -> QueueOutput:
    """Move a message to the dead letters, wherever it is.

    Raises:
        QueueNotFound, MessageNotFound: It is not there, or not any more.
        StaleReceipt: The lease ran out and the message was given to another.
    """
    result = answers.message_info(await ctx.deps.dead_letter(queue_name, read_receipt(receipt, message_id), reason or "it was moved here"))
    return _answer("move_to_dlq", f"Message {result.message_id!r} is dead: {result.reason}.", result)


async def queue_get_dlq(ctx: Context, queue_name: str, limit: int | None = None) -> QueueOutput:
    """List dead letters, first dead first, and the number of those dropped because of the limit.

    Raises:
        QueueNotFound: There is no such queue.
    """
    result = answers.dead_letter_list(queue_name, await ctx.deps.dead_letters(queue_name, limit or PAGE))
    return _answer("get_dlq", f"{result.count} dead letters, {result.dropped} dropped.", result)


async def queue_requeue(
    ctx: Context,
    queue_name: str,
    message_id: str | None = None,
    limit: int | None = None,
    message: JsonValue | None = None,
    fingerprint: str | None = None,
) -> QueueOutput:
    """Make dead letters ready again, with no failed attempts: one, the oldest, or those with the same reason.

    A single one can get a new payload.

    Raises:
        QueueNotFound, MessageNotFound: There is no such dead letter.
        QueueFull: Not all of them have room; none was moved.
        InvalidInput: A payload without a message_id, or a limit or fingerprint with one.
    """
    if message is not None and message_id is None:
        raise InvalidInput("Which message gets this payload?", field="message_id", remedy="Give the message_id of one dead letter.")
    for name, value in (("limit", limit), ("fingerprint", fingerprint)):
        if value is not None and message_id is not None:
            raise InvalidInput(f"One message_id needs no {name}.", field=name, value=value, remedy="Leave one of them out.")
    message_ids = [requeued.message_id for requeued in await ctx.deps.requeue(queue_name, message_id, limit, message, fingerprint)]
    result = Requeued(queue_name=queue_name, message_ids=message_ids, count=len(message_ids))
    return _answer("requeue", f"Ready again in queue {queue_name!r}: {counted(result.count, 'message')}.", result)


async def queue_peek(ctx: Context, queue_name: str, limit: int | None = None) -> QueueOutput:
    """Show the messages that would be taken next, without taking them.

    Raises:
        QueueNotFound: There is no such queue.
    """
    messages = [answers.message_info(message) for message in await ctx.deps.peek(queue_name, limit or PAGE)]
    return _answer("peek", f"{counted(len(messages), 'message')}.", Peeked(queue_name=queue_name, messages=messages, count=len(messages)))


async def queue_get_message(ctx: Context, queue_name: str, message_id: str) -> QueueOutput:
    """Show a message: its payload, state, attempts and times.

    Raises:
        QueueNotFound, MessageNotFound: It is not there, or not any more.
    """
    result = answers.message_info(await ctx.deps.message(queue_name, message_id))
    return _answer("get_message", f"Message {message_id!r} is {result.state}.", result)


async def queue_size(ctx: Context, queue_name: str) -> QueueOutput:
    """Count a queue's messages by state.

    Raises:
        QueueNotFound: There is no such queue.
    """
    result = answers.queue_size(queue_name, (await ctx.deps.status(queue_name)).counts)
    return _answer("size", f"Queue {queue_name!r} holds {counted(result.size, 'message')}, {result.ready} of them ready.", result)


async def queue_clear(ctx: Context, queue_name: str, state: StateName | None = None) -> QueueOutput:
    """Remove all messages except dead letters, or those in one state. Ids stay remembered.

    Raises:
        QueueNotFound: There is no such queue.
    """
    result = answers.queue_size(queue_name, await ctx.deps.clear(queue_name, {State(state)} if state else LIVE))
    return _answer("clear", f"Removed {counted(result.size + result.dead, 'message')} from queue {queue_name!r}.", result)


async def queue_create_queue(ctx: Context, queue_name: str, **options: Unpack[QueueOptions]) -> QueueOutput:
    """Create a queue with its own limits. Repeating the same call changes nothing.

    Raises:
        QueueExists: A queue of this name has other settings.
    """
    result = answers.queue_created(await ctx.deps.create(queue_name, options))
    done = "was made" if result.created else "is there already"
    return _answer("create_queue", f"Queue {queue_name!r} {done}.", result)


async def queue_delete_queue(ctx: Context, queue_name: str) -> QueueOutput:
    """Remove a queue with all its messages, dead letters and remembered ids.

    Raises:
        QueueNotFound: There is no such queue.
    """
    result = answers.queue_size(queue_name, await ctx.deps.delete(queue_name))
    return _answer("delete_queue", f"Removed queue {queue_name!r} and its {counted(result.size + result.dead, 'message')}.", result)


async def queue_list_queues(ctx: Context, limit: int | None = None) -> QueueOutput:
    """List queues by name, with their limits and numbers of messages."""
    found = await ctx.deps.queues(limit or PAGE)
    result = QueueList(queues=[answers.queue_info(status) for status in found], count=len(await ctx.deps.names()))
    return _answer("list_queues", f"{counted(result.count, 'queue')}.", result)


HANDLERS: dict[str, Handler] = {
    "enqueue": queue_enqueue,
    "dequeue": queue_dequeue,
    "peek": queue_peek,
    "size": queue_size,
    "clear": queue_clear,
    "create_queue": queue_create_queue,
    "delete_queue": queue_delete_queue,
    "list_queues": queue_list_queues,
    "get_message": queue_get_message,
    "move_to_dlq": queue_move_to_dlq,
    "get_dlq": queue_get_dlq,
    "ack": queue_ack,
    "nack": queue_nack,
    "requeue": queue_requeue,
}


def _answer(operation: str, message: str, result: BaseModel) -> QueueOutput:
    return QueueOutput(operation=operation, message=message, data=result.model_dump())  # JSON values already


def _target(agentool_name: str | None, taking: DequeueRequest) -> str:
    if agentool_name is None:
        raise InvalidInput("auto_execute needs it.", field="agentool_name", remedy="Name the AgenTool that is to run.")
    if taking.auto_ack:
        remedy = "Leave auto_ack out: auto_execute acknowledges what succeeded."
        raise InvalidInput("It contradicts auto_execute.", field="auto_ack", value=True, remedy=remedy)
    return agentool_name
