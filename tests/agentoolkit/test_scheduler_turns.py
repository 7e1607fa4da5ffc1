"""What is about many jobs lets others on the event loop have their turn: counted in portions, because time depends on the machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.engine import claiming, leadership
from agentoolkit.system.scheduler.engine.engine import Engine
from agentoolkit.system.scheduler.search import read_search
from agentoolkit.system.scheduler.stores import memory_queries, memory_search
from agentoolkit.testing import ManualTime
from agentoolkit.transfer import Everything, backup, export_lines
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
JOBS = 7


@asynccontextmanager
async def filled() -> AsyncIterator[tuple[Toolkit, Engine]]:
    """A toolkit with jobs in memory, job0 to job6, each due in an hour."""
    async with Toolkit(Settings(database=None, timezone="UTC"), time=ManualTime(NOW)) as kit:
        asked = {"operation": "schedule", "schedule": "1 hour", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}
        for number in range(JOBS):
            await kit.injector.run("scheduler", {**asked, "job_name": f"job{number}"})
        engine = kit.scheduler.lifecycle.engine
        assert engine is not None
        yield kit, engine


@asynccontextmanager
async def rung(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Toolkit, Engine]]:
    """Its jobs have come due, and are claimed two at a time, the first of them in the next turn."""
    monkeypatch.setattr(claiming, "MAX_AT_ONCE", 2)
    async with filled() as (kit, engine):
        monkeypatch.setattr(kit.scheduler.parts.time, "now", lambda: NOW + timedelta(hours=1))
        engine.claiming.open()
        engine.claiming.ring({f"job{number}": NOW + timedelta(hours=1) for number in range(JOBS)})
        yield kit, engine


async def turns(work: Awaitable[object]) -> int:
    """Do work that waits for nobody, and count how often others had their turn meanwhile."""
    doing = asyncio.ensure_future(work)
    counted = 0
    while not doing.done():
        await asyncio.sleep(0)
        counted += 1
    await doing
    return counted - 1  # one turn is there for work that never suspends


async def test_a_search_in_memory_looks_at_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Others have a turn after each portion, and what is found is the same."""
    monkeypatch.setattr(memory_search, "PORTION", 2)
    async with filled() as (kit, _):
        search = read_search("job0,job3,job6", "jobs", me="code", now=NOW)
        absent = read_search("absent", "jobs", me="code", now=NOW)
        found = await kit.scheduler.store.search_jobs(read_search("job:job0,job6", "jobs", me="code", now=NOW), 10)
        assert await turns(kit.scheduler.store.search_jobs(absent, 10)) == JOBS // 2
        assert await turns(kit.scheduler.store.search_jobs(search, 10)) == JOBS // 2
    assert [stored.job.job_id for stored in found.jobs] == ["job0", "job6"]


async def test_a_search_in_memory_ends_where_a_page_may_look_no_further(monkeypatch: pytest.MonkeyPatch):
    """A page looks at as many records as `WINDOW` says, in portions, and the next begins after them."""
    monkeypatch.setattr(memory_search, "PORTION", 2)
    monkeypatch.setattr(memory_search, "WINDOW", 4)
    async with filled() as (kit, _):
        search = read_search("job:job5", "jobs", me="code", now=NOW)
        first = await kit.scheduler.store.search_jobs(search, 10)
        second = await kit.scheduler.store.search_jobs(search, 10, first.following)
    assert (first.jobs, first.following and first.following.id) == ([], "job3")
    assert ([stored.job.job_id for stored in second.jobs], second.following) == (["job5"], None)


async def test_all_jobs_in_memory_are_put_in_order_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Others have a turn after each portion, and the jobs are those of one moment, the oldest first."""
    monkeypatch.setattr(memory_queries, "PORTION", 2)
    async with filled() as (kit, _):
        store = kit.scheduler.store
        assert await turns(store.jobs()) == 2 * (JOBS // 2)  # once to sort portions, once to put these together
        reading = asyncio.ensure_future(store.jobs())
        await asyncio.sleep(0)
        await store.remove("job6", NOW)
        found = [stored.job.job_id for stored in await reading]
    assert found == [f"job{number}" for number in range(JOBS)]


async def test_who_takes_the_lead_sets_a_portion_of_alarms_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Others have a turn between portions, and an alarm that is set in one of them is not replaced by what was read before."""
    monkeypatch.setattr(leadership, "ALARMS_AT_ONCE", 2)
    async with filled() as (_, engine):
        engine.clock.clear()
        taking = asyncio.ensure_future(engine.leadership._take_lead())
        await asyncio.sleep(0)
        set_by_then = [number for number in range(JOBS) if engine.clock.has_alarm(f"job{number}")]
        engine.set_alarm("job6", NOW + timedelta(minutes=1))
        await taking
        alarms = {alarm.id: alarm.next_run_time for alarm in engine.clock._alarms.get_all_jobs()}
    assert set_by_then == [0, 1]
    assert alarms == {**{f"job{number}": NOW + timedelta(hours=1) for number in range(JOBS)}, "job6": NOW + timedelta(minutes=1)}


async def test_an_export_writes_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Others have a turn after each portion of an export."""
    monkeypatch.setattr(backup, "AT_ONCE", 2)
    async with filled() as (kit, _):
        held = Everything(kit.scheduler.store, kit.queue.backend, kit.values)

        async def export() -> list[str]:
            return [line async for line in export_lines(held, NOW)]

        assert await turns(export()) >= JOBS // 2
        assert len(await export()) == 1 + JOBS


async def test_many_jobs_due_at_once_are_claimed_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Others have a turn after each portion, and none that is due is left out."""
    async with rung(monkeypatch) as (kit, engine):
        assert await turns(engine.claiming.wait_idle()) >= JOBS // 2
        found = await kit.scheduler.store.executions(None, 10)
    assert sorted(execution.job_id for execution in found) == [f"job{number}" for number in range(JOBS)]


async def test_a_stop_between_two_portions_leaves_the_rest_due(monkeypatch: pytest.MonkeyPatch):
    """What was not claimed when a scheduler stops is claimed by whoever starts it again, and waits nowhere meanwhile."""
    async with rung(monkeypatch) as (kit, engine):
        await asyncio.sleep(0)
        engine.claiming.stop()
        await engine.claiming.wait_idle()
        assert len(await kit.scheduler.store.executions(None, 10)) == 2


async def test_a_suspension_between_two_portions_puts_the_rest_by(monkeypatch: pytest.MonkeyPatch):
    """Nothing is claimed while claims are suspended, also of what rang before; all of it is claimed after."""
    async with rung(monkeypatch) as (kit, engine):
        await asyncio.sleep(0)
        async with kit.scheduler.lifecycle.claims_suspended():
            await engine.claiming.wait_idle()
            claimed = len(await kit.scheduler.store.executions(None, 10))
        await engine.claiming.wait_idle()
        assert (claimed, len(await kit.scheduler.store.executions(None, 10))) == (2, JOBS)
