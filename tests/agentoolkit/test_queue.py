"""The queue AgenTool as it is documented in docs/agentoolkits/queue.md, one fact per test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel, computed_field

import agentoolkit.system.queue as queue_package
from agentool import BaseOperationInput, InvalidInput, RunContext, UnknownAgenTool, create_agentool
from agentool.core.injector import Injector
from agentoolkit.heap import LazyHeap
from agentoolkit.system.queue import (
    MessageNotFound,
    MessageTooLarge,
    QueueError,
    QueueExists,
    QueueFull,
    QueueInput,
    QueueNotFound,
    QueueOutput,
    QueueService,
    StaleReceipt,
    answers,
    create_queue_agent,
    manage_queue,
)
from agentoolkit.system.queue.auto_execute import AutoExecution
from agentoolkit.system.queue.backends.memory import MemoryQueueBackend
from agentoolkit.system.queue.enqueue import EnqueueRequest
from agentoolkit.system.queue.service import DequeueRequest
from agentoolkit.system.queue.waiters import Waiters
from agentoolkit.testing import ManualTime
from agentoolkit.time_source import Cancellable, SystemTime

START = datetime(2030, 1, 1, tzinfo=UTC)


class CountedTime(ManualTime):
    """Time that knows which calls are still to come."""

    def __init__(self) -> None:
        super().__init__(START)
        self.pending: list[Any] = []

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any:
        call = super().call_later(delay, callback)
        self.pending.append(call)
        return call

    def live(self) -> int:
        return sum(not call.cancelled and call.at > self.now() for call in self.pending)


@pytest.fixture
def time() -> CountedTime:
    return CountedTime()


@pytest.fixture
def injector(time: CountedTime) -> Iterator[Injector]:
    injector = Injector()
    create_queue_agent(QueueService(MemoryQueueBackend(dead_letters=3), time), injector=injector)
    with injector.activate():
        yield injector


Call = Callable[..., Any]


@pytest.fixture
def queue(injector: Injector) -> Call:
    """Calls an operation on the queue 'q' and returns its data."""

    async def call(operation: str, **fields: Any) -> dict[str, Any]:
        output = await injector.run("queue", {"operation": operation, "queue_name": "q", **fields})
        assert isinstance(output, QueueOutput)
        assert (output.operation, bool(output.message)) == (operation, True)
        assert output.data is not None
        return output.data

    return call


@pytest.fixture
async def waiting(queue: Call, time: CountedTime) -> AsyncIterator[Call]:
    """Starts a dequeue that waits, and returns its task."""
    tasks: list[asyncio.Task[Any]] = []

    async def wait(timeout: float = 60, **fields: Any) -> asyncio.Task[Any]:
        tasks.append(asyncio.create_task(queue("dequeue", timeout=timeout, **fields)))
        await time.let_run()
        return tasks[-1]

    yield wait
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def payloads(data: dict[str, Any]) -> list[Any]:
    return [found["message"] for found in data["messages"]]


async def numbers(queue: Call) -> tuple[int, int, int, int]:
    size = await queue("size")
    return size["ready"], size["delayed"], size["in_flight"], size["dead"]


# Creation


def test_the_agent_is_made_once():
    """`create_queue_agent` registers 'queue' and returns the existing one when called again."""
    injector = Injector()
    agent = create_queue_agent(injector=injector)
    assert agent.name == "queue"
    assert create_queue_agent(injector=injector) is agent is injector.get("queue")


def test_it_lives_in_memory_by_default(injector: Injector):
    """Without a service the queues live in memory; the current injector is used."""
    assert create_queue_agent() is injector.get("queue")


def test_the_package_exports_what_is_documented():
    """Every exported name exists, and every operation has a function of its own."""
    assert all(hasattr(queue_package, name) for name in queue_package.__all__)
    operations = QueueInput.model_fields["operation"].annotation.__args__  # type: ignore[union-attr]
    assert {f"queue_{operation}" for operation in operations} <= set(queue_package.__all__)


async def test_manage_queue_calls_an_operation_by_name(injector: Injector):
    """`manage_queue` leads to the operation's handler."""
    ctx = RunContext(injector.get("queue").deps, injector, "queue")
    assert (await manage_queue(ctx, "enqueue", queue_name="q", message=1)).operation == "enqueue"


async def test_manage_queue_names_the_nearest_operation(injector: Injector):
    """An unknown operation is refused with the nearest one."""
    ctx = RunContext(injector.get("queue").deps, injector, "queue")
    with pytest.raises(InvalidInput, match="Did you mean 'enqueue'"):
        await manage_queue(ctx, "enqeue", queue_name="q", message=1)


# Queues


async def test_a_queue_is_made_by_its_first_message(queue: Call):
    """`enqueue` makes the queue, with default limits."""
    await queue("enqueue", message=1)
    made = await queue("create_queue", max_size=100_000, visibility_timeout=30, max_retries=3, description="")
    assert made["created"] is False


async def test_a_queue_is_made_with_limits(queue: Call):
    """`create_queue` returns the queue's limits."""
    made = await queue("create_queue", max_size=5, visibility_timeout=2.5, max_retries=1, description="results")
    limits = {"max_size": 5, "visibility_timeout": 2.5, "max_retries": 1, "description": "results"}
    assert made == {"queue_name": "q", "created": True, **limits}


async def test_the_same_queue_again_is_fine(queue: Call):
    """`create_queue` with the same settings, or with some left out, makes nothing and agrees."""
    await queue("create_queue", max_size=5)
    assert (await queue("create_queue", max_size=5))["created"] is False
    assert (await queue("create_queue"))["max_size"] == 5


async def test_a_queue_with_other_settings_is_refused(queue: Call):
    """The refusal names the field and both values, and the queue stays as it was."""
    await queue("create_queue", max_size=5)
    with pytest.raises(QueueExists, match="max_size 5, not 6") as refused:
        await queue("create_queue", max_size=6)
    assert (refused.value.field, refused.value.value) == ("max_size", 6)


async def test_a_page_of_queues_says_how_many_there_are(queue: Call, injector: Injector):
    """The first by name, and the number of all."""
    for name in ("b", "c", "a"):
        await queue("create_queue", queue_name=name)
    data = (await injector.run("queue", {"operation": "list_queues", "limit": 2})).data
    assert ([found["queue_name"] for found in data["queues"]], data["count"]) == (["a", "b"], 3)


async def test_queues_are_listed_with_what_they_hold(queue: Call, injector: Injector):
    """`list_queues` returns limits and numbers of messages, by name."""
    await queue("enqueue", message=1)
    await queue("create_queue", queue_name="a")
    data = (await injector.run("queue", {"operation": "list_queues"})).data
    assert [(found["queue_name"], found["size"], found["max_retries"]) for found in data["queues"]] == [("a", 0, 3), ("q", 1, 3)]
    assert data["count"] == 2


async def test_a_deleted_queue_is_gone(queue: Call):
    """`delete_queue` says how many messages went with it."""
    await queue("enqueue", message=1)
    assert (await queue("delete_queue"))["ready"] == 1
    with pytest.raises(QueueNotFound):
        await queue("size")


@pytest.mark.parametrize("operation", ["dequeue", "peek", "size", "clear", "delete_queue", "get_dlq", "requeue"])
async def test_an_unknown_queue_is_refused(queue: Call, operation: str):
    """`QueueNotFound` is a KeyError and a RuntimeError, and names the nearest queue."""
    await queue("create_queue", queue_name="reports")
    with pytest.raises(QueueNotFound, match="Did you mean 'reports'") as refused:
        await queue(operation, queue_name="report")
    assert isinstance(refused.value, KeyError)
    assert isinstance(refused.value, RuntimeError)


# Enqueue


@pytest.mark.parametrize("payload", [{"a": [1, 2.5, None]}, [], {}, "text", "", 0, 1.5, False, "!ref:storage_kv:key", {"é": "\ud800"}])
async def test_any_json_value_is_a_message(queue: Call, payload: Any):
    """A payload comes back as it was; references are not resolved here."""
    await queue("enqueue", message=payload)
    assert payloads(await queue("dequeue")) == [payload]


@pytest.mark.parametrize(
    ("payload", "place"), [({"when": START}, "when"), ({"a": [1, float("nan")]}, "message.a.1"), ({1: 2}, "1"), ({"s": {1}}, "s")]
)
async def test_what_is_not_json_is_refused_by_its_place(queue: Call, payload: Any, place: str):
    """A payload with something that JSON does not have adds nothing, and the place is named."""
    with pytest.raises(InvalidInput, match=place):
        await queue("enqueue", message=payload)


async def test_a_payload_cannot_be_changed_afterwards(queue: Call):
    """Neither the sender's object nor an answer is the message itself."""
    payload = {"list": [1]}
    await queue("enqueue", message=payload)
    payload["list"].append(2)
    (await queue("peek"))["messages"][0]["message"]["list"].append(3)
    assert payloads(await queue("dequeue")) == [{"list": [1]}]


async def test_a_message_without_an_id_gets_one(queue: Call):
    """Ids that are made differ."""
    first, second = await queue("enqueue", message=1), await queue("enqueue", message=1)
    assert first["message_id"] != second["message_id"]
    assert first["duplicate"] is second["duplicate"] is False


async def test_a_delayed_message_is_available_later(queue: Call, time: CountedTime):
    """`delay` counts in seconds from now, and 0 is now."""
    added = await queue("enqueue", message="later", delay=2.5)
    await queue("enqueue", message="now", delay=0)
    assert added["available_at"] == "2030-01-01T00:00:02.500000+00:00"
    assert payloads(await queue("dequeue", count=5)) == ["now"]
    await time.advance(seconds=2.5)
    assert payloads(await queue("dequeue", count=5)) == ["later"]


@pytest.mark.parametrize("text", ["2030-01-01T01:00:00+01:00", "2030-01-01T00:00:00", "2029-06-01", "0001-01-01T00:00:00"])
async def test_a_scheduled_message_is_available_at_its_time(queue: Call, text: str):
    """`schedule_at` without an offset is UTC, and one that is past means now."""
    assert (await queue("enqueue", message=1, schedule_at=text))["available_at"] == START.isoformat()


async def test_a_scheduled_message_waits(queue: Call):
    """A later `schedule_at` delays the message."""
    await queue("enqueue", message=1, schedule_at="2030-01-01T00:00:00-02:00")
    assert (await queue("peek"))["count"] == 0
    assert await numbers(queue) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"schedule_at": "tomorrow"}, "schedule_at: 'tomorrow' is not a time"),
        ({"schedule_at": "2030-01-02", "delay": 1}, "delay: Both"),
        ({"delay": -1}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"delay": 1e300}, "delay"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": 5, "delay": 5}, "ttl: The message would expire"),
        ({"priority": 10**9}, "priority"),
        ({"message_id": ""}, "message_id"),
        ({"queue_name": ""}, "queue_name"),
        ({"agentool_name": "shell"}, "agentool_name"),
        ({"message": None}, "message: is required"),
    ],
)
async def test_a_wrong_field_is_refused_by_its_name(queue: Call, fields: dict[str, Any], named: str):
    """Nothing is added where a field cannot be right."""
    with pytest.raises(InvalidInput, match=named):
        await queue("enqueue", **{"message": 1, **fields})
    with pytest.raises(QueueNotFound):
        await queue("size")


async def test_a_lower_priority_number_goes_first(queue: Call):
    """`priority` comes before age; among equals the first to come is the first to go."""
    for message, priority in (("b1", 0), ("c", 5), ("a", -5), ("b2", 0)):
        await queue("enqueue", message=message, priority=priority)
    assert payloads(await queue("dequeue", count=10)) == ["a", "b1", "b2", "c"]


async def test_a_full_queue_refuses_at_once(queue: Call):
    """`QueueFull` tells the sizes and the way out, and is a RuntimeError."""
    await queue("create_queue", max_size=1)
    await queue("enqueue", message=1)
    with pytest.raises(QueueFull, match=r"holds 1 of 1 message .*acknowledge") as refused:
        await queue("enqueue", message=2)
    assert isinstance(refused.value, QueueError)
    assert isinstance(refused.value, RuntimeError)


async def test_a_message_that_is_held_is_not_added_again(queue: Call):
    """The second of one id is a duplicate."""
    await queue("enqueue", message=1, message_id="a")
    assert (await queue("enqueue", message=2, message_id="a"))["duplicate"] is True
    assert payloads(await queue("dequeue", count=5)) == [1]


async def test_an_id_is_remembered_for_a_day(queue: Call, time: CountedTime):
    """An acknowledged message is recognised for 24 hours, so that a delivery that is repeated has no effect."""
    await queue("enqueue", message=1, message_id="a")
    await queue("dequeue", auto_ack=True)
    await time.advance(hours=23.9)
    again = await queue("enqueue", message=1, message_id="a")
    assert again == {"queue_name": "q", "message_id": "a", "duplicate": True, "available_at": None}
    await time.advance(hours=0.1)
    assert (await queue("enqueue", message=1, message_id="a"))["duplicate"] is False


async def test_the_same_id_in_another_queue_is_another_message(queue: Call):
    """Ids belong to their queue."""
    await queue("enqueue", message=1, message_id="a")
    assert (await queue("enqueue", queue_name="other", message=1, message_id="a"))["duplicate"] is False


async def test_an_expired_message_is_a_dead_letter(queue: Call, time: CountedTime):
    """Nothing is dropped silently: after its `ttl` an untaken message is dead, with a reason."""
    await queue("enqueue", message=1, ttl=5)
    await time.advance(seconds=5)
    assert (await queue("get_dlq"))["messages"][0]["reason"] == "it expired before anyone took it"


# Dequeue, ack, nack


async def test_a_taken_message_carries_its_receipt(queue: Call):
    """`dequeue` returns payload, id, receipt, attempts and the end of the lease."""
    await queue("enqueue", message={"n": 1}, message_id="a")
    taken = (await queue("dequeue"))["messages"][0]
    assert taken.pop("receipt").endswith(":a")
    assert taken == {
        "message_id": "a",
        "message": {"n": 1},
        "priority": 0,
        "attempts": 0,
        "enqueued_at": START.isoformat(),
        "leased_until": "2030-01-01T00:00:30+00:00",
    }


async def test_an_empty_queue_answers_at_once(queue: Call):
    """Without a timeout `dequeue` does not wait."""
    await queue("create_queue")
    data = await queue("dequeue", timeout=0)
    assert (data["messages"], data["count"]) == ([], 0)


@pytest.mark.parametrize("by", ["receipt", "message_id"])
async def test_an_acknowledged_message_does_not_come_back(queue: Call, time: CountedTime, by: str):
    """`ack` removes by receipt or by id."""
    await queue("enqueue", message=1, message_id="a")
    taken = (await queue("dequeue"))["messages"][0]
    assert (await queue("ack", **{by: taken[by]})) == {"queue_name": "q", "message_id": "a"}
    await time.advance(hours=1)
    assert await numbers(queue) == (0, 0, 0, 0)


async def test_a_message_that_is_not_acknowledged_comes_back(queue: Call, time: CountedTime):
    """After the visibility timeout it is ready again, with one more failed attempt."""
    await queue("enqueue", message=1)
    await queue("dequeue", visibility_timeout=5)
    await time.advance(seconds=5)
    assert (await queue("dequeue"))["messages"][0]["attempts"] == 1


async def test_a_stale_receipt_is_refused(queue: Call, time: CountedTime):
    """Once another has the message, the first taker cannot acknowledge it."""
    await queue("enqueue", message=1)
    old = (await queue("dequeue"))["messages"][0]["receipt"]
    await time.advance(seconds=30)
    new = (await queue("dequeue"))["messages"][0]["receipt"]
    with pytest.raises(StaleReceipt, match=r"another took it.*visibility_timeout") as refused:
        await queue("ack", receipt=old)
    assert (refused.value.field, refused.value.value) == ("receipt", old)
    await queue("ack", receipt=new)


async def test_a_late_acknowledgement_is_accepted_while_nobody_else_has_the_message(queue: Call, time: CountedTime):
    """Work that was done is not done again for a lease that ran out unnoticed."""
    await queue("enqueue", message=1)
    receipt = (await queue("dequeue"))["messages"][0]["receipt"]
    await time.advance(minutes=5)
    await queue("ack", receipt=receipt)
    assert await numbers(queue) == (0, 0, 0, 0)


async def test_a_message_is_given_back_at_once(queue: Call):
    """`nack` makes it ready again and says how often it failed."""
    await queue("enqueue", message=1, message_id="a")
    receipt = (await queue("dequeue"))["messages"][0]["receipt"]
    back = await queue("nack", receipt=receipt, reason="busy")
    assert (back["state"], back["attempts"], back["reason"]) == ("ready", 1, "busy")


async def test_a_message_is_given_back_for_later(queue: Call, time: CountedTime):
    """`nack` with a delay makes it available that much later."""
    await queue("enqueue", message=1, message_id="a")
    await queue("dequeue")
    assert (await queue("nack", message_id="a", delay=7))["state"] == "delayed"
    await time.advance(seconds=7)
    assert (await queue("dequeue"))["count"] == 1


async def test_a_message_that_fails_three_times_is_dead(queue: Call):
    """After `max_retries` failed attempts it moves to the dead letters, with the last reason."""
    await queue("enqueue", message={"n": 1}, message_id="a")
    for attempt in range(3):
        await queue("dequeue")
        await queue("nack", message_id="a", reason=f"reason {attempt}")
    letter = (await queue("get_dlq"))["messages"][0]
    assert (letter["message"], letter["attempts"], letter["reason"], letter["state"]) == ({"n": 1}, 3, "reason 2", "dead")


async def test_taking_with_auto_ack_is_final(queue: Call, time: CountedTime):
    """`auto_ack` removes at once: at most once, no receipt."""
    await queue("enqueue", message=1)
    assert (await queue("dequeue", auto_ack=True))["messages"][0]["receipt"] is None
    await time.advance(hours=1)
    assert await numbers(queue) == (0, 0, 0, 0)


async def test_several_are_taken_together(queue: Call):
    """`count` bounds how many messages one `dequeue` takes."""
    for number in range(5):
        await queue("enqueue", message=number)
    assert payloads(await queue("dequeue", count=3)) == [0, 1, 2]
    assert await numbers(queue) == (2, 0, 3, 0)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "receipt: A receipt or a message_id is required"),
        ({"receipt": "nonsense"}, "receipt: 'nonsense' is not a receipt"),
        ({"receipt": "t:a", "message_id": "b"}, "message_id: The receipt is of message 'a', not 'b'"),
    ],
)
@pytest.mark.parametrize("operation", ["ack", "nack", "move_to_dlq"])
async def test_a_message_must_be_named(queue: Call, operation: str, fields: dict[str, Any], named: str):
    """Without a usable receipt or id nothing is done."""
    await queue("create_queue")
    with pytest.raises(InvalidInput, match=named):
        await queue(operation, **fields)


async def test_a_message_that_is_not_there_is_not_found(queue: Call):
    """`MessageNotFound` is a KeyError."""
    await queue("create_queue")
    with pytest.raises(MessageNotFound, match="holds no message 'a'") as refused:
        await queue("ack", message_id="a")
    assert isinstance(refused.value, KeyError)


@pytest.mark.parametrize(("field", "value"), [("timeout", 301), ("timeout", -1), ("count", 0), ("count", 1001), ("visibility_timeout", 0)])
async def test_dequeue_has_bounds(queue: Call, field: str, value: float):
    """Waiting is at most 300 seconds, and no bound is crossed silently."""
    with pytest.raises(InvalidInput, match=field):
        await queue("dequeue", **{field: value})


# Waiting


async def test_a_waiting_dequeue_is_woken_by_a_message(queue: Call, waiting: Call, time: CountedTime):
    """No time has to pass for it."""
    await queue("create_queue")
    task = await waiting()
    await queue("enqueue", message=1)
    assert payloads(await task) == [1]
    assert time.now() == START


async def test_a_waiting_dequeue_gives_up_in_time(queue: Call, waiting: Call, time: CountedTime):
    """After its timeout it returns without a message, not before."""
    await queue("create_queue")
    task = await waiting(10)
    await time.advance(seconds=9.9)
    assert not task.done()
    await time.advance(seconds=0.1)
    assert (await task)["count"] == 0


async def test_a_waiting_dequeue_gets_a_message_that_comes_due(queue: Call, waiting: Call, time: CountedTime):
    """Whether the delayed message was there before it or came after it."""
    await queue("enqueue", message="before", delay=9)
    task = await waiting()
    await queue("enqueue", message="after", delay=4)
    await time.advance(seconds=4)
    assert payloads(await task) == ["after"]
    task = await waiting()
    await time.advance(seconds=5)
    assert payloads(await task) == ["before"]


async def test_a_waiting_dequeue_gets_what_is_not_acknowledged(queue: Call, waiting: Call, time: CountedTime):
    """The end of a lease wakes it, also of one that was given after it began to wait."""
    await queue("create_queue")
    first = await waiting(visibility_timeout=5)
    second = await waiting()
    await queue("enqueue", message=1)
    assert payloads(await first) == [1]
    await time.advance(seconds=5)
    assert payloads(await second) == [1]


@pytest.mark.parametrize("delay", [0, 3])
async def test_a_waiting_dequeue_gets_what_is_given_back(queue: Call, waiting: Call, time: CountedTime, delay: int):
    """`nack` wakes it, at once or when the delay is over."""
    await queue("enqueue", message=1, message_id="a")
    await queue("dequeue")
    task = await waiting()
    await queue("nack", message_id="a", delay=delay)
    await time.advance(seconds=delay)
    assert payloads(await task) == [1]


async def test_waiting_dequeues_get_revived_messages(queue: Call, waiting: Call):
    """`requeue` wakes as many as it has messages for."""
    for message_id in "ab":
        await queue("enqueue", message=message_id, message_id=message_id)
        await queue("move_to_dlq", message_id=message_id)
    tasks = [await waiting(), await waiting()]
    await queue("requeue")
    assert [payloads(await task) for task in tasks] == [["a"], ["b"]]


async def test_who_waits_longest_is_served_first(queue: Call, waiting: Call):
    """Each message goes to one of those who wait, in their order."""
    await queue("create_queue")
    tasks = [await waiting(), await waiting(), await waiting()]
    for number in range(3):
        await queue("enqueue", message=number)
    assert [payloads(await task) for task in tasks] == [[0], [1], [2]]


async def test_a_cancelled_wait_leaves_nothing_behind(queue: Call, waiting: Call, time: CountedTime):
    """No timer, no task, and no message taken."""
    await queue("enqueue", message="later", delay=40)
    task = await waiting()
    assert time.live() == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (time.live(), len(asyncio.all_tasks())) == (0, 1)
    await queue("enqueue", message=1)
    assert await numbers(queue) == (1, 1, 0, 0)


async def test_no_wait_leaves_a_timer_behind(queue: Call, waiting: Call, time: CountedTime):
    """Also not where it ended well or by its timeout."""
    await queue("enqueue", message=0, delay=100)
    served, ended = await waiting(30), await waiting(30)
    await queue("enqueue", message=1)
    await served
    await time.advance(seconds=30)
    await ended
    assert time.live() == 0


async def test_a_call_is_passed_on_by_who_is_cancelled(queue: Call, waiting: Call, time: CountedTime):
    """A waiter that is cancelled after it was called does not keep the message from the next."""
    await queue("create_queue")
    first, second = await waiting(), await waiting()
    await queue("enqueue", message=1)
    first.cancel()
    assert payloads(await second) == [1]


async def test_a_deleted_queue_ends_the_wait(queue: Call, waiting: Call):
    """Whoever waits for a queue that is deleted is told."""
    await queue("create_queue")
    task = await waiting()
    await queue("delete_queue")
    with pytest.raises(QueueNotFound):
        await task


async def test_a_clock_that_is_set_is_noticed(queue: Call, waiting: Call, time: CountedTime):
    """Where the wall clock can jump, a waiter looks at it at least every `longest_sleep` seconds."""
    time.longest_sleep = 1.0
    await queue("enqueue", message=1, delay=3600)
    task = await waiting(300)
    await time.advance(seconds=5)
    assert not task.done()
    time.jump(START + timedelta(hours=2))
    await time.let_run()
    await time.advance(seconds=1)
    assert payloads(await task) == [1]


async def test_waiting_does_not_poll(waiting: Call, queue: Call, time: CountedTime):
    """Nothing is looked at between the moments when something can happen."""
    await queue("enqueue", message=1, delay=200)
    await waiting(300)
    before = len(time.pending)
    await time.advance(seconds=199)
    assert len(time.pending) == before


def test_a_second_event_loop_is_served():
    """The same queues work in one `asyncio.run` after another, also when a wait was cut off by the end of the first."""
    injector = Injector()
    create_queue_agent(QueueService(MemoryQueueBackend(), SystemTime()), injector=injector)

    async def first() -> None:
        await injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1, "delay": 0.02})
        wait = asyncio.create_task(injector.run("queue", {"operation": "dequeue", "queue_name": "other", "timeout": 60}))
        await injector.run("queue", {"operation": "create_queue", "queue_name": "other"})
        await asyncio.sleep(0)
        assert not wait.done()

    asyncio.run(first())
    enqueued = injector.run_sync("queue", {"operation": "enqueue", "queue_name": "other", "message": 2})
    assert enqueued.data["duplicate"] is False
    taken = injector.run_sync("queue", {"operation": "dequeue", "queue_name": "q", "timeout": 60})
    assert payloads(taken.data) == [1]


async def test_a_message_from_another_thread_wakes_who_waits(injector: Injector, queue: Call, waiting: Call):
    """A tool that runs in a thread can enqueue with `run_sync`."""
    await queue("create_queue")
    task = await waiting()
    await asyncio.to_thread(injector.run_sync, "queue", {"operation": "enqueue", "queue_name": "q", "message": 1})
    assert payloads(await asyncio.wait_for(task, 10)) == [1]


# Looking


async def test_peeking_takes_nothing(queue: Call):
    """`peek` shows the next messages, at most `limit`."""
    for number in range(3):
        await queue("enqueue", message=number)
    assert payloads(await queue("peek", limit=2)) == [0, 1]
    assert await numbers(queue) == (3, 0, 0, 0)


async def test_size_tells_what_is_where(queue: Call):
    """`size` is what `max_size` limits; ready, delayed, in flight and dead are told apart."""
    for message_id in "abcd":
        await queue("enqueue", message=1, message_id=message_id)
    await queue("enqueue", message=1, delay=5)
    await queue("dequeue")
    await queue("move_to_dlq", message_id="d")
    assert await queue("size") == {"queue_name": "q", "size": 4, "ready": 2, "delayed": 1, "in_flight": 1, "dead": 1}


async def test_a_message_can_be_looked_up(queue: Call, time: CountedTime):
    """`get_message` tells state, attempts, times and payload."""
    await queue("enqueue", message={"n": 1}, message_id="a", ttl=60)
    await queue("dequeue")
    await queue("nack", message_id="a", delay=5, reason="busy")
    assert await queue("get_message", message_id="a") == {
        "message_id": "a",
        "queue_name": "q",
        "message": {"n": 1},
        "state": "delayed",
        "priority": 0,
        "attempts": 1,
        "reason": "busy",
        "enqueued_at": START.isoformat(),
        "available_at": "2030-01-01T00:00:05+00:00",
        "expires_at": "2030-01-01T00:01:00+00:00",
        "leased_until": None,
        "died_at": None,
    }


async def test_a_queue_is_cleared_of_all_but_its_dead(queue: Call):
    """`clear` removes ready, delayed and messages in flight, and says how many."""
    for message_id in "abc":
        await queue("enqueue", message=1, message_id=message_id)
    await queue("dequeue")
    await queue("move_to_dlq", message_id="c")
    assert await queue("clear") == {"queue_name": "q", "size": 2, "ready": 1, "delayed": 0, "in_flight": 1, "dead": 0}
    assert await numbers(queue) == (0, 0, 0, 1)


async def test_dead_letters_can_be_cleared(queue: Call):
    """`clear` with a state removes what is in that state only."""
    await queue("enqueue", message=1, message_id="a")
    await queue("enqueue", message=1)
    await queue("move_to_dlq", message_id="a")
    assert (await queue("clear", state="dead"))["dead"] == 1
    assert await numbers(queue) == (1, 0, 0, 0)


# Dead letters


async def test_a_message_can_be_moved_to_the_dead_letters(queue: Call):
    """`move_to_dlq` keeps the reason."""
    await queue("enqueue", message=1, message_id="a")
    await queue("move_to_dlq", message_id="a", reason="poison")
    letters = await queue("get_dlq")
    assert (letters["count"], letters["dropped"], letters["messages"][0]["reason"]) == (1, 0, "poison")


async def test_dropped_dead_letters_are_counted(queue: Call):
    """Beyond the limit the oldest dead letter is dropped, and `get_dlq` says how many were."""
    for message_id in "abcde":
        await queue("enqueue", message=message_id, message_id=message_id)
        await queue("move_to_dlq", message_id=message_id)
    letters = await queue("get_dlq", limit=2)
    assert (payloads(letters), letters["count"], letters["dropped"]) == (["c", "d"], 3, 2)


async def test_dead_letters_are_requeued(queue: Call):
    """`requeue` makes all of them ready, with no failed attempts."""
    await queue("create_queue", max_retries=1)
    await queue("enqueue", message=1, message_id="a")
    await queue("dequeue")
    await queue("nack", message_id="a")
    assert await queue("requeue") == {"queue_name": "q", "message_ids": ["a"], "count": 1}
    assert (await queue("dequeue"))["messages"][0]["attempts"] == 0


async def test_a_dead_letter_is_requeued_with_another_payload(queue: Call):
    """One message, by its id, may be corrected on the way."""
    await queue("enqueue", message={"n": "one"}, message_id="a")
    await queue("move_to_dlq", message_id="a")
    await queue("requeue", message_id="a", message={"n": 1})
    assert payloads(await queue("dequeue")) == [{"n": 1}]


@pytest.mark.parametrize(
    ("fields", "named"), [({"message": 1}, "message_id: Which message"), ({"message_id": "a", "limit": 1}, "limit: One")]
)
async def test_requeue_refuses_what_makes_no_sense(queue: Call, fields: dict[str, Any], named: str):
    """A payload for several, or a limit for one, is refused."""
    await queue("create_queue")
    with pytest.raises(InvalidInput, match=named):
        await queue("requeue", **fields)


# Running an AgenTool with each message


class WorkInput(BaseOperationInput):
    operation: Literal["work"] = "work"
    n: int
    agentool_name: str | None = None


class Worker:
    def __init__(self) -> None:
        self.done: list[int] = []
        self.hold: asyncio.Event | None = None


async def work(ctx: RunContext[Worker], n: int, agentool_name: str | None = None) -> dict[str, Any]:
    if ctx.deps.hold:
        await ctx.deps.hold.wait()
    if n < 0:
        raise ValueError(f"{n} is negative")
    ctx.deps.done.append(n)
    return {"at": START, "n": n}


@pytest.fixture
def worker(injector: Injector) -> Worker:
    return create_agentool("worker", WorkInput, {"work": work}, deps=Worker(), injector=injector).deps


async def execute(queue: Call, **fields: Any) -> dict[str, Any]:
    return await queue("dequeue", auto_execute=True, agentool_name="worker", **fields)


async def test_an_agentool_runs_with_each_message(queue: Call, worker: Worker):
    """`auto_execute` runs the named AgenTool, acknowledges what succeeds and returns the results as JSON."""
    for number in (1, 2):
        await queue("enqueue", message={"n": number}, message_id=str(number))
    data = await execute(queue, count=10)
    assert worker.done == [1, 2]
    assert data["results"][0] == {"message_id": "1", "result": {"at": "2030-01-01T00:00:00Z", "n": 1}}
    assert (data["count"], data["errors"], data["messages"][0]["receipt"]) == (2, [], None)
    assert await numbers(queue) == (0, 0, 0, 0)


async def test_a_message_that_fails_is_given_back_with_its_error(queue: Call, worker: Worker, time: CountedTime):
    """It comes back after 1, 2, 4… seconds, and the others of the batch are not kept waiting."""
    await queue("enqueue", message={"n": -1}, message_id="bad")
    await queue("enqueue", message={"n": 2})
    data = await execute(queue, count=10)
    assert data["errors"] == [{"message_id": "bad", "type": "ValueError", "message": "-1 is negative"}]
    assert worker.done == [2]
    for delay in (1, 2):
        assert await numbers(queue) == (0, 1, 0, 0)
        await time.advance(seconds=delay)
        assert (await execute(queue))["count"] == 1
    assert (await queue("get_dlq"))["messages"][0]["reason"] == "ValueError: -1 is negative"


async def test_a_message_that_fails_may_be_given_back_at_once(queue: Call, worker: Worker):
    """`delay` sets when a message that failed is available again."""
    await queue("enqueue", message={"n": -1})
    await execute(queue, delay=0)
    assert await numbers(queue) == (1, 0, 0, 0)


async def test_only_the_caller_names_the_agentool(queue: Call, worker: Worker, injector: Injector):
    """An `agentool_name` inside a message is data like any other, and has no influence."""
    await queue("enqueue", message={"n": 1, "agentool_name": "shell", "operation": "work"})
    await execute(queue)
    assert worker.done == [1]
    with pytest.raises(InvalidInput, match="agentool_name: auto_execute needs it"):
        await queue("dequeue", auto_execute=True)


async def test_nothing_is_taken_for_an_unknown_agentool(queue: Call):
    """The AgenTool is looked up before any message is touched."""
    await queue("enqueue", message={"n": 1})
    with pytest.raises(UnknownAgenTool):
        await queue("dequeue", auto_execute=True, agentool_name="nobody")
    assert await numbers(queue) == (1, 0, 0, 0)


async def test_a_message_to_be_executed_is_an_object(queue: Call, worker: Worker):
    """Anything else is a failed attempt that says so."""
    await queue("enqueue", message=[1])
    assert "is not a JSON object" in (await execute(queue))["errors"][0]["message"]


async def test_a_message_that_does_not_fit_the_agentool_fails(queue: Call, worker: Worker):
    """The AgenTool's refusal is the error."""
    await queue("enqueue", message={"n": "many"})
    assert (await execute(queue))["errors"][0]["type"] == "InvalidInput"


async def test_execution_waits_for_the_first_message_only(queue: Call, worker: Worker, waiting: Call):
    """With a timeout and a count it returns what there is once there is something."""
    await queue("create_queue")
    task = await waiting(60, auto_execute=True, agentool_name="worker", count=5)
    await queue("enqueue", message={"n": 1})
    assert (await task)["count"] == 1


async def test_a_cancelled_execution_gives_its_message_back(queue: Call, worker: Worker, waiting: Call):
    """Nothing stays in flight for a caller that is gone."""
    worker.hold = asyncio.Event()
    await queue("enqueue", message={"n": 1})
    task = await waiting(60, auto_execute=True, agentool_name="worker", delay=0)
    assert await numbers(queue) == (0, 0, 1, 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert await numbers(queue) == (1, 0, 0, 0)


async def test_work_that_outlives_its_lease_is_reported(queue: Call, worker: Worker, waiting: Call, time: CountedTime):
    """If another took the message meanwhile, the result is an error, because the work may be done twice."""
    worker.hold = asyncio.Event()
    await queue("enqueue", message={"n": 1})
    task = await waiting(0, auto_execute=True, agentool_name="worker", visibility_timeout=5)
    await time.advance(seconds=5)
    await queue("dequeue")
    worker.hold.set()
    assert (await task)["errors"][0]["type"] == "StaleReceipt"


async def test_an_agentool_that_cancels_itself_has_failed(queue: Call, injector: Injector):
    """Only a cancellation from outside ends the whole call."""

    async def cancelled(ctx: RunContext, n: int) -> None:
        raise asyncio.CancelledError

    create_agentool("worker", WorkInput, {"work": cancelled}, injector=injector)
    await queue("enqueue", message={"n": 1})
    assert (await execute(queue))["errors"][0]["type"] == "CancelledError"
    assert await numbers(queue) == (0, 1, 0, 0)


async def test_failed_work_that_outlives_its_lease_keeps_its_error(queue: Call, worker: Worker, waiting: Call, time: CountedTime):
    """What the AgenTool raised is reported, although its message is another's now."""
    worker.hold = asyncio.Event()
    await queue("enqueue", message={"n": -1})
    task = await waiting(0, auto_execute=True, agentool_name="worker", visibility_timeout=5)
    await time.advance(seconds=5)
    await queue("dequeue")
    worker.hold.set()
    assert (await task)["errors"][0]["type"] == "ValueError"
    assert await numbers(queue) == (0, 0, 1, 0)


class Unreadable(BaseModel):
    """What raises when it is written as JSON."""

    @computed_field
    @property
    def value(self) -> int:
        raise OSError("gone")


@pytest.mark.parametrize("result", [object(), Unreadable(), "\ud800"])
async def test_a_result_that_is_not_json_is_reported(queue: Call, injector: Injector, result: object):
    """The work is done and the message acknowledged; only the result cannot be shown."""

    async def strange(ctx: RunContext, n: int) -> object:
        return result

    create_agentool("worker", WorkInput, {"work": strange}, injector=injector)
    await queue("enqueue", message={"n": 1})
    assert (await execute(queue))["errors"][0]["type"] == "UnrecordableResult"
    assert await numbers(queue) == (0, 0, 0, 0)


async def test_a_number_that_json_does_not_have_is_text_in_a_result(queue: Call, injector: Injector):
    """NaN and infinity are told by their names."""

    async def strange(ctx: RunContext, n: int) -> object:
        return [float("nan"), float("inf")]

    create_agentool("worker", WorkInput, {"work": strange}, injector=injector)
    await queue("enqueue", message={"n": 1})
    assert (await execute(queue))["results"][0]["result"] == ["NaN", "Infinity"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"auto_execute": True, "agentool_name": "worker", "auto_ack": True}, "auto_ack: It contradicts"),
        ({"agentool_name": "worker"}, "agentool_name: It has a meaning only with auto_execute"),
        ({"delay": 1}, "delay: It has a meaning only with auto_execute"),
    ],
)
async def test_options_that_contradict_each_other_are_refused(queue: Call, fields: dict[str, Any], named: str):
    """Nothing is taken then."""
    await queue("create_queue")
    with pytest.raises(InvalidInput, match=named):
        await queue("dequeue", **fields)


def test_a_ranking_holds_no_more_than_what_is_in_it():
    """What was taken out of the order of a queue is soon out of memory, also if it never came up."""
    ranking: LazyHeap[tuple[int]] = LazyHeap()
    ranking.put("last", (99_999,))
    for number in range(10_000):
        ranking.put(str(number), (number + 1,))
        ranking.discard(str(number))
    ranking.put("first", (0,))
    assert len(pickle.dumps(ranking)) < 5_000
    assert ranking.smallest(3) == ["first", "last"]


async def test_a_closed_service_opens_again(time: CountedTime):
    """`close` gives back the back end, twice without harm, and the next use opens it."""
    service = QueueService(MemoryQueueBackend(), time)
    await service.create("q", {})
    await service.close()
    await service.close()
    assert len(await service.queues()) == 1


def test_the_time_source_of_the_tests_is_one():
    """`CountedTime` keeps to the protocol."""
    call: Cancellable = CountedTime().call_later(1, lambda: None)
    call.cancel()


@pytest.fixture
def narrow(injector: Injector, time: CountedTime) -> Iterator[Injector]:
    """An injector whose queue takes messages of ten characters."""
    narrow = Injector()
    create_queue_agent(QueueService(MemoryQueueBackend(), time, largest_message=10), injector=narrow)
    with narrow.activate():
        yield narrow


async def test_a_message_has_a_largest_size(narrow: Injector):
    """One that has just so many characters as JSON is taken; one more, and it is refused with the setting's name."""
    call = {"operation": "enqueue", "queue_name": "q"}
    await narrow.run("queue", {**call, "message": "x" * 8})
    with pytest.raises(MessageTooLarge, match=r"message: It has 11 characters as JSON.*queue_message_size") as refused:
        await narrow.run("queue", {**call, "message": "x" * 9})
    assert (refused.value.field, isinstance(refused.value, ValueError)) == ("message", True)
    assert (await narrow.run("queue", {"operation": "size", "queue_name": "q"})).data["size"] == 1


async def test_a_requeued_message_has_a_largest_size(narrow: Injector):
    """A payload that replaces another one is held to the same size, and the dead letter stays."""
    named = {"queue_name": "q", "message_id": "a"}
    await narrow.run("queue", {"operation": "enqueue", **named, "message": 1})
    await narrow.run("queue", {"operation": "move_to_dlq", **named})
    with pytest.raises(MessageTooLarge):
        await narrow.run("queue", {"operation": "requeue", **named, "message": "x" * 9})
    assert (await narrow.run("queue", {"operation": "size", "queue_name": "q"})).data["dead"] == 1


async def test_messages_have_a_largest_size_by_default(queue: Call):
    """Ten million characters, where nobody has set another."""
    await queue("enqueue", message="x" * 9_999_998)
    with pytest.raises(MessageTooLarge):
        await queue("enqueue", message="x" * 9_999_999)


# Queues that do not exist yet, and names that no database holds


async def test_a_waiting_dequeue_waits_for_its_queue(queue: Call, waiting: Call):
    """With a timeout, a queue that does not exist is waited for like a message."""
    task = await waiting(60)
    assert not task.done()
    await queue("enqueue", message=1)
    assert payloads(await task) == [1]


async def test_a_waiting_dequeue_meets_a_queue_that_was_made_empty(queue: Call, waiting: Call):
    """A queue that is made meanwhile is waited at, not refused."""
    task = await waiting(60)
    await queue("create_queue")
    await queue("enqueue", message=2)
    assert payloads(await task) == [2]


async def test_a_queue_that_never_came_is_refused_at_the_end(waiting: Call, time: CountedTime):
    """When the timeout is over it is said that there is no such queue."""
    task = await waiting(5)
    await time.advance(seconds=5)
    with pytest.raises(QueueNotFound):
        await task


UNSTORABLE = [
    ("queue_name", "a\0b"),
    ("queue_name", "\ud800"),
    ("queue_name", "😀" * 200),
    ("message_id", "é\0"),
    ("message_id", "😀" * 499),
]


@pytest.mark.parametrize(("field", "text"), UNSTORABLE)
async def test_a_name_that_no_database_holds_is_refused(injector: Injector, field: str, text: str):
    """The character zero, a lone surrogate and more bytes than an index takes: the same answer on every back end."""
    with pytest.raises(InvalidInput, match=field):
        await injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1, field: text})


# Several event loops


def test_threads_that_enqueue_and_wait_lose_no_message():  # noqa: C901  five kinds of threads
    """Consumers that wait in one event loop each, producers in another, cancelled ones in between: each message arrives once."""
    service = QueueService(MemoryQueueBackend(), SystemTime())
    number, taken, errors = 300, list[int](), list[BaseException]()

    async def produce(first: int) -> None:
        for message in range(first, number, 3):
            await service.enqueue(EnqueueRequest("q", message))
            await asyncio.sleep(0)

    async def consume() -> None:
        while len(taken) < number:
            for found in await service.dequeue(DequeueRequest("q", timeout=0.05, auto_ack=True)):
                taken.append(json.loads(found.body))

    async def leave() -> None:
        while len(taken) < number:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    await service.dequeue(DequeueRequest("nothing", timeout=5))

    def run(work: Any) -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            errors.append(error)

    asyncio.run(service.create("q", {}))
    asyncio.run(service.create("nothing", {}))
    works = [*(produce(first) for first in range(3)), *(consume() for _ in range(4)), leave(), leave()]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (errors, sorted(taken)) == ([], list(range(number)))


async def test_two_calls_from_another_thread_wake_two_who_wait():
    """A call that is still on its way to one event loop is not counted for the next message."""
    waiters, woken, both = Waiters(SystemTime()), [], asyncio.Event()

    async def wait() -> None:
        with waiters.waiter("q", 30) as waiter:
            await waiter.wait(None)
            woken.append(waiter)
            if len(woken) == 2:
                both.set()
            await both.wait()  # who leaves would call the other

    tasks = [asyncio.ensure_future(wait()) for _ in range(2)]
    await asyncio.sleep(0)

    async def call_twice() -> None:
        waiters.call("q")
        waiters.call("q")

    thread = threading.Thread(target=asyncio.run, args=(call_twice(),))
    thread.start()
    thread.join(10)  # the event loop of those who wait stands still meanwhile
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


# What ran is told


class Failing(MemoryQueueBackend):
    """Memory that fails at a call."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = set(failing)

    async def remove(self, queue_name: str, receipt: Any, now: datetime) -> Any:
        if receipt.message_id in self.failing:
            raise RuntimeError("no disk")
        return await super().remove(queue_name, receipt, now)


@pytest.fixture
async def failing(time: CountedTime, injector: Injector, worker: Worker) -> Call:
    service = QueueService(Failing("2"), time)
    for number in (1, 2, 3):
        await service.enqueue(EnqueueRequest("q", {"operation": "work", "n": number}, message_id=str(number)))

    async def execute(count: int) -> Any:
        return answers.executed("q", await AutoExecution(service, injector, "worker").run(DequeueRequest("q", count=count)))

    return execute


async def test_a_later_failure_loses_no_result(failing: Call, worker: Worker):
    """An acknowledgement that fails is an error beside the results, its own result too."""
    answer = await failing(3)
    assert (worker.done, [found.message_id for found in answer.results]) == ([1, 2, 3], ["1", "2", "3"])
    assert [(error.message_id, error.given_back, "no disk" in error.message) for error in answer.errors] == [("2", False, True)]


async def test_a_queue_that_is_deleted_meanwhile_loses_no_result(queue: Call, worker: Worker, time: CountedTime):
    """What ran before the queue was gone is told."""
    for number in (1, 2):
        await queue("enqueue", message={"n": number})
    worker.hold = asyncio.Event()
    task = asyncio.create_task(execute(queue, count=2))
    await time.let_run()
    assert await numbers(queue) == (1, 0, 1, 0)
    await queue("delete_queue")
    worker.hold.set()
    data = await task
    assert ([found["result"]["n"] for found in data["results"]], len(data["errors"])) == ([1], 1)
