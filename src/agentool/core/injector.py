"""The injector: registers AgenTools, finds them, replaces them in tests, and calls them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, TypeVar

from agentool.context import RunContext
from agentool.core.spans import is_traced, tracer
from agentool.errors import (
    AgenToolError,
    ConfigurationError,
    InvalidInput,
    InvalidOutput,
    UnknownAgenTool,
    did_you_mean,
    excerpt,
    values_unshown,
)
from agentool.references import Resolved

if TYPE_CHECKING:
    from agentool.agentool import AgenTool
    from agentool.base import BaseOperationInput
    from agentool.operations import Operation

    Tool = TypeVar("Tool", bound=AgenTool[Any])


class Injector:
    """The registry of AgenTools and the one way to call them. It may be used from several threads."""

    def __init__(self) -> None:
        self._registered: dict[str, AgenTool[Any]] = {}
        self._builders: dict[str, Callable[[], object]] = {}
        """Functions that build an AgenTool at its first use, by name."""
        self._register_others: Callable[[], object] | None = None
        """Registers further AgenTools, when a name is asked for that none has."""
        self._overrides: dict[str, list[tuple[AgenTool[Any]]]] = {}
        self._agentools: dict[str, tuple[AgenTool[Any], RunContext[Any]]] = {}
        """The AgenTool behind each name now, which is its last override or the registered one; and the context of its handlers."""
        self._lock = RLock()

    def register(self, agentool: Tool) -> Tool:
        """Make an AgenTool callable by its name. The same definition again, as from a notebook's cell, replaces the earlier one.

        Raises:
            ConfigurationError: Another AgenTool has this name, or it is not an AgenTool.
        """
        _check_kind(agentool)
        with self._lock:
            there = self._registered.get(agentool.name)
            if agentool.name in self._builders or not (there is None or there is agentool or _is_same_again(there, agentool)):
                raise ConfigurationError(
                    f"An AgenTool named {agentool.name!r} is registered already.",
                    remedy="Choose another name, or use injector.override(name, agentool) for a limited time.",
                )
            self._registered[agentool.name] = agentool
            self._update(agentool.name)
        return agentool

    def register_lazily(self, name: str, build: Callable[[], object]) -> None:
        """Reserve a name and build its AgenTool at the first use. Until then nothing of the AgenTool is imported.

        Args:
            name: Its name.
            build: Builds the AgenTool and registers it here. After a failure it is called again at the next use.

        Raises:
            ConfigurationError: Another AgenTool has this name.
        """
        with self._lock:
            if name in self._registered or name in self._builders:
                raise ConfigurationError(f"An AgenTool named {name!r} is registered already.", remedy="Choose another name.")
            self._builders[name] = build

    def register_others_later(self, register: Callable[[], object] | None) -> None:
        """Call a function when a name is asked for that no AgenTool has, and look again. Until then nothing of it is imported.

        Args:
            register: Registers further AgenTools here. It is called once, and again after a failure. None takes it back.
        """
        self._register_others = register

    def unregister(self, name: str) -> None:
        """Remove an AgenTool. An unknown name is ignored."""
        with self._lock:
            self._registered.pop(name, None)
            self._builders.pop(name, None)
            self._update(name)

    def get(self, name: str) -> AgenTool[Any]:
        """Return a registered AgenTool.

        Raises:
            UnknownAgenTool: No AgenTool has this name. The message names the nearest one.
        """
        try:
            return self._agentools[name][0]
        except KeyError:
            return self._build(name)[0]
        except TypeError:  # it cannot be a key
            raise _no_name(name) from None

    def names(self) -> Sequence[str]:
        """Return the names of all AgenTools, sorted, without building any."""
        with self._lock:
            return sorted({*self._agentools, *self._builders})

    def __contains__(self, name: object) -> bool:
        if name in self._agentools:
            return True
        with self._lock:  # another thread may be building it
            return name in self._agentools or name in self._builders

    @contextmanager
    def override(self, name: str, agentool: AgenTool[Any]) -> Generator[None]:
        """Let another AgenTool answer to a name inside a ``with`` block. Blocks may overlap: each exit removes its own.

        Raises:
            ConfigurationError: It is not an AgenTool.
        """
        _check_kind(agentool)
        entry = (agentool,)  # the same AgenTool twice is two entries
        with self._lock:
            self._overrides.setdefault(name, []).append(entry)
            self._update(name)
        try:
            yield
        finally:
            with self._lock:
                stack = self._overrides.get(name, [])  # none after `clear`
                stack[:] = [other for other in stack if other is not entry]
                self._update(name)

    async def run(self, name: str, data: object) -> Any:
        """Call an AgenTool.

        Args:
            name: Its registered name.
            data: A dict, an instance of its input model, or JSON text. After `resolve_references` no error shows its values.

        Returns:
            The handler's output, of the type it declares.

        Raises:
            UnknownAgenTool: No AgenTool has this name.
            InvalidInput: The data does not fit the AgenTool or the operation.
            InvalidOutput: The handler returned another type than it declares.
            Exception: Any exception of the handler, unchanged.
        """
        if isinstance(data, Resolved):
            with values_unshown():
                return await self.run(name, dict(data))
        try:
            found = self._agentools.get(name)
        except TypeError:  # it cannot be a key
            raise _no_name(name) from None
        agentool, context = found or self._build(name)
        try:
            validated = agentool.validate(data)
        except InvalidInput as refused:
            if not refused.also:
                refused.also = await agentool.refused_besides(data, refused, self)
            raise
        operation = agentool.operation(validated)
        if is_traced():
            from opentelemetry.trace import use_span

            with use_span(tracer().start_span(f"{name}.{operation.name}"), end_on_exit=True):
                return await _call(operation, context, validated)
        output = await operation.handler(context, **operation.arguments(validated))
        if not isinstance(output, operation.output_classes):
            raise _invalid_output(name, operation, output)
        return output

    async def refusals(self, name: str, data: object) -> tuple[AgenToolError, ...]:
        """Return the refusals of a call that can be found without making it. Raises `UnknownAgenTool`."""
        agentool = self.get(name)
        try:
            validated = agentool.check(data)
        except AgenToolError as error:
            return (error,)
        return await agentool.refused_in_trial(validated, self)

    def run_sync(self, name: str, data: object) -> Any:
        """Call an AgenTool from a thread without a running event loop. See `run`.

        All such calls share one event loop in a thread of its own, which lasts as long as the process. Scheduled jobs
        therefore fire after the call has returned.

        Raises:
            ConfigurationError: An event loop is running here.
        """
        import asyncio

        from agentool.core.background import shared

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return shared.run(self.run(name, data))
        raise ConfigurationError("run_sync was called inside an event loop.", remedy="Write `await injector.run(name, data)`.")

    def catalog(self) -> Sequence[AgenTool[Any]]:
        """Return all AgenTools, sorted by name. Those that were not used yet are built."""
        return [self.get(name) for name in self.names()]

    def clear(self) -> None:
        """Remove every AgenTool."""
        with self._lock:
            for held in (self._registered, self._builders, self._overrides, self._agentools):
                held.clear()
            self._register_others = None

    @contextmanager
    def activate(self) -> Generator[Injector]:
        """Make this the current injector inside a ``with`` block. Blocks may overlap, and may end in another task."""
        activation = (self,)  # the same injector twice is two entries
        _activations.set((*_activations.get(), activation))
        try:
            yield self
        finally:
            _activations.set(tuple(other for other in _activations.get() if other is not activation))

    def make_context(self) -> Context:
        """Return a context for a task that outlives its starter. Only the current injector is set in it: this one."""
        context = Context()
        context.run(_activations.set, ((self,),))
        return context

    def _build(self, name: str) -> tuple[AgenTool[Any], RunContext[Any]]:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  callers may be unchecked
            raise _no_name(name)
        with self._lock:
            if name not in self:
                self._look_further()
            if name in self._agentools:  # another thread has built it meanwhile
                return self._agentools[name]
            if (build := self._builders.pop(name, None)) is None:
                remedy = did_you_mean(name, self.names()) or "Nothing is registered yet: create the AgenTool first."
                raise UnknownAgenTool(f"No AgenTool is named {excerpt(name)}.", field="agentool_name", value=name, remedy=remedy)
            try:
                build()
                if name in self._agentools:
                    return self._agentools[name]
                problem = f"{build!r} was to register the AgenTool {name!r}, and did not."
                raise ConfigurationError(problem, remedy=f"Let it call create_agentool({name!r}, …, injector=…) with this injector.")
            except BaseException:
                self._builders[name] = build
                raise

    def _look_further(self) -> None:
        """Let further AgenTools be registered. Whoever registers them may ask for names itself."""
        register, self._register_others = self._register_others, None
        if register is not None:
            try:
                register()
            except BaseException:
                self._register_others = register
                raise

    def _update(self, name: str) -> None:
        """Point a name at its last override, else at the registered AgenTool."""
        stack = self._overrides.get(name)
        agentool = stack[-1][0] if stack else self._registered.get(name)
        if agentool is None:
            self._agentools.pop(name, None)
        else:
            self._agentools[name] = agentool, RunContext(agentool.deps, self, name)


def _check_kind(given: object) -> None:
    from agentool.agentool import AgenTool

    if not isinstance(given, AgenTool):
        raise ConfigurationError(f"{excerpt(given)} is not an AgenTool.", value=given, remedy="Make one with create_agentool.")


def _no_name(given: object) -> UnknownAgenTool:
    problem = f"An AgenTool is called by its name, not by {excerpt(given)}."
    return UnknownAgenTool(problem, field="agentool_name", value=given, remedy="Write `injector.run(name, input)`.")


async def _call(operation: Operation, context: RunContext[Any], validated: BaseOperationInput) -> Any:
    """Call a handler inside its span, so that the span records a refused output too."""
    output = await operation.handler(context, **operation.arguments(validated))
    if not isinstance(output, operation.output_classes):
        raise _invalid_output(context.agentool_name, operation, output)
    return output


def _is_same_again(there: AgenTool[Any], new: AgenTool[Any]) -> bool:
    """Tell whether this is the same definition run once more: a notebook's cell ran twice, or a module was reloaded."""
    if _definition(there) != _definition(new) or "<locals>" in new.input_type.__qualname__:
        return False
    is_redefined = there.input_type is not new.input_type or new.input_type.__module__ == "__main__"
    return is_redefined or (there.deps is not None and type(there.deps) is type(new.deps) and there.deps == new.deps)


def _definition(agentool: AgenTool[Any]) -> object:
    """Return the modules and names of an AgenTool's input model and handlers."""
    parts = [agentool.input_type, *(operation.handler for operation in agentool.operations.values())]
    return [(getattr(part, "__module__", ""), getattr(part, "__qualname__", repr(part))) for part in parts]


def _invalid_output(name: str, operation: Operation, output: object) -> InvalidOutput:
    declared = " | ".join(found.__name__ for found in operation.output_classes)
    return InvalidOutput(f"{name}.{operation.name} returned {excerpt(output)}, and declares {declared}.")


# The only global state, besides the event loop of `run_sync`: the injector that `get_injector` returns if none is activated.
_default: Injector | None = None
_creation = Lock()
_activations: ContextVar[tuple[tuple[Injector], ...]] = ContextVar("agentool_injectors", default=())


def get_injector() -> Injector:
    """Return the current injector: the activated one, else this process's default, which is created at its first use."""
    global _default
    if activations := _activations.get():
        return activations[-1][0]
    if _default is None:
        with _creation:  # two threads must not get two
            if _default is None:
                _default = Injector()
    return _default
