"""One run of a sequence: starts each step when those it needs are done, and records how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import time as stopwatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.core.injector import Injector
from agentool.errors import InvalidInput
from agentool.references import SizeBudget
from agentoolkit.actions.steps import PREFIX, PlannedStep, StepStatus, TargetCall, filled, inner_steps
from agentoolkit.endings import cut_short, part_done
from agentoolkit.json_values import recordable
from agentoolkit.time_source import TimeSource

UNDO_SECONDS = 4.0
"""What undoing may take after a sequence was cancelled: less than a handler has before it is given up."""

MAX_PART = 100_000
"""Bytes that are kept of what a step did before it failed."""

OnFailure = Literal["stop", "continue", "compensate"]


class StepError(BaseModel):
    """What a step raised."""

    type: str
    message: str


class StepRecord(BaseModel):
    """How a step ended."""

    name: str
    agentool_name: str
    status: StepStatus
    reason: str = Field(default="", description="Why it was skipped")
    started_at: datetime | None = None
    duration: float | None = Field(default=None, description="Seconds")
    result: Any = None
    error: StepError | None = None


class SequenceOutput(BaseModel):
    """How each step ended, in the order of the list."""

    status: Literal["success", "failed"]
    steps: list[StepRecord]
    compensations: list[StepRecord] = Field(default=[], description="What was undone, in the order in which it was")
    duration: float = Field(description="Seconds")


class SequenceRun:
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
        self._cancels = 0
        """Requests to cancel the run as a whole that were heard."""
        self._records: dict[str, StepRecord] = {}
        self._running: dict[str, StepRecord] = {}
        self._budget = SizeBudget(what="What the steps answer together")
        self._broken: set[str] = set()
        """Steps that failed, and those that did not run because of one."""
        self._compensations: list[StepRecord] = []
        self._began = stopwatch.perf_counter()
        self.first_failure: tuple[StepRecord, BaseException] | None = None

    async def run(self) -> SequenceOutput:
        """Run every step that is to run, then what undoes them if need be.

        Raises:
            CancelledError: It was cancelled. What was done is undone first, if failure means that, within `UNDO_SECONDS`.
                Its ``result`` has the record of each step and compensation.
        """
        self._task = asyncio.current_task()
        self._cancels = self._task.cancelling() if self._task else 0
        try:
            async with asyncio.TaskGroup() as group:
                for step in self._plan:
                    group.create_task(self._run_in_turn(step))
            if self.first_failure and self._on_failure == "compensate":
                await self._compensate()
        except asyncio.CancelledError as error:
            await self._end_early()
            raise cut_short(error, self._output()) from None
        return self._output()

    def _output(self) -> SequenceOutput:
        return SequenceOutput(
            status="success" if self.first_failure is None else "failed",
            steps=[self._records[step.name] for step in self._plan],
            compensations=self._compensations,
            duration=stopwatch.perf_counter() - self._began,
        )

    async def _end_early(self) -> None:
        """Record the steps that did not end, and undo those that did if failure means that."""
        self._cancels = self._task.cancelling() if self._task else 0
        error = asyncio.CancelledError("cut short")
        for step in self._plan:
            if (record := self._running.get(step.name)) is not None:
                record.status, record.error = "failed", StepError(type="CancelledError", message="It was cut short.")
                self._records[step.name] = record
                self.first_failure = self.first_failure or (record, error)
            elif step.name not in self._records:
                self._records[step.name] = _record(step.name, step.call, "skipped", reason="the sequence was cut short")
        self.first_failure = self.first_failure or (next(iter(self._records.values())), error)
        if self._on_failure == "compensate" and not self._compensations:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(UNDO_SECONDS):
                    await self._compensate()

    async def _run_in_turn(self, step: PlannedStep) -> None:
        for name in step.needs:
            await self._ended[name].wait()
        try:
            async with self._room:
                if (reason := self._why_not(step)) is not None:
                    record = _record(step.name, step.call, "skipped", reason=reason)
                else:
                    record = await self._call(step.name, step.call)
                if record.status == "failed":
                    self._broken.add(step.name)
                self._records[step.name] = record
        finally:
            self._ended[step.name].set()

    def _why_not(self, step: PlannedStep) -> str | None:
        """Say why a step does not run; None if it does."""
        broken = [name for name in step.needs if name in self._broken]
        if step.when == "always":
            return None
        if step.when == "failure":
            return None if broken else "nothing that it needs failed"
        if broken:
            self._broken.add(step.name)
            return f"{broken[0]!r} did not succeed"
        if self.first_failure and self._on_failure != "continue":
            self._broken.add(step.name)
            return f"{self.first_failure[0].name!r} failed"
        if step.when.startswith(PREFIX) and not self._holds(step.when):
            return f"{step.when} is not true"
        return None

    def _holds(self, reference: str) -> bool:
        try:
            return bool(filled(reference, self._results()))
        except InvalidInput:
            return False

    def _results(self) -> Mapping[str, Any]:
        return {name: record.result for name, record in self._records.items() if record.status == "success"}

    async def _call(self, name: str, call: TargetCall) -> StepRecord:
        record = _record(name, call, "success", started_at=self._time.now())
        self._running[name] = record
        began = stopwatch.perf_counter()
        try:
            inner = inner_steps(call.agentool_name, call.input_data)
            output = await self._injector.run(call.agentool_name, filled(call.input_data, self._results(), inner))
            result = recordable(output)
            self._budget.spend(result)
            record.result = result
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            record.result = part_done(error, MAX_PART)
            # Unless the run as a whole is cancelled, a CancelledError is the step's own doing.
            if isinstance(error, asyncio.CancelledError) and self._task is not None and self._task.cancelling() > self._cancels:
                raise cut_short(error, record.result) from None
            kind = type(error).__name__
            record.status, record.error = "failed", StepError(type=kind, message=str(error) or f"raised {kind}")
            self.first_failure = self.first_failure or (record, error)
        record.duration = stopwatch.perf_counter() - began
        del self._running[name]
        return record

    async def _compensate(self) -> None:
        # Python keeps insertion order, so the last to end is the first to be undone.
        done = [name for name, record in self._records.items() if record.status == "success"]
        by_name = {step.name: step for step in self._plan}
        for name in reversed(done):
            if (undo := by_name[name].compensate) is not None:
                self._compensations.append(await self._call(name, undo))


def _record(name: str, call: TargetCall, status: StepStatus, *, reason: str = "", started_at: datetime | None = None) -> StepRecord:
    return StepRecord(name=name, agentool_name=call.agentool_name, status=status, reason=reason, started_at=started_at)
