"""One program and what it starts: run with a time limit, its output capped, and ended with its children.

What is found of these is its process group and, where there is a /proc, whatever still has its mark in its environment.
A child that has left the group and emptied its environment is not found, and stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
_LINGER = 0.3
"""Seconds that the last output, and the kernel after SIGKILL, are waited for."""
_POLL = 0.02
_DRAIN_PAUSE = 0.005
_MARK = "AGENTOOL_PROCESS"
_HAS_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, and within which limits."""

    executable: Path
    arguments: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes | None
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
    """Run a program until it ends or its time is up, then end what can be found of its children.

    A cancelled caller ends it in the same way.

    Raises:
        OSError: It cannot be started.
    """
    mark, began = uuid4().hex, time.monotonic()
    transport, capture, cancelled = await _surely_started(command, mark)
    group = _Group(transport.get_pid(), mark)
    try:
        if cancelled is not None:
            raise cancelled
        in_time = await _within(command.timeout, capture.exited)
        if in_time:
            await _within(_LINGER, capture.closed)
            await group.end_rest()
        else:
            await group.end()
            await _within(_LINGER, capture.closed)
            await _within(_LINGER, capture.exited)
    except asyncio.CancelledError:
        await group.end()
        await _within(_LINGER, capture.exited)
        raise
    finally:
        # Closed before its end is noticed, the transport would collect the process behind the event loop's back.
        capture.exited.add_done_callback(lambda _: transport.close())
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
        self._seen: dict[int, int] = {}
        """Those found last: all processes are looked through again only when these are gone."""

    async def end(self) -> None:
        """Ask all of it to end, wait a little, then end the rest."""
        try:
            self._signal(signal.SIGTERM)
            await self._gone(GRACE)
        finally:
            self._signal(signal.SIGKILL)
        await self._gone(_LINGER)

    async def end_rest(self) -> None:
        """End what a program that has ended by itself left in its group; what left the group was meant to stay."""
        if _exists(self._leader):
            await self.end()

    async def _gone(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self._is_alive():  # noqa: ASYNC110  the kernel tells of our own children only
            await asyncio.sleep(_POLL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
        for pid, group in self._members().items():
            if group != self._leader:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _is_alive(self) -> bool:
        # Zombies still count for killpg, and in a container nobody may ever collect them.
        if not _HAS_PROC:
            return _exists(self._leader)
        return any(self._group_of(pid) is not None for pid in self._seen) or bool(self._members())

    def _members(self) -> dict[int, int]:
        """Look through all processes for them and their groups; only where there is a /proc."""
        pids = map(int, filter(str.isdigit, os.listdir("/proc") if _HAS_PROC else ()))
        self._seen = {pid: group for pid in pids if (group := self._group_of(pid)) is not None}
        return self._seen

    def _group_of(self, pid: int) -> int | None:
        """Return the group of a process that is one of them and alive."""
        with suppress(OSError):
            state, _, group = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[:3]
            if state != b"Z" and (int(group) == self._leader or self._mark in _read(f"/proc/{pid}/environ")):
                return int(group)
        return None


class _Started(NamedTuple):
    """A program that runs."""

    transport: asyncio.SubprocessTransport
    capture: _Capture
    cancelled: asyncio.CancelledError | None = None
    """The caller's, if it came meanwhile."""


async def _surely_started(command: Command, mark: str) -> _Started:
    """Start a program, and let no cancellation cut that short: asyncio would end it alone, and then wait for its children."""
    starting = asyncio.ensure_future(_started(command, mark))
    cancelled = None
    while not starting.done():
        try:
            await asyncio.wait({starting})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and starting.exception() is not None:
        raise cancelled
    return starting.result()._replace(cancelled=cancelled)


async def _started(command: Command, mark: str) -> _Started:
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
    try:
        _feed(transport, command.stdin)
    except BaseException:
        await _Group(transport.get_pid(), mark).end()
        await _within(_LINGER, capture.exited)
        transport.close()
        raise
    return _Started(transport, capture)


def _feed(transport: asyncio.SubprocessTransport, stdin: bytes | None) -> None:
    source = transport.get_pipe_transport(0)
    if stdin is not None and isinstance(source, asyncio.WriteTransport):
        source.write(stdin)
        source.write_eof()


async def _within(seconds: float, event: asyncio.Future[None]) -> bool:
    done, _ = await asyncio.wait({event}, timeout=seconds)
    return bool(done)


def _resume(pipe: asyncio.ReadTransport) -> None:
    if not pipe.is_closing():
        pipe.resume_reading()


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
