"""Makes the AgenTool ``events``."""

from __future__ import annotations

from contextlib import suppress

from agentool.agentool import AgenTool, create_agentool
from agentool.core.injector import Injector, get_injector
from agentool.errors import UnknownAgenTool
from agentoolkit.settings import Settings
from agentoolkit.system.events.backends.memory import MemoryEventStore
from agentoolkit.system.events.operations import HANDLERS, check_event
from agentoolkit.system.events.schemas import EventsInput
from agentoolkit.system.events.service import EventService
from agentoolkit.time_source import SystemTime
from agentoolkit.toolkit_by_name import register_toolkit

NAME = "events"

DESCRIPTION = """\
Publishes what happened, and tells of it by patterns of names: 'scheduler.task.*' is what the scheduler does. Whoever was \
away reads on after a cursor."""


def create_events_agent(service: EventService | None = None, *, injector: Injector | None = None) -> AgenTool[EventService]:
    """Make the AgenTool ``events`` and register it; where there is one already, return that.

    Args:
        service: What it works with. By default the bus of a `Toolkit` if a setting names a database or Redis, or if a scheduler
            is there: its events come there too. Else events that live in memory.
        injector: Where to register; the current one by default.

    Raises:
        ConfigurationError: Another AgenTool named ``events`` is registered, or a setting is invalid.
    """
    injector = injector or get_injector()
    if service is None and NAME not in injector and _are_shared(Settings()):
        register_toolkit(injector)
    if service is None:
        with suppress(UnknownAgenTool):
            return injector.get(NAME)
    service = service or EventService(MemoryEventStore(), SystemTime(), injector)
    return create_agentool(
        NAME, EventsInput, HANDLERS, deps=service, description=DESCRIPTION, precheck=check_event, examples=EXAMPLES, injector=injector
    )


def _are_shared(settings: Settings) -> bool:
    """Tell whether other programs with these settings have the same events."""
    return settings.database is not None or settings.events.backend == "redis"


EXAMPLES = (
    {"operation": "publish", "event_type": "report.sent", "payload": {"report": "daily"}},
    {"operation": "read", "event_type": "scheduler.task.*", "limit": 20},
    {"operation": "listen", "event_type": "report.*", "timeout": 5},
)
