"""One run of a sequence: starts each step when those it needs are done, and writes down what became of it."""

from __future__ import annotations

import asyncio
import time as stopwatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentool.references import Budget
from agentoolkit.actions.steps import PREFIX, PlannedStep, StepStatus, TargetCall, filled
from agentoolkit.json_values import recordable
from agentoolkit.time_source import TimeSource

OnFailure = Literal["stop", "continue", "compensate"]


class StepError(BaseModel):
    """What a step raised."""

    type: str
    message: str


class StepRecord(BaseModel):
    """What became of a step."""

    name: str
    agentool_name: str
    status: StepStatus
    reason: str = Field(default="", description="Why it was skipped")
    started_at: datetime | None = None
    duration: float | None = Field(default=None, description="Seconds")
    result: Any = None
    error: StepError | None = None


class Course:
    """Runs the steps of a plan once.

    Args:
        plan: Steps whose names, needs and references fit each other.
        injector: Where their AgenTools are.
        time: Where the time of their starts comes from.
        on_failure: What a failed step means for the others.
        concurrency: How many run at once.
    """

    def __init__(self, plan: Sequence[PlannedStep], injector: Injector, time: TimeSource, on_failure: OnFailure, concurrency: int) -> None:
        self._plan = plan
        self._injector = injector
        self._time = time
        self._on_failure = on_failure
        self._room = asyncio.Semaphore(concurrency)
        self._ended = {step.name: asyncio.Event() for step in plan}
        self._task: asyncio.Task[Any] | None = None
        self._records: dict[str, StepRecord] = {}
        self._budget = Budget(what="What the steps answer together")
        self._broken: set[str] = set()
        """Steps that failed, and those that did not run because of one."""
        self.first_failure: tuple[StepRecord, BaseException] | None = None
        self.compensations: list[StepRecord] = []
        self.duration = 0.0

    async def run(self) -> None:
        """Run every step that is to run, then what undoes them if need be."""
        self._task, began = asyncio.current_task(), stopwatch.perf_counter()
        async with asyncio.TaskGroup() as group:
            for step in self._plan:
                group.create_task(self._settle(step))
        if self.first_failure and self._on_failure == "compensate":
            await self._compensate()
        self.duration = stopwatch.perf_counter() - began

    def in_order(self) -> list[StepRecord]:
        """Return the records in the order of the plan."""
        return [self._records[step.name] for step in self._plan]

    async def _settle(self, step: PlannedStep) -> None:
        for name in step.needs:
            await self._ended[name].wait()
        try:
            async with self._room:
                self._records[step.name] = await self._carry_out(step)
        finally:
            self._ended[step.name].set()

    async def _carry_out(self, step: PlannedStep) -> StepRecord:
        if (reason := self._why_not(step)) is not None:
            return _record(step.name, step.call, "skipped", reason=reason)
        record = await self._call(step.name, step.call)
        if record.status == "failed":
            self._broken.add(step.name)
        return record

    def _why_not(self, step: PlannedStep) -> str | None:
        """Say why a step does not run; None if it does."""
        broken = [name for name in step.needs if name in self._broken]
        if step.when == "always":
            return None
        if step.when == "failure":
            return None if broken else "nothing that it needs failed"
        if broken or (self.first_failure and self._on_failure != "continue"):
            self._broken.add(step.name)
            return f"{broken[0]!r} did not succeed" if broken else f"{self._first_failed} failed"
        if step.when.startswith(PREFIX) and not self._holds(step.when):
            return f"{step.when} is not true"
        return None

    @property
    def _first_failed(self) -> str:
        return repr(self.first_failure[0].name) if self.first_failure else ""

    def _holds(self, reference: str) -> bool:
        try:
            return bool(filled(reference, self._results()))
        except InvalidInput:
            return False

    def _results(self) -> Mapping[str, Any]:
        return {name: record.result for name, record in self._records.items() if record.status == "success"}

    async def _call(self, name: str, call: TargetCall) -> StepRecord:
        record = _record(name, call, "success", started_at=self._time.now())
        began = stopwatch.perf_counter()
        try:
            output = await self._injector.run(call.agentool_name, filled(call.input_data, self._results()))
            result = recordable(output)
            self._budget.spend(result)
            record.result = result
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and self._is_cancelled():
                raise
            kind = type(error).__name__
            record.status, record.error = "failed", StepError(type=kind, message=str(error) or f"raised {kind}")
            self.first_failure = self.first_failure or (record, error)
        record.duration = stopwatch.perf_counter() - began
        return record

    def _is_cancelled(self) -> bool:
        """Is the run as a whole cancelled? If not, a CancelledError is the step's own doing."""
        return self._task is not None and self._task.cancelling() > 0

    async def _compensate(self) -> None:
        # Python keeps insertion order, so the last to end is the first to be undone.
        done = [name for name, record in self._records.items() if record.status == "success"]
        by_name = {step.name: step for step in self._plan}
        for name in reversed(done):
            if (undo := by_name[name].compensate) is not None:
                self.compensations.append(await self._call(name, undo))


def _record(name: str, call: TargetCall, status: StepStatus, *, reason: str = "", started_at: datetime | None = None) -> StepRecord:
    return StepRecord(name=name, agentool_name=call.agentool_name, status=status, reason=reason, started_at=started_at)
