"""The steps of a sequence: their names, their order, and references to each other's results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentool.references import STEP_PREFIX, Inert, SizeBudget, as_text, taken
from agentoolkit.json_values import NothingThere, value_at

PREFIX = STEP_PREFIX
MAX_STEPS = 100

StepStatus = Literal["success", "failed", "skipped"]

_WHOLE = re.compile(r"!step:(?!.*!step:)[^.]+(?:\.\S+)?")
"""A text that is one reference; the value replaces the text."""
_WITHIN = re.compile(r"!step:(?P<name>[\w-]+)(?:\.[\w-]+)*")
"""A reference within a text, replaced by text. A dot at a sentence's end is not part of it."""


class TargetCall(BaseModel):
    """A call of an AgenTool."""

    model_config = ConfigDict(extra="forbid")

    agentool_name: str
    input_data: dict[str, Any]


class Step(TargetCall):
    """One call of a sequence."""

    name: str | None = Field(None, description="Unique; by default 'step_' and its number. No dots")
    needs: list[str] | None = Field(None, description="Steps that end before it; by default the one before it in the list, [] for none")
    when: str = Field("success", description="'success', 'failure' or 'always' of the steps it needs, or a value '!step:name.path'")
    compensate: TargetCall | None = Field(None, description="The call that undoes it, for on_failure 'compensate'")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its defaults filled in."""

    name: str
    call: TargetCall
    needs: tuple[str, ...]
    when: str
    compensate: TargetCall | None


def planned(steps: Sequence[Step]) -> list[PlannedStep]:
    """Give every step its name and its needs.

    Raises:
        InvalidInput: There are no steps or too many; a name is duplicate or unknown; steps wait for each other; or a step
            uses a result of a step that does not come before it.
    """
    if not 0 < len(steps) <= MAX_STEPS:
        raise InvalidInput(f"There are {len(steps)} steps.", field="steps", value=len(steps), remedy=f"Give 1 to {MAX_STEPS}.")
    names = [step.name or f"step_{place}" for place, step in enumerate(steps, 1)]
    for place, name in enumerate(names):
        if "." in name or name in names[:place]:
            reason = "it has a dot" if "." in name else "another step has it"
            problem = f"{excerpt(name)} cannot be this step's name: {reason}."
            raise InvalidInput(problem, field=f"steps.{place}.name", value=name)
    plan = [
        PlannedStep(name, step, tuple(names[max(place - 1, 0) : place] if step.needs is None else step.needs), step.when, step.compensate)
        for place, (name, step) in enumerate(zip(names, steps, strict=True))
    ]
    _check_order(plan)
    return plan


def open_values(data: Any, hidden: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield every reference to a result of another step, at any depth. References to hidden steps of inner sequences are left out."""
    if isinstance(data, str):
        yield from (found for found in _references(data) if referred(found) not in hidden)
    elif isinstance(data, Mapping):
        for value, inner in _scopes(cast("Mapping[str, Any]", data), hidden):
            yield from open_values(value, inner)
    elif isinstance(data, list):
        for value in cast("list[Any]", data):
            yield from open_values(value, hidden)


def is_open(text: str) -> bool:
    """Tell whether a text holds a reference to a step's result, well formed or not."""
    return not isinstance(text, Inert) and PREFIX in text


def filled(data: Any, results: Mapping[str, Any], hidden: frozenset[str] = frozenset()) -> Any:
    """Return a copy of the data in which results of steps replace the references to them.

    Args:
        data: A step's input.
        results: Results by step.
        hidden: Steps of an inner sequence whose input is the data; references to them stay.

    Raises:
        InvalidInput: A step has no result, the result lacks a part, or the results together are too large.
    """
    budget = SizeBudget(what="What is taken of other steps")
    return budget.marked(_fill(data, results, budget, hidden))


def inner_steps(agentool_name: str, input_data: Any) -> frozenset[str]:
    """Return the names of the steps inside a call of ``sequence``; none for any other AgenTool."""
    if agentool_name != "sequence" or not isinstance(input_data, Mapping):
        return frozenset()
    held = cast("Mapping[str, Any]", input_data)
    steps = held.get("steps") or held.get("task_definitions")
    if not isinstance(steps, list):
        return frozenset()
    given = [cast("Mapping[str, Any]", step).get("name") if isinstance(step, Mapping) else None for step in cast("list[Any]", steps)]
    return frozenset(name if isinstance(name, str) else f"step_{place}" for place, name in enumerate(given, 1))


def _scopes(data: Mapping[str, Any], hidden: frozenset[str]) -> Iterator[tuple[Any, frozenset[str]]]:
    """Yield each value of an object with its hidden steps: inside a call of a sequence, its own steps hide outer ones."""
    called = data.get("agentool_name", data.get("type"))
    for key, value in data.items():
        inner = inner_steps(called, value) if isinstance(called, str) and key in ("input_data", "args") else frozenset[str]()
        yield value, hidden | inner


def _fill(data: Any, results: Mapping[str, Any], budget: SizeBudget, hidden: frozenset[str]) -> Any:
    if isinstance(data, str):
        return _fill_text(data, results, budget, hidden)
    if isinstance(data, Mapping):
        held = cast("Mapping[str, Any]", data)
        scopes = zip(held, _scopes(held, hidden), strict=True)
        return {key: _fill(value, results, budget, inner) for key, (value, inner) in scopes}
    if isinstance(data, list):
        return [_fill(value, results, budget, hidden) for value in cast("list[Any]", data)]
    return data


def _fill_text(text: str, results: Mapping[str, Any], budget: SizeBudget, hidden: frozenset[str]) -> Any:
    references = [found for found in _references(text) if referred(found) not in hidden]
    if not references:
        return text
    if references == [text]:
        return taken(_look_up(text, results), budget)

    def replacement(found: re.Match[str]) -> str:
        if found["name"] in hidden:
            return found[0]
        value = _look_up(found[0], results)
        budget.spend(value)
        return as_text(value)

    # A result that looks like a reference must not become one.
    return Inert(_WITHIN.sub(replacement, text))


def _references(text: str) -> list[str]:
    """Return the references in a text: the whole text, or those within it.

    Raises:
        InvalidInput: A reference is malformed.
    """
    if not is_open(text):
        return []
    if _WHOLE.fullmatch(text):
        return [text]
    found = [match[0] for match in _WITHIN.finditer(text)]
    if len(found) < text.count(PREFIX):
        raise InvalidInput("A reference names a step, and optionally a part of its result.", value=text, remedy="Write '!step:name.key'.")
    return found


def referred(reference: str) -> str:
    """Return the name of the step in a reference."""
    return reference.removeprefix(PREFIX).partition(".")[0]


def _look_up(reference: str, results: Mapping[str, Any]) -> Any:
    name = referred(reference)
    if name not in results:
        raise InvalidInput(f"Step {name!r} has no result.", value=reference, remedy="Refer only to an earlier step that succeeds.")
    try:
        return value_at(results[name], reference.removeprefix(PREFIX).split(".")[1:])
    except NothingThere as error:
        problem = f"The result of step {name!r} has no {excerpt(error.value)}."
        raise InvalidInput(problem, value=reference, remedy=error.remedy) from None


def _check_order(plan: Sequence[PlannedStep]) -> None:
    names = {step.name for step in plan}
    for step in plan:
        if unknown := [name for name in step.needs if name not in names]:
            where = f"steps.{step.name}.needs"
            raise InvalidInput(
                f"Unknown step {excerpt(unknown[0])}.", field=where, value=unknown[0], remedy=did_you_mean(unknown[0], names)
            )
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
        if step.when not in ("success", "failure", "always") and not _WHOLE.fullmatch(step.when):
            remedy = "Give 'success', 'failure', 'always', or '!step:name.path'."
            raise InvalidInput(f"Unknown condition {excerpt(step.when)}.", field=f"steps.{step.name}.when", value=step.when, remedy=remedy)
        for found in [*open_values(step.when), *call_references(step.call)]:
            _check_comes_before(step, found, before[name])
        for found in call_references(step.compensate) if step.compensate else ():
            _check_comes_before(step, found, before[name] | own)


def call_references(call: TargetCall) -> Iterator[str]:
    """Yield the references in a call's input that results replace before the call."""
    return open_values(call.input_data, inner_steps(call.agentool_name, call.input_data))


def _check_comes_before(step: PlannedStep, reference: str, before: set[str]) -> None:
    if (name := referred(reference)) not in before:
        problem = f"It uses the result of {name!r}, which does not come before it."
        remedy = f"Name {name!r} in `needs`; {did_you_mean(name, before) or 'nothing comes before it.'}"
        raise InvalidInput(problem, field=f"steps.{step.name}", value=reference, remedy=remedy)
