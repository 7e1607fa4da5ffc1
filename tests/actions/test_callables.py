"""Callables of every kind, at each door that takes one: they are called, or refused in a sentence that says what to do."""

from __future__ import annotations

import functools
import math
import operator
import time
from collections.abc import Callable
from typing import Any

import pytest

from agentool import AgenToolError, ConfigurationError, InvalidInput
from agentoolkit.actions.task_functions import AVAILABLE_TASKS, task_type
from agentoolkit.client import get_scheduler
from agentoolkit.entrypoints.scheduled_tool import scheduled_tool
from agentoolkit.entrypoints.task_scheduler import TaskQueue
from agentoolkit.settings import Settings
from agentoolkit.testing import toolkit


class Doubler:
    """Called like a function."""

    def __call__(self, number: int) -> int:
        return 2 * number


class AsyncDoubler:
    """Called like an async function."""

    async def __call__(self, number: int) -> int:
        return 2 * number


class Evil:
    """Its signature raises when it is looked at."""

    @property
    def __signature__(self) -> object:
        raise RuntimeError("boom")

    def __call__(self, number: int) -> int:
        return 2 * number


evil = Evil()
SILENT = [time.sleep, math.hypot, operator.itemgetter(0), evil]


def assign(function: Callable[..., Any]) -> None:
    AVAILABLE_TASKS["mine"] = function


@pytest.fixture
async def kit():
    async with toolkit(settings=Settings.from_values({"timezone": "UTC", "functions": (__name__,)})) as kit:
        yield kit


@pytest.mark.parametrize("door", [assign, task_type("mine"), scheduled_tool()], ids=["assigned", "decorated", "schedulable"])
@pytest.mark.parametrize("function", SILENT, ids=["sleep", "hypot", "itemgetter", "evil"])
async def test_what_does_not_say_what_it_takes_is_no_task_type(kit, door: Callable[..., Any], function: Callable[..., Any]):
    """Its arguments could not be given by name; the way out is a function around it."""
    with pytest.raises(ConfigurationError, match=r"has no (name or no )?readable signature\. Wrap it in a function"):
        door(function)


@pytest.mark.parametrize("function", [Doubler(), AsyncDoubler(), functools.partial(pow, exp=2)], ids=["object", "async", "partial"])
async def test_what_is_called_like_a_function_is_a_task_type(kit, function: Callable[..., Any]):
    """Its arguments are those of its call, and what it returns is the result, awaited where that is to be."""
    AVAILABLE_TASKS["mine"] = function
    args = {"base": 2} if isinstance(function, functools.partial) else {"number": 2}
    task_id = await get_scheduler().schedule_task("mine", args, "in 1 minute")
    await kit.advance(minutes=1)
    (execution,) = (await get_scheduler().get_task(task_id))["recent_history"]
    assert (execution["status"], execution["result"]) == ("success", 4)


UNREACHABLE = {
    "partial": functools.partial(pow, 2),
    "lambda": lambda: 1,
    "object": Doubler(),
    "method": Doubler().__call__,
    "text": "a".upper,
}


@pytest.mark.parametrize("function", UNREACHABLE.values(), ids=UNREACHABLE.keys())
async def test_what_cannot_be_imported_is_not_enqueued(kit, function: Callable[..., Any]):
    """It is refused at once: another process could not find it."""
    with pytest.raises(InvalidInput, match="cannot be imported by its name"):
        TaskQueue().enqueue(func=function)


async def test_a_signature_that_raises_is_none(kit):
    """A function whose signature cannot be read is scheduled and called like one written in C."""
    call = {"agentool_name": "function", "input_data": {"operation": "call", "function": f"{__name__}:evil", "args": [4]}}
    await kit.injector.run("scheduler", {"operation": "schedule", "schedule": "1 hour", **call})
    assert (await kit.injector.run("scheduler", {"operation": "run_now", **call})).data["result"]["result"] == 8


def count():
    """Return an iterator without end."""
    import itertools

    return itertools.count()


def numbers():
    yield 1
    yield math.nan


async def test_an_iterator_is_read_where_the_function_runs(kit):
    """Its items are the result, whole, also as a step of a sequence, which hands them on."""
    call = {"agentool_name": "function", "input_data": {"operation": "call", "function": f"{__name__}:numbers"}}
    ran = await kit.injector.run(
        "scheduler", {"operation": "run_now", "agentool_name": "sequence", "input_data": {"operation": "run", "steps": [call]}}
    )
    assert ran.data["result"]["steps"][0]["result"]["result"] == [1, "NaN"]


async def test_an_iterator_without_end_is_a_failure(kit, monkeypatch: pytest.MonkeyPatch):
    """It is read up to a bound, in its thread."""
    monkeypatch.setattr("agentoolkit.actions.function.MAX_ITEMS", 1_000)
    call = {"agentool_name": "function", "input_data": {"operation": "call", "function": f"{__name__}:count"}}
    with pytest.raises(AgenToolError, match="more than 1,000 items"):
        await kit.injector.run("scheduler", {"operation": "run_now", **call})
