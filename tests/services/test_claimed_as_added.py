"""A job that is due when it is added is claimed by the commit that adds it."""

from __future__ import annotations

import asyncio

import pytest

from agentoolkit.database.worker import DatabaseThread
from agentoolkit.system.scheduler import JobExists

from .lives import RUN, Life

NOW = {"schedule": "now", **RUN}


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note each commit of a transaction that writes."""
    noted, commit = list[int](), DatabaseThread._commit

    def noting(thread: DatabaseThread, cursor: object) -> None:
        if thread._writes:
            noted.append(1)
        commit(thread, cursor)  # type: ignore[arg-type]

    monkeypatch.setattr(DatabaseThread, "_commit", noting)
    return noted


async def test_job_for_now_is_one_commit_and_its_end(life: Life, commits: list[int]):
    """It is added, claimed and begun by one commit, and ended by another, which is a statement by itself on PostgreSQL."""
    await life.ask("schedule", job_id="job", **NOW)
    assert (life.starts, len(commits)) == (1, 1 if life.database.startswith("postgres") else 2)


async def test_jobs_asked_for_together_share_it(life: Life, commits: list[int]):
    """Sixteen that are added in one turn of the event loop are claimed by one commit, and run once each."""
    await asyncio.gather(*(life.ask("schedule", job_id=f"job{number}", **NOW) for number in range(16)))
    runs = [len(await life.kit.scheduler.store.executions(f"job{number}", 10)) for number in range(16)]
    assert (life.starts, runs) == (16, [1] * 16)
    assert len(commits) <= 3


async def test_refused_job_runs_nothing(life: Life):
    """An id that is taken is refused, and the job that has it keeps its time."""
    await life.ask("schedule", job_id="job", schedule="1 minute", **RUN)
    with pytest.raises(JobExists):
        await life.ask("schedule", job_id="job", **NOW)
    before = life.starts
    await life.advance(minutes=1.5)
    assert (before, life.starts) == (0, 1)


async def test_job_whose_caller_leaves_runs(life: Life):
    """Who asked for it is cancelled while it is being written: it is there, and has run once."""
    asking = asyncio.ensure_future(life.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", **NOW}))
    for _ in range(100):
        await asyncio.sleep(0)
        if life.kit.database._gathered:
            break
    asking.cancel()
    await life.quiet()
    found = await life.kit.scheduler.store.executions("job", 10)
    assert (life.starts, [one.status.value for one in found]) == (1, ["success"])


async def test_job_added_while_claims_are_suspended_waits(life: Life):
    """It is added, and runs when claims go on."""
    engine = life.kit.scheduler.lifecycle.engine
    assert engine is not None
    engine.claiming.suspend()
    await life.ask("schedule", job_id="job", **NOW)
    before = life.starts
    engine.claiming.resume()
    await life.quiet()
    assert (before, life.starts) == (0, 1)


async def test_job_fires_again_after_its_first_run(life: Life):
    """An interval that begins now has its next alarm."""
    await life.ask("schedule", job_id="job", schedule="1 minute", start_at=life.now.isoformat(), **RUN)
    await life.advance(minutes=3)
    assert life.starts >= 3


async def test_commit_that_fails_once_loses_nothing(life: Life, monkeypatch: pytest.MonkeyPatch):
    """Where the common commit fails, each is tried by itself: the job is there, and has run once."""
    failed, commit = list[int](), DatabaseThread._commit

    def fail_once(thread: DatabaseThread, cursor: object) -> None:
        if thread._writes and not failed:
            failed.append(1)
            thread._undo(error := OSError("disk is full"))
            raise error
        commit(thread, cursor)  # type: ignore[arg-type]

    monkeypatch.setattr(DatabaseThread, "_commit", fail_once)
    await life.ask("schedule", job_id="job", **NOW)
    await life.advance(seconds=2)
    found = await life.kit.scheduler.store.executions("job", 10)
    assert (failed, life.starts, [one.status.value for one in found]) == ([1], 1, ["success"])
