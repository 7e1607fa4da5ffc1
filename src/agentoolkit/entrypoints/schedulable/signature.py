"""Read the signature of a tool, and add the arguments that schedule it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from agentool.errors import ConfigurationError, InvalidInput, excerpt
from agentool.references import has_references
from agentool.signatures import signature_of

WHEN = Annotated[str | None, Field(description="Run once, later: ISO 8601 or words", examples=["tomorrow at 9 AM", "2030-01-31T09:00:00"])]
RECURRING = Annotated[str | None, Field(description="Run repeatedly: words or crontab", examples=["every weekday at 9:00", "0 9 * * 1-5"])]
ADDED: Mapping[str, Any] = {"datetime": WHEN, "schedule": RECURRING}
"""The arguments that are added to a tool. Source of ``datetime``: *Scheduler Service*."""
_FRAMEWORKS = ("mcp", "fastmcp", "pydantic_ai")


class ScheduledCall(BaseModel):
    """Answer of a tool that was scheduled instead of run."""

    message: str = Field(description="What was scheduled, in words")
    job_id: str
    reading: str = Field(description="How the time was read")
    timezone: str
    next_run: str | None
    remarks: list[str] = Field([], description="What the user should know besides")


class ToolArguments(BaseModel):
    """Arguments of a tool; its fields are the tool's parameters."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    def kept(self) -> dict[str, Any] | str:
        """Return them as a job keeps them: as JSON values, or as a JSON text without references if one of them looks like a reference.

        Raises:
            InvalidInput: One of them cannot be kept.
        """
        values: dict[str, Any] = {}
        for name in type(self).model_fields:
            try:
                values |= self.model_dump(mode="json", include={name})
            except ValueError as error:
                problem = f"{excerpt(getattr(self, name))} cannot be kept as JSON until the tool runs."
                raise InvalidInput(problem, field=name, remedy="Give it as text, or call without datetime and schedule.") from error
        return json.dumps(values).replace("!", r"\u0021") if has_references(values) else values

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, kept: Any) -> Any:
        return json.loads(kept) if isinstance(kept, str) else kept


@dataclass(frozen=True, slots=True)
class ToolSignature:
    """The parameters and the return type of a tool."""

    function: Callable[..., Any]
    whole: inspect.Signature
    hints: Mapping[str, Any]
    contexts: tuple[str, ...]
    """Parameters that the server fills in."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name, without the server's. Raises `TypeError` as the call would."""
        bound = self.whole.bind(*args, **kwargs)
        return {name: value for name, value in bound.arguments.items() if name not in self.contexts}

    def arguments_model(self) -> type[ToolArguments]:
        """Return a model of the arguments that are stored with a job."""
        fields: dict[str, Any] = {}
        for name, parameter in self.whole.parameters.items():
            if name not in self.contexts:
                default = ... if parameter.default is parameter.empty else parameter.default
                fields[name] = (self.hints.get(name, Any), default)
        return create_model(f"{self.name}_arguments", __base__=ToolArguments, **fields)

    def widened(self) -> inspect.Signature:
        """Return the signature with the added arguments, and with `ScheduledCall` as a return type."""
        declared = self.hints.get("return", inspect.Signature.empty)
        answer = declared if declared in (str, Any, inspect.Signature.empty) else declared | ScheduledCall
        parameters = [each.replace(annotation=self.hints.get(each.name, each.annotation)) for each in self.whole.parameters.values()]
        added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in ADDED.items()]
        return inspect.Signature([*parameters, *added], return_annotation=answer)


def read_signature(function: Callable[..., Any]) -> ToolSignature:
    """Read the signature of a tool.

    Raises:
        ConfigurationError: The function has no name or no signature, an argument ``datetime`` or ``schedule`` of its own, or an
            argument that cannot be given by name.
    """
    whole = signature_of(function)
    if whole is None or not getattr(function, "__name__", None):
        problem = f"{excerpt(function)} has no name or no readable signature."
        raise ConfigurationError(problem, field="function", remedy="Wrap it in a function with `def`.")
    for name, parameter in whole.parameters.items():
        if name in ADDED:
            problem = f"Tool {function.__name__!r} has an argument {name!r} of its own, which would schedule it."
            raise ConfigurationError(problem, field=name, remedy="Give it another name.")
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            problem = f"Argument {name!r} of tool {function.__name__!r} cannot be given by name."
            raise ConfigurationError(problem, field=name, remedy="Give each argument a name of its own, without '*' and '/'.")
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        problem = f"The annotations of tool {function.__name__!r} cannot be read: {error}."
        raise ConfigurationError(problem, remedy="Import the names it uses at the top of its module.") from error
    contexts = tuple(name for name in whole.parameters if _is_context(hints.get(name)))
    return ToolSignature(function, whole, hints, contexts)


def _is_context(annotation: Any) -> bool:
    """Tell whether a type is the context that a server or an agent passes to its tools."""
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and kind.__name__.endswith("Context") and kind.__module__.partition(".")[0] in _FRAMEWORKS
