"""One run of a sequence: start each step after the steps that it needs, and record its end."""

from __future__ import annotations

import asyncio
import contextlib
import time as stopwatch
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.core.injector import Injector
from agentool.errors import InvalidInput, text_of
from agentool.references import SizeBudget
from agentoolkit.actions.steps import PREFIX, PlannedStep, StepStatus, TargetCall, filled, inner_steps, referred
from agentoolkit.endings import cut_short, part_done
from agentoolkit.json_values import recordable
from agentoolkit.time_source import TimeSource

UNDO_SECONDS = 4.0
"""Seconds for compensations after a cancellation: less than a cancelled handler gets before it is given up."""

MAX_PART = 100_000
"""Largest partial result of a failed step that is kept, in bytes."""

OnFailure = Literal["stop", "continue", "compensate"]


class StepError(BaseModel):
    """The error of a step."""

    type: str
    message: str


class StepRecord(BaseModel):
    """The record of a step."""

    name: str
    agentool_name: str
    status: StepStatus
    reason: str = Field(default="", description="Why it was skipped")
    started_at: datetime | None = None
    duration: float | None = Field(default=None, description="Seconds")
    result: Any = None
    error: StepError | None = None


class SequenceOutput(BaseModel):
    """The records of all steps, in the order of the list."""

    status: Literal["success", "failed"]
    steps: list[StepRecord]
    compensations: list[StepRecord] = Field(
        default=[], description="Records of the compensations, in the order of their starts; skipped if there was no time"
    )
    duration: float = Field(description="Seconds")


class SequenceRun:
    """Runs the steps of a plan once.

    Args:
        plan: Steps whose names, needs and references fit each other.
        injector: The injector that has their AgenTools.
        time: The source of their start times.
        on_failure: The rule for the other steps after a failure.
        concurrency: Steps that run at once.
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
        """Cancellations of the whole run that were handled already."""
        self._records: dict[str, StepRecord] = {}
        """Records of the steps that have started or were skipped."""
        self._done: list[PlannedStep] = []
        """Steps that succeeded and are not undone, in the order of their ends."""
        self._broken: set[str] = set()
        """Steps that failed, and steps that did not run because of a failure."""
        self._compensations: list[StepRecord] = []
        self._budget = SizeBudget(what="What the steps answer together")
        self._began = stopwatch.perf_counter()
        self.first_failure: tuple[StepRecord, BaseException] | None = None

    async def run(self) -> SequenceOutput:
        """Run the steps, then the compensations if they are needed.

        Raises:
            CancelledError: The run was cancelled. With 'compensate', finished steps are undone first, within `UNDO_SECONDS`.
                The error's ``result`` has the records of all steps and compensations.
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
        """Record the steps that did not start as skipped; with 'compensate', undo the finished ones."""
        self._cancels = self._task.cancelling() if self._task else 0
        for step in self._plan:
            if step.name not in self._records:
                self._records[step.name] = _record(step.name, step.call, "skipped", reason="the sequence was cut short")
        self.first_failure = self.first_failure or (next(iter(self._records.values())), asyncio.CancelledError("cut short"))
        if self._on_failure == "compensate":
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(UNDO_SECONDS):
                    await self._compensate()
            for step, undo in self._to_undo():
                self._compensations.append(_record(step.name, undo, "skipped", reason="there was no time left to undo it"))

    async def _run_in_turn(self, step: PlannedStep) -> None:
        for name in step.needs:
            await self._ended[name].wait()
        try:
            async with self._room:
                await self._run_or_skip(step)
        finally:
            self._ended[step.name].set()

    async def _run_or_skip(self, step: PlannedStep) -> None:
        record = self._records[step.name] = _record(step.name, step.call, "success")
        try:
            reason = self._why_not(step)
        except InvalidInput as error:  # its condition refers to a missing part of a result
            self._note_failure(record, error)
        else:
            if reason is not None:
                record.status, record.reason = "skipped", reason
                return
            await self._call(record, step.call)
        if record.status == "failed":
            self._broken.add(step.name)
        else:
            self._done.append(step)

    def _why_not(self, step: PlannedStep) -> str | None:
        """Return the reason why a step does not run; None if it runs."""
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
        results = self._results()
        return referred(reference) in results and bool(filled(reference, results))

    def _results(self) -> Mapping[str, Any]:
        return {name: record.result for name, record in self._records.items() if record.status == "success"}

    async def _call(self, record: StepRecord, call: TargetCall) -> None:
        """Call an AgenTool, for a step or to undo one, and write down in its record how that ended."""
        record.started_at = self._time.now()
        began = stopwatch.perf_counter()
        try:
            inner = inner_steps(call.agentool_name, call.input_data)
            output = await self._injector.run(call.agentool_name, filled(call.input_data, self._results(), inner))
            result = recordable(output)
            self._budget.spend(result)
            record.result = result
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            record.result = part_done(error, MAX_PART)
            # Unless the whole run is cancelled, the step itself raised the CancelledError, which is a failure.
            if isinstance(error, asyncio.CancelledError) and self._task is not None and self._task.cancelling() > self._cancels:
                self._note_failure(record, error, "It was cut short.")
                raise cut_short(error, record.result) from None
            self._note_failure(record, error)
        record.duration = stopwatch.perf_counter() - began

    def _note_failure(self, record: StepRecord, error: BaseException, message: str = "") -> None:
        kind = type(error).__name__
        record.status, record.error = "failed", StepError(type=kind, message=message or text_of(error) or f"raised {kind}")
        self.first_failure = self.first_failure or (record, error)

    async def _compensate(self) -> None:
        """Undo the finished steps. A second call goes on with the next step: the end of an interrupted compensation is unknown."""
        for step, undo in self._to_undo():
            record = _record(step.name, undo, "success")
            self._compensations.append(record)
            await self._call(record, undo)

    def _to_undo(self) -> Iterator[tuple[PlannedStep, TargetCall]]:
        """Yield the finished steps with their compensations, last ended first. A step is removed from the list before its turn."""
        while self._done:
            step = self._done.pop()
            if step.compensate is not None:
                yield step, step.compensate


def _record(name: str, call: TargetCall, status: StepStatus, *, reason: str = "") -> StepRecord:
    return StepRecord(name=name, agentool_name=call.agentool_name, status=status, reason=reason)
