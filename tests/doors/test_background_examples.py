"""Every example of *Agent Scheduler & Background Task Queue*: as written, with the imports and modules that the page of origins names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.servers import free_port

from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.settings import Settings
from agentoolkit.system.events import EventBus
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.testing import TestToolkit, toolkit

ROOT = Path(__file__).parents[2]
PAGE = (Path(__file__).parent / "background_examples.txt").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ ([^\n]+)\n(.*?)(?=^##+ |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
SECONDS = 60.0
REPORT = 'def generate_report_task() -> dict:\n    return {"status": "success"}\n'
MY_FUNCTION = "def my_function(*args, **kwargs):\n    return {'args': args, 'kwargs': kwargs}\n"


def code(section: str, language: str = "python") -> str:
    """Return the example of a section, with the imports that the page of origins says in the place of its own."""
    (example,) = re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], flags=re.DOTALL)
    for theirs, ours in re.findall(r"^\| `(from [^`]+)` \| `(from [^`]+)` \|$", origins(), flags=re.MULTILINE):
        example = re.sub(rf"^(\s*){re.escape(theirs)}$", rf"\g<1>{ours}", example, flags=re.MULTILINE)
    return example


def origins() -> str:
    return (ROOT / "docs" / "explanation" / "origins.md").read_text(encoding="utf-8").partition("## Agent Scheduler")[2]


def listed(section: str) -> list[tuple[str, str]]:
    """Return what a section lists: what stands in backquotes, and the words after it."""
    return re.findall(r"^- `([^`]+)`(?: - (.*))?$", SECTIONS[section], flags=re.MULTILINE)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's folder: its task file and its functions, as printed, and a database of its own."""
    for name in [name for name in os.environ if name.startswith(("AGENTOOL_", "REDIS_"))]:
        monkeypatch.delenv(name)
    services = tmp_path / "app" / "services"
    services.mkdir(parents=True)
    (tmp_path / "app" / "__init__.py").touch()
    (services / "__init__.py").write_text(MY_FUNCTION)
    (services / "email_service.py").write_text(code("2. Create Task Functions"))
    (services / "report_service.py").write_text(REPORT)
    (tmp_path / "tasks.yaml").write_text(code("1. Define Tasks in YAML", "yaml"))
    settings = {"FUNCTIONS": "app,time", "HOME": str(tmp_path / "home"), "DATABASE": str(tmp_path / "jobs.db"), "TIMEZONE": "UTC"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AGENTOOL_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with these words until the block ends."""
    process = subprocess.Popen([sys.executable, "-u", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def wait_for(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return value


def agentool(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "agentool", *words], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_define_tasks_in_yaml(application: Path) -> None:
    """*Define Tasks in YAML*: the command line schedules the file as it is printed."""
    agentool("tasks", "apply", "tasks.yaml")
    jobs = json.loads(agentool("list", "--json"))["jobs"]
    assert sorted((job["job_name"], job["schedule"], job["schedule_type"], job["state"]) for job in jobs) == [
        ("daily_report", "0 9 * * *", "cron", "active"),
        ("process_pending_emails", "5 minutes", "interval", "active"),
    ]


async def test_create_task_functions(application: Path, caplog: pytest.LogCaptureFixture) -> None:
    """*Create Task Functions*: scheduled by the file, the function runs in a thread, logs, publishes, and its answer is kept."""
    with caplog.at_level("INFO"):
        async with toolkit(settings=Settings.from_values({"timezone": "UTC", "functions": ("app",)})) as kit:
            heard: list[tuple[str, str, dict[str, Any]]] = []
            kit.events.subscribe("email.*", lambda event: heard.append((event.event_type, event.source_agent, event.payload)))
            for task in read_tasks((application / "tasks.yaml").read_text()):
                await kit.injector.run("scheduler", {"operation": "schedule", **task.scheduler_input()})
            await kit.advance(minutes=5)
            (execution,) = await history(kit, "process_pending_emails")
    assert (execution["status"], execution["result"]["result"]) == ("success", {"status": "success", "processed": 10})
    assert heard == [("email.batch_processed", "email-agent", {"batch_size": 10})]
    assert "Processing 10 pending emails" in caplog.text


async def history(kit: TestToolkit, job_id: str) -> list[dict[str, Any]]:
    return (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": job_id})).data["history"]


MAIN = """
from fastapi import FastAPI

app = FastAPI()


def init_db():
    "What the application does besides."
"""


class App:
    """The application of *Integrate into App*, served, and all that was asked of it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []

    def __call__(self, endpoint: str, sent: Mapping[str, Any] | None = None, query: str = "", **names: str) -> Any:
        """Ask an endpoint as the document writes it, with these names in the places of its own."""
        self.asked.append(endpoint)
        method, path = endpoint.split()
        body = None if sent is None else json.dumps(sent).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._address}{path.format(**names)}{query}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)


@pytest.fixture
def app(application: Path) -> Iterator[App]:
    (application / "app" / "main.py").write_text(MAIN + code("3. Integrate into App"))
    app = App(port := free_port())
    with started("-m", "uvicorn", "app.main:app", "--port", str(port)):
        wait_for(lambda: tasks_of(app))
        yield app


def tasks_of(app: App, query: str = "") -> list[str]:
    try:
        return [task["name"] for task in app("GET /api/scheduler/tasks", query=query)["tasks"]]
    except OSError:
        return []  # it does not listen yet


def test_integrate_into_app(app: App) -> None:
    """*Integrate into App*: with the application the tasks of its file are there, and are its agent's."""
    wait_for(lambda: tasks_of(app, "?agent_name=your-agent") == ["process_pending_emails", "daily_report"])
    assert tasks_of(app, "?agent_name=another") == []


def test_api_endpoints(app: App) -> None:
    """*API Endpoints*: each of the nine does what stands beside it, and there are no others in the list."""
    app.asked.clear()
    new = {"name": "long", "type": "interval", "schedule": "1 second", "function": "time:sleep", "args": [60]}
    task = app("POST /api/scheduler/tasks", new)["task_id"]
    assert "long" in tasks_of(app)
    assert app("GET /api/scheduler/tasks/{task_id}", task_id=task)["schedule"] == "1 second"
    (execution,) = wait_for(lambda: app("GET /api/scheduler/executions", query="?status=running")["executions"])
    named = {"execution_id": execution["execution_id"]}
    assert app("GET /api/scheduler/executions/{execution_id}", **named)["task_id"] == task
    app("POST /api/scheduler/executions/{execution_id}/cancel", **named)
    wait_for(lambda: app("GET /api/scheduler/executions/{execution_id}", **named)["status"] == "cancelled")
    assert app("POST /api/scheduler/tasks/{task_id}/disable", task_id=task)["enabled"] is False
    assert app("POST /api/scheduler/tasks/{task_id}/enable", task_id=task)["enabled"] is True
    assert app("DELETE /api/scheduler/tasks/{task_id}", task_id=task)["status"] == "cancelled"
    assert "long" not in tasks_of(app)
    assert set(app.asked) == {endpoint for endpoint, _ in listed("API Endpoints")}


async def test_enqueue_tasks_programmatically(application: Path) -> None:
    """*Enqueue Tasks Programmatically*: the function gets its arguments, and the id tells how it ended."""
    settings = Settings.from_values({"timezone": "UTC", "functions": ("app",)})
    async with toolkit(settings=settings) as kit:
        names: dict[str, Any] = {"my_function": print, "arg1": 1, "arg2": "two"}
        exec(code("5. Enqueue Tasks Programmatically"), names)
        await kit.advance(seconds=1)
        queue, job_id = names["task_queue"], names["job_id"]
        answer = {"args": [1, "two"], "kwargs": {"key": "value"}}
        assert (await queue.get_status(job_id), await queue.get_result(job_id)) == ("success", answer)
        (job,) = (await kit.injector.run("scheduler", {"operation": "list", "job_status": "done"})).data["jobs"]
        assert (job["owner"], job["job_id"].startswith("my-task-")) == ("my-agent", True)


@pytest.mark.parametrize("backend", ["database", "redis"])
def test_use_event_bus(application: Path, backend: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """*Use Event Bus*: what another process publishes reaches the callback and the loop of the example, with nothing called before."""
    if backend == "redis":
        monkeypatch.delenv("AGENTOOL_DATABASE")
        monkeypatch.setenv("AGENTOOL_EVENTS_BACKEND", "redis")
        monkeypatch.setenv("REDIS_URL", redis_url)
    (application / "support_bot.py").write_text(code("6. Use Event Bus"))
    publishes, _, _ = code("6. Use Event Bus").partition("# Subscribe to events")
    again = f"{publishes}\nimport time\nwhile True:\n    event_bus.publish('task.completed', 'email-agent')\n    time.sleep(0.2)\n"
    with started("support_bot.py") as listening, started("-c", again):
        assert listening.stdout is not None
        told = ""
        for line in listening.stdout:  # the callback prints in a thread of its own, so that lines may run into each other
            told += line
            if "Received task.completed from email-agent" in told and "Event: task.completed" in told:
                return
    raise AssertionError(told)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("0 9 * * *", ["2030-01-01T09:00", "2030-01-02T09:00"]),
        ("0 */2 * * *", ["2030-01-01T00:00", "2030-01-01T02:00"]),
        ("0 0 * * 1", ["2030-01-07T00:00", "2030-01-14T00:00"]),
        ("5 minutes", ["2030-01-01T00:05", "2030-01-01T00:10"]),
        ("1 hour", ["2030-01-01T01:00", "2030-01-01T02:00"]),
        ("30 seconds", ["2030-01-01T00:00:30", "2030-01-01T00:01"]),
        ("2 days", ["2030-01-03T00:00", "2030-01-05T00:00"]),
        ("1 week", ["2030-01-08T00:00", "2030-01-15T00:00"]),
    ],
)
async def test_schedule_formats(text: str, after: list[str]) -> None:
    """*Schedule Formats*: each example means what stands beside it; 1 January 2030 is a Tuesday."""
    async with toolkit(at="2030-01-01T00:00:00+00:00", settings=Settings.from_values({"timezone": "UTC"})) as kit:
        read = (await kit.injector.run("scheduler", {"operation": "preview", "schedule": text, "count": 2})).data
    runs = [datetime.fromisoformat(run) for run in read["next_runs"]]
    assert runs == [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in after]


def test_every_format_of_the_page_is_tried() -> None:
    """The list of the test above is that of the page."""
    page = [text for section in ("Cron Expression", "Interval") for text, _ in listed(section)]
    (tried,) = [mark.args[1] for mark in test_schedule_formats.pytestmark if mark.name == "parametrize"]
    assert [text for text, _ in tried] == page


async def test_task_status(application: Path) -> None:
    """*Task Status*: all five are words for how an execution stands, here and in the schema of the API."""
    words = {word for word, _ in listed("Task Status")}
    assert words <= {status.value for status in ExecutionStatus}
    assert len(words) == 5


NAMES = ("email.processed", "aiops.alert_triggered", "task.completed", "task.failed", "system.startup", "system.shutdown")


@pytest.mark.parametrize("name", NAMES)
async def test_event_types(name: str) -> None:
    """*Event Types*: each of the names can be published, and heard under its pattern."""
    assert f"`{name}`" in SECTIONS["Event Types"]
    async with toolkit() as kit:
        heard: list[str] = []
        kit.events.subscribe(f"{name.partition('.')[0]}.*", lambda event: heard.append(event.event_type))
        EventBus().publish(event_type=name, source_agent="email-agent")
        await kit.events.wait_idle()
    assert name in heard
