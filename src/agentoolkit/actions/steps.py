"""The steps of a sequence: what they are, in which order they go, and what they take from each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, TypeGuard, cast

from pydantic import BaseModel, ConfigDict, Field

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentool.references import STEP_PREFIX, Budget, Inert, taken

PREFIX = STEP_PREFIX
MAX_STEPS = 100

StepStatus = Literal["success", "failed", "skipped"]

_REFERENCE = re.compile(r"!step:(?P<name>[^.]+)(?:\.(?P<path>.+))?")


class TargetCall(BaseModel):
    """A call of an AgenTool."""

    model_config = ConfigDict(extra="forbid")

    agentool_name: str
    input_data: dict[str, Any]


class Step(TargetCall):
    """One call of a sequence."""

    name: str | None = Field(None, description="Unique; 'step_' and its number by default. No dots")
    needs: list[str] | None = Field(None, description="Steps it comes after; by default the one before it in the list, [] for none")
    when: str = Field("success", description="'success', 'failure' or 'always' of what it needs, or a value '!step:name.path'")
    compensate: TargetCall | None = Field(None, description="What undoes it, for on_failure 'compensate'")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with everything said that was left to be understood."""

    name: str
    call: TargetCall
    needs: tuple[str, ...]
    when: str
    compensate: TargetCall | None


def planned(steps: Sequence[Step]) -> list[PlannedStep]:
    """Name every step and what it needs.

    Raises:
        InvalidInput: There is none, or too many; a name is used twice or unknown; steps wait for each other; or a step
            takes a value from one that does not come before it.
    """
    if not 0 < len(steps) <= MAX_STEPS:
        raise InvalidInput(f"There are {len(steps)} steps.", field="steps", value=len(steps), remedy=f"Give 1 to {MAX_STEPS}.")
    names = [step.name or f"step_{place}" for place, step in enumerate(steps, 1)]
    for place, name in enumerate(names):
        if "." in name or name in names[:place]:
            problem = f"{excerpt(name)} cannot be this step's name: it has a dot, or another step bears it."
            raise InvalidInput(problem, field=f"steps.{place}.name", value=name)
    plan = [
        PlannedStep(name, step, tuple(names[max(place - 1, 0) : place] if step.needs is None else step.needs), step.when, step.compensate)
        for place, (name, step) in enumerate(zip(names, steps, strict=True))
    ]
    _check_order(plan)
    return plan


def open_values(data: Any) -> Iterator[str]:
    """Find every value that stands for a result of another step, at any depth."""
    if _is_reference(data):
        yield data
    elif isinstance(data, Mapping):
        for value in cast("Mapping[str, Any]", data).values():
            yield from open_values(value)
    elif isinstance(data, list):
        for value in cast("list[Any]", data):
            yield from open_values(value)


def filled(data: Any, results: Mapping[str, Any]) -> Any:
    """Return a copy of the data with the results of steps where they were referred to.

    Raises:
        InvalidInput: A step has no result, or no such part, or all that is filled in becomes too much.
    """
    budget = Budget(what="What is taken of other steps")
    return budget.marked(_filled(data, results, budget))


def _filled(data: Any, results: Mapping[str, Any], budget: Budget) -> Any:
    if _is_reference(data):
        return taken(_looked_up(data, results), budget)
    if isinstance(data, Mapping):
        return {key: _filled(value, results, budget) for key, value in cast("Mapping[str, Any]", data).items()}
    if isinstance(data, list):
        return [_filled(value, results, budget) for value in cast("list[Any]", data)]
    return data


def _is_reference(data: Any) -> TypeGuard[str]:
    return isinstance(data, str) and data.startswith(PREFIX) and not isinstance(data, Inert)


def referred(reference: str) -> str:
    """Return the name of the step that a reference is about. Raises `InvalidInput`."""
    if not (found := _REFERENCE.fullmatch(reference)):
        raise InvalidInput("A reference names a step, and perhaps a part of its result.", value=reference, remedy="Write '!step:name.key'.")
    return found["name"]


def _looked_up(reference: str, results: Mapping[str, Any]) -> Any:
    name = referred(reference)
    if name not in results:
        raise InvalidInput(f"Step {name!r} has no result.", value=reference, remedy="Let it come before, and succeed.")
    value: Any = results[name]
    for key in reference.removeprefix(PREFIX).split(".")[1:]:
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            known = list(cast("dict[str, Any]", value)) if isinstance(value, dict) else []
            problem = f"The result of step {name!r} has no {key!r}."
            raise InvalidInput(problem, value=reference, remedy=did_you_mean(key, known)) from None
    return value


def _check_order(plan: Sequence[PlannedStep]) -> None:
    names = {step.name for step in plan}
    for step in plan:
        if unknown := [name for name in step.needs if name not in names]:
            where = f"steps.{step.name}.needs"
            raise InvalidInput(f"{excerpt(unknown[0])} is no step.", field=where, value=unknown[0], remedy=did_you_mean(unknown[0], names))
    try:
        order = list(TopologicalSorter({step.name: step.needs for step in plan}).static_order())
    except CycleError as error:
        circle = " → ".join(cast("list[str]", error.args[1]))
        problem = f"Steps wait for each other: {circle}."
        raise InvalidInput(problem, field="steps", value=error.args[1], remedy="Take one of them out of `needs`.") from None
    _check_references(plan, order)


def _check_references(plan: Sequence[PlannedStep], order: Iterable[str]) -> None:
    by_name = {step.name: step for step in plan}
    before: dict[str, set[str]] = {}
    for name in order:
        step = by_name[name]
        before[name] = {earlier for need in step.needs for earlier in (need, *before[need])}
        own = {name} if step.compensate else set[str]()
        _check_when(step)
        for found in open_values([step.call.input_data, step.when]):
            _check_comes_before(step, found, before[name])
        for found in open_values(step.compensate.input_data if step.compensate else {}):
            _check_comes_before(step, found, before[name] | own)


def _check_when(step: PlannedStep) -> None:
    if step.when not in ("success", "failure", "always") and not step.when.startswith(PREFIX):
        remedy = "Give 'success', 'failure', 'always', or '!step:name.path'."
        raise InvalidInput(f"{excerpt(step.when)} is no condition.", field=f"steps.{step.name}.when", value=step.when, remedy=remedy)


def _check_comes_before(step: PlannedStep, reference: str, before: set[str]) -> None:
    if (name := referred(reference)) not in before:
        problem = f"It takes a value of {name!r}, which does not come before it."
        remedy = f"Name {name!r} in `needs`; {did_you_mean(name, before) or 'nothing comes before it.'}"
        raise InvalidInput(problem, field=f"steps.{step.name}", value=reference, remedy=remedy)
