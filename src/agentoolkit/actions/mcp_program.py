"""An MCP server that is a program, spoken to by its standard input and output: with a limit on what it says, and ended with the call."""

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
"""What a server has to end by itself once its input has ended; after a failure, or a call whose time is up, it has none."""


class AnswerLimit:
    """How much a server may answer at once, and whether it was too much.

    Args:
        size: Bytes of a message.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.exceeded = False


@asynccontextmanager
async def program_streams(program: Program, errors: IO[bytes], limit: AnswerLimit) -> AsyncGenerator[TransportStreams]:
    """Start a server, and speak to it inside an ``async with`` block; then end it, and whatever it has started.

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
        said, to_hear = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_say, asked = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as tasks, said, to_hear, to_say, asked:
            tasks.start_soon(_hear, started.protocol.output, said, limit)
            tasks.start_soon(_say, started.transport, asked)
            yield to_hear, to_say
            exit_seconds = EXIT_SECONDS
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(started, exit_seconds)


class _ServerPipes(asyncio.SubprocessProtocol):
    """Reads what a program writes, and no faster than somebody takes it."""

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


async def _hear(output: asyncio.StreamReader, said: MemoryObjectSendStream[SessionMessage | Exception], limit: AnswerLimit) -> None:
    """Hand on a server's messages, a line each. A line that is not a message is left out; one that is too long ends the conversation."""
    import mcp_types
    from mcp.shared.message import SessionMessage

    async with said:
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
            await said.send(SessionMessage(message))


async def _say(transport: asyncio.SubprocessTransport, asked: MemoryObjectReceiveStream[SessionMessage]) -> None:
    source = transport.get_pipe_transport(0)
    async for message in asked:
        if isinstance(source, asyncio.WriteTransport) and not source.is_closing():
            source.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")


async def _end(started: StartedProgram[_ServerPipes], exit_seconds: float) -> None:
    """End a server as MCP says: end its input, wait a little, SIGTERM, SIGKILL; then what it has started too."""
    source = started.transport.get_pipe_transport(0)
    if source is not None:
        source.close()
    await wait_for(started.protocol.exited, exit_seconds)
    await started.group.end(LINGER)
    await wait_for(started.protocol.exited, LINGER)
    started.transport.close()
