"""The MCP server: tools, resources and questions on the SDK's low-level server, so that errors are this project's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from agentool.caller import Caller, Scope, acting_as
from agentool.errors import UnknownAgenTool
from agentoolkit.entrypoints.mcp_server.confirmation import ConfirmationNeeded
from agentoolkit.entrypoints.mcp_server.host import Host
from agentoolkit.entrypoints.mcp_server.prompts import get_prompt, list_prompts
from agentoolkit.entrypoints.mcp_server.resources import JobResources
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk
from agentoolkit.entrypoints.mcp_server.tools import TaskTools, ToolReply
from agentoolkit.wiring import Toolkit

Context = ServerRequestContext[Any, Any]
CallerFor = Callable[[], Caller]

INSTRUCTIONS = (
    "Schedules tasks that run later, once or repeatedly, also when nobody is there. Look with scheduler_list_tasks before you "
    "schedule; change a task rather than make a second one. Say times in words, as the user did ('in 20 minutes', 'every weekday at "
    "9:00'); never compute a date or a time. Afterwards tell the user the reading, the zone and the next run."
)
ANSWER_SECONDS = 300.0
"""Longest wait for a person's answer in the older protocol."""
PROGRESS_SECONDS = 1.0
"""Interval of the progress reports of a long call."""
_OUTPUT_SCHEMA = {"type": "object"}
_CONFIRMED = "confirm"
_YES_OR_NO: dict[str, Any] = {
    "type": "object",
    "properties": {_CONFIRMED: {"type": "boolean", "title": "Yes, do it"}},
    "required": [_CONFIRMED],
}
APPROVE: frozenset[Scope] = frozenset({"approve"})


def create_server(host: Host, caller: CallerFor, *, timezone: str | None = None, agent: str | None = None, is_local: bool = True) -> Server:
    """Create an MCP server on a toolkit.

    Args:
        host: Hosts the toolkit.
        caller: Returns the caller of the current request.
        timezone: Default IANA zone of the tools; the scheduler's by default.
        agent: Name of the agent that runs prompts; the only registered one by default.
        is_local: True if every caller is a person at this machine, who may start and stop the scheduler, and approve, without a scope.
    """
    door = Door(host, caller, TaskTools(TaskDesk(None, timezone, agent, host=host, is_local=is_local)), asks_approval=is_local)
    resources = JobResources(host, caller)
    return Server(
        "agentool",
        version=version("agentool"),
        title="Scheduler",
        instructions=INSTRUCTIONS,
        on_list_tools=door.list_tools,
        on_call_tool=door.call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_list_resources=resources.list_resources,
        on_list_resource_templates=resources.list_templates,
        on_read_resource=resources.read,
        on_subscribe_resource=resources.subscribe,
        on_unsubscribe_resource=resources.unsubscribe,
        on_subscriptions_listen=resources.listen,
    )


class Door:
    """Answers the protocol's requests for the tools."""

    def __init__(self, host: Host, caller: CallerFor, tools: TaskTools, *, asks_approval: bool) -> None:
        self._host = host
        self._caller = caller
        self._tools = tools
        self._asks_approval = asks_approval

    async def list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """List the twelve tools."""
        return types.ListToolsResult(tools=mcp_tools(self._tools))

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult | types.InputRequiredResult:
        """Call a tool, and ask the person at the client if that is needed and possible."""
        try:
            self._tools.check_name(params.name)
        except UnknownAgenTool as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        arguments = params.arguments or {}
        try:
            answer = await self._call_tool(ctx, params.name, arguments)
        except ConfirmationNeeded as needed:
            return await self._ask_to_confirm(ctx, params, needed)
        if answer.question is not None and self._asks_approval:
            return await self._ask_to_approve(ctx, params, answer)
        return _result(answer)

    async def _call_tool(self, ctx: Context, name: str, arguments: object) -> ToolReply:
        return await self._run_on_host(ctx, name, lambda: self._tools.call(name, arguments), self._caller())

    async def _run_on_host(self, ctx: Context, name: str, answer: Callable[[], Awaitable[ToolReply]], caller: Caller) -> ToolReply:
        """Await an answer on the toolkit's event loop, and report progress to the client every second."""

        async def call(kit: Toolkit) -> ToolReply:
            return await answer()

        with acting_as(caller):
            task = asyncio.ensure_future(self._host.call(call))
        try:
            seconds = 0
            while not (await asyncio.wait({task}, timeout=PROGRESS_SECONDS))[0]:
                seconds += 1
                await ctx.session.report_progress(seconds, None, f"{name} has run for {seconds} s")
            return task.result()
        finally:
            task.cancel()

    async def _ask_to_confirm(
        self, ctx: Context, params: types.CallToolRequestParams, needed: ConfirmationNeeded
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Ask the person, and repeat the call with its code after a yes. If no person can be asked, return the code to the model."""
        said = await ask(ctx, params, needed.problem, needed.code)
        if said is None:
            how = f"Nothing was done yet. Ask the user; if they agree, repeat the call with confirm '{needed.code}'."
            return _result(ToolReply(f"{needed.problem} {how}", {"done": False, "confirm": needed.code}))
        if isinstance(said, types.InputRequiredResult):
            return said
        if not said:
            return _result(ToolReply(f"The user declined. {needed.declined}", {"done": False, "declined": True}))
        try:
            return _result(await self._call_tool(ctx, params.name, {**(params.arguments or {}), "confirm": needed.code}))
        except ConfirmationNeeded:
            return _result(ToolReply("It changed while the user was asked, and nothing was done. Call again.", is_error=True))

    async def _ask_to_approve(
        self, ctx: Context, params: types.CallToolRequestParams, answer: ToolReply
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Ask the person at the client to approve a task. The approval holds only for the shown version."""
        shown = answer.data or {}
        said = await ask(ctx, params, answer.question or "", str(shown["version"]))
        if said is None:
            return _result(answer)
        if isinstance(said, types.InputRequiredResult):
            return said
        if not said:
            return _result(ToolReply(f"{answer.text}\nThe user did not approve it now.", answer.data))
        caller = self._caller()
        person = Caller(caller.name, caller.door, caller.scopes | APPROVE, caller.depth, caller.lineage)
        return _result(await self._run_on_host(ctx, params.name, lambda: self._tools.approve(shown["job_id"], shown["version"]), person))


def can_ask(ctx: Context) -> bool:
    """Tell whether the client can ask a person."""
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return _is_modern(ctx) or ctx.session.can_send_request


async def ask(ctx: Context, params: types.CallToolRequestParams, question: str, version: str) -> bool | types.InputRequiredResult | None:
    """Ask the person at the client. Return None if no person can be asked, or if the client fails to.

    In the newer protocol the question is the result of this request, and the answer comes with the next one. Its key is a digest
    of the question and the version of its subject, so an answer to another question does not count. In the older protocol this
    function waits for the answer.
    """
    if not can_ask(ctx):
        return None
    form = types.ElicitRequestFormParams(message=question, requested_schema=_YES_OR_NO)
    if _is_modern(ctx):
        key = f"{_CONFIRMED}:{sha256(f'{version} {question}'.encode()).hexdigest()[:16]}"
        given = (params.input_responses or {}).get(key)
        if given is None:
            return types.InputRequiredResult(input_requests={key: types.ElicitRequest(params=form)})
        return isinstance(given, types.ElicitResult) and _said_yes(given)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return _said_yes(await ctx.session.elicit_form(question, form.requested_schema, related_request_id=ctx.request_id))
    except TimeoutError:
        return False
    except (MCPError, ValidationError):  # it has no window to ask in, or answers with what is no answer
        return None


def mcp_tools(tools: TaskTools) -> list[types.Tool]:
    """Return the tools in the protocol's form."""
    return [
        types.Tool(
            name=name,
            title=operation.hints.title,
            description=operation.description,
            input_schema=operation.schema,
            output_schema=_OUTPUT_SCHEMA,
            annotations=types.ToolAnnotations.model_validate(operation.hints.annotations()),
        )
        for name, operation in tools.operations.items()
    ]


def _result(answer: ToolReply) -> types.CallToolResult:
    text = types.TextContent(type="text", text=answer.text)
    return types.CallToolResult(content=[text], structured_content=answer.data, is_error=answer.is_error)


def _is_modern(ctx: Context) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def _said_yes(answer: types.ElicitResult) -> bool:
    """Did a person tick the box? Some clients answer in texts, and "false" is one too: whatever is not True is no."""
    return answer.action == "accept" and (answer.content or {}).get(_CONFIRMED) is True
