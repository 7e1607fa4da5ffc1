"""Every usage example of *Scheduler AgenToolkit*, run as it is written there, with the AgenTools that it names.

What the examples take for granted is made here: `/data` and `/backup` are roots of storage_fs that lead to temporary
folders, the templates `report` and `annual_report` are saved, and storage_kv holds `current_time`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit

PAGE = (Path(__file__).parent / "scheduler_examples.txt").read_text()
EXAMPLES = dict(re.findall(r"### (.+?)\n```python\n(.+?)```", PAGE, flags=re.DOTALL))
_, BASIC, QUEUES, MANAGEMENT, IMMEDIATE, ADVANCED, ONCE, STATUS = EXAMPLES.values()


class Examples:
    """Runs examples one after another, as a person would type them, on a toolkit with a moved clock."""

    def __init__(self, kit: TestToolkit, folder: Path) -> None:
        self.kit = kit
        self.folder = folder
        self.names: dict[str, Any] = {}

    async def run(self, *sources: str) -> Any:
        for source in sources:
            code = compile(source, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if inspect.isawaitable(awaitable := eval(code, self.names)):
                await awaitable
        return self.names["result"].data

    async def tool(self, name: str, operation: str, **fields: Any) -> Any:
        return await self.kit.injector.run(name, {"operation": operation, **fields})

    async def history(self, job_id: str) -> list[dict[str, Any]]:
        return (await self.tool("scheduler", "get_history", job_id=job_id)).data["history"]

    async def messages(self, queue_name: str) -> list[Any]:
        found = await self.tool("queue", "peek", queue_name=queue_name)
        return [message["message"] for message in found.data["messages"]]


@pytest.fixture
async def examples(tmp_path: Path) -> AsyncIterator[Examples]:
    """A toolkit that stands at 1 December 2024, with what the examples take for granted."""
    for name in ("data", "backup"):
        (tmp_path / name).mkdir()
    settings = Settings(timezone="UTC", files={"/data": tmp_path / "data", "/backup": tmp_path / "backup"}, log_console=False)
    async with toolkit(at="2024-12-01T00:00:00+00:00", settings=settings) as kit:
        examples = Examples(kit, tmp_path)
        await examples.tool("templates", "save", template_name="report", template="As of {{ timestamp }}")
        await examples.tool("templates", "save", template_name="annual_report", template="The year {{ year }}")
        await examples.tool("storage_kv", "set", key="current_time", value="00:00")
        yield examples


async def test_metrics_are_exported_every_hour(examples: Examples):
    """The job "to run every hour" exports the metrics as JSON, and they count its own first run at the second."""
    await examples.run(BASIC)
    await examples.kit.advance(hours=1)
    await examples.kit.advance(hours=1)  # two o'clock: the backup runs too
    newest, oldest = await examples.history("hourly_metrics")
    assert (oldest["status"], newest["status"]) == ("success", "success")
    exported = {metric["name"]: metric["series"] for metric in newest["result"]["metrics"]}
    assert {"labels": {"agentool": "metrics", "status": "success"}, "value": 1.0} in exported["agentool_executions_total"]
    assert exported["agentool_jobs"] == [{"labels": {"state": "active"}, "value": 2.0}]


async def test_files_are_copied_at_two(examples: Examples):
    """The job of "2 AM daily" copies all that is in /data to /backup, every day anew."""
    (examples.folder / "data" / "orders").mkdir()
    (examples.folder / "data" / "orders" / "a.csv").write_text("1")
    await examples.run(BASIC)
    await examples.kit.advance(hours=2)
    copied = examples.folder / "backup" / "orders" / "a.csv"
    assert copied.read_text() == "1"
    (examples.folder / "data" / "orders" / "a.csv").write_text("2")
    await examples.kit.advance(hours=24)
    assert copied.read_text() == "2"


async def test_the_reference_is_resolved_when_the_template_is_rendered(examples: Examples):
    """What storage_kv holds at each due time is what the report in the queue says."""
    await examples.run(BASIC, QUEUES)
    await examples.tool("storage_kv", "set", key="current_time", value="00:05")
    await examples.kit.advance(minutes=5)
    await examples.tool("storage_kv", "set", key="current_time", value="00:10")
    await examples.kit.advance(minutes=5)
    assert [report["result"]["text"] for report in await examples.messages("processed_reports")] == ["As of 00:05", "As of 00:10"]


async def test_a_missing_value_is_reported_to_the_error_queue(examples: Examples):
    """When storage_kv does not hold the key at the due time, the error queue is told which key."""
    await examples.run(BASIC, QUEUES)
    await examples.tool("storage_kv", "delete", key="current_time")
    await examples.kit.advance(minutes=5)
    (report,) = await examples.messages("processing_errors")
    assert report["error"]["type"] == "KeyNotFound"
    assert "'current_time'" in report["error"]["message"]


async def test_the_manual_execution_is_logged(examples: Examples):
    """run_now logs the message with its data."""
    await examples.run(BASIC, IMMEDIATE)
    (record,) = (await examples.tool("logging", "read")).records
    assert (record.level, record.message, record.data) == ("INFO", "Manual execution triggered", {"trigger": "user_request"})


async def test_the_configuration_is_looked_up_every_thirty_seconds(examples: Examples):
    """The default is the result as long as nothing is configured, and what was set is from then on."""
    await examples.run(BASIC, ADVANCED)
    await examples.kit.advance(seconds=30)
    await examples.tool("config", "set", key="processing.enabled", value=False)
    await examples.kit.advance(seconds=30)
    results = [message["result"] for message in await examples.messages("config_results")]
    assert [(result["value"], result["layer"]) for result in results] == [(True, "default"), (False, "runtime")]


async def test_one_time_schedules_run_once(examples: Examples):
    """The urgent task is logged at once, and the annual report is rendered one second before midnight."""
    await examples.run(BASIC, MANAGEMENT, ONCE)
    await examples.kit.advance()
    (record,) = (await examples.tool("logging", "read")).records
    assert (record.level, record.message) == ("CRITICAL", "Urgent task executed")
    await examples.tool("scheduler", "cancel", job_id="daily_backup")
    await examples.kit.advance(days=30, hours=23, minutes=59, seconds=59)
    (execution,) = await examples.history("year_end_report")
    assert (execution["scheduled_at"], execution["result"]["text"]) == ("2024-12-31T23:59:59+00:00", "The year 2024")


async def test_management_and_status(examples: Examples):
    """The examples of management and status run, and two jobs are left of three."""
    data = await examples.run(BASIC, QUEUES, MANAGEMENT, STATUS)
    assert (data["running"], data["jobs_count"]) == (True, 2)


async def test_a_path_below_no_root_is_refused_when_it_is_scheduled(examples: Examples):
    """The backup to a folder that is not declared is refused at once, by a sentence that names the setting."""
    with pytest.raises(PermissionError, match="`files`"):
        await examples.run(BASIC.replace("/backup", "/elsewhere"))


async def test_a_template_that_does_not_exist_is_refused_when_it_is_scheduled(examples: Examples):
    """A misspelt template is refused at once, and the nearest one is named."""
    with pytest.raises(KeyError, match="'report'"):
        await examples.run(BASIC, QUEUES.replace('"report"', '"raport"'))
