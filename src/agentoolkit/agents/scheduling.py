"""The capability that lets a pydantic-ai agent schedule: ``Agent(model, capabilities=[Scheduling()])``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import AbstractToolset, CombinedToolset

from agentool.caller import OWN, Caller
from agentool.core.injector import Injector, get_injector
from agentool.toolset import AgenToolset, CallerFor
from agentoolkit.agents.scheduling_desk import find_scheduler, known_zone
from agentoolkit.agents.scheduling_tool import NAME, create_scheduling_tool

INSTRUCTIONS = """\
You can schedule prompts and tools to run later, once or repeatedly. Look with list_jobs before you schedule; change a job rather \
than make a second one. Say times in words, as the user did ('in 20 minutes', 'every weekday at 9:00'); never compute a date or a \
time. Afterwards tell the user the reading, the zone and the next run. If a call is refused, nothing was scheduled: repair it or say so."""


@dataclass
class Scheduling(AbstractCapability[Any]):
    """Tools for scheduling, short instructions, and who asks.

    Args:
        timezone: IANA zone of the user; the scheduler's by default.
        agent: Name of the agent that runs scheduled prompts; the only registered one by default.
        owner: Whose the jobs are; whoever runs the agent by default. The model can neither see nor set it.
        full: Offer every operation of the scheduler besides.
        defer_loading: Show the tools only after the model has searched for them.
        approve_cancel: Ask a person before a job is cancelled.
    """

    timezone: str | None = None
    agent: str | None = None
    owner: str | None = None
    full: bool = False
    defer_loading: bool = False
    approve_cancel: bool = False

    def __post_init__(self) -> None:
        """Spell the zone as it is. Raises `ConfigurationError` for one that does not exist."""
        self.timezone = known_zone(self.timezone)

    def get_toolset(self) -> AbstractToolset[Any]:
        """Return the five tools, and with `full` those of the scheduler."""
        caller = Caller(self.owner, "agent", OWN) if self.owner else None
        five = five_tools(self.timezone, self.agent, caller, approve_cancel=self.approve_cancel, defer_loading=self.defer_loading)
        if not self.full:
            return five
        return CombinedToolset([five, AgenToolset("scheduler", caller=caller, defer_loading=self.defer_loading, id="scheduler")])

    def get_instructions(self) -> Sequence[Any]:
        """Return what the model is told: a text that never changes, and the date and zone, without the minute."""
        return [INSTRUCTIONS, self._today]

    def _today(self, ctx: RunContext[Any]) -> str:
        scheduler = find_scheduler(get_injector())
        zone = self.timezone or scheduler.timezone
        return f"Today is {scheduler.now().astimezone(ZoneInfo(zone)):%A, %Y-%m-%d}, time zone {zone}."


def five_tools(
    timezone: str | None = None,
    agent: str | None = None,
    caller: Caller | CallerFor | None = None,
    *,
    approve_cancel: bool = False,
    defer_loading: bool = False,
) -> AgenToolset:
    """Return the tools of the capability `Scheduling`, where `caller` may also tell users apart by the run's context."""
    private = Injector()
    create_scheduling_tool(private, timezone=timezone, agent=agent)
    return AgenToolset(
        NAME,
        names=lambda operation: operation.name,
        approve=["cancel_job"] if approve_cancel else [],
        caller=caller,
        injector=private,
        defer_loading=defer_loading,
        id="scheduling",
    )
