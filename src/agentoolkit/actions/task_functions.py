"""Turn plain functions into task types, and into operations of an AgenTool. A function's parameters are the fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import create_model

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.core.injector import Injector, get_injector
from agentool.errors import ConfigurationError, excerpt
from agentool.signatures import signature_of
from agentoolkit.actions.function import innermost
from agentoolkit.actions.task_types import register_task_type
from agentoolkit.threads import FunctionThreads

F = TypeVar("F", bound=Callable[..., Any])


def task_type(name: str, *, injector: Injector | None = None) -> Callable[[F], F]:
    """Return a decorator that turns a sync or async function into a task type and an AgenTool with the operation ``run``.

    Args:
        name: The name of the type and the AgenTool.
        injector: The injector to register in; by default the current one.

    Raises:
        ConfigurationError: The name is in use, a parameter cannot be given by name, or no toolkit is registered yet.
    """

    def register(function: F) -> F:
        description = (inspect.getdoc(function) or "").partition("\n\n")[0]
        agentool_of_functions(name, {"run": function}, description, injector=injector)
        register_task_type(name, name, lambda args: {"operation": "run", **args}, injector=injector)
        return function

    return register


class AvailableTasks:
    """The task types of the current injector. An assignment adds one: ``AVAILABLE_TASKS["report"] = report``.

    The function may be a task of Celery: it is then called in the scheduler's process, and not sent to a worker.
    Source: *Nagatha Assistant Task Scheduler*, "Custom Task Types".
    """

    def __setitem__(self, name: str, function: Callable[..., Any]) -> None:
        """Turn a function into a task type. Raises as `task_type`."""
        is_celery_task = hasattr(function, "apply_async")
        task_type(name)(getattr(function, "run") if is_celery_task else function)  # noqa: B009  a type checker knows no Celery

    def __iter__(self) -> Iterator[str]:
        return iter(get_injector().get("sequence").deps.types.names)


AVAILABLE_TASKS = AvailableTasks()


def agentool_of_functions(
    name: str, functions: Mapping[str, Callable[..., Any]], description: str = "", *, injector: Injector | None = None
) -> AgenTool[None]:
    """Create an AgenTool whose operations are sync or async functions, and register it.

    Args:
        name: The AgenTool's name.
        functions: A function for each operation; sync functions run in threads.
        description: See `create_agentool`.
        injector: The injector to register in; by default the current one.

    Raises:
        ConfigurationError: A parameter cannot be given by name, a name has two types, or another AgenTool has this name.
    """
    fields: dict[str, Any] = {"operation": (Literal[tuple(functions)], ...)}
    handlers: dict[str, Callable[..., Any]] = {}
    for operation, function in functions.items():
        parameters, hints = _parameters(function), _hints(function)
        for found in parameters:
            fields.setdefault(found.name, (hints.get(found.name, Any) | None, None if found.default is found.empty else found.default))
        handlers[operation] = _handler(name, function, parameters, hints)
    first = innermost(next(iter(functions.values())))
    # The function's module and name distinguish a redefinition of the same function from another function.
    origin = first if hasattr(first, "__qualname__") else type(first)
    model = create_model(f"{origin.__qualname__} as {name}", __base__=BaseOperationInput, __module__=origin.__module__ or "", **fields)
    return create_agentool(name, model, handlers, description=description, injector=injector)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    if (signature := signature_of(function)) is None:
        problem = f"{excerpt(function)} has no readable signature."
        raise ConfigurationError(problem, field="function", remedy="Wrap it in a function with named parameters.")
    parameters = list(signature.parameters.values())
    for found in parameters:
        if found.kind not in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY):
            problem = f"Parameter {found.name!r} of {function!r} cannot be given by name."
            raise ConfigurationError(problem, field="function", remedy="Give it a name of its own, without '*'.")
    return parameters


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, or of a callable object's ``__call__``."""
    inner = innermost(function)
    annotated = inner if inspect.isroutine(inner) or inspect.isclass(inner) else type(inner).__call__
    try:
        return get_type_hints(annotated)
    except (NameError, TypeError) as error:
        problem = f"The annotations of {excerpt(function)} cannot be read: {error}."
        raise ConfigurationError(problem, field="function", remedy="Import the names it uses at the top of its module.") from error


def _handler(name: str, function: Callable[..., Any], parameters: list[inspect.Parameter], hints: dict[str, Any]) -> Callable[..., Any]:
    threads = FunctionThreads()

    async def run(ctx: object, **arguments: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        result = await threads.run(lambda: function(**arguments), name)
        return await result if inspect.isawaitable(result) else result  # a callable object may be async

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [found.replace(kind=found.KEYWORD_ONLY, annotation=hints.get(found.name, Any)) for found in parameters]
    run.__signature__ = inspect.Signature([context, *named], return_annotation=Any)  # pyright: ignore[reportFunctionMemberAccess]
    run.__doc__ = function.__doc__
    return run
