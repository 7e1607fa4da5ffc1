"""Turn messages and queues into answers: times as ISO 8601 text in UTC, payloads as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from agentoolkit.system.queue.auto_execute import Executed, told
from agentoolkit.system.queue.enqueue import decoded
from agentoolkit.system.queue.messages import Counts, QueueMessage, State
from agentoolkit.system.queue.ports import Created, DeadLetters, QueueStatus
from agentoolkit.system.queue.schemas import (
    DeadLetterList,
    Dequeued,
    ExecutedError,
    ExecutedLoss,
    ExecutedResult,
    MessageInfo,
    QueueCreated,
    QueueInfo,
    QueueSize,
    TakenMessage,
)


def taken_message(message: QueueMessage) -> TakenMessage:
    """A message for its consumer."""
    return TakenMessage(
        message_id=message.message_id,
        message=_payload(message),
        receipt=str(message.receipt) if message.state is State.IN_FLIGHT else None,
        priority=message.priority,
        attempts=message.attempts,
        enqueued_at=message.enqueued_at.isoformat(),
        leased_until=_iso(message.leased_until),
    )


def dequeued(queue_name: str, messages: Sequence[QueueMessage]) -> Dequeued:
    """Answer to ``dequeue``."""
    return Dequeued(queue_name=queue_name, messages=[taken_message(message) for message in messages], count=len(messages))


def executed(queue_name: str, executions: Sequence[Executed]) -> Dequeued:
    """Answer to ``dequeue`` with ``auto_execute``."""
    failed = [(done, done.error) for done in executions if done.error is not None]
    return Dequeued(
        queue_name=queue_name,
        messages=[taken_message(done.message).model_copy(update={"receipt": None, "leased_until": None}) for done in executions],
        count=len(executions),
        results=[
            ExecutedResult(message_id=done.message.message_id, result=done.result) for done in executions if done.error is None or done.ran
        ],
        errors=[
            (ExecutedError if done.given_back else ExecutedLoss)(
                message_id=done.message.message_id, type=type(error).__name__, message=told(error)
            )
            for done, error in failed
        ],
    )


def message_info(message: QueueMessage) -> MessageInfo:
    """Return a message with all its fields."""
    return MessageInfo(
        message_id=message.message_id,
        queue_name=message.queue_name,
        message=_payload(message),
        state=message.state.value,
        priority=message.priority,
        attempts=message.attempts,
        reason=message.reason,
        enqueued_at=message.enqueued_at.isoformat(),
        available_at=message.available_at.isoformat(),
        expires_at=_iso(message.expires_at),
        leased_until=_iso(message.leased_until),
        died_at=_iso(message.died_at),
    )


def queue_size(queue_name: str, counts: Counts) -> QueueSize:
    """Answer to ``size``; also what was removed."""
    return QueueSize(queue_name=queue_name, size=counts.held, **counts._asdict())


def queue_created(made: Created) -> QueueCreated:
    """Answer to ``create_queue``."""
    return QueueCreated(queue_name=made.queue.queue_name, created=made.created, **made.queue.settings._asdict())


def queue_info(status: QueueStatus) -> QueueInfo:
    """An entry of ``list_queues``."""
    queue, counts = status
    return QueueInfo(
        queue_name=queue.queue_name,
        size=counts.held,
        **counts._asdict(),
        **queue.settings._asdict(),
        created_at=queue.created_at.isoformat(),
    )


def dead_letter_list(queue_name: str, letters: DeadLetters) -> DeadLetterList:
    """Answer to ``get_dlq``."""
    messages = [message_info(message) for message in letters.messages]
    return DeadLetterList(queue_name=queue_name, messages=messages, count=letters.total, dropped=letters.dropped)


def _payload(message: QueueMessage) -> JsonValue:
    """Read a payload; None if it is damaged, so that the other messages of a list are still shown."""
    try:
        return decoded(message.body)
    except ValueError:
        return None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
