"""Build the toolkit. Only this file names concrete back ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack, nullcontext
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentoolkit.builtin_tools import ToolParts, close_builtin_tools, import_builtin_tools, register_builtin_tools
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.default_zone import reading_habits
from agentoolkit.garbage_while_serving import collected_in_portions, frozen_afterwards
from agentoolkit.live_output import LogListener
from agentoolkit.observability.event_feed import EventFeed
from agentoolkit.observability.event_log import log_events
from agentoolkit.ping import Ping
from agentoolkit.sessions import MemorySessions, Sessions, SqlSessions
from agentoolkit.settings import Settings
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.storage.kv.sql import SqlKeyValueStore
from agentoolkit.system.events.backends.memory import MemoryEventStore
from agentoolkit.system.events.backends.sql import SqlEventStore
from agentoolkit.system.events.ports import EventStore
from agentoolkit.system.events.service import EventService
from agentoolkit.system.logging.service import LogService
from agentoolkit.system.queue.backends.memory import MemoryQueueBackend
from agentoolkit.system.queue.backends.sql import SqlQueueBackend
from agentoolkit.system.queue.ports import QueueBackend
from agentoolkit.system.queue.service import QueueService
from agentoolkit.system.scheduler.agentool import create_scheduler_agent
from agentoolkit.system.scheduler.decisions.admission import AdmissionRules
from agentoolkit.system.scheduler.engine.engine import STOP_SECONDS
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.events import EventPublisher
from agentoolkit.system.scheduler.executors.choice import executors_of
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.time_source import SystemTime, TimeSource
from agentoolkit.tokens import MemoryTokens, SqlTokens, Tokens

if TYPE_CHECKING:
    from agentoolkit.redis_server import RedisServer


class Toolkit:
    """All AgenTools of this package, registered and connected: ``async with Toolkit() as kit: …``.

    Inside the block its injector is the current one. At the end of the block everything that it started has ended.
    An AgenTool that is registered already stays; the toolkit registers the others.

    Args:
        settings: By default read from the environment.
        injector: The injector to register in; by default a new one, so that two toolkits are separate.
        time: The time source; by default the machine's clock.
        runs_jobs: False to manage the jobs of another process; no job is started here.
        stop_seconds: Seconds that running handlers get to end when the toolkit is closed.
        reads_apart: See `Database`. A process for one command is quicker with one connection.
    """

    _environment: ClassVar[Mapping[str, str] | None] = None
    """The variables that the AgenTool ``config`` reads; None for those of this process."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        injector: Injector | None = None,
        time: TimeSource | None = None,
        runs_jobs: bool = True,
        stop_seconds: float = STOP_SECONDS,
        reads_apart: bool = True,
    ) -> None:
        self.settings = settings or Settings()
        self.injector = injector or Injector()
        self._time = time or SystemTime()
        self._runs_jobs = runs_jobs
        self._stop_seconds = stop_seconds
        database, durability = self.settings.database, self.settings.durability
        self.database = None
        if database is not None:
            self.database = Database(dialect_for(database, durability), MIGRATIONS, reads_apart=reads_apart)
        self._redis = _redis(self.settings)
        self.scheduler = self._make_scheduler()
        self.queue = self._make_queue()
        self.values = MemoryKeyValueStore() if self.database is None else SqlKeyValueStore(self.database)
        self._log = LogService(self.settings.log, self._time)
        self.events = self._make_events()
        self.tokens = Tokens(MemoryTokens() if self.database is None else SqlTokens(self.database), self._time)
        store = MemorySessions() if self.database is None else SqlSessions(self.database)
        self.sessions = Sessions(store, self.tokens, self._time, timedelta(days=self.settings.rest.session_days))
        self._parts = self._make_parts()
        self.scheduler.subscribe_to_portions(log_events)
        self.scheduler.subscribe_to_portions(EventFeed(self.events))
        self._registered: list[str] = []
        self._register()
        self._ping = self._make_ping()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if not self._registered:  # an earlier start has failed
            self._register()
        with frozen_afterwards() if self.settings.freeze else nullcontext():
            await self._open()
        return self

    async def _open(self) -> None:
        try:
            if self.database is not None:
                self._stack.push_async_callback(self.database.close)
                self._stack.enter_context(self.database.shared())
            if self._redis is not None:
                self._stack.callback(self._redis.close)
            self._stack.push_async_callback(self._log.close)
            self.log_package()
            self._stack.enter_context(LogListener(self.scheduler.parts.live))
            self._stack.push_async_callback(self.events.close)
            self._stack.push_async_callback(close_builtin_tools, self._parts)
            self._stack.push_async_callback(self.queue.close)
            self._stack.enter_context(self.injector.activate())
            self._stack.push_async_callback(self.scheduler.lifecycle.close, self._stop_seconds)
            await self.scheduler.lifecycle.open()
            if self._runs_jobs:
                self.events.publish("system.startup", "agentool")
                self._stack.callback(self.events.publish, "system.shutdown", "agentool")
            if self._ping is not None:
                self._stack.push_async_callback(self._ping.stop)
                self._ping.start()
            if self.settings.freeze:
                self._stack.enter_context(collected_in_portions())
        except BaseException as error:
            self._unregister()
            await self.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything in reverse order of its start. An error on the way skips nothing and is raised at the end."""
        await self._stack.__aexit__(kind, error, trace)

    def log_package(self) -> None:
        """Record this package's log messages until the toolkit is closed. `__aenter__` calls it; so must code that never opens it."""
        self._log.listen(self.injector)

    def _register(self) -> None:
        """Register every AgenTool whose name is free. If one registration fails, undo them all."""
        before = set(self.injector.names())
        try:
            create_scheduler_agent(self.scheduler, injector=self.injector)
            register_builtin_tools(self._parts)
            if self.settings.plugins:
                from agentoolkit.actions.plugins import register_plugins

                register_plugins(self.settings.plugins, self.injector)
            if self._runs_jobs:
                self.injector.get("metrics")  # built now, so that it counts from the first execution on
            self.injector.register_others_later(None)
        except BaseException:
            self._registered = [name for name in self.injector.names() if name not in before]
            self._unregister()
            raise
        self._registered = [name for name in self.injector.names() if name not in before]

    def _unregister(self) -> None:
        for name in self._registered:
            self.injector.unregister(name)
        self._registered = []

    def _make_parts(self) -> ToolParts:
        return ToolParts(
            self.settings,
            self.injector,
            self._time,
            self.scheduler,
            self.queue,
            self.values,
            self._log,
            self.events,
            self.database,
            self._environment,
        )

    def _make_scheduler(self) -> SchedulerService:
        """Create the scheduler, or take over the registered one."""
        there = self.injector.get("scheduler").deps if "scheduler" in self.injector else None
        if isinstance(there, SchedulerService):
            if self.database is None or not isinstance(there.store, MemoryJobStore):
                return there
            self._replace("scheduler", "after", in_use=there.lifecycle.started)
        settings = self.settings
        length, size = settings.history, settings.history_size
        store: JobStore = (
            MemoryJobStore(history_length=length, history_size=size)
            if self.database is None
            else SqlJobStore(self.database, self._time, delivers=self._runs_jobs, history_length=length, history_size=size)
        )
        executors = executors_of(settings.celery, settings.redis, is_shared=store.shared)
        rules = AdmissionRules(**settings.agents.model_dump(exclude={"registered"}))
        announcer = EventPublisher()
        parts = Parts(
            store,
            self.injector,
            self._time,
            announcer,
            settings.concurrency,
            settings.timeout,
            self._runs_jobs,
            admission=rules,
            error_queue=settings.error_queue,
            result_size=settings.result_size,
            default_executor=settings.executor,
            executor=executors.maker(settings.sent_at_once) if self._runs_jobs else LocalExecutor,
            sends_to=frozenset(executors.couriers) if self._runs_jobs else frozenset(),
            unavailable=executors.unavailable,
            pause_after_failures=settings.pause_after_failures,
        )
        return SchedulerService(parts, reading_habits(settings), settings.calendars)

    def _make_queue(self) -> QueueService:
        """Create the queues, or take over the registered ones."""
        there = self.injector.get("queue").deps if "queue" in self.injector else None
        if isinstance(there, QueueService):
            in_memory = self.database is None and self.settings.queue.backend == "database"
            if in_memory or not isinstance(there.backend, MemoryQueueBackend):
                return there
            self._replace("queue", in_use=there.is_open)
        if self._redis is not None and self.settings.queue.backend == "redis":
            from agentoolkit.system.queue.backends.redis import RedisQueueBackend

            backend: QueueBackend = RedisQueueBackend(self._redis)
        else:
            backend = MemoryQueueBackend() if self.database is None else SqlQueueBackend(self.database)
        return QueueService(backend, self._time, largest_message=self.settings.queue.message_size)

    def _make_events(self) -> EventService:
        """Create the event bus, or take over the registered one."""
        there = self.injector.get("events").deps if "events" in self.injector else None
        if isinstance(there, EventService):
            return there
        keep = self.settings.events.keep
        if self._redis is not None and self.settings.events.backend == "redis":
            from agentoolkit.system.events.backends.redis import RedisEventStore

            store: EventStore = RedisEventStore(self._redis, keep)
        else:
            store = MemoryEventStore(keep) if self.database is None else SqlEventStore(self.database, keep)
        return EventService(store, self._time, self.injector)

    def _replace(self, *names: str, in_use: bool) -> None:
        """Unregister AgenTools that live in memory, so that those of the database take their names. Refuse if they are in use."""
        if in_use:
            problem = f"The registered AgenTool {names[0]!r} keeps its data in memory, and is in use."
            raise ConfigurationError(problem, remedy="Open the Toolkit with its database before the first call.")
        for name in names:
            self.injector.unregister(name)

    def _make_ping(self) -> Ping | None:
        url = self.settings.ping.url
        if url is None or not self._runs_jobs:
            return None
        return Ping(url.get_secret_value(), self.settings.ping.every, self._time, self.scheduler.lifecycle.is_well)


def import_parts(settings: Settings) -> None:
    """Import the modules of a toolkit and its AgenTools. Nothing stays open, and no plugin's function is called.

    Raises:
        ConfigurationError: A plugin or an extra is missing.
    """
    Toolkit(settings.model_copy(update={"plugins": ()}), runs_jobs=False)  # created for its imports only
    import_builtin_tools()
    if settings.plugins:
        from agentoolkit.actions.plugins import import_plugins

        import_plugins(settings.plugins)


def _redis(settings: Settings) -> RedisServer | None:
    """Return the Redis server of queues or events; None if neither uses Redis. Raises `ConfigurationError`."""
    kept = [name for name in ("queue", "events") if getattr(settings, name).backend == "redis"]
    if not kept:
        return None
    problem = f"AGENTOOL_{kept[0].upper()}_BACKEND is 'redis'."
    if find_spec("redis") is None:
        raise ConfigurationError(problem, remedy="Install it: pip install 'agentool[redis]'.")
    if settings.redis.url is None:
        remedy = "Set AGENTOOL_REDIS_URL, or REDIS_URL, to the address of its server."
        raise ConfigurationError(problem, field=f"{kept[0]}_backend", value="redis", remedy=remedy)
    from agentoolkit.redis_server import RedisServer

    return RedisServer(settings.redis.url.get_secret_value())
