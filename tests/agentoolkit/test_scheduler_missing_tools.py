"""Due work whose AgenTool is not registered when a toolkit opens waits for it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

START = "2030-01-01T00:00:00+00:00"


class LateInput(BaseOperationInput):
    operation: Literal["run"]


async def late_run(ctx: RunContext[list[int]]) -> str:
    ctx.deps.append(1)
    return "done"


def register(kit: TestToolkit) -> list[int]:
    calls: list[int] = []
    create_agentool("late", LateInput, {"run": late_run}, deps=calls, injector=kit.injector)
    return calls


def opened(database: Path, at: str = START) -> TestToolkit:
    settings = Settings.from_values({"database": str(database), "durability": "normal", "timezone": "UTC"})
    return TestToolkit(settings, ManualTime(at), Injector())


@pytest.fixture
async def database(sqlite_database: Path) -> Path:
    """A database with a single run that is due at half past midnight, and one each hour."""
    async with opened(sqlite_database) as kit:
        register(kit)
        for job_id, schedule in (("once", "2030-01-01T00:30:00"), ("hourly", "30 * * * *")):
            job = {"operation": "schedule", "job_id": job_id, "schedule": schedule, "agentool_name": "late", "misfire_grace_time": 36_000}
            await kit.injector.run("scheduler", {**job, "input_data": {"operation": "run"}})
    return sqlite_database


async def statuses(kit: TestToolkit) -> list[str]:
    rows = await kit.scheduler.store.executions(None, 10)
    return sorted(row.status.value for row in rows)


async def settled(kit: TestToolkit, calls: list[int], number: int) -> None:
    for _ in range(200):
        await kit.advance(seconds=1)
        if len(calls) == number and set(await statuses(kit)) == {"success"}:
            return


async def test_registered_first_in_the_block_is_in_time(database: Path, caplog):
    """What the block registers in its first line runs what was due, without a warning."""
    async with opened(database, "2030-01-01T00:45:00+00:00") as kit:
        calls = register(kit)
        await settled(kit, calls, 2)
        assert (len(calls), await statuses(kit)) == (2, ["success", "success"])
    assert "no AgenTool is named" not in caplog.text


async def test_registered_late_it_is_waited_for(database: Path, caplog):
    """An AgenTool that comes later finds its due work waiting, queued, and a warning was written of it once."""
    caplog.set_level(logging.WARNING)
    async with opened(database, "2030-01-01T00:45:00+00:00") as kit:
        for _ in range(100):
            await kit.advance(seconds=1)
            if len(await statuses(kit)) == 2:
                break
        before = await statuses(kit)
        await kit.advance(seconds=5)
        warned = caplog.text.count("'late'")
        calls = register(kit)
        await settled(kit, calls, 2)
        assert (before, warned, len(calls), await statuses(kit)) == (["queued", "queued"], 2, 2, ["success", "success"])


async def test_never_registered_it_waits_for_the_next_process(database: Path):
    """A process that never has the AgenTool gives the due work back when it ends; the next one that has it runs it."""
    async with opened(database, "2030-01-01T00:45:00+00:00") as kit:
        for _ in range(100):
            await kit.advance(seconds=1)
            if len(await statuses(kit)) == 2:
                break
    async with opened(database, "2030-01-01T00:55:00+00:00") as kit:
        calls = register(kit)
        await settled(kit, calls, 2)
        assert (len(calls), await statuses(kit)) == (2, ["success", "success"])


async def test_cancelled_while_it_waits_for_its_tool_it_ends(database: Path):
    """An execution that waits for its AgenTool can be cancelled, and does not start when that comes."""
    async with opened(database, "2030-01-01T00:45:00+00:00") as kit:
        for _ in range(100):
            await kit.advance(seconds=1)
            if len(await statuses(kit)) == 2:
                break
        for row in await kit.scheduler.store.executions(None, 10):
            await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": row.execution_id})
        calls = register(kit)
        await kit.advance(minutes=5)
        assert (calls, await statuses(kit)) == ([], ["cancelled", "cancelled"])


async def shown(kit: TestToolkit, operation: str, **asked: str) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": operation, **asked})).data


async def test_what_waits_is_shown_wherever_the_job_is(database: Path) -> None:
    """get_job, list and list_executions say of what is due which AgenTool it waits for."""
    async with opened(database, "2030-01-01T00:40:00+00:00") as kit:
        await kit.advance(seconds=5)
        job = await shown(kit, "get_job", job_id="hourly")
        listed = (await shown(kit, "list"))["jobs"]
        waiting = (await shown(kit, "list_executions", execution_status="queued"))["history"]
        told = [job["info"]["reason"], job["recent_history"][0]["reason"], *(one["reason"] for one in [*listed, *waiting])]
    assert len(told) >= 5
    assert set(told) == {"AgenTool 'late' is not registered here; what is due waits for it"}


async def test_a_job_whose_agentool_is_there_waits_for_none(database: Path) -> None:
    """Once its AgenTool is registered nothing is said of it."""
    async with opened(database) as kit:
        register(kit)
        assert (await shown(kit, "get_job", job_id="hourly"))["info"]["reason"] == ""
        assert [one["reason"] for one in (await shown(kit, "list"))["jobs"]] == ["", ""]


async def test_a_paused_job_says_why_it_is_paused(database: Path) -> None:
    """Nothing of a paused job waits: its reason stays what whoever paused it said."""
    async with opened(database) as kit:
        await shown(kit, "pause", job_id="hourly", reason="holidays")
        assert "holidays" in (await shown(kit, "get_job", job_id="hourly"))["info"]["reason"]
