"""References: ``!ref:storage_kv:current_time`` is replaced, when the call is made, by that AgenTool's value under that key.

A reference names an AgenTool with an operation ``get`` that takes a ``key`` and returns a ``value``.
Source of the notation: *Scheduler AgenToolkit*, "Queue Integration for Reactive Patterns".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from agentool.errors import InvalidInput

if TYPE_CHECKING:
    from agentool.core.injector import Injector

PREFIX = "!ref:"
_WITHIN = re.compile(r"!ref:[\w-]+:[\w-]+(?:\.[\w-]+)*")
"""A reference within a text, which becomes text; a dot that ends the sentence is not part of it."""
STEP_PREFIX = "!step:"
"""Begins a text, or a part of one, that is replaced by the result of another step of a sequence."""
MAX_FILLED = 10_000_000
"""Characters that replace the references of one input, and characters of the results of one sequence, in total. See `SizeBudget`."""
MAX_DEPTH = 100
"""Levels of lists and objects in which references are looked for, and of a value that replaces one. Python's own limit holds both."""
_EACH = 8
"""Characters counted for each value besides its text: about the memory that holds it."""
_EACH_HOLDER = 32
"""Characters counted for each list or object."""


class SizeBudget:
    """Limits the size of values put together from elsewhere, so that a short input cannot take all memory.

    Args:
        most: Largest number of characters; every value counts a few besides its text.
        what: Subject of the error's sentence.
    """

    def __init__(self, most: int = MAX_FILLED, what: str = "What references stand for") -> None:
        self._most = most
        self._left = most
        self._what = what

    def marked(self, filled: Any) -> Any:
        """Return the filled input; as `Resolved` if it is an object in which a reference was replaced."""
        return Resolved(cast("dict[str, Any]", filled)) if self._left < self._most and isinstance(filled, dict) else filled

    def spend(self, value: Any) -> None:
        """Count a value and all values inside it. A shared value counts at each of its places.

        Raises:
            InvalidInput: The budget is exceeded.
        """
        pending = [value]
        while pending:
            held = pending.pop()
            if isinstance(held, (str, bytes)):
                self._take(_EACH + len(held))
            elif isinstance(held, (list, tuple)):
                self._take(_EACH_HOLDER)
                pending.extend(cast("list[Any]", held))
            elif isinstance(held, Mapping):
                self._take(_EACH_HOLDER + sum(len(str(key)) for key in cast("Mapping[Any, Any]", held)))
                pending.extend(cast("Mapping[Any, Any]", held).values())
            else:
                self._take(_EACH)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            remedy = f"Keep to at most {self._most:,}: take parts, or pass the key of a stored value."
            raise InvalidInput(f"{self._what} comes to more than {self._most:,} characters.", remedy=remedy)


class Resolved(dict[str, Any]):
    """Input whose references were replaced by values. The injector shows none of its values in errors."""


class Inert(str):
    """Text that is never a reference, even if it looks like one: it came out of a reference or another tool's result."""

    __slots__ = ()


class FilledText(Inert):
    """Text in which references were replaced; `values` holds what each stood for."""

    values: Mapping[str, Any]

    def __new__(cls, text: str, values: Mapping[str, Any] | None = None) -> FilledText:
        made = super().__new__(cls, text)
        made.values = values or {}
        return made


def inert(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a copy of a value in which no text counts as a reference.

    A stranger may have written a tool's answer: in another tool's input it must not look anything up.

    Raises:
        InvalidInput: It is nested more than `depth` deep, or holds itself.
    """
    if isinstance(value, str):
        return Inert(value) if PREFIX in value or STEP_PREFIX in value else value
    if isinstance(value, Mapping):
        _check_depth(depth)
        fields: dict[Any, Any] = {}
        for key, item in cast("Mapping[Any, Any]", value).items():  # a comprehension would take a second frame at each level
            fields[key] = inert(item, depth - 1)
        return fields
    if isinstance(value, (list, tuple)):
        _check_depth(depth)
        items: list[Any] = []
        for item in cast("list[Any]", value):
            items.append(inert(item, depth - 1))  # noqa: PERF401  as above
        return items
    return value


def _check_depth(left: int) -> None:
    if left == 0:
        problem = f"It is nested more than {MAX_DEPTH} deep, or holds itself."
        raise InvalidInput(problem, remedy="Give plain JSON values, none of which is part of itself.")


def taken(value: Any, budget: SizeBudget) -> Any:
    """Return the value that replaces a reference: an inert copy, counted before it is made. Raises `InvalidInput`."""
    budget.spend(value)
    return inert(value)


def has_references(data: object, to: str = "") -> bool:
    """Tell whether data holds a reference to any AgenTool, or to the AgenTool named `to`."""
    if isinstance(data, str):
        return (f"{PREFIX}{to}:" if to else PREFIX) in data and not isinstance(data, Inert)
    if isinstance(data, dict) or isinstance(data, Mapping):  # noqa: SIM101  the second takes ten times as long
        return any(has_references(value, to) for value in cast("Mapping[str, object]", data).values())
    return isinstance(data, (list, tuple)) and any(has_references(item, to) for item in cast("list[object]", data))


def references_in(text: str) -> list[str]:
    """Return the references in a text: the text as a whole, or the well-formed ones within it.

    A text may only mention ``!ref:``, and jobs stored before references within texts were filled hold such ones: it stays as it is.

    Raises:
        InvalidInput: The text as a whole is a malformed reference.
    """
    if not has_references(text):
        return []
    if STEP_PREFIX in text:  # filled in it is inert, so the steps' results would be missing
        return []
    if text.startswith(PREFIX) and text.count(PREFIX) == 1:
        named_by(text)
        return [text]
    return _WITHIN.findall(text)


def check_references(data: object) -> None:
    """Refuse data with a text that would not be filled in as it was meant, at any depth.

    Raises:
        InvalidInput: A reference is malformed, or its text takes results of steps as well.
    """
    if isinstance(data, str):
        _check_text(data)
    elif isinstance(data, Mapping):
        for value in cast("Mapping[str, object]", data).values():
            check_references(value)
    elif isinstance(data, (list, tuple)):
        for item in cast("list[object]", data):
            check_references(item)


def _check_text(text: str) -> None:
    if not has_references(text) or references_in(text) == [text]:
        return
    if len(_WITHIN.findall(text)) < text.count(PREFIX):
        raise _malformed(text)
    if STEP_PREFIX in text:
        remedy = "Put the text together in a step of its own, with the AgenTool templates."
        raise InvalidInput("A text takes values from references or from steps, not from both.", value=text, remedy=remedy)


def named_by(reference: str) -> tuple[str, str]:
    """Return the AgenTool and the key that a reference names. Raises `InvalidInput` if it is malformed."""
    name, _, key = reference.removeprefix(PREFIX).partition(":")
    if not (name and key):
        raise _malformed(reference)
    return name, key


def _malformed(text: str) -> InvalidInput:
    remedy = "Write '!ref:storage_kv:my_key'. A text that only mentions '!ref:' is kept with storage_kv and referred to."
    return InvalidInput("A reference names an AgenTool and a key.", value=text, remedy=remedy)


def as_text(value: Any) -> str:
    """Return a value as it is written within a text: text stays, other values become JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def lookalikes(data: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and text of every inert text that looks like a reference.

    Only this process knows that the text is inert. Once stored, it would be read and resolved as a reference.
    """
    if isinstance(data, Inert):
        if PREFIX in data or STEP_PREFIX in data:
            yield where, str(data)
    elif isinstance(data, dict) or isinstance(data, Mapping):  # noqa: SIM101  the second takes ten times as long
        for key, value in cast("Mapping[str, object]", data).items():
            if type(value) is not str:  # plain text is the usual case
                yield from lookalikes(value, f"{where}.{key}")
    elif isinstance(data, (list, tuple)):
        for place, item in enumerate(cast("list[object]", data)):
            yield from lookalikes(item, f"{where}.{place}")


def belongs_to_new_job(call: Mapping[str, Any], key: str) -> bool:
    """Tell whether this is the input, or the gate, of a job that the call creates or changes.

    The references in it are resolved when that job runs. Resolved here, a secret would be stored in clear.
    """
    if key not in ("input_data", "gate"):
        return False
    return ("schedule" in call and "agentool_name" in call) or (call.get("operation") == "update" and "job_id" in call)


async def resolve_references(data: Any, injector: Injector) -> Any:
    """Return a copy of the data with its references replaced by their values; an object becomes `Resolved`.

    References of a job that the data schedules stay; see `belongs_to_new_job`.

    Raises:
        InvalidInput: A text as a whole is a malformed reference, its AgenTool returned no value, the values are too large together,
            or something is nested more than `MAX_DEPTH` deep.
        AgenToolError: As the referenced AgenTool.
    """
    budget = SizeBudget()
    filled = budget.marked(await _fill(data, injector, budget))
    return Resolved(filled) if isinstance(data, Resolved) else filled


async def _fill(data: Any, injector: Injector, budget: SizeBudget, depth: int = MAX_DEPTH) -> Any:
    if isinstance(data, str):
        return await _fill_text(data, injector, budget) if has_references(data) else data
    if isinstance(data, Mapping):
        _check_depth(depth)
        items = cast("Mapping[str, Any]", data)
        return {
            key: value if belongs_to_new_job(items, key) else await _fill(value, injector, budget, depth - 1)
            for key, value in items.items()
        }
    if isinstance(data, (list, tuple)):
        _check_depth(depth)
        return [await _fill(item, injector, budget, depth - 1) for item in cast("list[Any]", data)]
    return data


async def _fill_text(text: str, injector: Injector, budget: SizeBudget) -> Any:
    references = references_in(text)
    if references == [text]:
        return taken(await _look_up(text, injector), budget)
    if not references:
        return text
    values = {reference: await _look_up(reference, injector) for reference in dict.fromkeys(references)}

    def written(found: re.Match[str]) -> str:
        budget.spend(values[found[0]])
        return as_text(values[found[0]])

    return FilledText(_WITHIN.sub(written, text), values)


async def _look_up(reference: str, injector: Injector) -> Any:
    name, key = named_by(reference)
    answer = await injector.run(name, {"operation": "get", "key": key})
    for held in (answer, getattr(answer, "data", None)):
        if isinstance(held, Mapping) and "value" in held:
            return cast("Mapping[str, Any]", held)["value"]
    if hasattr(answer, "value"):
        return answer.value
    remedy = "Refer to an AgenTool whose 'get' returns `value`."
    raise InvalidInput(f"{name!r} answered 'get' without a value.", value=reference, remedy=remedy)
