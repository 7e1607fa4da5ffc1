"""The queue: named queues of JSON messages. Consumers lease messages and acknowledge them."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.system.queue.agentool import create_queue_agent
    from agentoolkit.system.queue.errors import (
        MessageNotFound,
        MessageTooLarge,
        QueueError,
        QueueExists,
        QueueFull,
        QueueNotFound,
        StaleReceipt,
    )
    from agentoolkit.system.queue.operations import (
        manage_queue,
        queue_ack,
        queue_clear,
        queue_create_queue,
        queue_delete_queue,
        queue_dequeue,
        queue_enqueue,
        queue_get_dlq,
        queue_get_message,
        queue_list_queues,
        queue_move_to_dlq,
        queue_nack,
        queue_peek,
        queue_requeue,
        queue_size,
    )
    from agentoolkit.system.queue.schemas import QueueInput, QueueOutput
    from agentoolkit.system.queue.service import QueueService

__all__ = [
    "MessageNotFound",
    "MessageTooLarge",
    "QueueError",
    "QueueExists",
    "QueueFull",
    "QueueInput",
    "QueueNotFound",
    "QueueOutput",
    "QueueService",
    "StaleReceipt",
    "create_queue_agent",
    "manage_queue",
    "queue_ack",
    "queue_clear",
    "queue_create_queue",
    "queue_delete_queue",
    "queue_dequeue",
    "queue_enqueue",
    "queue_get_dlq",
    "queue_get_message",
    "queue_list_queues",
    "queue_move_to_dlq",
    "queue_nack",
    "queue_peek",
    "queue_requeue",
    "queue_size",
]

__getattr__ = lazy_names(__name__, "errors", "service", "schemas", "operations", "agentool")
