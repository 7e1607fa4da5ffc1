"""Connections to MCP servers, one per call, closed at the call's end. Only this file imports the MCP SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from agentool.errors import AgenToolError, ConfigurationError, InvalidInput, MissingExtra
from agentool.references import SizeBudget
from agentool.secrets_here import beginning_of, end_of, secrets_here, without_texts
from agentoolkit.actions.mcp_program import AnswerLimit, program_streams
from agentoolkit.actions.process_group import Program
from agentoolkit.actions.program_output import TAIL, StandardError, few_lines, standard_error
from agentoolkit.actions.web import framing_header, wrong_header
from agentoolkit.redaction import is_secret, redacted_text
from agentoolkit.settings import McpServer, McpSettings

if TYPE_CHECKING:
    from httpx2 import Response
    from mcp import Client

MAX_PAGES = 100
"""Most pages of a server's list of tools."""
MAX_TOOLS = 1_000
"""Most tools of a server."""

_SHOWN = 2_000
"""Characters of a server's own error that a message quotes."""
_MIN_SECRET_LENGTH = 4
_LOGGERS = (
    "client",
    "agentoolkit.actions.mcp_program",
    "mcp.client.streamable_http",
    "mcp.shared.jsonrpc_dispatcher",
    "mcp.shared.tool_name_validation",
)


class McpFailed(AgenToolError, RuntimeError):
    """The server cannot be reached, or refused the call."""


class McpTimedOut(McpFailed, TimeoutError):
    """The server did not answer in time."""


class McpToolFailed(McpFailed):
    """The tool ran and failed; the message is the server's."""


class McpAnswerTooLarge(McpFailed, InvalidInput):
    """The server's answer exceeds the limit. Its tool has run, so there is no retry."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """The result of a tool."""

    structured: Any
    content: list[dict[str, Any]]
    text: str


class McpConnections:
    """Calls servers by their names in the settings.

    Args:
        settings: The servers, the timeout and the largest answer.
    """

    def __init__(self, settings: McpSettings) -> None:
        self.servers = settings.servers
        self.timeout = settings.timeout
        self.answer_size = settings.answer_size

    async def tools(self, server_name: str) -> list[dict[str, Any]]:
        """Return a server's tools: name, description and input schema.

        Raises:
            McpFailed, McpTimedOut: The server cannot be reached.
            McpAnswerTooLarge: It has too many tools, or their descriptions are too long.
            MissingExtra: The MCP SDK is not installed.
        """
        async with self._connected(server_name, self.timeout) as client:
            found: list[dict[str, Any]] = []
            cursor: str | None = None
            budget = SizeBudget(self.answer_size, "The list of its tools")
            for _ in range(MAX_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools = [{"name": t.name, "description": t.description or "", "input_schema": t.input_schema} for t in page.tools]
                _check_size(tools, budget)
                found += tools
                if len(found) > MAX_TOOLS:
                    raise _too_large(f"It has more than {MAX_TOOLS:,} tools.", server_name)
                if (cursor := page.next_cursor) is None:
                    return found
            raise _too_large(f"It lists its tools in more than {MAX_PAGES} pages.", server_name)

    async def call(self, server_name: str, tool_name: str, arguments: dict[str, Any], timeout: float | None = None) -> ToolAnswer:
        """Call a tool.

        Raises:
            McpToolFailed: The tool failed.
            McpAnswerTooLarge: The tool ran, and its result is too large.
            McpFailed, McpTimedOut: The server cannot be reached, or refused the call.
            MissingExtra: The MCP SDK is not installed.
        """
        async with self._connected(server_name, min(timeout or self.timeout, self.timeout)) as client:
            result = await client.call_tool(tool_name, arguments)
            content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in result.content]
            _check_size([content, result.structured_content], SizeBudget(self.answer_size, "The result of the tool, which has run,"))
            text = "\n".join(str(part["text"]) for part in content if part.get("type") == "text")
            if result.is_error:
                message = _without_secrets(self.servers[server_name], text)
                raise McpToolFailed(message or "It failed without a message.", field="tool_name", value=tool_name)
            return ToolAnswer(result.structured_content, content, text)

    @asynccontextmanager
    async def _connected(self, server_name: str, seconds: float) -> AsyncGenerator[Client]:
        require_mcp()
        server, limit = self.servers[server_name], AnswerLimit(self.answer_size)
        async with standard_error() as said:
            try:
                async with asyncio.timeout(seconds), AsyncExitStack() as stack:
                    stack.enter_context(few_lines(_LOGGERS))
                    yield await stack.enter_async_context(await self._client(server_name, stack, said, limit))
            except TimeoutError as error:
                problem = f"MCP server {server_name!r} did not answer within {seconds:g} s.{await _last_words(server, said)}"
                raise McpTimedOut(problem, field="server_name", value=server_name) from error
            except Exception as error:
                if limit.exceeded:
                    problem = f"MCP server {server_name!r} sent a message longer than {limit.size:,} bytes."
                    remedy = "Ask for less, or raise the setting `mcp_answer_size` (AGENTOOL_MCP_ANSWER_SIZE)."
                    raise McpAnswerTooLarge(problem, field="server_name", value=server_name, remedy=remedy) from None
                raise _failure(server_name, server, _innermost(error), await _last_words(server, said)) from error

    async def _client(self, server_name: str, stack: AsyncExitStack, said: StandardError, limit: AnswerLimit) -> Client:
        from mcp import Client
        from mcp.client.stdio import get_default_environment
        from mcp.client.streamable_http import streamable_http_client

        server = self.servers[server_name]
        if server.command is not None:
            env = {**get_default_environment(), **_revealed(server.env)}
            program = Program(executable=server.command, arguments=server.args, cwd=server.cwd, env=env)
            return Client(program_streams(program, said.source, limit))
        import httpx2

        # A secret read from a file ends in a line break.
        headers = {name: value.strip() for name, value in _revealed(server.headers).items()}
        if (name := wrong_header(headers) or framing_header(headers)) is not None:
            remedy = "Its name is one word and not a header of the connection; its value is plain ASCII without line breaks."
            raise ConfigurationError(f"The header {name!r} cannot be sent.", field=f"mcp_servers.{server_name}.headers", remedy=remedy)
        hooks = {"response": [partial(_limit_response, limit)]}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=self.timeout, event_hooks=hooks))
        return Client(streamable_http_client(server.url or "", http_client=http))


def _check_size(answer: list[Any], budget: SizeBudget) -> None:
    try:
        budget.spend(answer)
    except InvalidInput as error:
        raise McpAnswerTooLarge(error.problem, field="server_name", remedy="Ask for less.") from None


def _too_large(problem: str, server_name: str) -> McpAnswerTooLarge:
    return McpAnswerTooLarge(problem, field="server_name", value=server_name, remedy="Use a server with fewer tools.")


async def _limit_response(limit: AnswerLimit, response: Response) -> None:
    """Make a response raise an error once it exceeds the limit."""
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: httpx2.AsyncByteStream) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = limit.size
            async for chunk in self._inner:
                left -= len(chunk)
                if left < 0:
                    limit.exceeded = True
                    raise httpx2.StreamError(f"The response is longer than {limit.size:,} bytes")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Bounded(response.stream)


def _revealed(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in secrets.items()}


def _failure(server_name: str, server: McpServer, error: Exception, wrote: str) -> AgenToolError:
    if isinstance(error, AgenToolError):
        return error
    if isinstance(error, TimeoutError):
        return McpTimedOut(f"MCP server {server_name!r} did not answer in time.", field="server_name", value=server_name)
    setting, reason = _told(server, error)
    reason = beginning_of(_without_secrets(server, reason), _SHOWN).rstrip(".")
    remedy = f"Correct its {setting!r} in the setting `mcp_servers` (AGENTOOL_MCP_SERVERS), or see to what it names." if setting else None
    return McpFailed(f"MCP server {server_name!r}: {reason}.{wrote}", field="server_name", value=server_name, remedy=remedy)


def _told(server: McpServer, error: Exception) -> tuple[str, str]:
    """Return which part of the setting an error is about, or no part, and what happened."""
    reason = str(error) or type(error).__name__
    if server.url is not None:
        import httpx2

        return (
            ("url", f"nothing answers at {_without_query(server.url)}: {reason}")
            if isinstance(error, httpx2.ConnectError)
            else ("", reason)
        )
    if not isinstance(error, OSError):
        return "", reason
    if server.cwd is not None and error.filename == server.cwd:
        return "cwd", f"its folder {server.cwd!r} cannot be entered: {error.strerror}"
    return "command", f"its program {server.command!r} cannot be started: {error.strerror}"


def _without_query(url: str) -> str:
    """Return an address without a user, a password and a query, which may be secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


async def _last_words(server: McpServer, said: StandardError) -> str:
    """Return ' It wrote: …' with the end of the server's standard error; empty if it wrote nothing."""
    text = _without_secrets(server, await said.written([*_secrets_of(server), *secrets_here.get()]))
    return f" It wrote: {end_of(text, TAIL)}" if text else ""


def _without_secrets(server: McpServer, text: str) -> str:
    """Hide the server's own secrets, and others, in a text."""
    return redacted_text(without_texts(text, _secrets_of(server)))


def _secrets_of(server: McpServer) -> list[str]:
    """Return the server's own secrets, longest first: its variables, its headers, and arguments with a secret's name."""
    given = [*_revealed(server.env).values(), *(value.strip() for value in _revealed(server.headers).values())]
    given += [value for option, value in pairwise(server.args) if is_secret(option) and "=" not in option]
    given += [value for name, _, value in (arg.partition("=") for arg in server.args) if is_secret(name)]
    return sorted({secret for secret in given if len(secret) >= _MIN_SECRET_LENGTH}, key=len, reverse=True)


def _innermost(error: Exception) -> Exception:
    """Return the first error inside nested exception groups, in which task groups wrap it."""
    if isinstance(error, ExceptionGroup):
        return _innermost(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return error


def require_mcp() -> None:
    """Raise `MissingExtra` if the MCP SDK is not installed."""
    if find_spec("mcp") is None:
        remedy = "Install it: pip install 'agentool[mcp]'."
        raise MissingExtra("MCP servers need the package mcp, which is not installed.", field="server_name", remedy=remedy)
