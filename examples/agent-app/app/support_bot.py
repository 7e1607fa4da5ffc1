"""Another agent, which hears of what the first one does."""

from agentoolkit.system.events import EventBus, EventMessage

heard: list[str] = []


def handle_event(event: EventMessage) -> None:
    """Note an event."""
    heard.append(f"{event.event_type} from {event.source_agent}")


def start() -> None:
    """Listen from now on."""
    EventBus().subscribe(agent_name="support-bot", event_type="email.*", callback=handle_event)
