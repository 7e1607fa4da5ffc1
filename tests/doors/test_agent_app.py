"""The example application of *Agent Scheduler & Background Task Queue*, run as its README says, and its classes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector, InvalidInput
from agentoolkit.entrypoints.rest import TaskQueue, TaskScheduler
from agentoolkit.entrypoints.taskfile import TaskFileError
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import JobExists
from agentoolkit.testing import TestToolkit, toolkit

EXAMPLE = Path(__file__).parents[2] / "examples" / "agent-app"
SECONDS = 20.0


def ask(address: str, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{address}{path}", method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def wait_for(found: Any) -> Any:
    until = time.monotonic() + SECONDS
    while True:
        try:
            if value := found():
                return value
        except OSError:
            pass  # it does not listen yet
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the example is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
    variables |= {"AGENTOOL_FUNCTIONS": "app", "AGENTOOL_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    with (tmp_path / "output").open("w") as output:
        serving = subprocess.Popen(command, cwd=EXAMPLE, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.terminate()
        serving.wait(SECONDS)


def test_the_whole_workflow(address: str) -> None:
    """The tasks of the file are there on start, one runs, its event reaches the other agent, and its execution is read."""
    tasks = wait_for(lambda: (found := ask(address, "/api/scheduler/tasks?agent_name=your-agent")["tasks"]) and len(found) == 2 and found)
    assert [(task["name"], task["schedule"]) for task in tasks] == [
        ("process_pending_emails", "5 minutes"),
        ("daily_report", "0 9 * * *"),
    ]
    ask(address, "/api/scheduler/tasks/process_pending_emails/run", "POST")
    assert wait_for(lambda: ask(address, "/heard")) == ["email.batch_processed from email-agent"]
    (execution,) = wait_for(lambda: ask(address, "/api/scheduler/executions?status=success&results=true")["executions"])
    assert execution["result"]["result"] == {"status": "success", "processed": 10}


@pytest.fixture
async def kit() -> Any:
    settings = Settings.from_values({"timezone": "UTC", "functions": ("statistics", "time")})
    async with toolkit(settings=settings) as opened:
        yield opened


async def test_a_registered_task_runs(kit: TestToolkit, tmp_path: Path) -> None:
    """Registered twice it is one task; unregistered it is cancelled."""
    (tmp_path / "tasks.yaml").write_text("tasks:\n  - {name: mean, schedule: 1 hour, function: 'statistics:mean', args: [[1, 3]]}\n")
    scheduler = TaskScheduler()
    for _ in range(2):
        for task in scheduler.load_tasks_from_yaml(str(tmp_path / "tasks.yaml"), agent_name="calculator"):
            scheduler.register_task(task)
    await kit.advance(hours=1)
    (job,) = (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]
    assert (job["owner"], job["last_outcome"]) == ("calculator", "success")
    scheduler.unregister_task("mean")
    await kit.advance(hours=1)
    assert (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"] == []


REPORTS = {"a": "{name: daily_report, schedule: 1 hour, function: 'statistics:mean', args: [[1, 3]]}"}
REPORTS["another"] = REPORTS["a"].replace("1 hour", "2 hours")


@pytest.mark.parametrize("other", REPORTS.values(), ids=REPORTS)
async def test_the_task_of_another_agent_is_left_alone(
    kit: TestToolkit, tmp_path: Path, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    """*Define scheduled tasks in YAML files per agent*: where two use one name the second is refused, whether it says the same or not."""
    scheduler = TaskScheduler()
    for agent, task in (("agent-a", REPORTS["a"]), ("agent-b", other)):
        (tmp_path / "tasks.yaml").write_text(f"tasks:\n  - {task}\n")
        scheduler.register_task(scheduler.load_tasks_from_yaml(tmp_path / "tasks.yaml", agent_name=agent)[0])
        await kit.advance(seconds=1)
    assert "Task 'daily_report' was not scheduled: job_name: A job of 'agent-a' has the name 'daily_report'." in caplog.text
    (job,) = (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]
    assert (job["owner"], job["schedule"]) == ("agent-a", "1 hour")


def test_outside_of_an_event_loop_the_refusal_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says whose task it is and what to write; the agent's own task may be changed."""
    monkeypatch.setenv("AGENTOOL_FUNCTIONS", "statistics")
    with Injector().activate() as injector:
        scheduler = TaskScheduler()
        tasks = {}
        for name, text in REPORTS.items():
            (tmp_path / "tasks.yaml").write_text(f"tasks:\n  - {text}\n")
            tasks[name] = scheduler.load_tasks_from_yaml(tmp_path / "tasks.yaml", agent_name="agent-a")[0]
            scheduler.register_task(tasks[name])
        with pytest.raises(JobExists, match="'agent-b daily_report'"):
            scheduler.register_task(tasks["a"].model_copy(update={"agent_name": "agent-b"}))
        (job,) = injector.run_sync("scheduler", {"operation": "list"}).data["jobs"]
        assert (job["owner"], job["schedule"]) == ("agent-a", "2 hours")
        injector.run_sync("scheduler", {"operation": "stop"})


async def test_what_an_agent_registers_for_itself_has_its_own_rights(kit: TestToolkit, tmp_path: Path) -> None:
    """Nobody else made it: its code may do what the application's may."""
    (tmp_path / "tasks.yaml").write_text(f"tasks:\n  - {REPORTS['a']}\n")
    scheduler = TaskScheduler()
    scheduler.register_task(scheduler.load_tasks_from_yaml(tmp_path / "tasks.yaml", agent_name="agent-a")[0])
    await kit.advance(seconds=1)
    info = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "daily_report"})).data["info"]
    made_by = {"name": "agent-a", "door": "code", "scopes": ["admin"], "depth": 0, "lineage": []}
    assert (info["created_by"], info["changed_by"]) == (made_by, None)


async def test_a_task_that_is_refused_is_logged(kit: TestToolkit, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Inside an event loop nobody waits for the answer; a file that is wrong is refused at once."""
    (tmp_path / "tasks.yaml").write_text("tasks:\n  - {name: no, schedule: 1 hour, function: 'os:getcwd'}\n")
    scheduler = TaskScheduler()
    scheduler.register_task(scheduler.load_tasks_from_yaml(tmp_path / "tasks.yaml")[0])
    await kit.advance(seconds=1)
    assert "Task 'no' was not scheduled" in caplog.text
    with pytest.raises(TaskFileError):
        scheduler.load_tasks_from_yaml(tmp_path / "nothing.yaml")


async def test_a_function_is_enqueued(kit: TestToolkit) -> None:
    """It runs at once, and its id tells how it ended and what it returned."""
    queue = TaskQueue()
    job_id = queue.enqueue(agent_name="calculator", task_name="mean", function_path="statistics:mean", args=([1, 3],))
    await kit.advance(seconds=1)
    assert (await queue.get_status(job_id), await queue.get_result(job_id)) == ("success", 2)


async def test_something_to_call_is_needed(kit: TestToolkit) -> None:
    """Neither a function nor a path is refused, with what to write."""
    with pytest.raises(InvalidInput, match=r"package\.module:function"):
        TaskQueue().enqueue()
