"""Publish the scheduler's events on the event bus, under their documented names and with the ids to look up details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentoolkit.system.events.messages import SCHEDULER, EventRecord
from agentoolkit.system.events.service import EventService
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.execution_records import Execution

MAX_TEXT = 500
"""Characters of an error's message in an event; the history has the whole message."""


class EventFeed:
    """Publishes each event of the scheduler while somebody reads. Pass it to ``scheduler.subscribe_to_portions``.

    Args:
        bus: The event bus.
    """

    def __init__(self, bus: EventService) -> None:
        self._bus = bus

    def __call__(self, events: Sequence[Event]) -> None:
        if self._bus.unread:
            return
        for event in events:
            if not event.elsewhere:
                self._bus.put(EventRecord(event.type, SCHEDULER, event.owner, self._bus.now(), event, _about))


def _about(event: Event) -> dict[str, Any]:
    if event.execution is not None:
        return _about_execution(event.execution)
    about: dict[str, Any] = {"task_id": event.job_id, "job_id": event.job_id}
    if (job := event.job) is not None:
        about |= {"task_name": job.job_name, "agentool_name": job.agentool_name, "schedule": job.schedule.text if job.readable else ""}
    return about


def _about_execution(execution: Execution) -> dict[str, Any]:
    about: dict[str, Any] = {
        "task_id": execution.job_id,
        "job_id": execution.job_id,
        "execution_id": execution.execution_id,
        "agentool_name": execution.agentool_name,
        "status": execution.status.value,
        "trigger": execution.trigger,
        "attempt": execution.attempt,
        "scheduled_at": execution.scheduled_at.isoformat(),
        "duration": execution.duration,
    }
    if execution.reason:
        about["reason"] = execution.reason[:MAX_TEXT]
    if execution.error is not None:
        about["error"] = {"type": execution.error.type, "message": execution.error.message[:MAX_TEXT]}
    return about
