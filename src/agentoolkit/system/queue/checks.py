"""What every back end refuses alike, inside its transaction and before it changes anything."""

from __future__ import annotations

from agentoolkit.system.queue.errors import MessageNotFound, QueueFull, StaleReceipt
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.text import counted


def check_current(message: QueueMessage, receipt: Receipt) -> None:
    """Refuse a receipt whose lease was ended, or followed by another. Without a token, let everything pass.

    Raises:
        StaleReceipt: The message is not the bearer's to decide about.
    """
    if receipt.token and receipt.token != message.token:
        raise StaleReceipt(
            f"Message {message.message_id!r} was given back, or its lease ran out and another took it: it is {message.state.value} now.",
            field="receipt",
            value=str(receipt),
            remedy="Leave it to its present consumer; a longer visibility_timeout gives more time.",
        )


def check_in_flight(message: QueueMessage, receipt: Receipt) -> None:
    """Refuse to give back a message that nobody has at present.

    Raises:
        StaleReceipt: As `check_current`, or the lease ran out, or there was none.
    """
    check_current(message, receipt)
    if message.state is not State.IN_FLIGHT:
        raise StaleReceipt(
            f"Message {message.message_id!r} is {message.state.value}, not in flight: it is back already, or was never taken.",
            field="receipt" if receipt.token else "message_id",
            value=str(receipt) if receipt.token else receipt.message_id,
            remedy="Take it again with 'dequeue'.",
        )


def check_dead(message: QueueMessage) -> None:
    """Refuse to requeue a message that is not dead.

    Raises:
        MessageNotFound: It is not among the dead letters.
    """
    if message.state is not State.DEAD:
        raise MessageNotFound(
            f"Message {message.message_id!r} of queue {message.queue_name!r} is {message.state.value}, not a dead letter.",
            field="message_id",
            value=message.message_id,
            remedy="Only dead letters can be moved back.",
        )


def check_room(queue: Queue, counts: Counts, wanted: int) -> None:
    """Refuse to let a queue hold more than its limit.

    Raises:
        QueueFull: There is no room for so many more.
    """
    max_size = queue.settings.max_size
    if counts.held + wanted > max_size:
        raise QueueFull(
            f"Queue {queue.queue_name!r} holds {counts.held} of {counted(max_size, 'message')} ({counts.ready} ready, "
            f"{counts.delayed} delayed, {counts.in_flight} in flight) and has no room for {wanted} more.",
            field="queue_name",
            value=queue.queue_name,
            remedy="Take and acknowledge messages first, 'clear' it, or make a queue with a larger max_size.",
        )
