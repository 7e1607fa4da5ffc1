"""A plain function as a task type: its parameters are the task's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import create_model

from agentool.agentool import create_agentool
from agentool.base import BaseOperationInput
from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentoolkit.actions.task_types import register_task_type
from agentoolkit.threads import FunctionThreads

F = TypeVar("F", bound=Callable[..., Any])


def task_type(name: str, *, injector: Injector | None = None) -> Callable[[F], F]:
    """Make a decorator that makes a function, async or not, a task type of this name, and an AgenTool with the operation ``run``.

    Args:
        name: The new type.
        injector: Whose; the current one's by default.

    Raises:
        ConfigurationError: The name is taken, a parameter cannot be given by name, or nothing has task types yet.
    """

    def register(function: F) -> F:
        parameters = _parameters(function)
        innermost: Callable[..., Any] = function
        while isinstance(innermost, partial):
            innermost = cast("partial[Any]", innermost).func
        hints = get_type_hints(innermost)
        defaults = {found.name: None if found.default is found.empty else found.default for found in parameters}
        fields: dict[str, Any] = {name: (hints.get(name, Any) | None, default) for name, default in defaults.items()}
        operation: Any = (Literal["run"], ...)
        model = create_model(f"{name}_input", __base__=BaseOperationInput, operation=operation, **fields)
        description = (inspect.getdoc(function) or "").partition("\n\n")[0]
        create_agentool(name, model, {"run": _handler(name, function, parameters, hints)}, description=description, injector=injector)
        register_task_type(name, name, lambda args: {"operation": "run", **args}, injector=injector)
        return function

    return register


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    for found in parameters:
        if found.kind not in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY):
            problem = f"Parameter {found.name!r} of {function!r} cannot be given by name."
            raise ConfigurationError(problem, field="function", remedy="Give it a name of its own, without '*'.")
    return parameters


def _handler(name: str, function: Callable[..., Any], parameters: list[inspect.Parameter], hints: dict[str, Any]) -> Callable[..., Any]:
    threads = FunctionThreads()

    async def run(ctx: object, **arguments: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        return await threads.run(lambda: function(**arguments), name)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [found.replace(kind=found.KEYWORD_ONLY, annotation=hints.get(found.name, Any)) for found in parameters]
    run.__signature__ = inspect.Signature([context, *named], return_annotation=Any)  # pyright: ignore[reportFunctionMemberAccess]
    run.__doc__ = function.__doc__
    return run
