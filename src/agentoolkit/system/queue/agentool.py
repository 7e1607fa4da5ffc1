"""Makes the queue AgenTool."""

from __future__ import annotations

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.system.queue.backends.memory import MemoryQueueBackend
from agentoolkit.system.queue.operations import HANDLERS
from agentoolkit.system.queue.schemas import QueueInput
from agentoolkit.system.queue.service import QueueService
from agentoolkit.time_source import SystemTime

NAME = "queue"

DESCRIPTION = """\
Named queues of JSON messages: delays, priorities, leases with acknowledgement, retries, dead letters, and
recognition of messages that were delivered before."""


def create_queue_agent(service: QueueService | None = None, *, injector: Injector | None = None) -> AgenTool[QueueService]:
    """Make the AgenTool ``queue`` and register it; where there is one already, return that.

    Args:
        service: What it works with; by default queues that live in memory.
        injector: Where to register it, and where it finds what it runs; the current one by default.

    Raises:
        ConfigurationError: Another AgenTool named ``queue`` is registered.
    """
    injector = injector or get_injector()
    if service is None and NAME in injector:
        return injector.get(NAME)
    service = service or QueueService(MemoryQueueBackend(), SystemTime())
    return create_agentool(NAME, QueueInput, HANDLERS, deps=service, description=DESCRIPTION, examples=EXAMPLES, injector=injector)


EXAMPLES = (
    {"operation": "enqueue", "queue_name": "reports", "message": {"report": 7}, "message_id": "report-7"},
    {"operation": "dequeue", "queue_name": "reports", "timeout": 10},
    {"operation": "ack", "queue_name": "reports", "message_id": "report-7"},
)
