"""Notifications and sequences that are cancelled: what they say was done, and what whoever cancelled them sees."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.actions import sequence_run
from agentoolkit.actions.notification import Notification, create_notification_agent
from agentoolkit.actions.sequence import create_sequence_agent

from .conftest import create_note


class OwnCancelledError(asyncio.CancelledError):
    """What a library raises for a cancellation."""


class HangingInput(BaseOperationInput):
    operation: Literal["hang"]


async def hanging_hang(ctx: RunContext[asyncio.Event]) -> None:
    """Wait for ever, and end with an error of its own."""
    ctx.deps.set()
    await hang_in_its_own_way()


async def hang_in_its_own_way(notification: Notification | None = None) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise OwnCancelledError from None


async def hang(notification: Notification) -> None:
    await asyncio.Event().wait()


def with_listener(listener: Any, begun: asyncio.Event | None = None) -> Injector:
    """The AgenTools of this file: ``notification`` tells a listener, ``hanging`` sets an event."""
    injector = Injector()
    create_note(injector)
    create_sequence_agent(injector=injector)
    create_agentool("hanging", HangingInput, {"hang": hanging_hang}, deps=begun or asyncio.Event(), injector=injector)
    create_notification_agent(injector=injector).deps.subscribe(listener)
    return injector


def call(name: str, **data: Any) -> dict[str, Any]:
    return {"agentool_name": name, "input_data": data}


TAKE = call("note", operation="take", value="a")
NOTIFY = call("notification", operation="send", message="hello", targets=["log", "event"])
HANG = call("hanging", operation="hang")


def sequence(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return call("sequence", operation="run", steps=list(steps), **more)


async def run(injector: Injector, called: dict[str, Any]) -> Any:
    return await injector.run(called["agentool_name"], called["input_data"])


async def cancelled(called: dict[str, Any], message: str | None = None) -> Any:
    """Cancel a call in the middle, when a step or a listener hangs; answer with what it raised."""
    begun = asyncio.Event()

    async def listen(notification: Notification) -> None:
        begun.set()
        await hang(notification)

    running = asyncio.ensure_future(run(with_listener(listen, begun), called))
    async with asyncio.timeout(30):
        await begun.wait()
    running.cancel(message)
    with pytest.raises(asyncio.CancelledError) as raised:
        await running
    return raised.value


@pytest.mark.parametrize("listener", [hang, hang_in_its_own_way])
@pytest.mark.parametrize("called", [NOTIFY, sequence(NOTIFY), sequence(sequence(HANG))], ids=["notification", "sequence", "nested"])
async def test_a_timeout_of_ones_own_is_a_timeout(called: dict[str, Any], listener: Any):
    """`asyncio.timeout` around a call that it cuts short raises `TimeoutError`, as around anything else."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(with_listener(listener), called)


@pytest.mark.parametrize("undo", [NOTIFY, sequence(NOTIFY), HANG], ids=["notification", "sequence", "its own error"])
async def test_an_undoing_that_is_cut_short_loses_no_record(undo: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """Whatever a compensation raises as its time ends, the cancelled sequence says how each of its steps ended."""
    monkeypatch.setattr(sequence_run, "UNDO_SECONDS", 0.05)
    steps = [{"name": "a", **TAKE, "compensate": undo}, {"name": "b", **HANG}]
    error = await cancelled(sequence(*steps, on_failure="compensate"))
    assert [(record.name, record.status) for record in error.result.steps] == [("a", "success"), ("b", "failed")]


@pytest.mark.parametrize("called", [NOTIFY, sequence(NOTIFY)], ids=["notification", "sequence"])
async def test_whoever_cancels_finds_the_own_words_again(called: dict[str, Any]):
    """The message of a cancellation stays, by which some libraries know their own; beside it is what was done."""
    error = await cancelled(called, "by scope 7")
    assert (error.args, error.result is not None) == (("by scope 7",), True)


async def test_a_notification_that_is_cut_short_says_where_it_arrived():
    """The cancellation names the targets that were reached and those that were not."""
    error = await cancelled(NOTIFY)
    assert (error.result.delivered, error.result.failed) == (["log"], {"event": "cut short"})
