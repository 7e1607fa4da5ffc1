"""Runs an importable function: sync ones in a thread, async ones on the event loop.

A function is named ``package.module:name``. Importing runs code, and so does calling; only names under a declared
prefix are looked at. Source of the notation: *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any, Literal, cast

from pydantic import BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentool.signatures import signature_of
from agentoolkit.json_values import UnrecordableResult
from agentoolkit.threads import MOST, FunctionThreads

MAX_ITEMS = 1_000_000
"""Of an iterator that a function returns: it may be without end."""


class FunctionInput(BaseOperationInput):
    """Input of the function AgenTool."""

    operation: Literal["call"]
    function: str | None = Field(None, description="'package.module:function', under an allowed prefix")
    args: list[Any] | None = Field(None, description="Positional arguments")
    kwargs: dict[str, Any] | None = Field(None, description="Named arguments")


class FunctionOutput(BaseModel):
    """What the function returned."""

    function: str
    result: Any = None


class FunctionNotAllowed(AgenToolError, PermissionError):
    """The function is under none of the allowed prefixes."""


@dataclass(frozen=True, slots=True)
class AllowedFunctions:
    """The prefixes under which functions may be called, and the threads for those that are not async."""

    prefixes: tuple[str, ...]
    threads: FunctionThreads = field(default_factory=FunctionThreads)
    _asynchronous: set[str] = field(default_factory=set[str])
    """Names that were found to be async functions: calling these takes no time."""

    async def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Find and call a function, in a thread unless it is known to be async: importing too may take long. Raises as `find`."""

        def call() -> Any:
            result = self.find(name)(*args, **kwargs)
            # The code of an iterator runs in this thread too.
            return _items_of(cast("Iterator[Any]", result)) if isinstance(result, Iterator) else result

        result = call() if name in self._asynchronous else await self.threads.run(call, name)
        return await result if inspect.isawaitable(result) else result  # also what a plain wrapper around an async function returns

    def find(self, name: str) -> Callable[..., Any]:
        """Import a function.

        Raises:
            FunctionNotAllowed: No prefix allows it; nothing was imported.
            InvalidInput: It is not written as one, or does not exist.
        """
        module_name, separator, attribute = name.partition(":")
        if not (separator and attribute.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
            remedy = "Write 'package.module:function'."
            raise InvalidInput(f"{excerpt(name)} is not the name of a function.", field="function", value=name, remedy=remedy)
        if not self._allows(module_name):
            raise self._refusal(name, f"{excerpt(name)} is not allowed")
        found = _imported(module_name, attribute, name)
        # What an allowed module has imported from elsewhere is not thereby allowed.
        function = innermost(found)
        if not self._allows(home := getattr(function, "__module__", None) or type(function).__module__):
            raise self._refusal(name, f"{excerpt(name)} is defined in {home!r}, which is not allowed")
        if inspect.iscoroutinefunction(found):
            self._asynchronous.add(name)
        return found

    def _allows(self, module_name: str) -> bool:
        return any(module_name == prefix or module_name.startswith(f"{prefix}.") for prefix in self.prefixes)

    def _refusal(self, name: str, problem: str) -> FunctionNotAllowed:
        return FunctionNotAllowed(
            f"{problem}; allowed are {', '.join(self.prefixes) or 'none'}.",
            field="function",
            value=name,
            remedy="Add its package to the setting `functions` (AGENTOOL_FUNCTIONS).",
        )


def _items_of(iterator: Iterator[Any]) -> list[Any]:
    items = list(islice(iterator, MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise UnrecordableResult(f"The function returned an iterator over more than {MAX_ITEMS:,} items.", remedy="Return a list.")
    return items


async def function_call(
    ctx: RunContext[AllowedFunctions], function: str, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None
) -> FunctionOutput:
    """Call a function and wait for what it returns."""
    return FunctionOutput(function=function, result=await ctx.deps.call(function, args or (), kwargs or {}))


def check_call(allowed: AllowedFunctions, call: FunctionInput) -> None:
    """Refuse a function that is not allowed, does not exist or does not take these arguments, without calling it."""
    if call.function is None:
        return
    target = allowed.find(call.function)
    if (signature := signature_of(target)) is None:
        return
    try:
        signature.bind(*call.args or (), **call.kwargs or {})
    except TypeError as error:
        raise InvalidInput(f"{call.function} does not take these arguments: {error}.", field="kwargs", value=call.kwargs) from error


def create_function_agent(
    prefixes: Sequence[str] = (), *, most: int = MOST, injector: Injector | None = None
) -> AgenTool[AllowedFunctions]:
    """Make the AgenTool ``function`` and register it.

    Args:
        prefixes: Modules and packages whose functions may be called; none by default.
        most: Functions that are not async and run at once; the others wait. Each has a thread of its own.
        injector: Where to register; the current one by default.
    """
    return create_agentool(
        "function",
        FunctionInput,
        {"call": function_call},
        deps=AllowedFunctions(tuple(prefixes), FunctionThreads(most)),
        description="Calls an importable Python function, only under prefixes that the application allows.",
        precheck=check_call,
        examples=({"operation": "call", "function": "reports.daily:build", "kwargs": {"days": 1}},),
        injector=injector,
    )


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a partial calls in the end; another function as it is."""
    while isinstance(function, partial):
        function = cast("partial[Any]", function).func
    return function


def _imported(module_name: str, attribute: str, name: str) -> Callable[..., Any]:
    try:
        found: object = getattr(import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing runs the module, which may raise anything
        problem = f"{name!r} cannot be imported: {type(error).__name__}: {error}."
        remedy = "Correct the module, or name another function."
        raise InvalidInput(problem, field="function", value=name, remedy=remedy) from error
    if not callable(found):
        raise InvalidInput(f"{name!r} cannot be called.", field="function", value=name)
    return cast("Callable[..., Any]", found)
