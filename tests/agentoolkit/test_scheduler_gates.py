"""A job's gate: an AgenTool that is asked before each execution whether it is to run."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, create_agentool
from agentoolkit.system.scheduler import InvalidJob, UnknownTarget
from agentoolkit.system.scheduler.stores.sql.definitions import definition_of, job_of

GATE = {"agentool_name": "door", "input_data": {"operation": "look"}}


class DoorInput(BaseOperationInput):
    operation: Literal["look", "get"]
    key: str | None = None


class Door:
    """What the AgenTool ``door`` answers, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Any = True
        self.asked: list[str | None] = []


async def door_look(ctx, key: str | None = None) -> Any:
    """Say whether the door is open."""
    ctx.deps.asked.append(key)
    if isinstance(ctx.deps.answer, Exception):
        raise ctx.deps.answer
    return ctx.deps.answer


async def door_get(ctx, key: str) -> Any:
    """Answer a reference."""
    return {"value": f"the {key}"}


@pytest.fixture
def door(kit):
    door = Door()
    create_agentool("door", DoorInput, {"look": door_look, "get": door_get}, deps=door, injector=kit.injector)
    return door


class Answer:
    """An output as a model has it, with attributes."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


async def outcome(kit, scheduler, **fields):
    """Schedule the probe behind the gate, let it come due once, and return the record."""
    await scheduler.add("1 hour", job_id="gated", gate=GATE, **fields)
    await kit.advance(hours=1)
    (record,) = await scheduler.history("gated")
    return record


@pytest.mark.parametrize(
    "answer",
    [True, {"passed": True}, {"value": 7}, {"result": "x"}, {"data": {"value": [0]}}, Answer(passed=True), Answer(data={"result": 1})],
)
async def test_an_execution_runs_if_its_gate_passes(kit, scheduler, probe, door, answer):
    """True, or a true `passed`, `value` or `result`, of the answer or of its data, lets the execution run."""
    door.answer = answer
    assert (await outcome(kit, scheduler))["status"] == "success"
    assert len(probe.calls) == 1


@pytest.mark.parametrize(
    "answer", [False, {"passed": False, "value": True}, {"value": None}, {"result": ""}, {"data": {"value": 0}}, Answer(passed=0)]
)
async def test_an_execution_is_skipped_if_its_gate_does_not_pass(kit, scheduler, probe, door, answer):
    """Anything false in the first of these fields skips the execution: the handler is not called."""
    door.answer = answer
    record = await outcome(kit, scheduler)
    assert (record["status"], record["reason"]) == ("skipped", "its gate 'door' did not pass")
    assert probe.calls == []


@pytest.mark.parametrize("answer", [{"passed": False, "reason": "nothing new"}, {"passed": False, "message": "nothing new"}])
async def test_the_gate_s_reason_is_the_execution_s(kit, scheduler, door, answer):
    """What the gate says about it stands in the history."""
    door.answer = answer
    assert (await outcome(kit, scheduler))["reason"] == "its gate 'door' did not pass: nothing new"


@pytest.mark.parametrize("answer", [None, "yes", 1, {}, {"open": True}, RuntimeError("no hinges")])
async def test_a_gate_that_fails_fails_the_execution(kit, scheduler, probe, door, answer):
    """An answer that is neither yes nor no, and an exception, are a failure; the handler is not called."""
    door.answer = answer
    record = await outcome(kit, scheduler)
    assert (record["status"], record["error"]["type"]) == ("failed", "GateFailed")
    assert "'door'" in record["error"]["message"]
    assert probe.calls == []


async def test_a_gate_that_failed_is_asked_again_by_a_retry(kit, scheduler, probe, door):
    """The job's retries are for its gate too."""
    door.answer = RuntimeError("no hinges")
    await scheduler.add("1 hour", job_id="gated", gate=GATE, max_retries=1)
    await kit.advance(hours=1)
    door.answer = True
    await kit.advance(seconds=2)
    assert await scheduler.statuses("gated") == ["success"]


async def test_a_skipped_execution_goes_to_no_queue(kit, scheduler, door):
    """That there was nothing to do is neither a result nor an error."""
    door.answer = False
    await outcome(kit, scheduler, result_queue="results", error_queue="errors")
    assert [await scheduler.messages(queue) for queue in ("results", "errors")] == [[], []]


async def test_listeners_are_told_of_a_skipped_execution(kit, scheduler, door):
    """A closed gate is an event of its own."""
    told = []
    kit.scheduler.subscribe(lambda event: told.append(event.type))
    door.answer = False
    await outcome(kit, scheduler)
    assert told[-1] == "scheduler.task.skipped"


async def test_run_now_does_not_ask_the_gate(kit, scheduler, probe, door):
    """A person who runs a job now means now."""
    door.answer = False
    await scheduler.add("1 hour", job_id="gated", gate=GATE)
    await scheduler("run_now", job_id="gated")
    assert (len(probe.calls), door.asked) == (1, [])


async def test_references_in_a_gate_s_input_are_resolved(kit, scheduler, door):
    """A gate is asked with values that are looked up when it is asked."""
    gate = {"agentool_name": "door", "input_data": {"operation": "look", "key": "!ref:door:handle"}}
    await scheduler.add("1 hour", gate=gate)
    await kit.advance(hours=1)
    assert door.asked == ["the handle"]


async def test_a_gate_that_takes_too_long_times_out(kit, scheduler, probe, door):
    """The job's timeout is for gate and handler together."""
    probe.blocks()
    gate = {"agentool_name": "probe", "input_data": {"operation": "run"}}
    await scheduler.add("1 hour", job_id="gated", gate=gate, timeout=10)
    await kit.advance(hours=1, seconds=10)
    (record,) = await scheduler.history("gated")
    assert record["error"]["type"] == "HandlerTimeout"


async def test_a_gate_can_be_changed(kit, scheduler, door):
    """`update` changes a gate, and `get_job` shows it."""
    await scheduler.add("1 hour", job_id="gated", gate=GATE)
    other = {"agentool_name": "door", "input_data": {"operation": "look", "key": "back"}}
    await scheduler("update", job_id="gated", gate=other)
    assert (await scheduler("get_job", job_id="gated"))["info"]["gate"] == other


@pytest.mark.parametrize(
    ("gate", "error"),
    [
        ({"agentool_name": "dor", "input_data": {}}, UnknownTarget),
        ({"agentool_name": "door", "input_data": {"operation": "knock"}}, InvalidJob),
        ({"agentool_name": "door"}, ValueError),
        ({"agentool_name": "door", "input_data": {}, "when": "now"}, ValueError),
    ],
)
async def test_a_gate_that_cannot_be_is_refused_when_scheduled(scheduler, door, gate, error):
    """A gate's AgenTool and input are checked like the job's own, and the field is named."""
    with pytest.raises(error, match="gate"):
        await scheduler.add("1 hour", gate=gate)


async def test_a_gate_is_stored_with_its_job(kit, scheduler, door):
    """What is written of a job in a database, and read again, has its gate."""
    await scheduler.add("1 hour", job_id="gated", gate=GATE)
    job = (await kit.scheduler.lookup.job("gated")).job
    assert job_of("gated", definition_of(job)) == job
