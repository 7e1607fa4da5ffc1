"""The result, or the error, of the execution before as input: references to the AgenTool ``after``."""

from __future__ import annotations

from typing import Any

import pytest

from agentool.errors import InvalidInput
from agentoolkit.system.scheduler import InvalidJob


def refer(key: str) -> dict[str, Any]:
    """An input with a reference to the execution before."""
    return {"operation": "run", "data": {"given": f"!ref:after:{key}"}}


@pytest.fixture
def given(probe):
    """What the probe was given by reference, call by call."""
    return lambda: [call["data"]["given"] for call in probe.inputs if call["data"]]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("result", {"rows": [{"name": "Ada", "x.y": 1}], "none": None}),
        ("result.rows.0.name", "Ada"),
        ("result.rows", [{"name": "Ada", "x.y": 1}]),
        ("result.none", None),
        ("status", "success"),
        ("execution_id", "extract@2030-01-01T00:00:00+00:00"),
        ("job_id", "extract"),
        ("scheduled_at", "2030-01-01T00:00:00+00:00"),
        ("error", None),
    ],
)
async def test_record_of_the_other_is_its_input(kit, scheduler, probe, given, key, expected):
    """A reference leads to what the execution before returned, and to all else that is recorded of it."""
    probe.returns = {"rows": [{"name": "Ada", "x.y": 1}], "none": None}
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract", job_id="load", input_data=refer(key))
    await kit.advance(seconds=1)
    assert given() == [expected]
    assert await scheduler.statuses("load") == ["success"]


@pytest.mark.parametrize(("key", "expected"), [("error.message", "no rows"), ("error.type", "ValueError"), ("status", "failed")])
async def test_error_of_the_other_is_its_input(kit, scheduler, probe, given, key, expected):
    """After a failure the reference leads to what was raised."""
    probe.raises = ValueError("no rows")
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract failed", job_id="mend", input_data=refer(key))
    await kit.advance(seconds=1)
    assert given() == [expected]


async def test_each_execution_has_the_result_of_its_own(kit, scheduler, probe, given):
    """Not the latest result of the other, but that of the execution it comes after; also at a further attempt."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load", overlap="queue_all", input_data=refer("scheduled_at"))
    await kit.advance(minutes=3)
    assert given() == [f"2030-01-01T00:0{minute}:00+00:00" for minute in (1, 2, 3)]


async def test_result_of_the_first_reaches_the_third(kit, scheduler, probe, given):
    """Each link refers to the one before it."""
    probe.returns = 5
    await scheduler.add("now", job_id="a")
    await scheduler.add("after a", job_id="b", input_data=refer("job_id"))
    await scheduler.add("after b", job_id="c", input_data=refer("job_id"))
    await kit.advance(seconds=1)
    assert given() == ["a", "b"]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("resutl", "There is no 'resutl' in the record of an execution. Did you mean 'result'?"),
        ("result.cols", "There is no 'cols' in 'result'. Known: rows."),
        ("result.rows.3", "There is no '3' in 'result.rows'. It is a list of 1, numbered from 0."),
        ("result.rows.0.x", "There is no 'x' in 'result.rows.0'. It is 'Ada'."),
        ("error.message", "There is no 'message' in 'error'. It is None."),
    ],
)
async def test_place_that_is_not_there_is_one_clear_error(kit, scheduler, probe, key, problem):
    """The execution fails without a retry, and says what there is instead."""
    probe.returns = {"rows": ["Ada"]}
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract", job_id="load", max_retries=3, input_data=refer(key))
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("load")
    assert (record["status"], record["attempt"], record["error"]["type"]) == ("failed", 1, "InvalidInput")
    assert problem in record["error"]["message"]


async def test_record_that_is_no_longer_kept_is_said_so(kit, scheduler, probe):
    """A downstream job that waited while a hundred further executions pushed out the record before it says so."""
    probe.returns = 1
    await scheduler.add("1 minute", job_id="extract", agentool_name="queue", input_data={"operation": "list_queues"})
    await scheduler.add("now", job_id="busy", concurrency_key="one", timeout=100_000)
    probe.blocks()
    await kit.advance(seconds=1)
    await scheduler.add("after extract", job_id="load", max_runs=1, concurrency_key="one", input_data=refer("result"))
    await kit.advance(minutes=103)
    probe.may_end.set()
    await kit.advance(seconds=1)
    (record,) = await scheduler.history("load")
    assert "no longer kept" in record["error"]["message"]


async def test_by_hand_there_is_no_execution_before(kit, scheduler, probe):
    """run_now of such a job, and a call outside of any, are refused with a way out; other input runs."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load", input_data=refer("result"))
    with pytest.raises(RuntimeError, match="comes after another execution") as failed:
        await scheduler("run_now", job_id="load")
    assert isinstance(failed.value.__cause__, InvalidInput)
    with pytest.raises(InvalidInput, match="comes after another execution"):
        await kit.injector.run("after", {"operation": "get", "key": "result"})
    assert (await scheduler("run_now", job_id="load", input_data={"operation": "run"}))["result"] == "done"


async def test_job_with_due_times_cannot_refer_to_what_was_before(scheduler):
    """Such an input is refused when it is scheduled, and so is a change that gives its job due times."""
    with pytest.raises(InvalidJob, match="comes after none") as refused:
        await scheduler.add("1 hour", job_id="load", input_data=refer("result"))
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load", input_data=refer("result"))
    with pytest.raises(InvalidJob, match="comes after none"):
        await scheduler("update", job_id="load", schedule="1 hour")
    assert refused.value.field == "input_data"


async def test_reference_stands_for_a_value_of_any_type(kit, scheduler, probe):
    """Where the target wants a number a reference is taken on trust, and checked when it is resolved."""
    probe.returns = 7
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract", job_id="load", input_data={"operation": "run", "number": "!ref:after:result"})
    await kit.advance(seconds=1)
    assert [call["number"] for call in probe.inputs] == [0, 7]
