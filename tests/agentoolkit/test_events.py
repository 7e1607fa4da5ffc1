"""The event bus, as its page describes it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agentool import ConfigurationError, Injector
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.redis_server import RedisUnavailable
from agentoolkit.settings import Settings
from agentoolkit.system.events import EventBus, EventMessage, InvalidEvent, get_event_bus
from agentoolkit.system.events import subscriptions as subscriptions_module
from agentoolkit.system.events.messages import matching
from agentoolkit.system.scheduler import create_scheduler_agent
from agentoolkit.testing import TestToolkit, toolkit
from agentoolkit.wiring import Toolkit

LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    async with toolkit() as opened:
        yield opened


@pytest.fixture
def bus(kit: TestToolkit) -> EventBus:
    return get_event_bus()


async def schedule(kit: Toolkit, job_id: str = "often", **fields: Any) -> None:
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": job_id, "schedule": "every minute", **LIST, **fields})


async def names(kit: Toolkit, **fields: Any) -> list[str]:
    return [event.event_type for event in (await kit.injector.run("events", {"operation": "read", **fields})).events]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("scheduler.task.success", ["scheduler.task.success"]),
        ("scheduler.task.*", ["scheduler.task.scheduled", "scheduler.task.started", "scheduler.task.success"]),
        ("task.completed", ["task.completed"]),
        ("task.*", ["task.scheduled", "task.running", "task.completed"]),
        ("system.*", []),
    ],
)
async def test_patterns_choose(kit: TestToolkit, bus: EventBus, pattern: str, told: list[str]):
    """By the names of both documents, each event once; what was before the subscription is not told."""
    heard: list[EventMessage] = []
    bus.subscribe(pattern, heard.append)
    await schedule(kit)
    await kit.advance(minutes=1)
    assert [event.event_type for event in heard] == told
    assert {event.data["task_id"] for event in heard} <= {"often"}


async def test_functions_and_coroutine_functions_are_called(kit: TestToolkit, bus: EventBus):
    """An object that is called like one, too; each with the events in their order."""
    heard: dict[str, list[str]] = {"sync": [], "async": [], "object": []}

    class Listener:
        async def __call__(self, event: EventMessage) -> None:
            heard["object"].append(event.type)

    async def listen(event: EventMessage) -> None:
        heard["async"].append(event.type)

    bus.subscribe("a.*", lambda event: heard["sync"].append(event.type))
    bus.subscribe("a.*", listen)
    bus.subscribe("a.*", Listener())
    for number in range(5):
        bus.publish(f"a.{number}", "me")
    await kit.events.wait_idle()
    assert list(heard.values()) == [[f"a.{number}" for number in range(5)]] * 3


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(1), GeneratorExit(), asyncio.CancelledError()])
async def test_a_handler_that_fails_harms_nobody(kit: TestToolkit, bus: EventBus, error: BaseException):
    """Others are told, and it is called with the next event."""
    heard: list[str] = []
    tried: list[str] = []

    async def fail(event: EventMessage) -> None:
        tried.append(event.type)
        raise error

    failing = bus.subscribe("a.*", fail)
    bus.subscribe("a.*", lambda event: heard.append(event.type))
    bus.publish("a.1", "me")
    bus.publish("a.2", "me")
    await kit.events.wait_idle()
    assert (tried, heard, failing.failures) == (["a.1", "a.2"], ["a.1", "a.2"], 2)


@pytest.mark.parametrize(("error", "has_traceback"), [(RedisUnavailable("away"), False), (OSError("odd"), True)])
async def test_a_store_that_is_away_is_told_of_in_a_line(
    kit: TestToolkit,
    bus: EventBus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    has_traceback: bool,
):
    """It may be away for hours, and is tried twice a second. What nobody expected has a traceback; nothing is lost."""
    append, heard, tries = kit.events.store.append, list[str](), [error, None]

    async def fail_once(events: Any) -> int:
        if (failure := tries.pop(0)) is not None:
            raise failure
        return await append(events)

    monkeypatch.setattr(kit.events.store, "append", fail_once)
    bus.subscribe("a.*", lambda event: heard.append(event.type))
    await kit.events.wait_idle()
    bus.publish("a.1", "me")
    await kit.events.wait_idle()
    (told,) = [record for record in caplog.records if "could not be written down" in record.message]
    assert heard == ["a.1"]
    assert (bool(told.exc_info), str(error) in told.getMessage()) == (has_traceback, not has_traceback)


async def test_a_subscriber_that_was_woken_is_not_idle():
    """From the call on, not from when its event loop hears it: also where its last read has just found nothing."""
    loop, reads = asyncio.get_running_loop(), asyncio.Queue[asyncio.Future[list[EventMessage]]]()

    class Source:
        async def read_after(self, after: int) -> list[EventMessage]:
            reads.put_nowait(read := loop.create_future())
            return await read

    subscription = subscriptions_module.Subscription(Source(), subscriptions_module.EventFilter("*", None), lambda event: None)  # type: ignore[arg-type]
    subscription.begin(1)
    (await reads.get()).set_result([])
    seen: list[bool] = []
    loop.call_soon(lambda: seen.append(subscription.idle))
    subscription.wake()
    (await reads.get()).set_result([])
    assert seen == [False]
    subscription.cancel()
    await asyncio.sleep(0)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_handler_that_hangs_is_given_up(kit: TestToolkit, bus: EventBus, monkeypatch: pytest.MonkeyPatch, asynchronous: bool):
    """Others are told meanwhile, and the next event is its turn after its seconds."""
    monkeypatch.setattr(subscriptions_module, "HANDLER_SECONDS", 0.05)
    released = threading.Event()
    heard: list[str] = []
    tried: list[str] = []

    def block(event: EventMessage) -> None:
        tried.append(event.type)
        released.wait(30)

    async def hang(event: EventMessage) -> None:
        tried.append(event.type)
        await asyncio.Event().wait()

    hanging = bus.subscribe("a.*", hang if asynchronous else block)
    bus.subscribe("a.*", lambda event: heard.append(event.type))
    bus.publish("a.1", "me")
    bus.publish("a.2", "me")
    await kit.events.wait_idle()
    released.set()
    assert (tried, heard, hanging.failures) == (["a.1", "a.2"], ["a.1", "a.2"], 2)


async def test_what_is_for_one_agent_is_not_told_to_another(kit: TestToolkit, bus: EventBus):
    """Who gives no name hears all of it."""
    heard: list[tuple[str, str]] = []
    for agent in ("support-bot", "email-agent", None):
        bus.subscribe("a.b", lambda event, agent=agent: heard.append((str(agent), event.type)), agent_name=agent)
    bus.publish("a.b", "me", {}, "support-bot")
    await kit.events.wait_idle()
    assert sorted(heard) == [("None", "a.b"), ("support-bot", "a.b")]


async def test_a_subscription_ends(kit: TestToolkit, bus: EventBus):
    """By its handler or by itself; a second time there is nothing to end."""
    heard: list[str] = []

    def listen(event: EventMessage) -> None:
        heard.append(event.type)

    bus.subscribe("a.b", listen)
    other = bus.subscribe("a.b", lambda event: heard.append("other"))
    assert (bus.unsubscribe(listen), bus.unsubscribe(other), bus.unsubscribe(listen)) == (True, True, False)
    bus.publish("a.b", "me")
    await kit.events.wait_idle()
    assert heard == []


async def test_a_thread_publishes_and_listens(kit: TestToolkit):
    """As a task's function does: it finds the bus of its toolkit, and hears what comes after its first call."""

    def work() -> tuple[EventMessage | None, EventMessage | None]:
        bus = EventBus()
        nothing = bus.listen(timeout=0.01)
        bus.publish(event_type="task.done", source_agent="email-agent", payload={"n": 1})
        return nothing, bus.listen(timeout=5.0)

    nothing, event = await asyncio.to_thread(work)
    assert nothing is None
    assert event is not None
    assert (event.event_type, event.source_agent, event.payload) == ("task.done", "email-agent", {"n": 1})


def test_without_any_event_loop():
    """A program without one publishes, is called, and listens."""
    from agentool import Injector

    heard: list[str] = []
    called = threading.Event()
    bus = EventBus(Injector())
    bus.subscribe("a.*", lambda event: (heard.append(event.type), called.set()))
    bus.listen(timeout=0)
    bus.publish("a.b", "me")
    event = bus.listen(timeout=5)
    assert event is not None
    assert called.wait(5)
    assert (event.event_type, heard) == ("a.b", ["a.b"])


async def test_listening_does_not_hold_up_an_event_loop(bus: EventBus):
    """It is refused there, with what to write instead."""
    with pytest.raises(ConfigurationError, match=r"await bus\.next"):
        bus.listen(timeout=1)


async def test_next_waits_for_an_event(kit: TestToolkit, bus: EventBus):
    """And answers nothing if none comes in time."""
    assert await bus.next(timeout=0.01) is None
    bus.publish("a.b", "me")
    event = await bus.next(timeout=5)
    assert event is not None
    assert event.event_type == "a.b"


@pytest.mark.parametrize("event_type", ["scheduler.task.success", "scheduler", "", "a b", "a..b", "a.*", "x" * 201, "a\n"])
async def test_names_that_nobody_may_use(bus: EventBus, event_type: str):
    """The scheduler's own, and what is no name, are refused with the field."""
    with pytest.raises(InvalidEvent, match="event_type"):
        bus.publish(event_type, "me")


def nested(depth: int) -> dict[str, Any]:
    payload: Any = 1
    for _ in range(depth):
        payload = [payload]
    return {"a": payload}


@pytest.mark.parametrize(
    "payload",
    [{"a": object()}, {"a": float("nan")}, {"a": "\ud800"}, {"a": 10**5_000}, {"a": "x" * 100_001}, nested(300), nested(101)],
    ids=["object", "nan", "surrogate", "digits", "large", "deep", "a level too deep"],
)
async def test_payloads_that_cannot_be(bus: EventBus, payload: dict[str, Any]):
    """What JSON cannot hold, and what is too large or nested too deeply to be read again, is refused with the field."""
    with pytest.raises(InvalidEvent, match="payload"):
        bus.publish("a.b", "me", payload)


async def test_events_are_read_after_a_cursor(kit: TestToolkit):
    """By the AgenTool: the answer has the cursor that goes on."""
    for number in range(3):
        await kit.injector.run("events", {"operation": "publish", "event_type": f"a.{number}", "payload": {"n": number}})
    await kit.events.wait_idle()
    first = await kit.injector.run("events", {"operation": "read", "event_type": "a.*", "limit": 2})
    second = await kit.injector.run("events", {"operation": "read", "event_type": "a.*", "after": first.cursor})
    assert [event.payload["n"] for event in first.events + second.events] == [0, 1, 2]


async def test_an_operation_listens(kit: TestToolkit):
    """It answers the event that comes, or none in time."""
    waiting = asyncio.create_task(kit.injector.run("events", {"operation": "listen", "event_type": "a.*", "timeout": 30}))
    for _ in range(10):  # turns of the event loop until it listens
        await asyncio.sleep(0)
    get_event_bus().publish("a.b", "me")
    assert [event.event_type for event in (await waiting).events] == ["a.b"]
    assert (await kit.injector.run("events", {"operation": "listen", "event_type": "c.*", "timeout": 0})).events == []


async def test_the_scheduler_tells_owners_of_their_own_jobs(kit: TestToolkit):
    """A caller who is no administrator hears nothing of another's job."""
    get_event_bus().subscribe("scheduler.*")  # so that what happens is written down
    with acting_as(Caller("maria", "rest", OWN)):
        await schedule(kit, "hers", schedule="every hour")
    await schedule(kit, "his", schedule="every hour")
    await kit.advance(minutes=62)  # hers is spread over a minute
    with acting_as(Caller("maria", "rest", OWN)):
        told = (await kit.injector.run("events", {"operation": "read", "event_type": "scheduler.*"})).events
    assert {event.payload["task_id"] for event in told} == {"hers"}
    assert [event.event_type.rpartition(".")[2] for event in told] == ["scheduled", "started", "success"]


async def test_a_publisher_is_named_by_its_door(kit: TestToolkit):
    """The operation takes no source: it is whoever calls."""
    with acting_as(Caller("maria", "rest", OWN)):
        await kit.injector.run("events", {"operation": "publish", "event_type": "a.b"})
    await kit.events.wait_idle()
    (event,) = (await kit.injector.run("events", {"operation": "read", "event_type": "a.b"})).events
    assert event.source_agent == "maria"


async def test_start_and_end_are_told(tmp_path: Path):
    """A toolkit that runs jobs says when it starts and ends; its events outlive it."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with Toolkit(settings):
        pass
    async with Toolkit(settings) as kit:
        assert await names(kit, event_type="system.*", limit=2) == ["system.startup", "system.shutdown"]


async def test_a_named_subscriber_misses_nothing_while_it_is_away(tmp_path: Path):
    """It goes on after the last event that it has handled."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    heard: list[str] = []
    async with Toolkit(settings) as kit:
        get_event_bus(kit.injector).subscribe("a.*", lambda event: heard.append(event.type), name="mailer")
        get_event_bus(kit.injector).publish("a.1", "me")
        await kit.events.wait_idle()
    async with Toolkit(settings) as kit:
        get_event_bus(kit.injector).publish("a.2", "me")
        await kit.events.wait_idle()
    async with Toolkit(settings) as kit:
        get_event_bus(kit.injector).subscribe("a.*", lambda event: heard.append(event.type), name="mailer")
        await kit.events.wait_idle()
    assert heard == ["a.1", "a.2"]


async def test_what_the_scheduler_does_is_not_written_down_for_nobody(tmp_path: Path):
    """Without a subscriber no execution leaves a row; who comes later is told of what happens from then on."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with Toolkit(settings) as kit:
        await kit.injector.run("scheduler", {"operation": "run_now", **LIST})
        await kit.events.wait_idle()
        before = await kit.events.store.bounds()
        subscription = get_event_bus(kit.injector).subscribe("scheduler.*")
        await kit.events.wait_idle()
        await kit.injector.run("scheduler", {"operation": "run_now", **LIST})
        told = [event and event.event_type for event in [await subscription.next(timeout=10) for _ in range(2)]]
    assert (before.newest, told) == (1, ["scheduler.task.started", "scheduler.task.success"])  # the first is the toolkit's start


async def test_a_named_subscriber_is_told_of_jobs_that_ran_while_it_was_away(tmp_path: Path):
    """Its cursor is kept, so the scheduler's events are written down for it."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    heard: list[str] = []
    async with Toolkit(settings) as kit:
        get_event_bus(kit.injector).subscribe("scheduler.*", lambda event: heard.append(event.type), name="mailer")
        await kit.events.wait_idle()
    async with Toolkit(settings) as kit:
        await kit.injector.run("scheduler", {"operation": "run_now", **LIST})
    async with Toolkit(settings) as kit:
        get_event_bus(kit.injector).subscribe("scheduler.*", lambda event: heard.append(event.type), name="mailer")
        await kit.events.wait_idle()
    assert heard == ["scheduler.task.started", "scheduler.task.success"]


async def test_another_process_that_reads_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is told of executions that begin after it came, a second later at the most."""
    from agentoolkit.system.events import readers

    monkeypatch.setattr(readers, "ASKED_SECONDS", 0.0)
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with Toolkit(settings) as here, Toolkit(settings, runs_jobs=False) as there:
        await here.injector.run("scheduler", {"operation": "run_now", **LIST})
        await here.events.wait_idle()
        assert [name for name in await names(there) if name.startswith("scheduler.")] == []
        await here.injector.run("scheduler", {"operation": "run_now", **LIST})
        await here.events.wait_idle()
        assert await names(there, event_type="scheduler.*") == ["scheduler.task.started", "scheduler.task.success"]


async def test_another_process_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What one publishes in the shared database, a subscriber of the other is told of."""
    from agentoolkit.system.events import service

    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db")})
    async with Toolkit(settings) as here, Toolkit(settings, runs_jobs=False) as there:
        subscription = get_event_bus(here.injector).subscribe("a.*")
        await here.events.wait_idle()
        get_event_bus(there.injector).publish("a.b", "me")
        event = await subscription.next(timeout=10)
    assert event is not None
    assert event.event_type == "a.b"


def test_a_star_is_any_text():
    """Dots included; a question mark is one character, and all other signs are themselves."""
    from datetime import UTC, datetime

    message = EventMessage(event_type="a.b.c", source_agent="me", published_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert [bool(matching(message, pattern)) for pattern in ("*", "a.*", "a.?.c", "a.b", "a.b.c.*", "axb.c")] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("name", ["task.completed", "task.failed", "task.running"])
async def test_code_tells_of_tasks_of_its_own(name: str):
    """*Agent Scheduler & Background Task Queue* publishes `task.completed` itself; its source tells it from the scheduler's."""
    async with Toolkit(Settings(timezone="UTC")) as kit:
        bus = get_event_bus(kit.injector)
        subscription = bus.subscribe("task.*")
        bus.publish(event_type=name, source_agent="email-agent", payload={"task_id": "123", "status": "success"})
        event = await subscription.next(timeout=5)
        assert event is not None
        assert (event.event_type, event.source_agent) == (name, "email-agent")
        for source in ("scheduler", "Scheduler"):
            with pytest.raises(InvalidEvent, match="the scheduler's own"):
                bus.publish(name, source)


@pytest.mark.parametrize("name", ["Scheduler.task.success", "SCHEDULER.x", "Task.Completed"])
async def test_capitals_make_no_name_free(name: str):
    """Who reads it would take it for the scheduler's."""
    async with Toolkit(Settings(timezone="UTC")) as kit:
        with pytest.raises(InvalidEvent, match="the scheduler's own name"):
            get_event_bus(kit.injector).publish(name, "somebody")


def test_a_bus_that_is_made_alone_stays_alone() -> None:
    """Where no setting says that others share its events, it lives in memory and brings nothing else."""
    with Injector().activate() as injector:
        EventBus()
        assert list(injector.names()) == ["events"]


async def test_a_bus_that_is_made_alone_is_that_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one program published is read by the next, though neither made a toolkit."""
    monkeypatch.setenv("AGENTOOL_DATABASE", str(tmp_path / "jobs.db"))
    for number in (1, 2):
        with Injector().activate() as injector:
            get_event_bus().publish("report.sent", "code", {"number": number})
            service = injector.get("events").deps
            await service.wait_idle()
            read = await injector.run("events", {"operation": "read", "event_type": "report.*"})
            await service.close()
    assert [event.payload["number"] for event in read.events] == [1, 2]


@pytest.mark.parametrize("first", [EventBus, create_scheduler_agent], ids=["bus", "scheduler"])
def test_bus_and_scheduler_that_are_made_alone_are_of_one_toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first) -> None:
    """Whichever came first: the bus tells of the jobs."""
    monkeypatch.setenv("AGENTOOL_DATABASE", str(tmp_path / "jobs.db"))
    with Injector().activate() as injector:
        first()
        assert create_scheduler_agent().deps is injector.get("scheduler").deps
        assert {"events", "scheduler", "metrics"} <= set(injector.names())


@pytest.mark.parametrize("first", ["bus", "scheduler"])
async def test_a_bus_in_memory_hears_of_a_scheduler_in_memory(first: str) -> None:
    """Both are made alone, in any order, and no setting says anything: the events of the jobs come all the same."""
    with Injector().activate() as injector:
        if first == "scheduler":
            create_scheduler_agent()
        heard = EventBus().subscribe("scheduler.task.scheduled")
        create_scheduler_agent()
        job = {"schedule": "every hour", "agentool_name": "events", "input_data": {"operation": "publish", "event_type": "a.b"}}
        await injector.run("scheduler", {"operation": "schedule", "job_name": "a", **job})
        event = await heard.next(5)
        await injector.get("scheduler").deps.lifecycle.close()
        await injector.get("events").deps.close()
    assert event is not None
    assert event.payload["job_id"] == "a"
