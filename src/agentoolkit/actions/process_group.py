"""A program and what it starts, as one: begun without fail, and ended with all of its children that can be found.

What is found of these is its process group, and whatever still has its mark in its environment.
A child that has left the group and emptied its environment is not found, and stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar
from uuid import uuid4

import psutil

GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
LINGER = 0.3
"""Seconds that the last output, and the kernel after SIGKILL, are waited for."""
_POLL = 0.02
_MARK = "AGENTOOL_PROCESS"

P = TypeVar("P", bound=asyncio.SubprocessProtocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is started."""

    executable: str
    arguments: Sequence[str]
    cwd: Path | str | None
    env: Mapping[str, str]


class ProcessGroup:
    """The process group of a program, and what left the group but still bears its mark.

    Args:
        leader: The program's process id, which is its group's too.
        mark: What its environment has under the name of the mark.
    """

    def __init__(self, leader: int, mark: str) -> None:
        self._leader = leader
        self._mark = mark
        self._since = 0.0
        with suppress(psutil.Error):
            self._since = psutil.Process(leader).create_time()
        self._seen: dict[int, int] = {}
        """Those found last: all processes are looked through again only when these are gone."""

    async def end(self, grace: float = GRACE) -> None:
        """Ask all of it to end, wait a little, then end the rest."""
        try:
            self._signal(signal.SIGTERM)
            await self._gone(grace)
        finally:
            self._signal(signal.SIGKILL)
        await self._gone(LINGER)

    async def end_rest(self) -> None:
        """End what a program that has ended by itself left in its group; what left the group was meant to stay."""
        try:
            os.killpg(self._leader, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it is there
        await self.end()

    async def _gone(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if not any(self._group_of(pid) is not None for pid in self._seen) and not self._members():
                return  # the kernel tells of our own children only, so that the others are asked for
            await asyncio.sleep(_POLL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)
        for pid, group in self._members().items():
            if group != self._leader:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _members(self) -> dict[int, int]:
        """Look through all processes for them and their groups."""
        self._seen = {pid: group for pid in psutil.pids() if (group := self._group_of(pid)) is not None}
        return self._seen

    def _group_of(self, pid: int) -> int | None:
        """Return the group of a process that is one of them and alive."""
        with suppress(psutil.Error, OSError):
            group, process = os.getpgid(pid), psutil.Process(pid)
            # What is older than the program was not started by it, and need not be read.
            is_younger = process.create_time() >= self._since
            if group == self._leader or (is_younger and process.environ().get(_MARK) == self._mark):
                # Zombies still count for killpg, and in a container nobody may ever collect them.
                return group if process.status() != psutil.STATUS_ZOMBIE else None
        return None


@dataclass(frozen=True, slots=True)
class StartedProgram(Generic[P]):
    """A program that runs."""

    transport: asyncio.SubprocessTransport
    protocol: P
    group: ProcessGroup
    cancelled: asyncio.CancelledError | None = None
    """The caller's, if it came meanwhile: to be raised once the program has been ended."""


async def start_program(program: Program, make_protocol: Callable[[], P], *, stdin: int, stderr: int | IO[bytes]) -> StartedProgram[P]:
    """Start a program in a session of its own, with a pipe for its standard output.

    No cancellation cuts that short: asyncio would end the program alone, and then wait for its children.

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

    (transport, protocol), cancelled = await _without_cancellation(start())
    return StartedProgram(transport, protocol, ProcessGroup(transport.get_pid(), mark), cancelled)


T = TypeVar("T")


async def _without_cancellation(work: Coroutine[Any, Any, T]) -> tuple[T, asyncio.CancelledError | None]:
    doing = asyncio.ensure_future(work)
    cancelled = None
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and doing.exception() is not None:
        raise cancelled
    return doing.result(), cancelled


async def wait_for(event: asyncio.Future[None], seconds: float) -> bool:
    """Wait for an event, for so long at most; tell whether it came. It is not cancelled."""
    done, _ = await asyncio.wait({event}, timeout=seconds)
    return bool(done)
