"""The usage examples of *Scheduler AgenToolkit* with nothing but `create_scheduler_agent()`: no `Toolkit` brings the AgenTools they run."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentool import Injector, UnknownAgenTool
from agentoolkit.storage.kv import create_storage_kv_agent
from agentoolkit.system.scheduler import UnknownTarget, create_scheduler_agent
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore

PAGE = (Path(__file__).parent / "scheduler_examples.txt").read_text()
EXAMPLES = dict(re.findall(r"### (.+?)\n```python\n(.+?)```", PAGE, flags=re.DOTALL))
_, BASIC, QUEUES, MANAGEMENT, IMMEDIATE, ADVANCED, ONCE, STATUS = EXAMPLES.values()
URGENT = "# Schedule for immediate" + ONCE.partition("# Schedule for immediate")[2]
HOURLY = {"operation": "schedule", "schedule": "1 hour"}
METRICS = {"agentool_name": "metrics", "input_data": {"operation": "export"}}
SECONDS = 30.0


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a user of the examples says by variables: where `/data` and `/backup` are."""
    roots = {"/data": str(tmp_path / "data"), "/backup": str(tmp_path / "backup")}
    for place in roots.values():
        Path(place).mkdir()
    monkeypatch.setenv("AGENTOOL_FILES", json.dumps(roots))
    return tmp_path


@pytest.fixture
def injector() -> Iterator[Injector]:
    with Injector().activate() as injector:
        yield injector


@pytest.fixture
async def names(folders: Path, injector: Injector) -> AsyncIterator[dict[str, Any]]:
    """The names of the examples; the scheduler that they make ends with the test."""
    names: dict[str, Any] = {}
    yield names
    await injector.get("scheduler").deps.lifecycle.close()


async def run(names: dict[str, Any], *sources: str) -> Any:
    """Run examples one after another, and return the data of the last `result`."""
    for source in sources:
        code = compile(source, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.isawaitable(done := eval(code, names)):
            await done
    return names["result"].data


async def test_the_first_example_schedules_what_it_names(names: dict[str, Any], injector: Injector) -> None:
    """*Basic Job Scheduling*: metrics and storage_fs are there, though only the scheduler was made."""
    await run(names, BASIC)
    jobs = (await injector.run("scheduler", {"operation": "list"})).data["jobs"]
    assert [(job["job_name"], job["agentool_name"]) for job in jobs] == [("hourly_metrics", "metrics"), ("daily_backup", "storage_fs")]


async def test_all_of_them_run_one_after_another(names: dict[str, Any], injector: Injector) -> None:
    """Each example as it is printed, once the template is saved that one of them renders; only its date of 2024 is past."""
    await run(names, BASIC)
    await injector.run("templates", {"operation": "save", "template_name": "report", "template": "As of {{ timestamp }}"})
    data = await run(names, QUEUES, MANAGEMENT, IMMEDIATE, ADVANCED, URGENT, STATUS)
    expected = {"running": True, "apscheduler_available": True, "scheduler_state": 1}
    assert expected.items() <= data.items()
    with pytest.raises(ValueError, match="in the past"):
        await run(names, ONCE)


async def test_the_urgent_task_is_logged(names: dict[str, Any], injector: Injector) -> None:
    """*Schedule for immediate execution*: it runs, and the AgenTool `logging` has its message."""
    await run(names, BASIC)
    logged = asyncio.Event()
    names["agent"].deps.subscribe(lambda event: logged.set() if event.type == "scheduler.task.success" else None)
    await run(names, URGENT)
    await asyncio.wait_for(logged.wait(), SECONDS)
    records = (await injector.run("logging", {"operation": "read"})).records
    assert [(record.level, record.message) for record in records] == [("CRITICAL", "Urgent task executed")]


async def test_a_result_reaches_its_queue(names: dict[str, Any], injector: Injector) -> None:
    """*Queue Integration*: the queue is there before the first result, and has it afterwards."""
    await run(names, BASIC, ADVANCED)
    await injector.run("scheduler", {"operation": "run_now", "job_id": "custom_processor"})
    (message,) = (await injector.run("queue", {"operation": "dequeue", "queue_name": "config_results", "timeout": SECONDS})).data[
        "messages"
    ]
    assert message["message"]["result"]["value"] is True


@pytest.mark.parametrize("queue", [{}, {"result_queue": "results"}], ids=["target", "queue"])
async def test_a_name_that_is_none_is_still_refused(names: dict[str, Any], injector: Injector, queue: dict[str, str]) -> None:
    """And the nearest one is named, also if nothing else was asked for before."""
    create_scheduler_agent()
    with pytest.raises(UnknownTarget, match="Did you mean 'metrics'"):
        await injector.run("scheduler", {**HOURLY, **METRICS, **queue, "agentool_name": "metrcs"})


async def test_an_agentool_of_the_users_is_kept(names: dict[str, Any], injector: Injector) -> None:
    """Whether it was made before the scheduler or after, the others come beside it."""
    before = create_storage_kv_agent()
    create_scheduler_agent()
    await injector.run("scheduler", {**HOURLY, **METRICS})
    assert injector.get("storage_kv") is before


async def test_nothing_is_registered_before_it_is_asked_for(names: dict[str, Any], injector: Injector) -> None:
    """A scheduler that runs the user's own AgenTools stays alone."""
    create_scheduler_agent()
    await injector.run("scheduler", {"operation": "status"})
    assert list(injector.names()) == ["after", "scheduler"]


async def test_jobs_are_kept_where_the_setting_says(names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """*Job persistence*: with AGENTOOL_DATABASE what the examples schedule is there for the next process."""
    monkeypatch.setenv("AGENTOOL_DATABASE", str(tmp_path / "jobs.db"))
    await run(names, BASIC)
    with Injector().activate() as another:
        create_scheduler_agent()
        jobs = (await another.run("scheduler", {"operation": "list"})).data["jobs"]
        await another.get("scheduler").deps.lifecycle.close()
    assert [job["job_name"] for job in jobs] == ["hourly_metrics", "daily_backup"]


async def test_schedules_are_read_in_the_zone_that_the_setting_says(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting of the scheduler holds, and not its database alone."""
    monkeypatch.setenv("AGENTOOL_TIMEZONE", "Asia/Tokyo")
    assert (await run(names, BASIC))["timezone"] == "Asia/Tokyo"


def test_the_limits_of_agents_hold(folders: Path, injector: Injector, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is set for what agents schedule is a setting of the scheduler too."""
    monkeypatch.setenv("AGENTOOL_AGENTS_JOBS", "3")
    assert create_scheduler_agent().deps.parts.admission.jobs == 3


def test_without_a_database_they_are_in_memory(folders: Path, injector: Injector) -> None:
    """No file is made for what nobody asked to keep."""
    assert isinstance(create_scheduler_agent().deps.store, MemoryJobStore)
    assert {place.name for place in folders.iterdir()} == {"data", "backup"}


async def test_what_registers_the_others_is_called_again_after_a_failure(injector: Injector) -> None:
    """A variable that is wrong is told; once it is right, they are there."""
    create_scheduler_agent()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AGENTOOL_LOG_FILES", "many")
        with pytest.raises(ValueError, match="AGENTOOL_LOG_FILES"):
            injector.get("metrics")
    assert injector.get("metrics").name == "metrics"
    with pytest.raises(UnknownAgenTool):
        injector.get("nothing")
