"""Run one program with a time limit and limited output, and end it with its children."""

from __future__ import annotations

import asyncio
import logging
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import Path

from agentool.secrets_here import end_of, without_cut_end
from agentoolkit.actions.process_group import LINGER, Program, start_program, wait_for
from agentoolkit.actions.program_output import pause

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run, with its limits."""

    executable: Path
    arguments: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes | None
    timeout: float
    """Seconds."""
    output_limit: int
    """Bytes kept of each of stdout and stderr."""
    heard: Callable[[str], None] | None = None
    """Called with each piece of output as it comes."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The exit code and output of a program."""

    exit_code: int | None
    """None after a timeout; negative for the signal that ended the program."""
    stdout: str
    stderr: str
    dropped: int
    """Bytes written beyond the limit."""
    duration: float

    def tail(self, length: int) -> str:
        """Return the last `length` characters of its standard error, or of its standard output if that is empty. No secret is cut."""
        return end_of(self.stderr.strip() or self.stdout.strip(), length)


async def run_command(command: Command) -> ProgramResult:
    """Run a program until it ends or times out, then end its children as far as they can be found.

    A cancellation of the caller ends the program in the same way.

    Raises:
        OSError: It cannot be started.
    """
    began = time.monotonic()
    program = Program(executable=str(command.executable), arguments=command.arguments, cwd=command.cwd, env=command.env)
    stdin = asyncio.subprocess.DEVNULL if command.stdin is None else asyncio.subprocess.PIPE
    started = await start_program(
        program, lambda: _Capture(command.output_limit, copy_context(), command.heard), stdin=stdin, stderr=asyncio.subprocess.PIPE
    )
    transport, capture, group = started.transport, started.protocol, started.group
    try:
        if started.cancelled is not None:
            raise started.cancelled
        source = transport.get_pipe_transport(0)
        if command.stdin is not None and isinstance(source, asyncio.WriteTransport):
            source.write(command.stdin)
            source.write_eof()
        in_time = await wait_for(capture.exited, command.timeout)
        if in_time:
            await wait_for(capture.closed, LINGER)
            await group.end_rest()
        else:
            await group.end()
            await wait_for(capture.closed, LINGER)
            await wait_for(capture.exited, LINGER)
    except BaseException:
        await group.end()
        await wait_for(capture.exited, LINGER)
        raise
    finally:
        # Closed earlier, the transport would collect the process behind the event loop's back.
        capture.exited.add_done_callback(lambda _: transport.close())
    exit_code, duration = transport.get_returncode() if in_time else None, time.monotonic() - began
    logger.debug("%s ended with %s after %.3f s", command.executable, "its time" if exit_code is None else exit_code, duration)
    return ProgramResult(exit_code, capture.text(1), capture.text(2), capture.dropped, duration)


class _Capture(asyncio.SubprocessProtocol):
    """Keeps the beginning of a program's output and counts the rest."""

    def __init__(self, limit: int, context: Context, heard: Callable[[str], None] | None) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.dropped = 0
        self._limit = limit
        self._context, self._heard = context, heard
        self._kept = {1: bytearray(), 2: bytearray()}
        self._decoders = {fd: getincrementaldecoder("utf-8")(errors="replace") for fd in self._kept}
        self._open = {1, 2}
        self._cut: set[int] = set()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.SubprocessTransport):
            self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._tell(fd, data)
        room = self._limit - len(self._kept[fd])
        self._kept[fd] += data[:room]
        if beyond := len(data) - room if room < len(data) else 0:
            self.dropped += beyond
            self._cut.add(fd)
            pipe = self._transport.get_pipe_transport(fd) if self._transport is not None else None
            if isinstance(pipe, asyncio.ReadTransport):
                pause(pipe)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._tell(fd, b"", final=True)
        self._open.discard(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def _tell(self, fd: int, data: bytes, *, final: bool = False) -> None:
        """Pass output to the listener, also beyond the limit. The decoder joins characters that arrive in two pieces."""
        if self._heard is not None and fd in self._decoders and (text := self._decoders[fd].decode(data, final)):
            self._context.run(self._heard, text)

    def text(self, fd: int) -> str:
        text = self._kept[fd].decode(errors="replace")
        return without_cut_end(text) if fd in self._cut else text
