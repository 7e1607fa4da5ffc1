"""No event is lost on its way to whoever may see it: past what others publish, past failures of stores, handlers and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agentool import InvalidInput
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.system.events import EventBus, InvalidEvent, get_event_bus
from agentoolkit.system.events import subscriptions as subscriptions_module
from agentoolkit.testing import TestToolkit, toolkit

BOB = Caller("bob", "rest", OWN)


class Unspeakable(Exception):
    """An error whose own text fails."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    async with toolkit() as opened:
        yield opened


@pytest.fixture
def bus(kit: TestToolkit) -> EventBus:
    return get_event_bus()


async def ask(kit: TestToolkit, operation: str, **fields: Any) -> Any:
    with acting_as(BOB):
        return await kit.injector.run("events", {"operation": operation, "event_type": "a.*", **fields})


async def listening(kit: TestToolkit, **fields: Any) -> asyncio.Task[Any]:
    waiting = asyncio.create_task(ask(kit, "listen", timeout=30, **fields))
    for _ in range(10):  # turns of the event loop until it listens
        await asyncio.sleep(0)
    assert kit.events.listeners
    await kit.events.wait_idle()
    return waiting


async def test_an_event_for_another_ends_no_wait(kit: TestToolkit, bus: EventBus):
    """Who listens is told of the first event that is for it, though others came before."""
    waiting = await listening(kit)
    bus.publish("a.1", "me", target_agent="alice")
    bus.publish("a.2", "me")
    told = await waiting
    assert ([event.event_type for event in told.events], told.cursor) == (["a.2"], told.events[0].event_id)


async def test_the_cursor_of_a_listener_passes_no_event(kit: TestToolkit, bus: EventBus):
    """Listening on after the cursor of each answer tells every event that the caller may see, once."""
    bus.publish("a.0", "me", target_agent="alice")
    await kit.events.wait_idle()
    told, cursor = list[str](), 1
    waiting = await listening(kit, after=cursor)
    for number in range(1, 7):
        bus.publish(f"a.{number}", "me", target_agent="alice" if number % 2 else None)
    while len(told) < 3:
        answer = await waiting
        told += [event.event_type for event in answer.events]
        waiting = asyncio.create_task(ask(kit, "listen", timeout=30, after=answer.cursor))
    waiting.cancel()
    assert told == ["a.2", "a.4", "a.6"]


async def test_a_listener_is_told_what_is_kept_no_more(kit: TestToolkit, bus: EventBus, monkeypatch: pytest.MonkeyPatch):
    """Also where none of the events that are kept is for it."""
    monkeypatch.setattr(kit.events.store, "_kept", type(kit.events.store._kept)(maxlen=2))  # type: ignore[attr-defined]
    for number in range(5):
        bus.publish(f"b.{number}", "me")
    await kit.events.wait_idle()
    told = await ask(kit, "listen", timeout=0, after=1)
    assert (told.events, told.missed, told.cursor) == ([], 3, 6)  # the start of the toolkit was the first


@pytest.mark.parametrize("field", ["source_agent", "target_agent"])
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
async def test_names_that_no_store_holds_are_refused(bus: EventBus, field: str, text: str):
    """PostgreSQL refused the character zero, with all that waited behind it, again and again."""
    with pytest.raises(InvalidEvent, match="at position 1") as refused:
        bus.publish("a.b", **{"source_agent": "me", field: text})
    assert (refused.value.field, refused.value.value) == (field, text)


async def test_an_event_to_an_impossible_name_is_refused_by_the_operation(kit: TestToolkit):
    """And is not written down."""
    with pytest.raises(InvalidInput) as refused:
        await ask(kit, "publish", event_type="a.b", target_agent="a\0b")
    assert refused.value.field == "target_agent"
    assert (await ask(kit, "read")).events == []


async def test_a_cursor_beyond_every_id_is_refused(kit: TestToolkit):
    """Each store failed in its own words."""
    for operation in ("read", "listen"):
        with pytest.raises(InvalidInput, match="after"):
            await ask(kit, operation, after=2**63)


@pytest.mark.parametrize("method", ["cursor", "save_cursor", "read"])
async def test_a_subscriber_outlives_a_store_that_is_away_at_its_start(
    kit: TestToolkit, bus: EventBus, monkeypatch: pytest.MonkeyPatch, method: str
):
    """One with a name reads its cursor first: it is told all the same, as soon as the store answers."""
    monkeypatch.setattr(subscriptions_module, "RETRY_SECONDS", 0.0)
    real, calls, heard = getattr(kit.events.store, method), list[tuple[Any, ...]](), list[str]()

    async def fail_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise ConnectionError("away")
        return await real(*given)

    monkeypatch.setattr(kit.events.store, method, fail_once)
    subscription = bus.subscribe("a.*", lambda event: heard.append(event.event_type), name="mailer")
    await kit.events.wait_idle()
    bus.publish("a.b", "me")
    await kit.events.wait_idle()
    assert (heard, subscription.alive) == (["a.b"], True)


async def test_an_error_without_a_text_costs_no_event(kit: TestToolkit, bus: EventBus):
    """A handler's own error cannot be put into words: the events of the same page are told nevertheless."""
    heard = list[str]()

    def handler(event: Any) -> None:
        heard.append(event.event_type)
        if event.event_type == "a.1":
            raise Unspeakable

    subscription = bus.subscribe("a.*", handler)
    await kit.events.wait_idle()
    for number in range(1, 4):
        bus.publish(f"a.{number}", "me")
    await kit.events.wait_idle()
    assert (heard, subscription.failures) == (["a.1", "a.2", "a.3"], 1)
    logged = (await kit.injector.run("logging", {"operation": "read", "level": "ERROR"})).records
    assert [record.data["error"] for record in logged] == ["Unspeakable: (its text cannot be written: RuntimeError)"]
