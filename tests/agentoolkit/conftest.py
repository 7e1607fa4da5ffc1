"""What the tests of the AgenTools share: a toolkit whose clock is moved, an AgenTool to be run, and short ways to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.testing import TestToolkit, toolkit

START = "2030-01-01T00:00:00+00:00"
"""A Tuesday."""


class ProbeInput(BaseOperationInput):
    operation: Literal["run"]
    number: int = 0
    data: dict[str, Any] | None = None


class Probe:
    """Notes each call of the AgenTool ``probe``, then ends as the test says."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.calls: list[str] = []
        """When it was called, ISO 8601."""
        self.inputs: list[dict[str, Any]] = []
        self.running = 0
        self.most_running = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.returns: Any = "done"
        self.raises: BaseException | None = None

    async def run(self, **given: Any) -> Any:
        self.calls.append(self._now().isoformat())
        self.inputs.append(given)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.may_end.wait()
        finally:
            self.running -= 1
        if self.raises is not None:
            raise self.raises
        return self.returns

    def blocks(self) -> None:
        """Let every call wait until `may_end` is set."""
        self.may_end.clear()


async def probe_run(ctx: RunContext[Probe], number: int = 0, data: dict[str, Any] | None = None) -> Any:
    """Do what the test wants done."""
    return await ctx.deps.run(number=number, data=data)


class Asking:
    """Calls the scheduler of a toolkit, and its queues, as a user would."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    async def __call__(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Perform an operation and return its data."""
        return (await self._injector.run("scheduler", {"operation": operation, **fields})).data

    async def output(self, operation: str, **fields: Any) -> Any:
        """Return the whole answer, its message included."""
        return await self._injector.run("scheduler", {"operation": operation, **fields})

    def begin(self, operation: str, **fields: Any) -> asyncio.Task[dict[str, Any]]:
        """Begin an operation that takes time."""
        return asyncio.ensure_future(self(operation, **fields))

    async def add(self, schedule: str, **fields: Any) -> dict[str, Any]:
        """Schedule the probe, unless the fields name another target."""
        target = {"agentool_name": "probe", "input_data": {"operation": "run"}}
        return await self("schedule", schedule=schedule, **{**target, **fields})

    async def history(self, job_id: str | None = None) -> list[dict[str, Any]]:
        """Return a job's records, the oldest first."""
        named = {"job_id": job_id} if job_id else {}
        return (await self("get_history", **named))["history"][::-1]

    async def statuses(self, job_id: str) -> list[str]:
        """Return how a job's executions stand, the oldest first."""
        return [record["status"] for record in await self.history(job_id)]

    async def messages(self, queue_name: str) -> list[Any]:
        """Take every message out of a queue."""
        await self._injector.run("queue", {"operation": "create_queue", "queue_name": queue_name})  # unless it is there
        taken = await self._injector.run("queue", {"operation": "dequeue", "queue_name": queue_name, "count": 1000, "auto_ack": True})
        return [message["message"] for message in taken.data["messages"]]


@pytest.fixture
async def kit() -> AsyncIterator[TestToolkit]:
    """A toolkit that stands at the beginning of Tuesday, 1 January 2030, UTC."""
    async with toolkit(at=START) as kit:
        yield kit


@pytest.fixture
def probe(kit: TestToolkit) -> Iterator[Probe]:
    """The AgenTool ``probe`` of the toolkit."""
    probe = Probe(kit.clock.now)
    create_agentool("probe", ProbeInput, {"run": probe_run}, deps=probe, injector=kit.injector)
    yield probe
    probe.may_end.set()


@pytest.fixture
def scheduler(kit: TestToolkit, probe: Probe) -> Asking:
    """The scheduler of the toolkit, which can run ``probe``."""
    return Asking(kit.injector)
