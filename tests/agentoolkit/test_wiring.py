"""A toolkit's life: what it registers, what it takes over, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentoolkit
from agentool import ConfigurationError, Injector, get_injector
from agentoolkit.settings import Settings, ShellSettings
from agentoolkit.system.queue import create_queue_agent
from agentoolkit.system.scheduler import create_scheduler_agent
from agentoolkit.wiring import Toolkit

JOB = {"operation": "schedule", "job_id": "job", "schedule": "1 day", "agentool_name": "storage_kv"}
SET = {"operation": "set", "key": "a", "value": 1}


def settings(**given: Any) -> Settings:
    return Settings.from_values({"timezone": "UTC", "log_console": False, **given})


def test_the_toolkit_is_imported_from_the_package() -> None:
    """``from agentoolkit import Toolkit`` is the class that `agentoolkit.wiring` defines."""
    assert agentoolkit.Toolkit is Toolkit


async def test_names_are_known_before_anything_is_made() -> None:
    """Every AgenTool has its name at once."""
    async with Toolkit(settings(), runs_jobs=False) as kit:
        names = {"after", "config", "function", "http", "logging", "mcp", "metrics", "notification", "queue"}
        assert names | {"scheduler", "sequence", "shell", "storage_fs", "storage_kv", "templates"} <= set(kit.injector.names())


@pytest.mark.parametrize("used", [False, True])
async def test_a_toolkit_takes_over_a_scheduler_in_memory(used: bool) -> None:
    """``create_scheduler_agent()`` before ``Toolkit(injector=…)``: there is one scheduler, with the jobs it has."""
    injector = Injector()
    with injector.activate():
        agent = create_scheduler_agent()
        create_queue_agent()
        if used:
            await injector.run("scheduler", {"operation": "status"})
        async with Toolkit(settings(), injector=injector) as kit:
            await injector.run("scheduler", {**JOB, "input_data": SET})
            assert kit.scheduler is agent.deps
            assert [stored.job.job_id for stored in await kit.scheduler.lookup.jobs()] == ["job"]


async def test_a_scheduler_made_after_a_toolkit_is_the_toolkits() -> None:
    """``create_scheduler_agent()`` inside of the block returns what is there."""
    async with Toolkit(settings()) as kit:
        assert create_scheduler_agent().deps is kit.scheduler
        assert create_queue_agent().deps is kit.queue


async def test_a_toolkit_with_a_database_replaces_what_is_unused(tmp_path: Any) -> None:
    """Jobs then are kept in the database, whatever was made before."""
    injector = Injector()
    create_scheduler_agent(injector=injector)
    create_queue_agent(injector=injector)
    async with Toolkit(settings(database=str(tmp_path / "a.db")), injector=injector) as kit:
        assert injector.get("scheduler").deps is kit.scheduler
        assert injector.get("queue").deps is kit.queue


async def test_a_toolkit_with_a_database_refuses_jobs_in_memory(tmp_path: Any) -> None:
    """A scheduler that holds something is not dropped in silence."""
    injector = Injector()
    scheduler = create_scheduler_agent(injector=injector).deps
    await injector.run("scheduler", {"operation": "status"})
    with pytest.raises(ConfigurationError, match="in memory"):
        Toolkit(settings(database=str(tmp_path / "a.db")), injector=injector)
    await scheduler.lifecycle.close()


async def test_an_agentool_of_the_users_stays() -> None:
    """The toolkit brings the others."""
    from agentoolkit.actions.shell import create_shell_agent

    injector = Injector()
    own = create_shell_agent(ShellSettings(programs=("true",)), injector=injector)
    async with Toolkit(settings(), injector=injector):
        assert injector.get("shell") is own


def test_a_toolkit_that_cannot_be_made_registers_nothing() -> None:
    """A plugin that is not installed leaves the injector as it was."""
    injector = Injector()
    with pytest.raises(ConfigurationError):
        Toolkit(settings(plugins=("no_such_plugin",)), injector=injector)
    assert list(injector.names()) == []


async def test_a_failed_start_registers_nothing_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a start that failed the same toolkit, or another one, can be opened with that injector."""
    injector = Injector()
    kit = Toolkit(settings(), injector=injector)
    with monkeypatch.context() as patched:
        patched.setattr(kit.scheduler.lifecycle, "ready", _fail)
        with pytest.raises(OSError, match="not now"):
            await kit.__aenter__()
    assert list(injector.names()) == []
    assert get_injector() is not injector
    async with kit:
        await injector.run("scheduler", {**JOB, "input_data": SET})
    del kit


@pytest.mark.parametrize("failing", ["scheduler", "queue"])
async def test_one_failure_at_the_end_skips_nothing(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails to end is told, and everything else has ended."""
    ended: list[str] = []
    kit = Toolkit(settings())
    for name, part in (("scheduler", kit.scheduler.lifecycle), ("queue", kit.queue)):
        monkeypatch.setattr(part, "close", _noting(name, ended, part.close, failing))
    await kit.__aenter__()
    with pytest.raises(OSError, match="not now"):
        await kit.__aexit__(None, None, None)
    assert ended == ["scheduler", "queue"]
    assert get_injector() is not kit.injector


async def test_a_toolkit_may_be_closed_in_another_task() -> None:
    """Everything ends there, too."""
    kit = await asyncio.create_task(Toolkit(settings()).__aenter__())
    await asyncio.create_task(kit.__aexit__(None, None, None))
    assert kit.scheduler.lifecycle.engine is None


async def _fail() -> None:
    raise OSError("not now")


def _noting(name: str, ended: list[str], end: Any, failing: str) -> Any:
    async def close(*given: Any) -> None:
        ended.append(name)
        await end(*given)
        if name == failing:
            await _fail()

    return close


async def test_a_toolkit_that_closes_opens_its_database_no_more(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scheduler and its queues end before its events do, of which the last is written down when all else is over."""
    kit = Toolkit(settings(database=str(tmp_path / "jobs.db")))
    opened: list[bool] = []
    close = kit.queue.close

    async def close_and_tell() -> None:
        await close()
        kit.events.publish("test.late", "test")

    monkeypatch.setattr(kit.queue, "close", close_and_tell)
    async with kit:
        await kit.injector.run("scheduler", {**JOB, "input_data": SET})
        assert kit.database is not None
        connect = kit.database.dialect.connect
        monkeypatch.setattr(kit.database.dialect, "connect", lambda writes: opened.append(writes) or connect(writes=writes))
    assert (opened, kit.database.is_open) == ([], False)
