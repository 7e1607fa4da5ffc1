"""AgenTools as tools of a pydantic-ai agent: one flat tool for each operation.

    agent = Agent(model, toolsets=[AgenToolset("storage_kv", "templates")])

A refusal asks the model to try again and shows a call that works. An error that no retry cures becomes the tool's failure, as text.
So does the last refusal in a row: a model that cannot make the call can still say so.
A mistake of the application's developer ends the run. The caller is set here, never by the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_ai import ModelRetry, ToolFailed, UserError
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.tools import RunContext, Tool, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_core import PydanticSerializationError, from_json

from agentool.agentool import AgenTool
from agentool.base import ReadableOutput
from agentool.caller import OWN, Caller, acting_as, get_caller
from agentool.core.injector import Injector, get_injector
from agentool.describe import OperationDescription, describe
from agentool.errors import AgenToolError, ConfigurationError, InvalidOutput, did_you_mean, excerpt, text_of
from agentool.flat_calls import checked_arguments, cut_answer, with_example, words
from agentool.references import as_text

RETRIES = 3
"""Times that a model is asked to correct one call."""

CallerFor = Callable[[RunContext[Any]], Caller]


class _AnyArguments:
    """Accepts any arguments of a model. The injector checks them, and its refusals are clearer."""

    def validate_json(self, input: str | bytes | bytearray, **_: Any) -> Any:
        """Read JSON. Return other text unchanged: it is refused later, because arguments must be an object."""
        try:
            return from_json(input)
        except ValueError:
            return input

    def validate_python(self, input: Any, **_: Any) -> Any:
        """Return the input unchanged."""
        return input


_ANY_ARGUMENTS = _AnyArguments()


@dataclass(frozen=True, slots=True)
class FlatTool:
    """One operation, as a model sees it."""

    operation: OperationDescription
    fields: frozenset[str]
    definition: ToolDefinition
    needs_approval: bool


class AgenToolset(AbstractToolset[Any]):
    """Operations of AgenTools as the tools of a pydantic-ai agent.

    Args:
        agentools: AgenTools, or names of registered ones; without any, all registered AgenTools.
        operations: The operations to offer, by the names of AgenTools that are offered; by default all.
        names: Returns the tool's name for an operation; by default such as ``storage_kv_get``.
        approve: Names of tools whose calls need a person's approval.
        caller: The caller, or a function of the run's context; by default the caller that runs the agent, with a model's scopes.
        injector: The injector that calls the AgenTools; by default the current one.
        defer_loading: Show the tools only after the model has searched for them.
        id: A name for this toolset, unique in one agent.
    """

    def __init__(
        self,
        *agentools: str | AgenTool[Any],
        operations: Mapping[str, Collection[str]] | None = None,
        names: Callable[[OperationDescription], str] = lambda operation: operation.tool_name,
        approve: Collection[str] = (),
        caller: Caller | CallerFor | None = None,
        injector: Injector | None = None,
        defer_loading: bool = False,
        id: str = "agentool",
    ) -> None:
        self._agentools = agentools
        self._operations = operations or {}
        self._names = names
        self._approve = frozenset(approve)
        self._caller = caller
        self._injector = injector
        self._defer_loading = defer_loading
        self._id = id
        self._made: tuple[Injector, dict[str, FlatTool], dict[str, ToolsetTool[Any]]] | None = None

    @property
    def id(self) -> str:
        """The name of this toolset in pydantic-ai."""
        return self._id

    def flat_tools(self) -> Mapping[str, FlatTool]:
        """Return the tools by name.

        Raises:
            UserError: An AgenTool or operation does not exist, or two tools have the same name.
        """
        return self._tools()[1]

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """Return the tools that the model may call."""
        return self._tools()[2]

    async def call_tool(self, name: str, tool_args: Any, ctx: RunContext[Any], tool: ToolsetTool[Any]) -> Any:
        """Call an operation as the model asks."""
        injector, tools, _ = self._tools()
        flat = tools[name]
        caller = caller_of(self._caller, ctx)
        try:
            with acting_as(caller):
                arguments = await checked_arguments(injector, flat.operation, tool_args)
            if flat.needs_approval and not ctx.tool_call_approved:
                raise ApprovalRequired
            with acting_as(caller):
                output = await injector.run(flat.operation.agentool_name, flat.operation.call(arguments))
        except (AgenToolError, OSError) as error:
            raise refusal(error, name, flat.operation.example, is_last=_is_last(ctx, name)) from error
        return answer(output)

    def _tools(self) -> tuple[Injector, dict[str, FlatTool], dict[str, ToolsetTool[Any]]]:
        injector = self._injector or get_injector()
        if self._made is None or self._made[0] is not injector:
            try:
                flat = self._flat(injector)
            except (AgenToolError, ValueError) as error:
                raise UserError(str(error)) from error
            shown = {name: ToolsetTool(toolset=self, tool_def=tool.definition, max_retries=RETRIES, args_validator=_ANY_ARGUMENTS)
                     for name, tool in flat.items()}  # fmt: skip
            self._made = injector, flat, shown
        return self._made

    def _flat(self, injector: Injector) -> dict[str, FlatTool]:
        tools: dict[str, FlatTool] = {}
        given = self._agentools or injector.catalog()
        found: list[OperationDescription] = []
        agentools = [each if isinstance(each, AgenTool) else injector.get(each) for each in given]
        self._check_chosen([tool.name for tool in agentools])
        for tool in agentools:
            described = describe(tool)
            wanted = self._operations.get(tool.name)
            found += described.operations if wanted is None else [described.operation(name) for name in wanted]
        for operation in found:
            name = self._names(operation)
            if name in tools:
                raise ConfigurationError(f"Two tools are named {name!r}.", remedy="Give `names` that differ.")
            definition = ToolDefinition(
                name=name,
                description=operation.description,
                parameters_json_schema=operation.schema,
                defer_loading=self._defer_loading,
                metadata={
                    "agentool": operation.agentool_name,
                    "operation": operation.name,
                    "annotations": operation.hints.annotations(),  # the key that pydantic-ai's own toolset for MCP uses
                },
            )
            fields = frozenset(field.name for field in operation.fields)
            tools[name] = FlatTool(operation, fields, definition, name in self._approve)
        if unknown := self._approve - tools.keys():
            remedy = did_you_mean(min(unknown), tools)
            raise ConfigurationError(f"Approval is asked for {sorted(unknown)}, which no tool is named.", remedy=remedy)
        return tools

    def _check_chosen(self, names: Collection[str]) -> None:
        """Refuse operations of an AgenTool that is not offered: under its right name all of its operations would be."""
        if unknown := sorted(self._operations.keys() - set(names)):
            problem = f"Operations are chosen for {excerpt(unknown[0])}, which is not an AgenTool of this toolset."
            raise ConfigurationError(problem, field="operations", value=unknown, remedy=did_you_mean(unknown[0], names))


def for_agents(function: Callable[..., Any], agentool: str | AgenTool[Any], injector: Injector | None = None) -> Tool[Any]:
    """Turn a handler named ``agentool_operation`` into a tool for ``Agent(tools=[…])``, which takes pydantic-ai's own context.

    Raises:
        UserError: The AgenTool has no operation of this name.
    """
    name = agentool if isinstance(agentool, str) else agentool.name
    operation = function.__name__.removeprefix(f"{name}_")
    toolset = AgenToolset(agentool, operations={name: [operation]}, names=lambda _: function.__name__, injector=injector)
    flat = toolset.flat_tools()[function.__name__]

    async def call(ctx: RunContext[Any], **arguments: Any) -> Any:
        tools = await toolset.get_tools(ctx)
        return await toolset.call_tool(function.__name__, arguments, ctx, tools[function.__name__])

    description = flat.definition.description
    return Tool.from_schema(call, function.__name__, description, flat.operation.schema, takes_ctx=True)


def caller_of(given: Caller | CallerFor | None, ctx: RunContext[Any]) -> Caller:
    """Return the caller: inside a scheduled run its job's owner, else the given caller, else the caller that runs the agent."""
    current = get_caller()
    if given is None or current.depth:
        return current.at("agent", OWN)
    return given if isinstance(given, Caller) else given(ctx)


def refusal(error: Exception, tool_name: str, example: Mapping[str, Any] | None, *, is_last: bool = False) -> Exception:
    """Turn an error into pydantic-ai's exception: another try, a failure as text, or the end of the run."""
    if isinstance(error, (ConfigurationError, InvalidOutput)):
        return UserError(text_of(error))
    if isinstance(error, AgenToolError) and error.correctable and not isinstance(error, PermissionError) and not is_last:
        return ModelRetry(with_example(error, tool_name, example))
    return ToolFailed(words(error))


def _is_last(ctx: RunContext[Any], name: str) -> bool:
    """Tell whether this is the model's last try of a tool that has not failed before. After a failure, a further refusal ends the run."""
    parts = (part for message in ctx.messages for part in message.parts)
    failed = any(isinstance(part, ToolReturnPart) and part.tool_name == name and part.outcome == "failed" for part in parts)
    return ctx.last_attempt and not failed


def answer(output: Any) -> Any:
    """Return an output as a model sees it: text, which is JSON if it was no text, cut where it is too long.

    Other outputs than models, texts, dicts and lists are handed on: pydantic-ai knows further ones, such as images.
    """
    if isinstance(output, ReadableOutput):
        return cut_answer(output.text)
    if isinstance(output, BaseModel):
        return cut_answer(_json_of(output))
    if isinstance(output, str):
        return cut_answer(output)
    return _shortened(output) if isinstance(output, (dict, list)) else output


def _json_of(output: BaseModel) -> str:
    try:
        return output.model_dump_json(exclude_none=True)
    except PydanticSerializationError:  # it holds a lone surrogate, or bytes that are no text
        return as_text(output.model_dump(exclude_none=True))


def _shortened(output: Any) -> Any:
    """Return JSON values as they are; as text where they are too long, or hold a lone surrogate, which no message to a model can."""
    try:
        text = json.dumps(output, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # not JSON values
        return output
    shown = cut_answer(text)
    return output if shown == text else shown


__all__ = ["AgenToolset", "FlatTool", "answer", "caller_of", "for_agents", "refusal", "words"]
