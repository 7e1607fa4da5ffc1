"""The REST API: an application of its own, or a router to mount in yours. Needs the extra ``agentool[http]``."""

from typing import TYPE_CHECKING

from agentool.lazy_names import names_at_home

if TYPE_CHECKING:
    from agentoolkit.entrypoints.rest.app import create_app, scheduler_router
    from agentoolkit.entrypoints.rest.models import ScheduledTask, TaskExecution
    from agentoolkit.entrypoints.task_scheduler import TaskQueue, TaskScheduler
    from agentoolkit.system.events import EventBus, EventMessage

__all__ = ["EventBus", "EventMessage", "ScheduledTask", "TaskExecution", "TaskQueue", "TaskScheduler", "create_app", "scheduler_router"]

_HOMES = {
    "create_app": "agentoolkit.entrypoints.rest.app",
    "scheduler_router": "agentoolkit.entrypoints.rest.app",
    "ScheduledTask": "agentoolkit.entrypoints.rest.models",
    "TaskExecution": "agentoolkit.entrypoints.rest.models",
    "TaskQueue": "agentoolkit.entrypoints.task_scheduler",
    "TaskScheduler": "agentoolkit.entrypoints.task_scheduler",
    "EventBus": "agentoolkit.system.events",
    "EventMessage": "agentoolkit.system.events",
}

__getattr__ = names_at_home(__name__, _HOMES)
