"""Talk to an MCP server that is a program, over its standard input and output. Messages are limited; the call's end ends the program."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

from agentoolkit.actions.process_group import LINGER, Program, StartedProgram, start_program, wait_for

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

logger = logging.getLogger(__name__)

EXIT_SECONDS = 1.0
"""Seconds that a server gets to end by itself after its input has ended. After a failure or timeout it gets none."""


class AnswerLimit:
    """The largest message of a server, and whether it was exceeded.

    Args:
        size: Bytes of a message.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.exceeded = False


@asynccontextmanager
async def program_streams(program: Program, errors: IO[bytes], limit: AnswerLimit) -> AsyncGenerator[TransportStreams]:
    """Start a server and yield streams for its messages. After the ``async with`` block end it, with the programs it has started.

    Raises:
        OSError: It cannot be started.
    """
    import anyio
    from mcp.shared.message import SessionMessage

    pipe = asyncio.subprocess.PIPE
    started = await start_program(program, lambda: _ServerPipes(limit.size), stdin=pipe, stderr=errors)
    exit_seconds = 0.0
    try:
        if started.cancelled is not None:
            raise started.cancelled
        incoming, to_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        from_client, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as tasks, incoming, to_client, from_client, outgoing:
            tasks.start_soon(_receive, started.protocol.output, incoming, limit)
            tasks.start_soon(_send, started.transport, outgoing)
            yield to_client, from_client
            exit_seconds = EXIT_SECONDS
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(started, exit_seconds)


class _ServerPipes(asyncio.SubprocessProtocol):
    """Reads a program's output no faster than it is consumed."""

    def __init__(self, limit: int) -> None:
        self.output = asyncio.StreamReader(limit)
        self.exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pipe = transport.get_pipe_transport(1) if isinstance(transport, asyncio.SubprocessTransport) else None
        if isinstance(pipe, asyncio.ReadTransport):
            self.output.set_transport(pipe)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output.feed_data(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self.output.feed_eof()

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


async def _receive(output: asyncio.StreamReader, incoming: MemoryObjectSendStream[SessionMessage | Exception], limit: AnswerLimit) -> None:
    """Pass on a server's messages, one per line. A line that is no message is dropped; a line beyond the limit ends the conversation."""
    import mcp_types
    from mcp.shared.message import SessionMessage

    async with incoming:
        while True:
            try:
                line = await output.readuntil()
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                limit.exceeded = True
                return
            try:
                message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                logger.warning("An MCP server wrote a line of %d bytes that is not a message", len(line))
                continue
            await incoming.send(SessionMessage(message))


async def _send(transport: asyncio.SubprocessTransport, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
    source = transport.get_pipe_transport(0)
    async for message in outgoing:
        if isinstance(source, asyncio.WriteTransport) and not source.is_closing():
            source.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")


async def _end(started: StartedProgram[_ServerPipes], exit_seconds: float) -> None:
    """End a server as MCP prescribes: close its input, wait, SIGTERM, SIGKILL. The programs that it has started end with it."""
    source = started.transport.get_pipe_transport(0)
    if source is not None:
        source.close()
    await wait_for(started.protocol.exited, exit_seconds)
    await started.group.end(LINGER)
    await wait_for(started.protocol.exited, LINGER)
    started.transport.close()
