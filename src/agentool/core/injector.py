"""Where AgenTools are registered, found, replaced in tests, and called."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import trace

from agentool.context import RunContext
from agentool.core.background import Background
from agentool.errors import ConfigurationError, InvalidOutput, UnknownAgenTool, did_you_mean, excerpt, values_unshown
from agentool.references import Resolved

if TYPE_CHECKING:
    from agentool.agentool import AgenTool
    from agentool.operations import Operation

    Tool = TypeVar("Tool", bound=AgenTool[Any])

_tracer = trace.get_tracer("agentool")


_UNTRACED = nullcontext()


class Injector:
    """The registry of AgenTools and the one way to call them."""

    def __init__(self) -> None:
        self._agentools: dict[str, AgenTool[Any]] = {}

    def register(self, agentool: Tool) -> Tool:
        """Make an AgenTool callable by its name.

        Raises:
            ConfigurationError: Another AgenTool has this name.
        """
        if self._agentools.get(agentool.name, agentool) is not agentool:
            raise ConfigurationError(
                f"An AgenTool named {agentool.name!r} is registered already.",
                remedy="Choose another name, or use injector.override(name, agentool) for a limited time.",
            )
        self._agentools[agentool.name] = agentool
        return agentool

    def get(self, name: str) -> AgenTool[Any]:
        """Return a registered AgenTool.

        Raises:
            UnknownAgenTool: Nothing has this name; the nearest one is named.
        """
        try:
            return self._agentools[name]
        except KeyError:
            remedy = did_you_mean(name, self._agentools) or "Nothing is registered yet: create the AgenTool first."
            raise UnknownAgenTool(f"No AgenTool is named {excerpt(name)}.", field="agentool_name", value=name, remedy=remedy) from None

    def __contains__(self, name: object) -> bool:
        return name in self._agentools

    @contextmanager
    def override(self, name: str, agentool: AgenTool[Any]) -> Generator[None]:
        """Let another AgenTool answer to a name inside a ``with`` block, then restore what was there."""
        before = self._agentools.get(name)
        self._agentools[name] = agentool
        try:
            yield
        finally:
            if before is None:
                self._agentools.pop(name, None)
            else:
                self._agentools[name] = before

    async def run(self, name: str, data: object) -> Any:
        """Call an AgenTool.

        Args:
            name: Its registered name.
            data: A dict, an instance of its input model, or JSON text. After `resolve_references` no error shows its values.

        Returns:
            What the handler returned, as the type it declares.

        Raises:
            UnknownAgenTool: Nothing has this name.
            InvalidInput: The data does not fit the AgenTool or the operation.
            InvalidOutput: The handler returned another type than it declares.
            Exception: Whatever the handler raises, unchanged.
        """
        if isinstance(data, Resolved):
            with values_unshown():
                return await self.run(name, dict(data))
        agentool = self.get(name)
        validated = agentool.validate(data)
        operation = agentool.operation(validated)
        span = _tracer.start_span(f"{name}.{operation.name}")
        # Where nobody traces, making the span current would cost as much as all the rest.
        traced = trace.use_span(span, end_on_exit=True) if span.get_span_context().is_valid else _UNTRACED
        with traced:
            arguments = operation.arguments(validated)
            output = await operation.handler(RunContext(agentool.deps, self, name), **arguments)
            if not isinstance(output, operation.output_classes):
                raise _invalid_output(name, operation, output)
            return output

    def run_sync(self, name: str, data: object) -> Any:
        """Call an AgenTool from a thread without a running event loop. See `run`.

        All such calls share one event loop in a thread of its own, which lasts as long as the process. So what a call
        starts goes on after it: jobs that were scheduled fire.

        Raises:
            ConfigurationError: An event loop is running here.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return _background.run(self.run(name, data))
        raise ConfigurationError("run_sync was called inside an event loop.", remedy="Write `await injector.run(name, data)`.")

    def catalog(self) -> Sequence[AgenTool[Any]]:
        """Return all registered AgenTools by name."""
        return sorted(self._agentools.values(), key=lambda agentool: agentool.name)

    def clear(self) -> None:
        """Forget every AgenTool."""
        self._agentools.clear()

    @contextmanager
    def activate(self) -> Generator[Injector]:
        """Make this the current injector inside a ``with`` block."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)


def _invalid_output(name: str, operation: Operation, output: object) -> InvalidOutput:
    declared = " | ".join(found.__name__ for found in operation.output_classes)
    return InvalidOutput(f"{name}.{operation.name} returned {excerpt(output)}, and declares {declared}.")


# Global state lives here and nowhere else: the event loop of `run_sync`, and the injector that `get_injector` gives where
# none is activated.
_background = Background()
_default: Injector | None = None
_current: ContextVar[Injector] = ContextVar("agentool_injector")


def get_injector() -> Injector:
    """Return the current injector: the activated one, else this process's default, made at first use."""
    global _default
    if (active := _current.get(None)) is not None:
        return active
    if _default is None:
        _default = Injector()
    return _default
