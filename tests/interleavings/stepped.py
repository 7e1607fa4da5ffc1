"""Schedulers on one SQLite file, in one thread, of which every call of the store waits until the test lets it go on.

Each method of the store suspends twice: before its transaction, and after its commit, before the answer comes. Handlers
suspend once. So each await of the engine is a place where the test decides who goes on, who fails and who is cancelled.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit import wiring
from agentoolkit.database import database as database_module
from agentoolkit.database.batches import Item
from agentoolkit.database.session import DatabaseError
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.engine import recording
from agentoolkit.system.scheduler.engine.active_executions import Phase
from agentoolkit.system.scheduler.stores.sql import store as store_module
from agentoolkit.testing import ManualTime
from agentoolkit.wiring import Toolkit

START = datetime(2030, 1, 1, tzinfo=UTC)
PATIENCE = 10.0
"""Seconds of real time after which nothing more is waited for."""
STEP = 0.25
STOP_SECONDS = 1.0
"""How long a stop may take, in real time: half of it is for handlers that do not end."""


class Pause(NamedTuple):
    """Somebody who waits to be let on."""

    process: str
    point: str
    """The method and ``before`` or ``after``; or ``handler`` and the job."""
    go: asyncio.Future[BaseException | None]


class Gate:
    """Where everybody waits, and who waits there."""

    def __init__(self) -> None:
        self.waiting: list[Pause] = []
        self.held: set[str] = set()
        """Processes that are frozen or dead: none of theirs is let on."""
        self.held_jobs: set[str] = set()
        """Jobs whose handlers are not let on."""
        self.held_points: set[str] = set()
        """Points at which whoever waits is not let on."""
        self.late: Pause | None = None
        """One that is let on last: after ten others, or when all have come to rest twice."""
        self.patience = 0
        self.passed = 0
        """How many were let on."""
        self.choose: Callable[[int, Pause], BaseException | None] = lambda number, pause: None
        """Told who goes on next; answers what it meets."""

    async def pause(self, process: str, point: str) -> None:
        pause = Pause(process, point, asyncio.get_running_loop().create_future())
        self.waiting.append(pause)
        try:
            error = await pause.go
        finally:
            if pause in self.waiting:
                self.waiting.remove(pause)
        if error is not None:
            raise error

    def free(self) -> list[Pause]:
        held = {f"handler {job_id}" for job_id in self.held_jobs} | self.held_points
        return [one for one in self.waiting if one.process not in self.held and not one.go.done() and one.point not in held]

    def delay(self, pause: Pause) -> None:
        """Let one go on later than it would."""
        self.late, self.patience = pause, 10
        self.waiting.append(pause)

    def let_on(self) -> bool:
        """Let one go on. Tell whether anybody could."""
        free = [one for one in self.free() if one is not self.late]
        if self.late is not None:
            self.patience -= 1 if free else 4
            if self.patience < 0:
                free, self.late = [self.late, *free], None
        if not free:
            return False
        self.passed += 1
        pause = free[0]
        if pause in self.waiting:
            self.waiting.remove(pause)
        error = self.choose(self.passed, pause)
        if pause is not self.late and pause.process not in self.held and not pause.go.done():
            pause.go.set_result(error)
        return True


class SteppedStore:
    """A store whose every method waits at the gate, before and after."""

    def __init__(self, store: Any, gate: Gate, process: str) -> None:
        self._store, self._gate, self._process = store, gate, process

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not asyncio.iscoroutinefunction(value):
            return value

        async def stepped(*given: Any, **more: Any) -> Any:
            await self._gate.pause(self._process, f"{name} before")
            answer = await value(*given, **more)
            await self._gate.pause(self._process, f"{name} after")
            return answer

        return stepped


class Inline(DatabaseThread):
    """A database thread that is none: work is done at once, where it is asked for."""

    def __init__(self, dialect: Any, *, writes: bool) -> None:
        self._dialect, self._writes = dialect, writes
        self._connection: Any = None
        self._translated, self._kept = {}, {}
        self._over = False
        self.asked = 0

    def put(self, item: Item) -> None:
        self.asked += len(item.futures)
        if self._over:
            self._settle([item], error=DatabaseError("The database is not open."))
        else:
            self._do_all([item])

    def stop(self) -> asyncio.Future[None]:
        self._over = True
        self._disconnect()
        ended = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        return ended


class NoHeartbeat:
    def __init__(self, *given: Any) -> None: ...

    def stop(self) -> None: ...


class WorkInput(BaseOperationInput):
    operation: Literal["run"]
    fails_first: bool = False
    asks: str = ""
    """What to ask the scheduler for, from inside."""


class Process:
    """A process that has the database open, as far as this one thread can be several."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.log: list[str] = []
        self.heard: Callable[[str, BaseException | None], None] = lambda request, error: None
        with pytest.MonkeyPatch.context() as patching:
            store = store_module.SqlJobStore
            patching.setattr(wiring, "SqlJobStore", lambda *given, **more: SteppedStore(store(*given, **more), world.gate, name))
            settings = Settings(database=str(world.database), durability="normal", timezone="UTC").without_variables()
            self.kit = Toolkit(settings, time=world.clock)
        create_agentool("work", WorkInput, {"run": work_run}, deps=self, injector=self.kit.injector)

    @property
    def service(self) -> Any:
        return self.kit.scheduler.lifecycle

    @property
    def owner(self) -> str:
        return self.kit.scheduler.store.owner

    async def ask(self, operation: str, **fields: Any) -> Any:
        return (await self.kit.injector.run("scheduler", {"operation": operation, **fields})).data

    async def request(self, request: str) -> None:
        """Start, stop, restart, open or close it, and note what was asked for, in which order, and refused."""
        self.log.append(request)
        place = len(self.log) - 1
        service = self.service
        asked = {name: partial(getattr(service, name), STOP_SECONDS) for name in ("stop", "restart", "close")}
        self.heard(request, None)
        try:
            await asked.get(request, getattr(service, request))()
        except Exception as error:
            self.log[place] += f" ({error})"
            self.heard(request, error)
            raise

    @property
    def busy(self) -> bool:
        """Does anything go on but what waits at the gate?"""
        service = self.service
        engine = service._engine
        napping = sum(one.process == self.name and one.point[8:] in self.world.gate.held_jobs for one in self.world.gate.waiting)
        if engine is None:
            return service._pending() is not None
        here = sum(active.phase is not Phase.WAITING for active in engine.dispatch.active.all())
        under_way = here > napping or engine.dispatch.tasks or engine.claiming._rounds
        return bool(under_way or service._pending() is not None)


async def work_run(ctx: RunContext[Process], fails_first: bool = False, asks: str = "") -> str:
    execution, process = current_execution(), ctx.deps
    assert execution is not None
    world = process.world
    world.starts[execution.execution_id, execution.attempt] += 1
    world.running[process.name] += 1
    try:
        if asks:
            await process.request(asks)
        await world.gate.pause(process.name, f"handler {execution.job_id}")
    finally:
        world.running[process.name] -= 1
    if fails_first and execution.attempt == 1:
        raise OSError("not yet")
    world.ended.add((execution.execution_id, execution.attempt))
    return "done"


class World:
    """The database, the time, the gate, and what handlers did."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "agentool.db"
        self.clock = ManualTime(START)
        self.gate = Gate()
        self.starts: Counter[tuple[str, int]] = Counter()
        self.ended: set[tuple[str, int]] = set()
        self.running: Counter[str] = Counter()
        self.processes: dict[str, Process] = {}
        self.requests: list[asyncio.Task[Any]] = []

    def add(self, name: str) -> Process:
        process = self.processes[name] = Process(self, name)
        return process

    def begin(self, request: Awaitable[Any]) -> asyncio.Task[Any]:
        """Ask for something, and do not wait."""
        task = asyncio.ensure_future(request)
        self.requests.append(task)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def do(self, request: Awaitable[Any]) -> Any:
        """Ask, and let everybody on until there is an answer and nothing more to do."""
        task = self.begin(request)
        await self.settle()
        return task

    async def advance(self, seconds: float) -> None:
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            await self.clock.advance(seconds=min(STEP, (end - self.clock.now()).total_seconds()))
            await self.beat()
            await self.settle()

    async def beat(self) -> None:
        """Say that the processes that live do: what a thread of their own says every three seconds."""
        for name, process in self.processes.items():
            if name not in self.gate.held and process.kit.database.is_open:
                await process.kit.database.write(process.kit.scheduler.store._ownership.beat)

    async def settle(self) -> None:
        """Let everybody on, one by one, until nobody is left and all have come to rest."""
        deadline = time.monotonic() + PATIENCE
        while True:
            await turns()
            if self.gate.let_on():
                continue
            if not self._busy():
                return
            assert time.monotonic() < deadline, f"it stalled: {self.describe()}"
            await asyncio.sleep(0.001)

    def _busy(self) -> bool:
        held = self.gate.held
        self.requests = [task for task in self.requests if not task.done()]
        here = any(process.busy for name, process in self.processes.items() if name not in held)
        return bool(self.requests or here)

    def describe(self) -> str:
        return f"requests {self.requests}, waiting {[(one.process, one.point) for one in self.gate.waiting]}"

    def kill(self, name: str) -> None:
        """End a process as kill -9 does: none of its tasks goes on, and its pid is nobody's."""
        self.gate.held.add(name)
        owner = self.processes[name].owner
        self.query("UPDATE agentool_owners SET pid = ? WHERE owner = ?", dead_pid(), owner)

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def leader(self) -> str:
        rows = self.query("SELECT owner FROM agentool_leases WHERE name = 'leader'")
        names = {process.owner: name for name, process in self.processes.items()}
        return names.get(rows[0][0], rows[0][0]) if rows else ""

    async def end(self) -> None:
        """Close every process that lives, and cancel what is left of the others."""
        self.gate.held_jobs.clear()
        self.gate.choose = lambda number, pause: None
        for name, process in self.processes.items():
            if name not in self.gate.held:
                await self.do(process.service.close())
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await turns()
        for process in self.processes.values():
            await process.kit.database.close()


async def some_turns(world: World, number: int = 60) -> None:
    """Let so many steps go on, one after the other, but for those that are held."""
    for _ in range(number):
        await turns()
        world.gate.let_on()


async def until_ended(world: World, ending: asyncio.Task[Any]) -> None:
    """Let steps go on until this has ended, then all that are held, until nothing goes on any more."""
    while not ending.done():
        await turns()
        if not world.gate.let_on():
            await asyncio.sleep(0.01)
    world.gate.held_points.clear()
    await world.settle()


async def turns() -> None:
    """Let the event loop go on until it has nothing to do at once."""
    ready = asyncio.get_running_loop()._ready
    for turn in range(2_000):
        await asyncio.sleep(0)
        if turn >= 3 and not ready:
            return


@cache
def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.DEVNULL)
    ended.wait()
    assert ended.pid != os.getpid()
    return ended.pid


@contextmanager
def patched() -> Generator[None]:
    """Databases without threads, and no delay before a write that was refused is tried again."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(database_module, "DatabaseThread", Inline)
        patching.setattr(store_module, "Heartbeat", NoHeartbeat)
        patching.setattr(recording, "MIN_DELAY", 0.001)
        yield


def in_a_world(folder: Path, life: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
    """Run a life in an event loop of its own, in a world of its own."""
    with patched():
        return asyncio.run(life(World(folder)))
