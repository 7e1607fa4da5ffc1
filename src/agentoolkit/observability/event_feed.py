"""What the scheduler does, on the event bus: by its documented names, with whatever a subscriber needs to look further."""

from __future__ import annotations

from typing import Any

from agentoolkit.system.events.messages import SCHEDULER, EventMessage
from agentoolkit.system.events.service import EventService
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.jobs import Execution, Job

MAX_TEXT = 500
"""Characters of an error's message that an event tells; the history has all of it."""


class EventFeed:
    """Publishes each event of the scheduler. Made to be given to ``scheduler.subscribe``.

    Args:
        bus: Where they are published.
    """

    def __init__(self, bus: EventService) -> None:
        self._bus = bus

    def __call__(self, event: Event) -> None:
        about: dict[str, Any] = {"task_id": event.job_id, "job_id": event.job_id}
        if event.job is not None:
            about |= _about_job(event.job)
        if event.execution is not None:
            about |= _about_execution(event.execution)
        # Not validated: it is made of facts, for every execution.
        self._bus.put(
            EventMessage.model_construct(
                event_id=None,
                event_type=event.type,
                source_agent=SCHEDULER,
                target_agent=None,
                payload=about,
                owner=event.owner,
                published_at=self._bus.now(),
            )
        )


def _about_job(job: Job) -> dict[str, Any]:
    return {"task_name": job.job_name, "agentool_name": job.agentool_name, "schedule": job.schedule.text if job.readable else ""}


def _about_execution(execution: Execution) -> dict[str, Any]:
    about: dict[str, Any] = {
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
