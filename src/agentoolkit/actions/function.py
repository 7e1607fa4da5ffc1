"""Call an importable function: sync functions in a thread, async functions on the event loop.

A function is named ``package.module:name``. Both importing and calling run code, so only names under an allowed prefix are
imported. Source of the notation: *Agent Scheduler & Background Task Queue*, "Define Tasks in YAML".
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
"""Most items of an iterator that a function returns. An iterator may be endless."""


class FunctionInput(BaseOperationInput):
    """Input of the function AgenTool."""

    operation: Literal["call"]
    function: str | None = Field(None, description="'package.module:function', under an allowed prefix")
    args: list[Any] | None = Field(None, description="Positional arguments")
    kwargs: dict[str, Any] | None = Field(None, description="Named arguments")


class FunctionOutput(BaseModel):
    """The function's name and its result."""

    function: str
    result: Any = None


class FunctionNotAllowed(AgenToolError, PermissionError):
    """The function is under none of the allowed prefixes."""


@dataclass(frozen=True, slots=True)
class AllowedFunctions:
    """The allowed prefixes of functions, and the threads for sync functions."""

    prefixes: tuple[str, ...]
    threads: FunctionThreads = field(default_factory=FunctionThreads)
    _asynchronous: set[str] = field(default_factory=set[str])
    """Names of known async functions, which need no thread: calling them only makes a coroutine."""

    async def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Import and call a function, in a thread unless it is known to be async: an import may take long. Raises as `find`."""

        def call() -> Any:
            result = self.find(name)(*args, **kwargs)
            if not isinstance(result, Iterator):
                return result
            # Read here, because an iterator's code may block too.
            items = list(islice(cast("Iterator[Any]", result), MAX_ITEMS + 1))
            if len(items) > MAX_ITEMS:
                raise UnrecordableResult(f"The function returned an iterator over more than {MAX_ITEMS:,} items.", remedy="Return a list.")
            return items

        result = call() if name in self._asynchronous else await self.threads.run(call, name)
        return await result if inspect.isawaitable(result) else result  # a sync wrapper of an async function returns a coroutine

    def find(self, name: str) -> Callable[..., Any]:
        """Import a function.

        Raises:
            FunctionNotAllowed: No prefix allows it; nothing was imported.
            InvalidInput: The name is malformed, or the function does not exist.
        """
        module_name, separator, attribute = name.partition(":")
        if not (separator and attribute.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
            remedy = "Write 'package.module:function'."
            raise InvalidInput(f"{excerpt(name)} is not the name of a function.", field="function", value=name, remedy=remedy)
        if not self._allows(module_name):
            raise self._refusal(name, f"{excerpt(name)} is not allowed")
        found = _import_function(module_name, attribute, name)
        # A function that an allowed module has imported from elsewhere is not thereby allowed.
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


async def function_call(
    ctx: RunContext[AllowedFunctions], function: str, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None
) -> FunctionOutput:
    """Call a function and wait for its result."""
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
    """Create the AgenTool ``function`` and register it.

    Args:
        prefixes: Modules and packages whose functions may be called; by default none.
        most: Sync functions that run at once, each in its own thread; further calls wait.
        injector: The injector to register in; by default the current one.
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
    """Return the function inside nested partials; any other function unchanged."""
    while isinstance(function, partial):
        function = cast("partial[Any]", function).func
    return function


def _import_function(module_name: str, attribute: str, name: str) -> Callable[..., Any]:
    try:
        found: object = getattr(import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # importing runs the module, which may raise anything
        problem = f"{name!r} cannot be imported: {type(error).__name__}: {error}."
        remedy = "Correct the module, or name another function."
        raise InvalidInput(problem, field="function", value=name, remedy=remedy) from error
    if not callable(found):
        raise InvalidInput(f"{name!r} cannot be called.", field="function", value=name)
    return cast("Callable[..., Any]", found)
