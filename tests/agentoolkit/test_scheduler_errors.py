"""Every refusal of the scheduler is a `SchedulerError`, beside the builtin that its documentation names."""

from __future__ import annotations

from typing import Any

import pytest

from agentool import AgenToolError, BaseOperationInput, ConfigurationError, InvalidInput, create_agentool
from agentoolkit.actions.addresses import AddressNotAllowed
from agentoolkit.actions.function import FunctionNotAllowed
from agentoolkit.actions.shell import CommandNotAllowed
from agentoolkit.storage.fs.errors import PathNotAllowed
from agentoolkit.system.scheduler import InvalidJob, JobNotFound, SchedulerError
from agentoolkit.system.templates.errors import TemplateNotFound
from agentoolkit.testing import TestToolkit

NOT_ALLOWED: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("shell", {"operation": "run", "command": ["rm", "x"]}, CommandNotAllowed),
    ("function", {"operation": "call", "function": "os:getcwd"}, FunctionNotAllowed),
    ("storage_fs", {"operation": "read", "path": "/etc/passwd"}, PathNotAllowed),
    ("http", {"operation": "request", "url": "http://127.0.0.1/"}, AddressNotAllowed),
]


async def refusal(kit: TestToolkit, operation: str, **fields: Any) -> Exception:
    with pytest.raises(Exception) as caught:
        await kit.injector.run("scheduler", {"operation": operation, **fields})
    return caught.value


@pytest.mark.parametrize("operation", ["schedule", "run_now", "update"])
@pytest.mark.parametrize(("name", "input_data", "kind"), NOT_ALLOWED)
async def test_what_a_target_does_not_allow_is_an_invalid_job(kit, scheduler, operation, name, input_data, kind):
    """A target's own check refuses when the job is scheduled, run or changed: as its own error, and as `InvalidJob`."""
    await scheduler.add("1 hour", job_id="job")
    fields = {"schedule": {"schedule": "1 hour"}, "run_now": {}, "update": {"job_id": "job"}}[operation]
    error = await refusal(kit, operation, agentool_name=name, input_data=input_data, **fields)
    assert isinstance(error, (SchedulerError, InvalidJob))
    assert isinstance(error, kind)
    assert isinstance(error, (RuntimeError,))
    assert isinstance(error, PermissionError)
    assert str(getattr(error, "field", "")).startswith("input_data")
    assert f"AgenTool {name!r} would refuse this input" in str(error)


@pytest.mark.parametrize(
    ("name", "input_data"),
    [("notification", {"operation": "send", "mesage": "x"}), ("queue", {"operation": "enqueue", "queue_nme": "q", "priorty": 1})],
)
async def test_several_faults_of_an_input_are_introduced_once(kit, name, input_data):
    """Whose check it was is said before the first of them."""
    error = await refusal(kit, "schedule", schedule="1 hour", agentool_name=name, input_data=input_data)
    assert str(error).count("would refuse this input") == 1


async def test_template_that_is_not_there_does_not_read_as_a_job_that_is_not(kit):
    """What a target does not find is an `InvalidJob`, which names the field, and no `JobNotFound`."""
    call = {"operation": "render", "template_name": "nothing"}
    error = await refusal(kit, "schedule", schedule="1 hour", agentool_name="templates", input_data=call)
    assert isinstance(error, InvalidJob)
    assert isinstance(error, TemplateNotFound)
    assert not isinstance(error, JobNotFound)
    assert error.field == "input_data.template_name"


@pytest.mark.parametrize(
    ("operation", "name"),
    [("publish", "a b"), ("publish", "scheduler.task.success"), ("publish", "report.*"), ("read", "a b"), ("listen", "a..b")],
)
async def test_event_that_cannot_be_is_refused_when_it_is_scheduled(kit, operation, name):
    """Its name, or the pattern that is looked for, is checked then, and not when the time comes."""
    call = {"operation": operation, "event_type": name}
    error = await refusal(kit, "schedule", schedule="1 hour", agentool_name="events", input_data=call)
    assert isinstance(error, InvalidJob)
    assert "AgenTool 'events' would refuse this input: event_type: " in str(error)


async def test_event_by_reference_is_taken_on_trust(kit):
    """What it will be called is known when the reference is looked up."""
    call = {"operation": "publish", "event_type": "!ref:storage_kv:event"}
    answer = await kit.injector.run(
        "scheduler", {"operation": "schedule", "schedule": "1 hour", "agentool_name": "events", "input_data": call}
    )
    assert answer.data["state"] == "active"


@pytest.mark.parametrize(
    ("operation", "fields", "field"),
    [
        ("schedule", {"schedule_type": "weekly", "schedule": "1 hour"}, "schedule_type"),
        ("schedule", {"schedule": "1 hour", "agentool_name": "probe"}, "input_data"),
        ("schedule", {"schedul": "1 hour"}, "schedul"),
        ("run_now", {"agentool_name": "probe"}, "input_data"),
        ("run_now", {"agentool_name": "probe", "input_data": {"operation": "run"}, "schedule": "1 hour"}, "schedule"),
        ("update", {"schedule": "1 hour"}, "job_id"),
        ("update", {"job_id": "job", "max_retries": "many"}, "max_retries"),
        ("cancel", {}, "job_id"),
        ("dance", {}, "operation"),
    ],
)
async def test_input_that_does_not_fit_is_an_invalid_job(kit, operation, fields, field):
    """A wrong type, a missing, unknown or foreign field and an unknown operation: `SchedulerError`, `InvalidInput` and so `ValueError`."""
    error = await refusal(kit, operation, **fields)
    assert isinstance(error, InvalidJob)
    assert isinstance(error, SchedulerError)
    assert isinstance(error, InvalidInput)
    assert isinstance(error, RuntimeError)
    assert error.field == field


class OddInput(BaseOperationInput):
    operation: Any = "run"


@pytest.mark.parametrize("error", [ConfigurationError("an extra is missing"), ZeroDivisionError("odd"), AgenToolError("so"), KeyError("k")])
async def test_whatever_a_precheck_raises_is_an_invalid_job(kit, scheduler, error):
    """A check that raises anything at all refuses the job; what it raised is the cause."""

    def check(deps: Any, data: Any) -> None:
        raise error

    probe = kit.injector.get("probe")
    odd = create_agentool(
        "odd", probe.input_type, {"run": probe.operations["run"].handler}, deps=probe.deps, precheck=check, injector=kit.injector
    )
    refused = await refusal(kit, "schedule", schedule="1 hour", agentool_name=odd.name, input_data={"operation": "run"})
    assert isinstance(refused, InvalidJob)
    assert refused.__cause__ is error


async def test_gate_that_is_not_allowed_names_the_gate(kit, scheduler):
    """A gate whose target refuses is refused by the same classes, under the name of its field."""
    gate = {"agentool_name": "shell", "input_data": {"operation": "run", "command": ["rm", "x"]}}
    with pytest.raises(InvalidJob) as caught:
        await scheduler.add("1 hour", gate=gate)
    assert isinstance(caught.value, CommandNotAllowed)
    assert caught.value.field == "gate"


@pytest.mark.parametrize(
    "policy",
    [{"misfire_grace_time": 0}, {"catch_up": "latest", "catch_up_window": 0}, {"max_runs": 0}, {"max_instances": 0}, {"timeout": 0}],
)
@pytest.mark.parametrize("operation", ["schedule", "update"])
async def test_policy_that_lets_nothing_run_is_refused(scheduler, operation, policy):
    """A policy by which no due time could ever run is refused, when a job is scheduled and when it is changed."""
    await scheduler.add("1 hour", job_id="job")
    with pytest.raises(InvalidJob):
        await (scheduler.add("1 hour", **policy) if operation == "schedule" else scheduler("update", job_id="job", **policy))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_name", "a\ud800"),
        ("description", "a\udfff"),
        ("tags", ["a\ud800"]),
        ("exclude", ["\ud800"]),
        ("retry_on", ["\ud800"]),
        ("input_data", {"operation": "run", "data": {"a": ["\ud800"]}}),
        ("input_data", {"operation": "run", "data": {"\ud800": 1}}),
        ("gate", {"agentool_name": "probe", "input_data": {"operation": "run", "data": {"a": "\ud800"}}}),
        ("concurrency_key", "\ud800"),
        ("result_queue", "\ud800"),
        ("job_id", "\ud800"),
    ],
)
async def test_text_that_cannot_be_written_is_refused_when_it_is_given(scheduler, field, value):
    """A lone surrogate anywhere in a job is refused at once, so that an export can write all that was accepted."""
    with pytest.raises(InvalidJob):
        await scheduler.add("1 hour", **{field: value})


@pytest.mark.parametrize("data", [{"a": [10**5_000]}, {"a": -(10**5_000)}, {10**5_000: 1}], ids=["list", "negative", "key"])
async def test_integer_that_cannot_be_written_is_refused_when_it_is_given(scheduler, data):
    """Python writes no integer of more than 4,300 digits, and its own error for it names no field."""
    with pytest.raises(InvalidJob, match=r"input_data.*(more digits than Python writes|is not text)"):
        await scheduler.add("1 hour", input_data={"operation": "run", "data": data})


@pytest.mark.parametrize("operation", ["pause", "cancel_execution"])
async def test_reason_that_cannot_be_written_is_refused(scheduler, operation):
    """A lone surrogate or a NUL in a reason is refused, too."""
    await scheduler.add("1 hour", job_id="job")
    for reason in ("a\ud800", "a\0"):
        named = {"job_id": "job"} if operation == "pause" else {"execution_id": "job@x"}
        with pytest.raises(InvalidJob, match="at position 1"):
            await scheduler(operation, **named, reason=reason)
