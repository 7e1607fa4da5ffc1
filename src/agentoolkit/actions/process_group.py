"""Start a program, and end it together with its children.

Its children are found by its process group, and by a mark in their environment.
A child that has left the group and emptied its environment is not found, and stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar
from uuid import uuid4

import psutil

GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
LINGER = 0.3
"""Longest wait, in seconds, for the last output, and for the kernel after SIGKILL."""
_POLL = 0.02
_MARK = "AGENTOOL_PROCESS"

P = TypeVar("P", bound=asyncio.SubprocessProtocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to start."""

    executable: str
    arguments: Sequence[str]
    cwd: Path | str | None
    env: Mapping[str, str]


class ProcessGroup:
    """The process group of a program, and its children outside the group that have its mark.

    Args:
        leader: The program's process id, which is also the group's id.
        mark: The value of the mark in the children's environment.
    """

    def __init__(self, leader: int, mark: str) -> None:
        self._leader = leader
        self._mark = mark
        self._since = 0.0
        with suppress(psutil.Error):
            self._since = psutil.Process(leader).create_time()
        self._last_members: dict[int, int] = {}
        """Members found by the last search. While one of them lives, no new search is needed."""

    async def end(self, grace: float = GRACE) -> None:
        """Send SIGTERM to all members, wait, then send SIGKILL to the rest."""
        try:
            self._signal(signal.SIGTERM)
            await self._wait_until_gone(grace)
        finally:
            self._signal(signal.SIGKILL)
        await self._wait_until_gone(LINGER)

    async def end_rest(self) -> None:
        """End the rest of the group after the program has ended by itself. Children outside the group were meant to stay."""
        try:
            os.killpg(self._leader, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # the group exists
        await self.end()

    async def _wait_until_gone(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if not any(self._group_of(pid) is not None for pid in self._last_members) and not self._members():
                return
            await asyncio.sleep(_POLL)  # the kernel reports only the end of our own children, so the others are polled

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
        for pid, group in self._members().items():
            if group != self._leader:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _members(self) -> dict[int, int]:
        """Search all processes for members, and return their groups by process id."""
        self._last_members = {pid: group for pid in psutil.pids() if (group := self._group_of(pid)) is not None}
        return self._last_members

    def _group_of(self, pid: int) -> int | None:
        """Return the group of a living member; None for any other process."""
        with suppress(psutil.Error, OSError):
            group, process = os.getpgid(pid), psutil.Process(pid)
            # A process older than the program is not its child, so its environment need not be read.
            is_younger = process.create_time() >= self._since
            if group == self._leader or (is_younger and process.environ().get(_MARK) == self._mark):
                # A zombie still counts for killpg, and in a container it may never be collected.
                return group if process.status() != psutil.STATUS_ZOMBIE else None
        return None


@dataclass(frozen=True, slots=True)
class StartedProgram(Generic[P]):
    """A running program."""

    transport: asyncio.SubprocessTransport
    protocol: P
    group: ProcessGroup
    cancelled: asyncio.CancelledError | None = None
    """A cancellation of the caller during the start. The caller must end the program and then raise it."""


async def start_program(program: Program, make_protocol: Callable[[], P], *, stdin: int, stderr: int | IO[bytes]) -> StartedProgram[P]:
    """Start a program in a session of its own, with a pipe for its standard output.

    A cancellation does not interrupt the start: asyncio would end only the program, and then wait for its children.

    Raises:
        OSError: It cannot be started.
    """
    mark = uuid4().hex

    async def start() -> tuple[asyncio.SubprocessTransport, P]:
        return await asyncio.get_running_loop().subprocess_exec(
            make_protocol,
            program.executable,
            *program.arguments,
            stdin=stdin,
            stderr=stderr,
            cwd=program.cwd,
            env={**program.env, _MARK: mark},
            start_new_session=True,
        )

    starting, cancelled = asyncio.ensure_future(start()), None
    while not starting.done():
        try:
            await asyncio.wait({starting})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and starting.exception() is not None:
        raise cancelled
    transport, protocol = starting.result()
    return StartedProgram(transport, protocol, ProcessGroup(transport.get_pid(), mark), cancelled)


async def wait_for(event: asyncio.Future[None], seconds: float) -> bool:
    """Wait for an event at most `seconds`, and tell whether it came. A timeout does not cancel it."""
    done, _ = await asyncio.wait({event}, timeout=seconds)
    return bool(done)
