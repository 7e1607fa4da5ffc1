"""``/preview``, ``/simulate`` and ``/agentools``: due times and AgenTools, before anything is scheduled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.datastructures import State

from agentool.describe import describe
from agentoolkit.entrypoints.rest.models import Body, NewTask, TaskReading, reading_of
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, needing
from agentoolkit.system.scheduler.job_fields import fields_of_job
from agentoolkit.system.scheduler.schedules import BOUNDS, Kind, ReadingHabits, upstream_in

if TYPE_CHECKING:
    from agentoolkit.simulation import Firing

router = guarded_router("planning")

MAX_SIMULATED = timedelta(days=366)
MAX_SECONDS = 3.0
"""Processor time of one simulation. A thousand plain crontabs and ten thousand due times take a tenth of it."""
_WAIT_SECONDS = 10.0
"""Longest wait for another simulation. Only one runs at a time, because each holds up the event loop through Python's lock."""


class PreviewRequest(fields_of_job(*BOUNDS, base=Body)):
    """A schedule to explain."""

    schedule: str = Field(max_length=1_000, examples=["every weekday at 9:00"])
    type: Kind | None = None
    timezone: str | None = Field(default=None, max_length=100, examples=["Europe/Berlin"])
    count: int = Field(default=5, ge=1, le=100, description="Number of due times")


class SimulationRequest(Body):
    """Tasks, and the range of time to simulate."""

    tasks: list[NewTask] = Field(min_length=1, max_length=1_000)
    start: Annotated[AwareDatetime, Field(strict=False)]
    end: Annotated[AwareDatetime, Field(strict=False)]
    limit: int = Field(default=1_000, ge=1, le=10_000, description="Due times at most")


class DueTime(BaseModel):
    """One due time of one task."""

    due: datetime
    name: str
    agentool_name: str


class Simulation(BaseModel):
    """The due times of a simulation."""

    due_times: list[DueTime]
    is_cut: bool = Field(description="There are more than the limit")
    left_out: list[str] = Field(
        default=[], description="Names of tasks that come after others, whenever those end: their times are not known"
    )


class AgentoolInfo(BaseModel):
    """An AgenTool that a task can call."""

    name: str
    description: str
    operations: list[str]


class OperationInfo(BaseModel):
    """One operation of an AgenTool, with the schema for a form."""

    name: str
    description: str
    required: list[str]
    schema_: dict[str, Any] = Field(alias="schema", description="The JSON schema of its fields")
    example: dict[str, Any] | None


class AgentoolDetails(BaseModel):
    """An AgenTool with its operations."""

    name: str
    description: str
    operations: list[OperationInfo]


@router.post("/preview", openapi_extra=needing("read"))
async def preview_schedule(preview: PreviewRequest, tools: RequestTools) -> TaskReading:
    """Explain a schedule and return its next due times, without scheduling anything."""
    return reading_of(await tools.scheduler("preview", schedule_type=preview.type, **preview.model_dump(exclude={"type"})))


@router.post("/simulate", openapi_extra=needing("read"))
async def simulate_tasks(simulation: SimulationRequest, tools: RequestTools, request: Request) -> Simulation:
    """Return every due time of tasks in a range, as if they were scheduled at its start. Simulations run one at a time."""
    if not timedelta(0) < simulation.end - simulation.start <= MAX_SIMULATED:
        raise ApiError(422, "invalid-range", "The end must be after the start, by a year at most.", field="end")
    try:
        async with _simulation_lock(request.app.state):
            scheduler = tools.injector.get("scheduler").deps
            found = await _simulate(simulation, scheduler.habits, scheduler.calendars)
    except OverflowError as error:
        raise ApiError(422, "invalid-range", "The range is beyond the calendar.", field="start") from error
    except TimeoutError as error:
        raise ApiError(429, "busy", "Other simulations are under way.", remedy="Ask again in a few seconds.") from error
    due_times = [DueTime(due=one.due, name=one.name, agentool_name=one.tool) for one in found[: simulation.limit]]
    left_out = [task.name for task in simulation.tasks if upstream_in(task.schedule) is not None]
    return Simulation(due_times=due_times, is_cut=len(found) > simulation.limit, left_out=left_out)


async def _simulate(asked: SimulationRequest, habits: ReadingHabits, calendars: Mapping[str, Sequence[str]]) -> Sequence[Firing]:
    from agentoolkit.simulation import simulate

    work = partial(simulate, asked.tasks, asked.start, asked.end, habits=habits, calendars=calendars)
    working = asyncio.ensure_future(asyncio.to_thread(work, limit=asked.limit + 1, seconds=MAX_SECONDS))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait([working])  # also after a cancelled request: until its thread ends, no other simulation may begin


@asynccontextmanager
async def _simulation_lock(state: State) -> AsyncGenerator[None]:
    """Hold this application's lock for simulations. Raises `TimeoutError`."""
    if not hasattr(state, "simulating"):
        state.simulating = asyncio.Lock()
    lock: asyncio.Lock = state.simulating
    async with asyncio.timeout(_WAIT_SECONDS):
        await lock.acquire()
    try:
        yield
    finally:
        lock.release()


@router.get("/agentools")
async def list_agentools(tools: RequestTools) -> list[AgentoolInfo]:
    """List the AgenTools that tasks can call."""
    return [
        AgentoolInfo(name=tool.name, description=" ".join(tool.description.split()), operations=list(tool.operations))
        for tool in tools.injector.catalog()
    ]


@router.get("/agentools/{name}")
async def get_agentool(name: Named, tools: RequestTools) -> AgentoolDetails:
    """Return an AgenTool with its operations and the schemas of their fields."""
    if name not in tools.injector:
        raise ApiError(404, "unknown-agentool", "No AgenTool has this name.", field="name", value=name, remedy="/agentools lists them.")
    described = describe(tools.injector.get(name))
    return AgentoolDetails(
        name=described.name,
        description=described.description,
        operations=[
            OperationInfo(
                name=operation.name,
                description=operation.description,
                required=list(operation.required),
                schema=operation.schema,
                example=dict(operation.example) if operation.example is not None else None,
            )
            for operation in described.operations
        ],
    )
