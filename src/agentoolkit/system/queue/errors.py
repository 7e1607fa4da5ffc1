"""The errors of the queue. Each that is about something missing is also a KeyError.

    QueueError (RuntimeError)
    ├── QueueNotFound     (KeyError)
    ├── QueueExists       a queue of this name has other settings
    ├── QueueFull         nothing was added
    ├── MessageTooLarge   (ValueError)
    ├── MessageNotFound   (KeyError)
    └── StaleReceipt      the message is no longer, or not, leased to whoever asks

Nothing is changed where one of them is raised.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentool.errors import AgenToolError, did_you_mean, excerpt


class QueueError(AgenToolError, RuntimeError):
    """The queue could not do what was asked."""


class QueueNotFound(QueueError, KeyError):
    """No queue has this name."""

    @classmethod
    def among(cls, queue_name: str, known: Iterable[str]) -> QueueNotFound:
        """Name the nearest of the queues there are."""
        remedy = did_you_mean(queue_name, known) or "There is no queue yet: the first message makes one."
        return cls(f"No queue is named {excerpt(queue_name)}.", field="queue_name", value=queue_name, remedy=remedy)


class QueueExists(QueueError):
    """A queue of this name exists with other settings."""


class QueueFull(QueueError):
    """The queue holds as many messages as it may. Nothing was added."""


class MessageTooLarge(QueueError, ValueError):
    """The message has more characters as JSON than is allowed."""


class MessageNotFound(QueueError, KeyError):
    """The queue does not hold this message, or not where it was looked for."""

    @classmethod
    def in_queue(cls, queue_name: str, message_id: str) -> MessageNotFound:
        """Say that a queue does not hold a message at all."""
        return cls(
            f"Queue {queue_name!r} holds no message {excerpt(message_id)}.",
            field="message_id",
            value=message_id,
            remedy="It was acknowledged or cleared, or never came here; 'peek' and 'get_dlq' list what is held.",
        )


class StaleReceipt(QueueError):
    """The message is not leased to the bearer of this receipt, or no longer. Nothing was changed."""
