"""Creates the scheduler AgenTool."""

from __future__ import annotations

from functools import wraps
from typing import Any

from agentool.agentool import AgenTool, create_agentool
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentool.operations import Handler
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.after_tool import create_after_agent
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.event_loops import done_on
from agentoolkit.system.scheduler.events import EventPublisher
from agentoolkit.system.scheduler.operations import HANDLERS
from agentoolkit.system.scheduler.schemas import SchedulerInput
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.time_source import SystemTime
from agentoolkit.toolkit_by_name import register_toolkit

NAME = "scheduler"
_BUS = "events"
"""The AgenTool that hears of the scheduler's events."""
_GROUPS = (None, "agents")
"""Groups of the scheduler's settings: its own, and the limits of what agents may schedule."""

DESCRIPTION = """\
Runs AgenTools at set times: by crontab, at intervals or once, or after another job. Forwards results and errors to
queues and keeps the last 100 executions of each job."""


def create_scheduler_agent(service: SchedulerService | None = None, *, injector: Injector | None = None) -> AgenTool[SchedulerService]:
    """Create the AgenTools ``scheduler`` and ``after``, and register them. Without a service, a registered one is returned.

    Args:
        service: The scheduler's service. By default a new one, which starts at first use: a `Toolkit`'s where a setting of the
            scheduler is given, such as its database, its zone or a limit for agents, or a bus is there for its events; else one in
            memory. The other AgenTools of this package are then registered too, at the latest when a job or a call names one.
        injector: Where to register it and to find AgenTools to run; the current one by default.

    Raises:
        ConfigurationError: Another AgenTool named ``scheduler`` or ``after`` is registered, or a setting is invalid.
    """
    injector = injector or get_injector()
    if service is None and NAME in injector:
        return injector.get(NAME)
    if service is None and (_BUS in injector or any(setting.group in _GROUPS for setting in Settings().given)):
        register_toolkit(injector)
        return injector.get(NAME)
    if service is None:
        service = SchedulerService(Parts(MemoryJobStore(), injector, SystemTime(), EventPublisher()))
        injector.register_others_later(lambda: register_toolkit(injector))
    handlers = {name: _at_home(handler) for name, handler in HANDLERS.items()}
    about: dict[str, Any] = {"description": DESCRIPTION, "examples": EXAMPLES, "refusal": InvalidJob, "trial": _on_trial}
    agent = create_agentool(NAME, SchedulerInput, handlers, deps=service, injector=injector, **about)
    create_after_agent(service.store, injector=injector)
    return agent


def _on_trial(service: SchedulerService, asked: SchedulerInput) -> tuple[SchedulerService, SchedulerInput] | None:
    """Return a dry run; see `AgenTool.trial`."""
    return (service, asked.model_copy(update={"dry_run": True})) if asked.operation in ("schedule", "update") else None


def _at_home(handler: Handler) -> Handler:
    """Run a handler on the engine's event loop: a function in a thread may call the scheduler by `run_sync`."""

    @wraps(handler)
    async def handle(ctx: RunContext[SchedulerService], **fields: Any) -> Any:
        return await done_on(ctx.deps.lifecycle.elsewhere, lambda: handler(ctx, **fields))

    return handle


EXAMPLES = (
    {
        "operation": "schedule",
        "job_name": "hourly_metrics",
        "schedule": "1 hour",
        "agentool_name": "metrics",
        "input_data": {"operation": "export", "format": "json"},
    },
    {"operation": "preview", "schedule": "0 9 * * 1-5", "timezone": "Europe/Berlin"},
    {"operation": "get_history", "job_id": "hourly_metrics", "limit": 10},
)
