"""The scheduler's functions, row by row of *Scheduler AgenToolkit*, "Tools"."""

from __future__ import annotations

import inspect

import pytest

from agentool import RunContext
from agentool.core.injector import get_injector
from agentoolkit.system import scheduler as documented

TARGET = {"agentool_name": "probe", "input_data": {"operation": "run"}}
HOURLY = {"schedule_type": "interval", "schedule": "1 hour", **TARGET}

# Functions


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("manage_scheduler", "ctx operation kwargs"),
        (
            "scheduler_schedule",
            "ctx job_id job_name schedule_type schedule agentool_name input_data max_instances misfire_grace_time coalesce"
            " result_queue error_queue",
        ),
        ("scheduler_run_now", "ctx job_id agentool_name input_data result_queue error_queue"),
        ("scheduler_cancel", "ctx job_id"),
        ("scheduler_pause", "ctx job_id"),
        ("scheduler_resume", "ctx job_id"),
        ("scheduler_list", "ctx"),
        ("scheduler_get_job", "ctx job_id"),
        ("scheduler_status", "ctx"),
        ("_execute_agentool", "job_id agentool_name input_data result_queue error_queue"),
    ],
)
def test_function_has_the_documented_parameters_first(name, parameters):
    """Each documented function can be imported, is a coroutine function, and has its parameters in their order."""
    function = getattr(documented, name)
    expected = parameters.split()
    assert inspect.iscoroutinefunction(function)
    assert list(inspect.signature(function).parameters)[: len(expected)] == expected


@pytest.fixture
def context(kit, scheduler):
    """A context as the scheduler's own handlers get it."""
    return RunContext(kit.scheduler, kit.injector, "scheduler")


async def test_scheduler_schedule_takes_its_arguments_by_position(context, scheduler):
    """scheduler_schedule can be called with the documented arguments in their order."""
    args = ("hourly", "Every hour", "interval", "1 hour", "probe", {"operation": "run"}, 2, 60, False, "results", "errors")
    assert (await documented.scheduler_schedule(context, *args)).data["job_id"] == "hourly"
    info = (await scheduler("get_job", job_id="hourly"))["info"]
    given = {"max_instances": 2, "misfire_grace_time": 60, "coalesce": False, "result_queue": "results", "error_queue": "errors"}
    assert given.items() <= info.items()


@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "get_job"])
async def test_functions_of_a_job_can_be_called(context, scheduler, name):
    """The functions that take a job's id can be called with a RunContext."""
    await scheduler.add("1 hour", job_id="hourly")
    answer = await getattr(documented, f"scheduler_{name}")(context, "hourly")
    assert (answer.operation, answer.data["job_id"]) == (name, "hourly")


@pytest.mark.parametrize("name", ["list", "status"])
async def test_functions_without_arguments_can_be_called(context, name):
    """scheduler_list and scheduler_status can be called with a RunContext alone."""
    assert (await getattr(documented, f"scheduler_{name}")(context)).operation == name


async def test_scheduler_run_now_takes_its_arguments_by_position(context, scheduler):
    """scheduler_run_now runs what it is given, labelled and forwarded as it is told."""
    answer = await documented.scheduler_run_now(context, "label", "probe", {"operation": "run"}, "results", "errors")
    assert (answer.data["job_id"], answer.data["result"]) == ("label", "done")
    assert [message["result"] for message in await scheduler.messages("results")] == ["done"]


async def test_manage_scheduler_dispatches(context):
    """manage_scheduler calls the handler of the operation that it is given, with its fields."""
    answer = await documented.manage_scheduler(context, "schedule", job_id="hourly", **HOURLY)
    assert (answer.operation, answer.data["job_id"]) == ("schedule", "hourly")


async def test_manage_scheduler_refuses_an_unknown_operation(context):
    """manage_scheduler raises ValueError for an operation that there is not, naming the nearest."""
    with pytest.raises(ValueError, match="The scheduler has no operation 'shedule'"):
        await documented.manage_scheduler(context, "shedule")


async def test_execute_agentool_runs_and_returns(kit, scheduler):
    """_execute_agentool runs an AgenTool on the current injector, forwards the result and leaves history."""
    assert get_injector() is kit.injector
    assert await documented._execute_agentool("label", "probe", {"operation": "run"}, "results") == "done"
    assert [message["result"] for message in await scheduler.messages("results")] == ["done"]
    assert await scheduler.statuses("label") == ["success"]


def test_public_names_exist():
    """Every name that the package declares public is there."""
    assert all(hasattr(documented, name) for name in documented.__all__)
