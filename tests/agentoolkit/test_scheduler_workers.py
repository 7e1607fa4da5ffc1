"""The scheduler itself: who stopped it and why, which processes share its store, and what comes before and after a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.errors import NotPermitted
from agentoolkit.testing import TestToolkit, toolkit
from agentoolkit.wiring import Toolkit

LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
MARIA = Caller("maria", door="cli", scopes=OWN | {"admin"})


async def ask(kit: Toolkit, operation: str, **fields: Any) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": operation, **fields})).data


async def stop(kit: TestToolkit, reason: str) -> None:
    with acting_as(MARIA):
        await ask(kit, "stop", reason=reason)


async def test_a_stop_says_who_and_why() -> None:
    """As long as it lasts; a secret in the reason is hidden."""
    async with toolkit() as kit:
        await stop(kit, "the database moves, password=hunter2")
        assert (await ask(kit, "status"))["stop_reason"] == "stopped by maria: the database moves, password=[redacted]"
        await ask(kit, "start")
        assert (await ask(kit, "status"))["stop_reason"] == ""


async def test_a_stop_is_in_the_audit() -> None:
    """With the one who let it go on."""
    async with toolkit() as kit:
        await stop(kit, "no reason")
        await ask(kit, "start")
        assert [(entry["action"], entry["caller"]["name"]) for entry in (await ask(kit, "audit"))["entries"]] == [
            ("resumed", "code"),
            ("stopped", "maria"),
        ]


async def test_a_process_of_its_own_is_the_one_worker() -> None:
    """It leads."""
    async with toolkit() as kit:
        (worker,) = (await ask(kit, "list_workers"))["workers"]
        assert (worker["leads"], worker["executions"]) == (True, [])


async def test_processes_that_share_a_store_are_workers(tmp_path: Path) -> None:
    """One of two leads."""
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "shared.db")})
    async with Toolkit(settings) as first, Toolkit(settings) as second:
        await ask(first, "status")
        await ask(second, "status")
        assert [worker["leads"] for worker in (await ask(second, "list_workers"))["workers"]] == [True, False]


async def test_workers_are_for_administrators() -> None:
    """Others learn nothing of the machines."""
    async with toolkit() as kit:
        with acting_as(Caller("maria", door="rest", scopes=OWN)), pytest.raises(NotPermitted):
            await ask(kit, "list_workers")


async def test_a_job_names_its_neighbours() -> None:
    """The one that it comes after, and those that come after it."""
    async with toolkit() as kit:
        for name, when in (("extract", "every hour"), ("load", "after extract"), ("report", "after load")):
            await ask(kit, "schedule", job_name=name, schedule=when, **LIST)
        job = await ask(kit, "get_job", job_id="load")
        assert (job["upstream"], job["downstream"]) == ("extract", ["report"])


async def test_neighbours_of_others_are_not_named() -> None:
    """An owner's job that another's comes after does not say so."""
    async with toolkit() as kit:
        with acting_as(Caller("maria", door="rest", scopes=OWN)):
            await ask(kit, "schedule", job_name="extract", schedule="every hour", **LIST)
        await ask(kit, "schedule", job_name="load", schedule="after extract", **LIST)
        with acting_as(Caller("maria", door="rest", scopes=OWN)):
            assert (await ask(kit, "get_job", job_id="extract"))["downstream"] == []
