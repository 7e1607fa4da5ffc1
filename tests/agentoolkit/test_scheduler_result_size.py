"""How large results may be: one by itself, and all that are kept of a job."""

from __future__ import annotations

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.errors import ExecutionFailed
from agentoolkit.testing import TestToolkit, toolkit


async def returning(kit: TestToolkit, characters: int, **fields: object) -> None:
    """Schedule a job that reads a value of so many characters every minute."""
    await kit.injector.run("storage_kv", {"operation": "set", "key": "large", "value": "x" * characters})
    read = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "large"}}
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "1 minute", **read, **fields})


async def history(kit: TestToolkit) -> list[dict[str, object]]:
    return (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "job"})).data["history"]


async def test_too_large_result_is_a_failure():
    """A result beyond ``result_size`` fails its execution, says both sizes and names the setting."""
    async with toolkit(settings=Settings(result_size=1_000)) as kit:
        await returning(kit, 5_000)
        await kit.advance(minutes=1)
        (record,) = await history(kit)
    error = record["error"]
    assert (record["status"], record["result"], record["reason"]) == ("failed", None, "its result could not be recorded")
    assert isinstance(error, dict)
    assert "at most 1,000 are stored" in error["message"]
    assert "'result_size'" in error["message"]


async def test_too_large_result_is_not_run_again():
    """Its handler has done its work: whatever retries the job has, it is not called a second time."""
    async with toolkit(settings=Settings(result_size=1_000)) as kit:
        await returning(kit, 5_000, max_retries=3)
        await kit.advance(seconds=90)
        assert [(record["status"], record["attempt"]) for record in await history(kit)] == [("failed", 1)]


async def test_run_now_refuses_a_too_large_result():
    """Who waits for the result is told the same."""
    async with toolkit(settings=Settings(result_size=1_000)) as kit:
        await returning(kit, 5_000)
        with pytest.raises(ExecutionFailed, match="at most 1,000 are stored"):
            await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "job"})


@pytest.mark.parametrize("database", [None, "jobs.db"])
async def test_results_of_a_job_are_bounded_together(database: str | None, tmp_path):
    """``history_size`` bounds what is kept of all results: the records stay, the oldest without theirs."""
    where = None if database is None else str(tmp_path / database)
    async with toolkit(settings=Settings(database=where, history_size=10_000)) as kit:
        await returning(kit, 4_000)
        for _ in range(5):
            await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "job"})
            await kit.advance(seconds=1)
        held = [record["result"] is not None for record in await history(kit)]
    assert held == [True, True, False, False, False]


async def test_lists_without_results_load_none():
    """list_executions with ``with_results: false`` shows no result."""
    async with toolkit() as kit:
        await returning(kit, 4_000)
        await kit.advance(minutes=2)
        asked = {"operation": "list_executions", "with_results": False}
        assert [one["result"] for one in (await kit.injector.run("scheduler", asked)).data["history"]] == [None, None]
