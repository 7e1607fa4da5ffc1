"""The scheduler AgenTool's surface, table by table of *Scheduler AgenToolkit*: names, types, defaults, answers, errors."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, Literal, Optional, get_args

import pytest

from agentool import AgenTool, BaseOperationInput, Injector, InvalidInput
from agentoolkit.system.scheduler import SchedulerInput, SchedulerOutput, create_scheduler_agent

ELEVEN = ("schedule", "cancel", "pause", "resume", "run_now", "list", "get_job", "get_history", "start", "stop", "status")

TARGET = {"agentool_name": "probe", "input_data": {"operation": "run"}}
HOURLY = {"schedule_type": "interval", "schedule": "1 hour", **TARGET}

# Creation


def test_creation_registers_the_agentool_scheduler():
    """create_scheduler_agent() returns an AgenTool named 'scheduler', which the current injector then has."""
    with Injector().activate() as injector:
        agent = create_scheduler_agent()
        assert isinstance(agent, AgenTool)
        assert (agent.name, injector.get("scheduler")) == ("scheduler", agent)


def test_creation_a_second_time_returns_the_same():
    """create_scheduler_agent() called again returns the AgenTool that is there."""
    with Injector().activate():
        assert create_scheduler_agent() is create_scheduler_agent()


# Input


@pytest.mark.parametrize(
    ("field", "type_", "default"),
    [
        ("job_id", Optional[str], None),  # noqa: UP045  as the table writes it
        ("job_name", Optional[str], None),  # noqa: UP045
        ("schedule_type", Optional[Literal["cron", "interval", "once", "after", "list"]], None),  # noqa: UP045
        ("schedule", Optional[str], None),  # noqa: UP045
        ("agentool_name", Optional[str], None),  # noqa: UP045
        ("input_data", Optional[dict[str, Any]], None),  # noqa: UP045
        ("max_instances", Optional[int], 1),  # noqa: UP045
        ("misfire_grace_time", Optional[int], 30),  # noqa: UP045
        ("coalesce", Optional[bool], True),  # noqa: UP045
        ("result_queue", Optional[str], None),  # noqa: UP045
        ("error_queue", Optional[str], None),  # noqa: UP045
    ],
)
def test_input_field_is_as_documented(field, type_, default):
    """Each field of the table "SchedulerInput" has its type, is not required, and has its default."""
    found = SchedulerInput.model_fields[field]
    assert (found.annotation, found.is_required(), found.default) == (type_, False, default)


def test_input_model_is_an_operation_input():
    """SchedulerInput is a BaseOperationInput: a field it does not know is refused."""
    assert issubclass(SchedulerInput, BaseOperationInput)
    assert SchedulerInput.model_config["extra"] == "forbid"


def test_operation_is_required_and_accepts_the_eleven():
    """`operation` is required, and the eleven documented ones come first."""
    operation = SchedulerInput.model_fields["operation"]
    assert operation.is_required()
    assert get_args(operation.annotation)[:11] == ELEVEN


@pytest.mark.parametrize("operation", get_args(SchedulerInput.model_fields["operation"].annotation))
def test_accepted_operation_has_a_route(operation):
    """Every accepted operation, start, stop and get_history among them, leads to a handler that says what it does."""
    with Injector().activate():
        assert create_scheduler_agent().operations[operation].description


# Operations


@pytest.mark.parametrize(
    ("operation", "required"),
    [
        ("schedule", {"schedule", "agentool_name", "input_data"}),
        ("cancel", {"job_id"}),
        ("pause", {"job_id"}),
        ("resume", {"job_id"}),
        ("get_job", {"job_id"}),
        ("list", set()),
        ("status", set()),
    ],
)
def test_operation_requires_what_is_documented(operation, required):
    """Each row of the table "Operations Schema"; schedule_type alone may be left out, where the text of the schedule decides."""
    with Injector().activate():
        assert create_scheduler_agent().operations[operation].required == required


@pytest.mark.parametrize(
    ("operation", "missing"),
    [
        ("schedule", "schedule"),
        ("schedule", "agentool_name"),
        ("schedule", "input_data"),
        ("run_now", "agentool_name"),
        ("run_now", "input_data"),
        ("cancel", "job_id"),
        ("pause", "job_id"),
        ("resume", "job_id"),
        ("get_job", "job_id"),
    ],
)
async def test_missing_required_field_is_named(scheduler, operation, missing):
    """An operation without a field that it requires is refused at once, naming the field."""
    fields = {"schedule": HOURLY, "run_now": TARGET}.get(operation, {"job_id": "x"})
    with pytest.raises(InvalidInput) as refused:
        await scheduler(operation, **{name: value for name, value in fields.items() if name != missing})
    assert refused.value.field == missing
    assert "required" in str(refused.value)


async def test_schedule_type_may_be_left_out(scheduler):
    """Where the text of the schedule says what type it is, schedule_type may be left out, and the answer names it."""
    assert (await scheduler.add("0 2 * * *"))["schedule_type"] == "cron"


# Output


def test_output_fields_are_as_documented():
    """SchedulerOutput has `operation: str`, `message: str` and `data: Optional[Dict[str, Any]]`."""
    fields = {name: field.annotation for name, field in SchedulerOutput.model_fields.items()}
    assert fields == {"operation": str, "message": str, "data": Optional[dict[str, Any]]}  # noqa: UP045


DATA_FIELDS = [
    ("schedule", HOURLY, {"job_id", "next_run"}),
    ("run_now", TARGET, {"job_id", "result"}),
    ("list", {}, {"jobs", "count"}),
    ("pause", {"job_id": "hourly"}, {"job_id"}),
    ("resume", {"job_id": "hourly"}, {"job_id"}),
    ("get_job", {"job_id": "hourly"}, {"job_id", "job_name", "next_run", "pending", "info", "recent_history"}),
    ("cancel", {"job_id": "hourly"}, {"job_id"}),
    ("status", {}, {"running", "jobs_count", "apscheduler_available", "scheduler_state", "jobs"}),
]


@pytest.mark.parametrize(("operation", "fields", "data"), DATA_FIELDS)
async def test_answer_has_the_documented_fields(kit, scheduler, operation, fields, data):
    """Each operation answers with a SchedulerOutput that names it, has a message, and has the documented data fields."""
    await scheduler.add("1 hour", job_id="hourly")
    answer = await kit.injector.run("scheduler", {"operation": operation, **fields})
    assert isinstance(answer, SchedulerOutput)
    assert (answer.operation, bool(answer.message)) == (operation, True)
    assert data <= answer.data.keys()


async def test_list_describes_each_job(scheduler):
    """The list has one entry for each job, with its state, and counts them."""
    await scheduler.add("1 hour", job_id="hourly", job_name="Every hour")
    listed = await scheduler("list")
    assert (listed["count"], len(listed["jobs"])) == (1, 1)
    expected = {"job_id": "hourly", "job_name": "Every hour", "state": "active", "next_run": "2030-01-01T01:00:00+00:00"}
    assert expected.items() <= listed["jobs"][0].items()


async def test_get_job_gives_definition_and_history(kit, scheduler):
    """get_job gives the whole definition under `info`, and the latest executions, the newest first."""
    await scheduler.add("1 hour", job_id="hourly", result_queue="done", tags=["a"], timeout=7)
    await kit.advance(hours=2)
    job = await scheduler("get_job", job_id="hourly")
    expected = {"agentool_name": "probe", "schedule": "1 hour", "result_queue": "done", "tags": ["a"], "timeout": 7, "runs": 2}
    assert expected.items() <= job["info"].items()
    assert [record["scheduled_at"][:13] for record in job["recent_history"]] == ["2030-01-01T02", "2030-01-01T01"]


async def test_status_counts_jobs_that_can_fire(kit, scheduler):
    """status counts active and paused jobs alike under both documented names, and no finished one."""
    await scheduler.add("now", job_id="over")
    await kit.advance()
    await scheduler.add("1 hour", job_id="hourly")
    await scheduler("pause", job_id="hourly")
    status = await scheduler("status")
    assert (status["jobs_count"], status["jobs"], status["paused"]) == (1, 1, 1)


async def test_status_tells_apschedulers_state(scheduler):
    """A running scheduler has APScheduler's state 1, a stopped one 0."""
    running, stopped = await scheduler("status"), await scheduler("stop")
    assert (running["running"], running["apscheduler_available"], running["scheduler_state"]) == (True, True, 1)
    assert (stopped["running"], stopped["scheduler_state"]) == (False, 0)


# Exceptions


@pytest.mark.parametrize(
    ("operation", "fields", "kinds"),
    [
        ("schedule", {**HOURLY, "schedule_type": "sometimes"}, (ValueError,)),
        ("schedule", {**HOURLY, "schedule": "whenever"}, (ValueError, RuntimeError)),
        ("schedule", {**HOURLY, "schedule": "5 fortyears"}, (ValueError, RuntimeError)),
        ("schedule", {**HOURLY, "max_instances": 0}, (ValueError, RuntimeError)),
        ("schedule", {**HOURLY, "input_data": {"operation": "fly"}}, (ValueError, RuntimeError)),
        ("schedule", {**HOURLY, "agentool_name": "nobody"}, (LookupError, RuntimeError)),
        ("explode", {}, (ValueError,)),
        ("get_job", {"job_id": "nobody"}, (KeyError, RuntimeError)),
        ("cancel", {"job_id": "nobody"}, (KeyError, RuntimeError)),
        ("pause", {"job_id": "nobody"}, (KeyError, RuntimeError)),
        ("resume", {"job_id": "nobody"}, (KeyError, RuntimeError)),
    ],
)
async def test_documented_exception_is_raised(scheduler, operation, fields, kinds):
    """Each row of the table "Exceptions", and of "Raises" of each function, is a builtin that `except` can name."""
    for kind in kinds:
        with pytest.raises(kind):
            await scheduler(operation, **fields)


async def test_failed_execution_is_a_runtime_error(scheduler, probe):
    """run_now of an AgenTool that raises is a RuntimeError whose cause is what was raised."""
    probe.raises = ZeroDivisionError("by zero")
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by zero") as failed:
        await scheduler("run_now", **TARGET)
    assert failed.value.__cause__ is probe.raises


def test_absent_apscheduler_is_an_import_error(monkeypatch):
    """Without APScheduler the scheduler cannot be imported: an ImportError that names it."""
    monkeypatch.setitem(sys.modules, "apscheduler.schedulers.asyncio", None)
    clock = importlib.util.find_spec("agentoolkit.system.scheduler.engine.clock")
    with pytest.raises(ImportError, match="apscheduler"):
        clock.loader.exec_module(importlib.util.module_from_spec(clock))
