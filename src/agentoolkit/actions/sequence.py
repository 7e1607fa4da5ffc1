"""Run several AgenTools as one execution, in order or in parallel, with a record of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector, get_injector
from agentool.errors import AgenToolError, InvalidInput, Refusals, UnknownAgenTool
from agentool.references import has_references
from agentoolkit.actions.sequence_run import OnFailure, SequenceOutput, SequenceRun, StepRecord
from agentoolkit.actions.steps import PlannedStep, Step, TargetCall, call_references, is_open, planned
from agentoolkit.actions.task_types import TaskTypes
from agentoolkit.settings import SequenceSettings
from agentoolkit.time_source import SystemTime, TimeSource


class TaskCall(BaseModel):
    """A task by its type. Source of the format: *Nagatha Assistant Task Scheduler*, "Task Dependencies"."""

    model_config = ConfigDict(extra="forbid")

    type: str
    args: dict[str, Any] = Field(default={})


class TaskDefinition(TaskCall):
    """A task as a step. The last four fields: see `Step`."""

    name: str | None = None
    needs: list[str] | None = None
    when: str = "success"
    compensate: TaskCall | None = None


class SequenceInput(BaseOperationInput):
    """Input of the sequence AgenTool: either steps, or tasks by their type."""

    operation: Literal["run"]
    steps: list[Step] | None = Field(None, description="Calls of AgenTools")
    task_definitions: list[TaskDefinition] | None = Field(None, description="Tasks, as {'type': …, 'args': {…}}")
    on_failure: OnFailure | None = Field(
        "stop",
        description="'stop': start no more steps; 'continue': run steps that do not need it; 'compensate': stop, then undo finished steps",
    )


class SequenceFailed(AgenToolError, RuntimeError):
    """At least one step failed. ``result`` is the `SequenceOutput`, which the scheduler stores with the failed execution."""

    result: SequenceOutput | None = None


@dataclass(frozen=True, slots=True)
class Sequences:
    """The deps of the AgenTool ``sequence``."""

    injector: Injector
    time: TimeSource = field(default_factory=SystemTime)
    types: TaskTypes = field(default_factory=TaskTypes)
    concurrency: int = SequenceSettings().concurrency

    def plan(self, steps: Sequence[Step] | None, tasks: Sequence[TaskDefinition] | None) -> list[PlannedStep]:
        """Give every step its name and its needs.

        Raises:
            InvalidInput: Both or neither are given; or as `planned`.
        """
        if (steps is None) == (tasks is None):
            raise InvalidInput("Either steps or task_definitions are needed.", field="steps", remedy="Give one of the two.")
        calls = list(steps or ())
        for place, task in enumerate(tasks or ()):
            where = f"task_definitions.{place}"
            call = self._call(task, where)
            undo = TargetCall(**self._call(task.compensate, f"{where}.compensate")) if task.compensate else None
            calls.append(Step(**call, name=task.name, needs=task.needs, when=task.when, compensate=undo))
        return planned(calls)

    def check(self, plan: Sequence[PlannedStep]) -> None:
        """Refuse steps whose AgenTool does not exist, or would refuse their input.

        Raises:
            InvalidInput: A step was refused; ``field`` names it.
        """
        refusals = Refusals()
        for step in plan:
            for call in filter(None, (step.call, step.compensate)):
                with refusals.collect():
                    self._check_call(call, f"steps.{step.name}")
        refusals.raise_all()

    def _call(self, task: TaskCall, where: str) -> dict[str, Any]:
        try:
            return self.types.call(task.type, task.args)._asdict()
        except InvalidInput as error:
            raise InvalidInput(error.problem, field=f"{where}.{error.field}", value=error.value, remedy=error.remedy) from error

    def _check_call(self, call: TargetCall, where: str) -> None:
        try:
            agentool = self.injector.get(call.agentool_name)
            if not has_references(call.input_data) and not any(call_references(call)):
                agentool.check(call.input_data)
                return
            # No precheck: it would judge values that references replace only later.
            validated = agentool.validate(call.input_data)
            agentool.operation(validated).arguments(validated)
        except InvalidInput as error:
            if not _concerns_references_only(error):
                raise InvalidInput(str(error), field=where, value=error.value) from error
        except UnknownAgenTool as error:
            raise InvalidInput(error.problem, field=f"{where}.agentool_name", value=call.agentool_name, remedy=error.remedy) from error


async def sequence_run(
    ctx: RunContext[Sequences],
    steps: list[Step] | None = None,
    task_definitions: list[TaskDefinition] | None = None,
    on_failure: OnFailure = "stop",
) -> SequenceOutput:
    """Run steps as one execution, each after the steps that it needs.

    Raises:
        SequenceFailed: A step failed; ``result`` has the record of each step, ``__cause__`` is the step's error.
        CancelledError: The sequence was cancelled; the error's ``result`` has the record of each step.
        InvalidInput: The steps do not fit each other; nothing was run.
    """
    plan = ctx.deps.plan(steps, task_definitions)
    run = SequenceRun(plan, ctx.injector, ctx.deps.time, on_failure, ctx.deps.concurrency)
    output = await run.run()
    if run.first_failure is None:
        return output
    record, error = run.first_failure
    raise _failure(output, record) from error


def check_run(sequences: Sequences, call: SequenceInput) -> None:
    """Refuse steps that do not fit each other, or whose AgenTools would refuse their inputs."""
    sequences.check(sequences.plan(call.steps, call.task_definitions))


def create_sequence_agent(
    settings: SequenceSettings | None = None, *, injector: Injector | None = None, time: TimeSource | None = None
) -> AgenTool[Sequences]:
    """Create the AgenTool ``sequence`` and register it.

    Args:
        settings: The settings of sequences.
        injector: The injector to register in, and that has the steps' AgenTools; by default the current one.
        time: The source of the steps' times; by default the machine's clock.
    """
    injector = injector or get_injector()
    return create_agentool(
        "sequence",
        SequenceInput,
        {"run": sequence_run},
        deps=Sequences(injector, time or SystemTime(), TaskTypes(), (settings or SequenceSettings()).concurrency),
        description="Runs several AgenTools as one, in order or in parallel. Steps use others' results; a failure can undo finished steps.",
        precheck=check_run,
        examples=({"operation": "run", "task_definitions": [{"type": "notification", "args": {"message": "Starting backup"}}]},),
        injector=injector,
    )


def _concerns_references_only(error: InvalidInput) -> bool:
    """Tell whether every refused value is a reference, so that the value that replaces it may be valid."""
    values = [problem.value for problem in error.problems]
    return bool(values) and all(isinstance(value, str) and (has_references(value) or is_open(value)) for value in values)


def _failure(output: SequenceOutput, failed: StepRecord) -> SequenceFailed:
    others = [step.name for step in output.steps if step.status == "skipped"]
    reason = (failed.error.message if failed.error else failed.reason).rstrip(".")
    not_run = f" Not run: {', '.join(others)}." if others else ""
    place = f"Step {output.steps.index(failed) + 1} of {len(output.steps)}"
    error = SequenceFailed(f"{place}, {failed.name!r}, failed: {reason}.{not_run}", field=f"steps.{failed.name}")
    error.result = output
    return error
