"""An operation of an AgenTool: how its handler is called. `handlers` reads it out of the handler's signature."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from agentool.base import BaseOperationInput
from agentool.errors import FieldProblem, InvalidInput, sentence

Handler = Callable[..., Awaitable[Any]]

NAME = re.compile(r"[\w.-]+")
"""Names of AgenTools and operations that references, the command line and tools of language models can all write."""


class Needs(frozenset[str]):
    """Names the fields of a base that an operation requires: ``Annotated[Base, Needs("name", "kind")]``."""

    def __new__(cls, *fields: str) -> Needs:
        return super().__new__(cls, fields)


@dataclass(frozen=True, slots=True)
class Operation:
    """One value of ``operation`` and its handler."""

    name: str
    handler: Handler
    fields: frozenset[str]
    required: frozenset[str]
    output_type: Any
    description: str
    output_classes: tuple[type, ...] = (object,)
    """The classes of `output_type` at run time; ``object`` if they are unknown."""
    bases: Mapping[str, type[BaseModel]] = field(default_factory=dict[str, type[BaseModel]])
    """Bases of the input model, by the parameter that takes their fields."""
    refusal: type[InvalidInput] = InvalidInput
    """The error raised if fields do not fit."""

    def arguments(self, data: BaseOperationInput) -> dict[str, Any]:
        """Pick the handler's arguments out of validated input.

        Fields that the caller left out are not passed, so the handler's own default holds.

        Raises:
            InvalidInput: A required field is missing, or the operation does not take a given field.
        """
        values, given = data.__dict__, dict[str, Any]()
        try:
            for name in data.__pydantic_fields_set__:  # a comprehension is 50 % slower
                if (value := values[name]) is not None:
                    given[name] = value
        except KeyError:  # a model with extra="allow" keeps undeclared fields elsewhere
            given = {**values, **(data.__pydantic_extra__ or {})}
        given.pop("operation", None)
        if not (given.keys() >= self.required and given.keys() <= self.fields):
            missing = [
                FieldProblem(name, None, f"is required for operation {self.name!r}") for name in sorted(self.required - given.keys())
            ]
            foreign = [name for name in given if name not in self.fields and given[name] != _default(name, data)]
            known = ", ".join(sorted(self.fields)) or "no fields"
            unused = [FieldProblem(name, given[name], f"is not used by operation {self.name!r}, which takes {known}") for name in foreign]
            if problems := (*missing, *unused):
                raise self.refusal(
                    sentence(problems),
                    remedy="Give the required fields and leave out the others.",
                    problems=problems,
                )
            given = {name: value for name, value in given.items() if name in self.fields}
        return self._in_bases(given) if self.bases else given

    def _in_bases(self, given: dict[str, Any]) -> dict[str, Any]:
        """Put the fields of each base into an instance of it. They are validated already, as fields of the input model."""
        arguments = dict(given)
        for parameter, base in self.bases.items():
            held = {name: arguments.pop(name) for name in base.__pydantic_fields__.keys() & arguments.keys()}  # quicker than a loop
            blank = _blank(base)
            arguments[parameter] = base.model_construct(_fields_set=set(held), **held) if blank is None else blank.model_copy(update=held)
        return arguments


_SHARED = frozenset({bool, int, float, str, bytes, type(None)})
"""Types of defaults that instances can share. A tuple is not among them: it may hold a list."""


@lru_cache(maxsize=256)
def _blank(base: type[BaseModel]) -> BaseModel | None:
    """Return an instance without given fields, to be copied at a third of the cost; None if copies would be wrong.

    They would be wrong if a default is mutable, or if the base computes something from its fields, such as private attributes.
    """
    if base.model_config.get("extra") == "allow" or base.__pydantic_post_init__ is not None:
        return None
    if any(about.default_factory or type(about.default) not in _SHARED for about in base.__pydantic_fields__.values()):
        return None
    return base.model_construct()


def _default(field: str, data: BaseOperationInput) -> Any:
    if field not in type(data).model_fields:  # the model has extra="allow"
        return PydanticUndefined
    return type(data).model_fields[field].get_default(call_default_factory=True, validated_data=dict(data.__dict__))
