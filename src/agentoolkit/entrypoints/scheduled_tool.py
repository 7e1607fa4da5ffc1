"""``@scheduled_tool``: let a tool of an MCP server or an agent schedule itself.

    @mcp.tool()
    @scheduled_tool
    async def greet(name: str) -> str: …

A call with ``datetime`` or ``schedule`` schedules the tool and returns the job. A call without them runs it at once.
Source: *Scheduler Service*, "Using Scheduled Tools with MCP".
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from logging import INFO
from typing import Any, Literal, TypeVar, overload

from pydantic import ValidationError, create_model

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.caller import acting_as
from agentool.core.injector import Injector
from agentool.errors import AgenToolError, InvalidInput
from agentool.flat_calls import fields_called, words
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.schedulable.adoption import adopt
from agentoolkit.entrypoints.schedulable.program_toolkits import CALLER, PROGRAM_TOOLKITS, ProgramToolkit
from agentoolkit.entrypoints.schedulable.signature import ADDED, ScheduledCall, ToolArguments, ToolSignature, read_signature
from agentoolkit.entrypoints.schedulable.unknown_arguments import ask_for_context, refuse_unknown
from agentoolkit.threads import FunctionThreads
from agentoolkit.wiring import Toolkit

F = TypeVar("F", bound=Callable[..., Any])
Work = Callable[[Toolkit], Awaitable["ScheduledCall"]]

_REFUSALS = (
    ("mcp.server.mcpserver.exceptions", "ToolError"),
    ("fastmcp.exceptions", "ToolError"),
    ("pydantic_ai.exceptions", "ModelRetry"),
)
"""Errors whose text servers and agents show to a model, if their modules are loaded."""


@overload
def scheduled_tool(function: F, /) -> F: ...
@overload
def scheduled_tool(
    *,
    task_name: str | None = None,
    max_retries: int = 0,
    retry_backoff: bool | float = True,
    server: object | None = None,
    kit: BackgroundToolkit | None = None,
) -> Callable[[F], F]: ...
def scheduled_tool(
    function: F | None = None,
    /,
    *,
    task_name: str | None = None,
    max_retries: int = 0,
    retry_backoff: bool | float = True,
    server: object | None = None,
    kit: BackgroundToolkit | None = None,
) -> F | Callable[[F], F]:
    """Make a tool schedulable. The order with the server's own decorator does not matter.

    Its docstring and the types of its arguments stay; ``datetime`` and ``schedule`` are added. A scheduling call of a tool that does
    not return text returns a `ScheduledCall`. Scheduled runs happen in a background thread with its own event loop.

    Args:
        function: The tool, if the decorator is used without arguments.
        task_name: Name of its AgenTool; the function's by default. What an AgenTool's name cannot have, such as a blank, becomes ``_``.
        max_retries: Retries of a failed scheduled run.
        retry_backoff: Seconds before the first retry, doubled each time. True: one second; False: none.
        server: The server, if this decorator is above the server's and no variable of the tool's module has the server.
        kit: The toolkit that schedules; by default a background toolkit with a database for this program.

    Raises:
        ConfigurationError: The tool already has an argument of these names, or another AgenTool has its name.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    visible = caller.f_locals

    def decorate(plain: F) -> F:
        signature = read_signature(plain)
        toolkit = ProgramToolkit(kit) if kit is not None else PROGRAM_TOOLKITS.of(plain)
        name = re.sub(r"[^\w.-]+", "_", task_name or signature.name)  # Celery takes any text as the name of a task
        tool = SchedulableTool(signature, name, max_retries, float(retry_backoff), toolkit)
        toolkit.add(tool.agentool())
        schedulable = _wrapper(plain, signature, tool)
        adopt(plain, schedulable, server, (getattr(plain, "__globals__", {}), visible))
        return schedulable  # type: ignore[return-value]

    return decorate if function is None else decorate(function)


@dataclass(frozen=True, slots=True)
class SchedulableTool:
    """A tool, and the options of its scheduled runs."""

    signature: ToolSignature
    name: str
    max_retries: int
    retry_backoff: float
    toolkit: ProgramToolkit

    def agentool(self) -> AgenTool[None]:
        """Return the AgenTool that the scheduled runs call."""
        arguments = self.signature.arguments_model()
        operation: Any = (Literal["run"], ...)
        given: Any = (arguments | None, None)
        home = self.signature.function.__module__
        model = create_model(f"{self.name}_input", __base__=BaseOperationInput, __module__=home, operation=operation, arguments=given)
        description = (inspect.getdoc(self.signature.function) or "").partition("\n\n")[0]
        return create_agentool(self.name, model, {"run": self._handler(arguments)}, description=description, injector=Injector())

    def _handler(self, model: type[ToolArguments]) -> Callable[..., Any]:
        function, threads = self.signature.function, FunctionThreads()

        async def run(ctx: object, arguments: Any) -> Any:
            given = {name: getattr(arguments, name) for name in model.model_fields}
            if inspect.iscoroutinefunction(function):
                return await function(**given)
            return await threads.run(lambda: function(**given), self.name)

        run.__annotations__["arguments"] = model
        return run

    def later(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], datetime: str | None, schedule: str | None) -> Work | None:
        """Return what schedules this call; None: it is to run at once.

        Raises:
            InvalidInput: Both times are given, the tool needs its server's context, or an argument cannot be stored.
        """
        if not datetime and not schedule:
            return None
        if datetime and schedule:
            problem = "Give either datetime, to run once, or schedule, to run repeatedly."
            raise InvalidInput(problem, field="schedule", value=schedule, remedy="Leave one of them out.")
        data = self._request(args, kwargs)
        return lambda kit: self._schedule(kit, data, datetime or schedule or "", once=bool(datetime))

    def _request(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the input of a run with these arguments, as JSON values."""
        for name in self.signature.contexts:
            if self.signature.whole.parameters[name].default is inspect.Parameter.empty:
                problem = f"Tool {self.signature.name!r} needs its server's context, which a scheduled run does not have."
                raise InvalidInput(problem, field=name, remedy="Call it without datetime and schedule.")
        try:
            held = self.signature.arguments_model().model_validate(self.signature.given(args, kwargs))
        except ValidationError as error:
            raise InvalidInput.from_validation(self.name, error) from error
        return {"operation": "run", "arguments": held.kept()}

    async def _schedule(self, kit: Toolkit, data: Mapping[str, Any], when: str, *, once: bool) -> ScheduledCall:
        """Schedule a run, once or repeatedly. An identical run is scheduled only once."""
        asked = {"schedule": when, **({"schedule_type": "once"} if once else {})}
        with acting_as(CALLER), fields_called({"schedule": "datetime" if once else "schedule", "input_data.arguments": ""}):
            read = (await kit.injector.run("scheduler", {"operation": "preview", **asked})).data
            if not once and read["schedule_type"] == "once":
                raise InvalidInput(
                    "It is a single time, and schedule is for repeated runs.", field="schedule", value=when, remedy="Use datetime."
                )
            digest = sha256(repr((data, read["schedule"], read["timezone"])).encode()).hexdigest()
            job = {
                "job_name": f"{self.name} {digest[:8]}",
                **asked,
                "agentool_name": self.name,
                "input_data": dict(data),
                "max_retries": self.max_retries,
                "retry_backoff": self.retry_backoff,
            }
            done = (await kit.injector.run("scheduler", {"operation": "schedule", **job})).data
        reading, zone, next_run = read["words"], done["timezone"], done["next_run"]
        said = "Scheduled" if done["created"] else "Already scheduled:"
        due = f", next at {next_run}" if next_run else ""
        message = f"{said} {self.name!r}: {reading} ({zone}){due}. Job id: {done['job_id']}."
        return ScheduledCall(
            message="\n".join([message, *(f"note: {remark}" for remark in done["remarks"])]),
            job_id=done["job_id"],
            reading=reading,
            timezone=zone,
            next_run=next_run,
            remarks=done["remarks"],
        )


def _wrapper(plain: Callable[..., Any], signature: ToolSignature, tool: SchedulableTool) -> Callable[..., Any]:
    as_text = signature.hints.get("return") is str

    def shown(answer: ScheduledCall) -> ScheduledCall | str:
        return answer.message if as_text else answer

    known = [*(name for name in signature.whole.parameters if name not in signature.contexts), *ADDED]

    @wraps(plain)
    async def later_or_now(*args: Any, datetime: str | None = None, schedule: str | None = None, **kwargs: Any) -> Any:
        with _refusals_shown():
            kwargs = refuse_unknown(made, known, kwargs)
            if (later := tool.later(args, kwargs, datetime, schedule)) is not None:
                return shown(await tool.toolkit.background.call(later))
        return await plain(*args, **kwargs)

    @wraps(plain)
    def later_or_now_sync(*args: Any, datetime: str | None = None, schedule: str | None = None, **kwargs: Any) -> Any:
        with _refusals_shown():
            kwargs = refuse_unknown(made, known, kwargs)
            if (later := tool.later(args, kwargs, datetime, schedule)) is not None:
                return shown(tool.toolkit.background.run_work(later))
        return plain(*args, **kwargs)

    made: Any = later_or_now if inspect.iscoroutinefunction(plain) else later_or_now_sync
    made.__signature__ = widened = signature.widened()
    made.__annotations__ = {each.name: each.annotation for each in widened.parameters.values() if each.annotation is not each.empty}
    if widened.return_annotation is not inspect.Signature.empty:
        made.__annotations__["return"] = widened.return_annotation
    ask_for_context(made)
    del made.__wrapped__  # through it, inspection would find the signature without the added arguments
    made.__dict__.pop("__fastmcp__", None)
    return made


@contextmanager
def _refusals_shown() -> Generator[None]:
    """Let a model read what is refused inside a ``with`` block."""
    try:
        yield
    except AgenToolError as error:
        raise refused(error) from error


def refused(error: AgenToolError) -> Exception:
    """Return an error whose text the tool's server or agent shows to the model."""
    kinds = [getattr(sys.modules[module], name) for module, name in _REFUSALS if module in sys.modules]
    bases = tuple(dict.fromkeys(kinds)) or (ValueError,)
    kind = type("NotScheduled", bases, {"__init__": _keep_message, "__str__": Exception.__str__, "log_level": INFO})
    return kind(f"Nothing was scheduled, and nothing was run. {words(error)}")


def _keep_message(self: Any, message: str) -> None:
    Exception.__init__(self, message)
    self.message = message


__all__ = ["ScheduledCall", "scheduled_tool"]
