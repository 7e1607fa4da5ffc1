"""``!ref:storage_kv:current_time`` → the value that AgenTool holds under that key, looked up when the call is made.

A reference names an AgenTool with an operation ``get`` that takes a ``key`` and answers with a ``value``.
Source of the notation: *Scheduler AgenToolkit*, "Queue Integration for Reactive Patterns".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from agentool.errors import InvalidInput

if TYPE_CHECKING:
    from agentool.core.injector import Injector

PREFIX = "!ref:"
STEP_PREFIX = "!step:"
"""How a text, or a part of one, begins that stands for the result of another step of a sequence."""
MAX_FILLED = 10_000_000
"""Characters that the references in one input may become in total, and that the results of one sequence may have; see `SizeBudget`."""
_EACH = 8
"""Characters that a value counts besides its own: the memory that holds it, about."""
_EACH_HOLDER = 32
"""The same of a list or an object."""


class SizeBudget:
    """Counts what is put together from elsewhere, so that a few words cannot ask for all memory.

    Args:
        most: Characters of text, where every value counts a few besides.
        what: What it is that is put together, the subject of a sentence.
    """

    def __init__(self, most: int = MAX_FILLED, what: str = "What references stand for") -> None:
        self._most = most
        self._left = most
        self._what = what

    def marked(self, filled: Any) -> Any:
        """Return what was filled in, as `Resolved` if it is an object and anything was."""
        return Resolved(cast("dict[str, Any]", filled)) if self._left < self._most and isinstance(filled, dict) else filled

    def spend(self, value: Any) -> None:
        """Count a value with all that it holds. What is shared counts as often as it is there.

        Raises:
            InvalidInput: There is too much.
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
            remedy = f"Keep to at most {self._most:,}: take parts, or hand on where a value is kept."
            raise InvalidInput(f"{self._what} comes to more than {self._most:,} characters.", remedy=remedy)


class Resolved(dict[str, Any]):
    """Input in which references were replaced by what they stand for: the injector lets no error show its values."""


class Inert(str):
    """Text that may look like a reference and is none, because it came out of one, or out of another tool's result."""

    __slots__ = ()


def inert(value: Any) -> Any:
    """Return a copy of a value in which no text counts as a reference, however it begins.

    What a tool answers may be written by a stranger: put into the input of another one it must not look anything up.
    """
    if isinstance(value, str):
        return Inert(value) if value.startswith("!") or STEP_PREFIX in value else value
    if isinstance(value, Mapping):
        return {key: inert(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [inert(item) for item in cast("list[Any]", value)]
    return value


def taken(value: Any, budget: SizeBudget) -> Any:
    """Return a value to put in the place of a reference: inert, and counted before it is copied. Raises `InvalidInput`."""
    budget.spend(value)
    return inert(value)


def has_references(data: object, to: str = "") -> bool:
    """Is there a reference, to any AgenTool or to the one of this name, anywhere in this data?"""
    if isinstance(data, str):
        return data.startswith(f"{PREFIX}{to}:" if to else PREFIX) and not isinstance(data, Inert)
    if isinstance(data, dict) or isinstance(data, Mapping):  # noqa: SIM101  the second takes ten times as long
        return any(has_references(value, to) for value in cast("Mapping[str, object]", data).values())
    return isinstance(data, (list, tuple)) and any(has_references(item, to) for item in cast("list[object]", data))


def lookalikes(data: object, where: str) -> Iterator[tuple[str, str]]:
    """Find every text that reads like a reference and is none, with the dotted path to it.

    Only this process knows that it is none. Who writes it down, to be read and resolved later, makes a reference of it.
    """
    if isinstance(data, Inert):
        if data.startswith(PREFIX) or STEP_PREFIX in data:
            yield where, str(data)
    elif isinstance(data, dict) or isinstance(data, Mapping):  # noqa: SIM101  the second takes ten times as long
        for key, value in cast("Mapping[str, object]", data).items():
            if type(value) is not str:  # most are plain text
                yield from lookalikes(value, f"{where}.{key}")
    elif isinstance(data, (list, tuple)):
        for place, item in enumerate(cast("list[object]", data)):
            yield from lookalikes(item, f"{where}.{place}")


def belongs_to_new_job(call: Mapping[str, Any], key: str) -> bool:
    """Is this the input, or the gate, of a job that the data schedules or changes?

    Its references are its own: they are looked up when that job runs. Put in here, a secret would be stored in clear.
    """
    if key not in ("input_data", "gate"):
        return False
    return ("schedule" in call and "agentool_name" in call) or (call.get("operation") == "update" and "job_id" in call)


async def resolve_references(data: Any, injector: Injector) -> Any:
    """Return a copy of the data with its references replaced by the values they name; an object then is `Resolved`.

    Left as they are: references of a job that the data schedules, see `belongs_to_new_job`.

    Raises:
        InvalidInput: A reference is written wrongly, its AgenTool's answer has no value, or all of them become too much.
        AgenToolError: As the AgenTool asked.
    """
    budget = SizeBudget()
    found = budget.marked(await _filled(data, injector, budget))
    return Resolved(found) if isinstance(data, Resolved) else found


async def _filled(data: Any, injector: Injector, budget: SizeBudget) -> Any:
    if isinstance(data, str):
        return taken(await _resolved(data, injector), budget) if has_references(data) else data
    if isinstance(data, Mapping):
        items = cast("Mapping[str, Any]", data)
        return {key: value if belongs_to_new_job(items, key) else await _filled(value, injector, budget) for key, value in items.items()}
    if isinstance(data, (list, tuple)):
        return [await _filled(item, injector, budget) for item in cast("list[Any]", data)]
    return data


async def _resolved(reference: str, injector: Injector) -> Any:
    name, separator, key = reference.removeprefix(PREFIX).partition(":")
    if not (name and separator and key):
        raise InvalidInput("A reference names an AgenTool and a key.", value=reference, remedy="Write '!ref:storage_kv:my_key'.")
    answer = await injector.run(name, {"operation": "get", "key": key})
    for held in (answer, getattr(answer, "data", None)):
        if isinstance(held, Mapping) and "value" in held:
            return cast("Mapping[str, Any]", held)["value"]
    if hasattr(answer, "value"):
        return answer.value
    remedy = "Refer to an AgenTool whose 'get' returns `value`."
    raise InvalidInput(f"{name!r} answered 'get' without a value.", value=reference, remedy=remedy)
