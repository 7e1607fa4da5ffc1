"""The process that keeps the store for a worker that forks: it claims and writes, so that a fork has no connection to open."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Self

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.engine.horses import STOP_SECONDS, Claim, Horses, Link, carry_out_orders, framed
from agentoolkit.system.scheduler.event_loops import OwnedTasks
from agentoolkit.wiring import Toolkit, import_parts

logger = logging.getLogger(__name__)

REHEARSALS = 10
"""What Python learns of code while that runs is learned before the forks: each of them would write it into memory of its own."""
END_SECONDS = 2 * STOP_SECONDS
"""Within which the keeper ends after its worker."""


class Keeper:
    """A process forked off by a worker. It ends when the worker and all of its forks have.

    Args:
        settings: Those of the worker.
    """

    _kit: Toolkit
    """That of the forks: made before them, without what plugins register."""
    _door: socket.socket
    """Through it the keeper is given connections."""
    _connection: socket.socket
    """That of the next fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pid = 0

    def __enter__(self) -> Self:
        import_parts(self._settings)
        self._kit = Toolkit(self._settings.model_copy(update={"plugins": ()}), runs_jobs=False, starts=False)
        for _ in range(REHEARSALS):
            asyncio.run(_rehearse(self._kit))
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let it end, and end it if it does not."""
        self._door.close()
        deadline = time.monotonic() + END_SECONDS
        while not self._has_ended():
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.01)

    def claim(self, execution_ids: Sequence[str]) -> None:
        """Have executions claimed for the process that is forked off next. If the keeper has ended, another is forked off first."""
        if self._has_ended():
            self._door.close()
            self._start()
        self._connection, theirs = socket.socketpair()
        with theirs, suppress(OSError):  # the keeper has ended at this moment: the fork will notice
            socket.send_fds(self._door, [b"+"], [theirs.fileno()])
            self._connection.sendall(framed(Claim(execution_ids)))

    def leave_to_fork(self) -> None:
        """The process was forked off: when that ends, its connection is to end too."""
        self._connection.close()

    def carry_out(self) -> None:
        """In the forked process, carry out what was claimed for it. Where the keeper ends, this process does.

        Raises:
            AgenToolError: It could not be claimed, or a plugin cannot be registered.
        """
        self._kit.register_plugins(self._settings.plugins)
        asyncio.run(_carry_out(self._kit, self._connection))

    def _start(self) -> None:
        self._door, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._door.close()
            _be_keeper(self._settings, theirs)
        theirs.close()

    def _has_ended(self) -> bool:
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] == self._pid
        except ChildProcessError:  # it was told so before
            return True


async def _carry_out(kit: Toolkit, connection: socket.socket) -> None:
    link = Link(*await asyncio.open_unix_connection(sock=connection))
    async with kit:
        if not await carry_out_orders(link, kit.scheduler.parts):
            os._exit(1)  # as one that was killed: so its message comes again


async def _rehearse(kit: Toolkit) -> None:
    async with kit:
        pass


def _be_keeper(settings: Settings, door: socket.socket) -> None:
    """Keep the store until nobody is left who could ask, and end this process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever ends the worker ends this one by that
        signal.signal(number, signal.SIG_IGN)
    code = 1
    try:
        asyncio.run(_keep(settings, door))
        code = 0
    except BaseException:
        logger.exception("The process that keeps the store has ended; the worker forks off another")
    finally:
        os._exit(code)


async def _keep(settings: Settings, door: socket.socket) -> None:
    horses, served = Horses(), OwnedTasks()
    async with Toolkit(settings, runs_jobs=False, stop_seconds=STOP_SECONDS, carry_out=horses.carry_out) as kit:
        run_claimed = partial(kit.scheduler.executions.run_claimed, until_written=False)
        async for connection in _connections(door):
            link = Link(*await asyncio.open_unix_connection(sock=connection))
            served.start(horses.serve(link, run_claimed))


async def _connections(door: socket.socket) -> AsyncIterator[socket.socket]:
    """Yield the connections that come through a door, until nobody is left on its other side."""
    arrived: asyncio.Queue[list[int]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(door, lambda: arrived.put_nowait(socket.recv_fds(door, 1, 1)[1]))
    while files := await arrived.get():
        for file in files:
            yield socket.socket(fileno=file)
    loop.remove_reader(door)
