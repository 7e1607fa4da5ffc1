"""Every usage example of *Scheduler AgenToolkit*, run as it is written there, does what it says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model
from typing_extensions import TypedDict, Unpack

from agentool import AgenTool, BaseOperationInput, Injector, create_agentool
from agentoolkit.testing import TestToolkit, toolkit

PAGE = (Path(__file__).parent / "scheduler_examples.txt").read_text()
EXAMPLES = dict(re.findall(r"### (.+?)\n```python\n(.+?)```", PAGE, flags=re.DOTALL))
CREATION, BASIC, QUEUES, MANAGEMENT, IMMEDIATE, ADVANCED, ONCE, STATUS = EXAMPLES.values()


class Answer(BaseModel):
    """What the AgenTools in these tests return: what they were given, and a value for references."""

    given: dict[str, Any]
    value: str = "12:00"


def create_stand_in(calls: list[Any], name: str, operation: str, **fields: Any) -> AgenTool[Any]:
    """Make a tiny AgenTool, to stand in the place of one that the examples name; it notes its calls."""

    async def answer(ctx, **given):
        calls.append((name, given))
        return Answer(given=given)

    answer.__annotations__ = {"given": Unpack[TypedDict("Given", fields, total=False)], "return": Answer}
    optional = {field: (kind | None, None) for field, kind in fields.items()}
    model = create_model(f"{name}_input", __base__=BaseOperationInput, operation=(Literal[operation], ...), **optional)
    return create_agentool(name, model, {operation: answer}, injector=Injector())


class Examples:
    """Runs examples one after another in one namespace, as a person would type them, on a toolkit with a moved clock."""

    def __init__(self, kit: TestToolkit) -> None:
        self.kit = kit
        self.names: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """Which AgenTool was called, and with what."""

    async def run(self, *sources: str) -> Any:
        """Run examples; return the data of the last `result`."""
        for source in sources:
            code = compile(source, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if inspect.isawaitable(awaitable := eval(code, self.names)):
                await awaitable
        return getattr(self.names.get("result"), "data", None)

    async def job(self, job_id: str) -> dict[str, Any]:
        return (await self.kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data

    async def messages(self, queue_name: str) -> list[Any]:
        found = await self.kit.injector.run("queue", {"operation": "peek", "queue_name": queue_name})
        return [message["message"] for message in found.data["messages"]]


@pytest.fixture
async def examples() -> AsyncIterator[Examples]:
    """A toolkit that stands at 1 December 2024, so that the documented dates are still to come."""
    async with toolkit(at="2024-12-01T00:00:00+00:00") as kit:
        with ExitStack() as stack:
            examples = Examples(kit)
            for name, operation, fields in [
                ("metrics", "export", {"format": str}),
                ("storage_fs", "copy", {"source": str, "destination": str}),
                ("templates", "render", {"template_name": str, "variables": dict[str, Any]}),
                ("storage_kv", "get", {"key": str}),
                ("logging", "log", {"level": str, "message": str, "data": dict[str, Any]}),
                ("config", "get", {"key": str, "default": bool}),
            ]:
                stack.enter_context(kit.injector.override(name, create_stand_in(examples.calls, name, operation, **fields)))
            yield examples


async def test_creation(examples):
    """The agent is made, and its name is 'scheduler'."""
    await examples.run(CREATION)
    assert examples.names["agent"].name == "scheduler"


async def test_hourly_metrics_are_exported_every_hour(examples):
    """The job "to run every hour" runs metrics every hour with the given input."""
    await examples.run(BASIC)
    await examples.kit.advance(hours=1.5)
    assert examples.calls == [("metrics", {"format": "json"})]


async def test_daily_backup_is_copied_at_two(examples):
    """The job of "2 AM daily" runs storage_fs at two o'clock with the given input."""
    data = await examples.run(BASIC)
    await examples.kit.advance(hours=2)
    assert data["next_run"] == "2024-12-01T02:00:00+00:00"
    assert ("storage_fs", {"source": "/data", "destination": "/backup"}) in examples.calls


async def test_queue_integration_resolves_the_reference_when_it_runs(examples):
    """`!ref:storage_kv:current_time` is looked up at each run, not when the job is scheduled."""
    await examples.run(BASIC, QUEUES)
    assert examples.calls == []
    await examples.kit.advance(minutes=5)
    assert examples.calls == [
        ("storage_kv", {"key": "current_time"}),
        ("templates", {"template_name": "report", "variables": {"timestamp": "12:00"}}),
    ]


async def test_queue_integration_queues_the_results(examples):
    """A result arrives in 'processed_reports' after each run, and nothing in the error queue."""
    await examples.run(BASIC, QUEUES)
    await examples.kit.advance(minutes=10)
    reports = await examples.messages("processed_reports")
    rendered = {"given": {"template_name": "report", "variables": {"timestamp": "12:00"}}, "value": "12:00"}
    assert [report["result"] for report in reports] == [rendered, rendered]
    assert [report["scheduled_at"][14:16] for report in reports] == ["05", "10"]


async def test_queue_integration_queues_the_errors(examples):
    """When the reference cannot be resolved, the error arrives in 'processing_errors'."""
    await examples.run(BASIC, QUEUES)
    with examples.kit.injector.override("storage_kv", examples.kit.injector.get("metrics")):
        await examples.kit.advance(minutes=5)
    (error,) = await examples.messages("processing_errors")
    assert (error["status"], error["error"]["type"]) == ("failed", "InvalidInput")


async def test_job_management_lists_pauses_resumes_and_cancels(examples):
    """The five calls find the job by its name, and at the end it is cancelled and out of the list."""
    await examples.run(BASIC)
    *before, cancelling = MANAGEMENT.split("# Cancel a job permanently")
    await examples.run(*before)
    assert (await examples.job("hourly_metrics"))["info"]["state"] == "active"
    await examples.run(cancelling)
    assert (await examples.job("hourly_metrics"))["info"]["state"] == "cancelled"
    with pytest.raises(KeyError):
        await examples.kit.injector.run("scheduler", {"operation": "resume", "job_id": "hourly_metrics"})


async def test_paused_job_does_not_run(examples):
    """Between "Pause a job temporarily" and "Resume a paused job" the job does not run."""
    pausing, _ = MANAGEMENT.split("# Resume a paused job")
    await examples.run(BASIC, pausing)
    await examples.kit.advance(hours=2)
    assert "metrics" not in [name for name, _ in examples.calls]


async def test_immediate_execution(examples):
    """run_now calls logging at once and answers with its result."""
    data = await examples.run(BASIC, IMMEDIATE)
    given = {"level": "INFO", "message": "Manual execution triggered", "data": {"trigger": "user_request"}}
    assert examples.calls == [("logging", given)]
    assert data["result"]["given"] == given


async def test_advanced_options_are_kept(examples):
    """The job 'custom_processor' has the options it was given, and delivers its results."""
    await examples.run(BASIC, ADVANCED)
    await examples.kit.advance(seconds=30)
    job = await examples.job("custom_processor")
    options = {"max_instances": 2, "misfire_grace_time": 60, "coalesce": False, "error_queue": "config_errors"}
    assert (job["job_name"], options.items() <= job["info"].items()) == ("Custom Data Processor", True)
    (message,) = await examples.messages("config_results")
    assert message["result"]["given"] == {"key": "processing.enabled", "default": True}


async def test_one_time_schedules(examples):
    """The urgent task runs at once, the report of the year's end one second before midnight, and once."""
    await examples.run(BASIC, ONCE)
    await examples.kit.advance()
    assert examples.calls == [("logging", {"level": "CRITICAL", "message": "Urgent task executed"})]
    assert (await examples.job("year_end_report"))["next_run"] == "2024-12-31T23:59:59+00:00"
    await examples.kit.advance(days=40)
    assert [given for name, given in examples.calls if name == "templates"] == [
        {"template_name": "annual_report", "variables": {"year": 2024}}
    ]


async def test_status(examples):
    """The status has the fields and values of the documented answer, with as many jobs as there are."""
    data = await examples.run(BASIC, QUEUES, STATUS)
    expected = {"running": True, "jobs_count": 3, "apscheduler_available": True, "scheduler_state": 1, "jobs": 3}
    assert expected.items() <= data.items()
