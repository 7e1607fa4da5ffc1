"""Events: publish and subscribe by patterns. They are hints: the store of jobs is the record, and losing an event loses no work."""

from typing import TYPE_CHECKING

from agentool.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.system.events.agentool import create_events_agent
    from agentoolkit.system.events.bus import EventBus, get_event_bus
    from agentoolkit.system.events.errors import EventError, InvalidEvent
    from agentoolkit.system.events.messages import EventMessage
    from agentoolkit.system.events.schemas import EventsInput, EventsOutput
    from agentoolkit.system.events.service import EventService
    from agentoolkit.system.events.subscriptions import Subscription

__all__ = [
    "EventBus",
    "EventError",
    "EventMessage",
    "EventService",
    "EventsInput",
    "EventsOutput",
    "InvalidEvent",
    "Subscription",
    "create_events_agent",
    "get_event_bus",
]

__getattr__ = lazy_names(__name__, "errors", "messages", "schemas", "subscriptions", "service", "bus", "agentool")
