"""One program and all that it starts: run with a time limit, its output capped, nothing of it left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
_LINGER = 0.5
"""Seconds that output is waited for after the program itself has ended."""
_POLL = 0.02
_DRAIN_PAUSE = 0.005
_MARK = "AGENTOOL_PROCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, and within which limits."""

    executable: Path
    arguments: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: str | None
    timeout: float
    """Seconds."""
    output_limit: int
    """Bytes kept of each of stdout and stderr."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it wrote."""

    exit_code: int | None
    """None if its time was up; negative: the signal that ended it."""
    stdout: str
    stderr: str
    dropped: int
    """Bytes written beyond the limit."""
    duration: float


async def run_command(command: Command) -> Ended:
    """Run a program until it ends or its time is up, then end whatever it started.

    A cancelled caller ends it in the same way.

    Raises:
        OSError: It cannot be started.
    """
    mark, began = uuid4().hex, time.monotonic()
    transport, capture = await _started(command, mark)
    group = _Group(transport.get_pid(), mark)
    try:
        in_time = await _within(command.timeout, capture.exited)
        if in_time:
            await _within(_LINGER, capture.closed)
    except asyncio.CancelledError:
        await group.end()
        raise
    else:
        await (group.end_rest() if in_time else group.end())
    finally:
        group.kill()
        transport.close()
    exit_code = transport.get_returncode() if in_time else None
    return Ended(exit_code, capture.text(1), capture.text(2), capture.dropped, time.monotonic() - began)


class _Capture(asyncio.SubprocessProtocol):
    """Keeps the beginning of what a program writes, and counts the rest."""

    def __init__(self, limit: int) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.dropped = 0
        self._limit = limit
        self._kept = {1: bytearray(), 2: bytearray()}
        self._open = {1, 2}
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.SubprocessTransport):
            self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        room = self._limit - len(self._kept[fd])
        self._kept[fd] += data[:room]
        if beyond := len(data) - room if room < len(data) else 0:
            self.dropped += beyond
            self._slow_down(fd)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def text(self, fd: int) -> str:
        return self._kept[fd].decode(errors="replace")

    def _slow_down(self, fd: int) -> None:
        # Output without end, read at full speed only to be dropped, would take the event loop from all others.
        pipe = self._transport.get_pipe_transport(fd) if self._transport is not None else None
        if isinstance(pipe, asyncio.ReadTransport) and not pipe.is_closing():
            pipe.pause_reading()
            asyncio.get_running_loop().call_later(_DRAIN_PAUSE, _resume, pipe)


class _Group:
    """The process group of a program, and what left the group but still bears its mark."""

    def __init__(self, leader: int, mark: str) -> None:
        self._leader = leader
        self._mark = f"{_MARK}={mark}".encode()

    async def end(self) -> None:
        """Ask all of it to end, wait a little, and leave the rest to `kill`."""
        try:
            strays = self._signal(signal.SIGTERM)
            await self._gone(GRACE, strays)
        finally:
            self._signal(signal.SIGKILL)

    async def end_rest(self) -> None:
        """End what a program that has ended by itself left in its group."""
        if self._is_alive():
            await self.end()

    def kill(self) -> None:
        """End the group at once; a second time does nothing."""
        _send(self._leader, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> list[int]:
        _send(self._leader, number)
        strays = _marked(self._mark)
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        return strays

    async def _gone(self, seconds: float, strays: Sequence[int]) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and (self._is_alive() or any(Path(f"/proc/{pid}").exists() for pid in strays)):
            await asyncio.sleep(_POLL)

    def _is_alive(self) -> bool:
        try:
            os.killpg(self._leader, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


async def _started(command: Command, mark: str) -> tuple[asyncio.SubprocessTransport, _Capture]:
    loop = asyncio.get_running_loop()
    transport, capture = await loop.subprocess_exec(
        lambda: _Capture(command.output_limit),
        str(command.executable),
        *command.arguments,
        stdin=asyncio.subprocess.DEVNULL if command.stdin is None else asyncio.subprocess.PIPE,
        cwd=command.cwd,
        env={**command.env, _MARK: mark},
        start_new_session=True,
    )
    source = transport.get_pipe_transport(0)
    if command.stdin is not None and isinstance(source, asyncio.WriteTransport):
        source.write(command.stdin.encode())
        source.write_eof()
    return transport, capture


async def _within(seconds: float, event: asyncio.Future[None]) -> bool:
    done, _ = await asyncio.wait({event}, timeout=seconds)
    return bool(done)


def _resume(pipe: asyncio.ReadTransport) -> None:
    if not pipe.is_closing():
        pipe.resume_reading()


def _send(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _marked(mark: bytes) -> list[int]:
    """Find processes by a variable they inherited; only where there is a /proc."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found
