"""What a further attempt takes for delivered: each record of an earlier one once, and nothing that only looks like one."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from agentool import AgenToolError, BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.system.logging.records import RecordFilter

MESSAGE = "Backup complete"
SEND = {"operation": "send", "message": MESSAGE, "targets": ["log", "event"]}


def logged(kit: Any) -> int:
    """How many notifications are in the log."""
    return len(kit.injector.get("logging").deps.remembered(RecordFilter(logger_name="agentoolkit.notifications"), 10))


async def try_twice(kit: Any, agentool_name: str, data: dict[str, Any]) -> None:
    """Schedule a call that is tried again once, and let both attempts pass."""
    job = {"schedule": "in 1 minute", "agentool_name": agentool_name, "input_data": data, "max_retries": 1}
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "tell", **job})
    await kit.advance(hours=1)
    (execution,) = (await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": "tell"})).data["history"]
    assert (execution["status"], execution["attempt"]) == ("success", 2)


def fail_at(kit: Any, times: set[int]) -> list[str]:
    """Have the target ``event`` fail at some of its times, the first is 1; answer with the list of what it is told."""
    told: list[str] = []

    def listen(notification: Any) -> None:
        told.append(notification.message)
        if len(told) in times:
            raise RuntimeError("not yet")

    kit.injector.get("notification").deps.subscribe(listen)
    return told


@pytest.mark.parametrize("nested", [False, True])
async def test_the_same_words_twice_are_sent_twice(kit: Any, nested: bool):
    """The second of two equal steps, which no attempt has sent yet, does not take what arrived of the first for its own."""
    told = fail_at(kit, {1})
    second = {"agentool_name": "notification", "input_data": SEND}
    if nested:
        second = {"agentool_name": "sequence", "input_data": {"operation": "run", "steps": [second]}}
    await try_twice(kit, "sequence", {"operation": "run", "steps": [{"agentool_name": "notification", "input_data": SEND}, second]})
    assert (logged(kit), len(told)) == (2, 3)


async def test_two_that_arrived_in_part_are_each_completed(kit: Any):
    """Two equal steps that both failed at one target have a record each: neither is sent again where it arrived."""
    told = fail_at(kit, {1, 2})
    steps = [{"agentool_name": "notification", "input_data": SEND, "needs": []} for _ in range(2)]
    await try_twice(kit, "sequence", {"operation": "run", "steps": steps, "on_failure": "continue"})
    assert (logged(kit), len(told)) == (2, 4)


class TellInput(BaseOperationInput):
    operation: Literal["tell"]


def create_teller(injector: Injector, done: Any) -> None:
    """Make an AgenTool that fails first and says that something was done, then sends the notification."""
    attempts: list[None] = []

    async def teller_tell(ctx: RunContext[None]) -> None:
        attempts.append(None)
        if len(attempts) == 1:
            error = AgenToolError("not yet")
            error.result = done
            raise error
        await injector.run("notification", SEND)

    create_agentool("teller", TellInput, {"tell": teller_tell}, injector=injector)


FOREIGN = {
    "nowhere": {"message": MESSAGE, "delivered": None, "failed": 1},
    "a number": {"message": MESSAGE, "delivered": ["log"], "failed": 1},
    "lists": {"message": MESSAGE, "delivered": [["log"]], "failed": {"event": "down"}},
    "reasons": {"message": MESSAGE, "delivered": ["log"], "failed": {"event": 500}},
    "a list": {"message": MESSAGE, "delivered": ["log"], "failed": ["event"]},
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
async def test_what_only_looks_like_a_record_is_passed_over(kit: Any, foreign: dict[str, Any]):
    """Another tool's result with the same keys means nothing: the notification is sent everywhere."""
    told = fail_at(kit, set())
    create_teller(kit.injector, foreign)
    await try_twice(kit, "teller", {"operation": "tell"})
    assert (logged(kit), len(told)) == (1, 1)


async def test_a_record_beside_what_only_looks_like_one_is_found(kit: Any):
    """After a foreign result the true record still counts: only where the notification failed is it sent."""
    told = fail_at(kit, set())
    create_teller(kit.injector, [*FOREIGN.values(), {"message": MESSAGE, "delivered": ["log"], "failed": {"event": "down"}}])
    await try_twice(kit, "teller", {"operation": "tell"})
    assert (logged(kit), len(told)) == (0, 1)
