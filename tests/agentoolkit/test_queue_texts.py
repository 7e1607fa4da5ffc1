"""Texts in queues and values: what is kept can be answered at every door, shows no secret, and is as long as it may be."""

from __future__ import annotations

from typing import Any, Literal

import httpx2
import pytest

from agentool import BaseOperationInput, InvalidInput, RunContext, create_agentool
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.storage.kv import NotANumber
from agentoolkit.testing import TestToolkit, toolkit

LONE = "\ud800"


class FailInput(BaseOperationInput):
    operation: Literal["fail"] = "fail"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.fixture
async def kit():
    async with toolkit() as opened:
        yield opened


async def death_of(kit: TestToolkit, error: Exception) -> tuple[str, str]:
    """Run an AgenTool that fails so with a message, and return what its caller and its dead letter are told."""

    async def fail(ctx: RunContext[None]) -> None:
        raise error

    create_agentool("worker", FailInput, {"fail": fail}, injector=kit.injector)
    await ask(kit, "create_queue", max_retries=1)
    await ask(kit, "enqueue", message={})
    answered = await ask(kit, "dequeue", auto_execute=True, agentool_name="worker")
    (letter,) = (await ask(kit, "get_dlq"))["messages"]
    return answered["errors"][0]["message"], letter["reason"]


async def ask(kit: TestToolkit, operation: str, **fields: Any) -> Any:
    return (await kit.injector.run("queue", {"operation": operation, "queue_name": "q", **fields})).data


async def test_a_dead_letter_shows_no_secret_of_its_error(kit: TestToolkit):
    """Everybody may read dead letters, and so the caller is told as much."""
    told, reason = await death_of(kit, ValueError("refused: https://maria:hunter2@host/ password=hunter2"))
    assert reason == f"ValueError: {told}"
    assert told.startswith("refused: https://maria:[redacted]@host")
    assert "hunter2" not in told


async def test_a_dead_letter_keeps_the_beginning_of_a_long_error(kit: TestToolkit):
    """As many characters as a caller's own reason may have."""
    told, reason = await death_of(kit, ValueError("x" * 3_000_000))
    assert (len(told), reason) == (2_000, f"ValueError: {told}")


async def test_an_error_without_a_text_gives_its_message_back(kit: TestToolkit):
    """Its message would have stayed leased, and the others of the call untold."""
    told, reason = await death_of(kit, Unspeakable())
    assert reason == f"Unspeakable: {told}" == "Unspeakable: (its text cannot be written: RuntimeError)"


async def test_an_error_with_half_a_character_can_be_answered(kit: TestToolkit):
    """As a file's name may have: it is shown as an escape."""
    told, _ = await death_of(kit, ValueError(f"no file {LONE}"))
    assert told == r"no file \ud800"


@pytest.mark.parametrize("payload", [{"x": LONE}, {LONE: 1}, [f"é{LONE}"], LONE], ids=["value", "key", "list", "text"])
async def test_a_message_with_half_a_character_is_answered(kit: TestToolkit, payload: Any):
    """Code may have enqueued it: its consumer gets it as it is, and JSON text has it as an escape."""
    await ask(kit, "enqueue", message=payload)
    answered = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "q"})
    assert answered.data["messages"][0]["message"] == payload
    assert r"\\ud800" in answered.model_dump_json()


async def test_a_queue_with_half_a_character_is_listed_over_http(kit: TestToolkit):
    """One such message does not hide the others."""
    for payload in ({LONE: LONE}, "second"):
        await ask(kit, "enqueue", message=payload)
    transport = httpx2.ASGITransport(app=create_app(kit))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/scheduler") as client:
        listed = (await client.get("/queues/q/messages")).json()
    assert [message["message"] for message in listed["messages"]] == [{r"\ud800": r"\ud800"}, "second"]


@pytest.mark.parametrize("operation", ["set", "get", "compare_and_set"])
async def test_a_value_with_half_a_character_is_answered(kit: TestToolkit, operation: str):
    """As a message is."""
    given = {"set": {"value": LONE}, "get": {"default": LONE}, "compare_and_set": {"value": LONE}}[operation]
    answered = await kit.injector.run("storage_kv", {"operation": operation, "key": "k", **given})
    assert answered.value == LONE
    assert r'"value":"\\ud800"' in answered.model_dump_json()


@pytest.mark.parametrize("held", [1e308, 5 * 10**4_299], ids=["fraction", "integer"])
async def test_a_sum_that_is_no_number_names_what_was_added(kit: TestToolkit, held: float):
    """`value` was blamed, which the caller had not given."""
    await kit.injector.run("storage_kv", {"operation": "set", "key": "k", "value": held})
    with pytest.raises(NotANumber) as refused:
        await kit.injector.run("storage_kv", {"operation": "increment", "key": "k", "by": held})
    assert refused.value.field == "by"


@pytest.mark.parametrize(("operation", "field"), [("create_queue", "description"), ("move_to_dlq", "reason"), ("nack", "reason")])
async def test_a_text_that_no_database_holds_is_refused(kit: TestToolkit, operation: str, field: str):
    """A database kept a description escaped, so that making the very same queue again was refused."""
    needed = {} if operation == "create_queue" else {"message_id": "m"}
    with pytest.raises(InvalidInput, match="NUL character at position 1"):
        await ask(kit, operation, **needed, **{field: "a\0b"})
