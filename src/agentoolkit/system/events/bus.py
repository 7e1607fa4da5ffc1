"""The event bus for sync and async code, in the words of the two documents that describe one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentool.core.injector import Injector, get_injector
from agentoolkit.system.events.agentool import create_events_agent
from agentoolkit.system.events.messages import ALIASES, SCHEDULER, EventMessage, unreserved
from agentoolkit.system.events.service import EventService
from agentoolkit.system.events.subscriptions import Handler, Subscription


class EventBus:
    """Publishes events and delivers them to subscribers. All instances share the bus of the current injector.

    Source: *Agent Scheduler & Background Task Queue*, "Use Event Bus", and *Nagatha Assistant Task Scheduler*, "Event Handling".

    Args:
        injector: The injector that has the bus; by default the current one.
    """

    def __init__(self, injector: Injector | None = None) -> None:
        injector = injector or get_injector()
        self._service: EventService = create_events_agent(injector=injector).deps
        self._listening: Subscription | None = None

    def publish(
        self, event_type: str, source_agent: str = "code", payload: Mapping[str, Any] | None = None, target_agent: str | None = None
    ) -> EventMessage:
        """Publish an event to all subscribers or to one agent. It never waits, and may be called from any thread.

        Raises:
            InvalidEvent: The name belongs to the scheduler, or name or payload is invalid. Code may publish ``task.completed`` and the
                like for its own work, as the document does; ``source_agent`` distinguishes it from the scheduler's.
        """
        is_of_own_work = event_type in ALIASES.values() and source_agent.casefold() != SCHEDULER
        return self._service.publish(event_type if is_of_own_work else unreserved(event_type), source_agent, payload, target_agent)

    def subscribe(
        self, event_type: str = "*", callback: Handler | None = None, agent_name: str | None = None, *, name: str | None = None
    ) -> Subscription:
        """Call a sync or async function with each event of a name or a pattern such as ``scheduler.task.*``.

        Args:
            event_type: The name, or a pattern.
            callback: Called with one event after the other; None to wait with `Subscription.next`.
            agent_name: The subscribing agent; events for other agents are left out.
            name: A name under which the subscriber's cursor is stored, so that it misses nothing while its process is down.

        Raises:
            InvalidEvent: The pattern is invalid.
        """
        return self._service.subscribe(event_type, callback, agent_name=agent_name, name=name)

    def unsubscribe(self, who: Subscription | Handler) -> bool:
        """End a subscription, or every one of a function. Return whether there was one."""
        return self._service.unsubscribe(who)

    def listen(self, timeout: float | None = None) -> EventMessage | None:
        """Wait for the next event since the first call, in a thread without an event loop.

        Args:
            timeout: Seconds; None waits for ever.

        Returns:
            The event; None after the timeout.

        Raises:
            ConfigurationError: An event loop runs here; write ``await bus.next(timeout)``.
        """
        return self._service.loop.wait_for(self.next(timeout))

    async def next(self, timeout: float | None = None) -> EventMessage | None:
        """Wait for the next event as `listen` does, on the caller's event loop."""
        if self._listening is None:
            self._listening = self._service.subscribe()
        return await self._listening.next(timeout)


def get_event_bus(injector: Injector | None = None) -> EventBus:
    """Return the event bus of the current injector. Source: *Nagatha Assistant Task Scheduler*, "Event Handling"."""
    return EventBus(injector)
