"""Puts the toolkit together. The one place that names concrete back ends."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from agentool.core.injector import Injector
from agentoolkit.actions.registration import register_actions
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.ping import Ping
from agentoolkit.settings import Settings
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.storage.kv.sql import SqlKeyValueStore
from agentoolkit.system.queue.agent import create_queue_agent
from agentoolkit.system.queue.backends.memory import MemoryQueueBackend
from agentoolkit.system.queue.backends.sql import SqlQueueBackend
from agentoolkit.system.queue.service import QueueService
from agentoolkit.system.scheduler.agent import create_scheduler_agent
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.events import EventPublisher
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.time_source import SystemTime, TimeSource
from agentoolkit.tools import Tools


class Toolkit:
    """All AgenTools of this package, registered and connected: ``async with Toolkit() as kit: …``.

    Inside the block its injector is the current one. At the end everything it started has ended.

    Args:
        settings: Read from the environment by default.
        injector: Where to register; a new one by default, so that two toolkits do not meet.
        time: The machine's by default.
        claims: False for a visitor, which manages what another process runs: it starts nothing that is due.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        injector: Injector | None = None,
        time: TimeSource | None = None,
        claims: bool = True,
    ) -> None:
        self.settings = settings or Settings()
        self.injector = injector or Injector()
        time = time or SystemTime()
        self.database = _database(self.settings)
        store: JobStore = MemoryJobStore() if self.database is None else SqlJobStore(self.database, time, delivers=claims)
        parts = Parts(store, self.injector, time, EventPublisher(), self.settings.concurrency, self.settings.timeout, claims)
        self.scheduler = SchedulerService(parts, self.settings.timezone)
        queues = MemoryQueueBackend() if self.database is None else SqlQueueBackend(self.database)
        self.queue = QueueService(queues, time, largest_message=self.settings.queue_message_size)
        create_queue_agent(self.queue, injector=self.injector)
        create_scheduler_agent(self.scheduler, injector=self.injector)
        register_actions(self.settings, self.injector, time)
        self.values = MemoryKeyValueStore() if self.database is None else SqlKeyValueStore(self.database)
        self._tools = Tools(self.settings, self.injector, time, self.values)
        self._tools.watch(self.scheduler, self.queue)
        ping = self.settings.ping_url
        self._ping = Ping(ping, self.settings.ping_every, time, self.scheduler.is_well) if ping and claims else None
        self._active: AbstractContextManager[Injector] | None = None

    async def __aenter__(self) -> Self:
        self._active = self.injector.activate()
        self._active.__enter__()
        try:
            await self.scheduler.open()
            if self._ping is not None:
                self._ping.start()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._ping is not None:
                await self._ping.stop()
            await self.scheduler.close()
        finally:
            if self._active is not None:
                self._active.__exit__(kind, error, trace)
            await self.queue.close()
            await self._tools.close()
            if self.database is not None:
                await self.database.close()


def _database(settings: Settings) -> Database | None:
    if settings.database is None:
        return None
    return Database(dialect_for(settings.database, settings.durability), MIGRATIONS)
