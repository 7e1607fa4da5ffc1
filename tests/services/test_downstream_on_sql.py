"""Jobs that come after others, on a real database by a moved clock: restarts, stops, and processes that do not lead."""

from __future__ import annotations

import pytest

from agentoolkit.system.scheduler.engine.leadership import ROUND_SECONDS, TAKE_OVER_ROUNDS

from .lives import RUN, Life

SOON = ROUND_SECONDS * (TAKE_OVER_ROUNDS + 2)
"""Seconds after which whatever nobody works on was found."""


@pytest.fixture
async def life(life: Life) -> Life:
    """With a job that comes after another one."""
    await life.ask("schedule", job_id="extract", schedule="1 hour", **RUN)
    await life.ask("schedule", job_id="load", schedule="after extract", **RUN)
    return life


async def statuses(life: Life, job_id: str = "load") -> list[str]:
    return [row.status.value for row in reversed(await life.kit.scheduler.store.executions(job_id, 100))]


async def test_follower_starts_at_once(life: Life):
    """Where the leader ran what it comes after, no time passes in between."""
    await life.ask("run_now", job_id="extract")
    assert await statuses(life) == ["success"]


async def test_job_after_another_outlives_a_restart(life: Life):
    """It still comes after the other, and is not done, though it has no next time."""
    await life.ask("update", job_id="extract", schedule="10 seconds", max_runs=1)
    await life.restart()
    await life.advance(seconds=11)
    assert await statuses(life) == ["success"]


async def test_waiting_follower_outlives_a_restart(life: Life):
    """What was written down and had no room yet is started by the next process."""
    life.kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 0
    await life.ask("run_now", job_id="extract")
    before = await statuses(life)
    await life.restart()
    await life.advance(seconds=1)
    assert (before, await statuses(life)) == (["queued"], ["success"])


async def test_follower_waits_while_all_is_stopped(life: Life):
    """What ends while another process has stopped the scheduler is followed when it is started again."""
    await life.kit.scheduler.store.set_stopped(True)
    await life.advance(seconds=1)
    await life.ask("run_now", job_id="extract")
    await life.advance(seconds=2 * SOON)
    before = await statuses(life)
    await life.ask("start")
    await life.advance(seconds=SOON)
    assert (before, await statuses(life)) == (["queued"], ["success"])


async def test_run_of_a_process_that_stands_by_is_followed_soon(life: Life):
    """What comes after a run by hand in a process that does not lead is found by it."""
    other = Life(life.database, life.clock)
    await other.open()
    await other.ask("run_now", job_id="extract")
    await other.advance(seconds=SOON)
    found = await statuses(life)
    await other.close()
    assert (found, life.starts + other.starts) == (["success"], 2)


# At every start


async def test_job_of_every_start_runs_at_each_restart(life: Life):
    """Not when it is scheduled, but once at each start after it."""
    await life.ask("schedule", job_id="boots", schedule="@reboot", **RUN)
    found = [await statuses(life, "boots")]
    for _ in range(2):
        await life.restart()
        await life.advance(seconds=SOON)
        found.append(await statuses(life, "boots"))
    assert found == [[], ["success"], ["success", "success"]]


async def test_stop_and_start_is_a_start(life: Life):
    """The operations count as a new process does."""
    await life.ask("schedule", job_id="boots", schedule="@reboot", **RUN)
    await life.ask("stop")
    await life.ask("start")
    await life.advance(seconds=SOON)
    assert await statuses(life, "boots") == ["success"]


async def test_takeover_is_no_start(life: Life):
    """A process that stood by and leads now starts nothing, and neither does one that comes to stand by."""
    await life.ask("schedule", job_id="boots", schedule="@reboot", **RUN)
    other = Life(life.database, life.clock)
    await other.open()
    await other.advance(seconds=1)
    await life.close()
    await other.advance(seconds=SOON)
    leads = other.kit.scheduler.lifecycle.engine.leading
    found = await statuses(other, "boots")
    await other.close()
    assert (leads, found, other.starts) == (True, [], 0)


async def test_lead_that_comes_back_is_no_start(life: Life):
    """A process that lost the lead for a while, and nobody took it."""
    await life.ask("schedule", job_id="boots", schedule="@reboot", **RUN)
    store, lead = life.kit.scheduler.store, life.kit.scheduler.store.lead

    async def nobody(_: object) -> bool:
        return False

    store.lead = nobody
    await life.advance(seconds=2)
    store.lead = lead
    await life.advance(seconds=SOON)
    assert (life.kit.scheduler.lifecycle.engine.leading, await statuses(life, "boots")) == (True, [])
