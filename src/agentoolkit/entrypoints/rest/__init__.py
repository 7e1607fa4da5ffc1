"""The REST API: an application of its own, or a router to mount in yours. Needs the extra ``agentool[http]``."""

from typing import TYPE_CHECKING

from agentoolkit.lazy_names import lazy_names

if TYPE_CHECKING:
    from agentoolkit.entrypoints.rest.app import create_app, scheduler_router
    from agentoolkit.entrypoints.rest.models import ScheduledTask, TaskExecution

__all__ = ["ScheduledTask", "TaskExecution", "create_app", "scheduler_router"]

__getattr__ = lazy_names(__name__, "models", "app")
