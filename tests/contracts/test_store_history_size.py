"""What every store of jobs owes: the results that are kept of a job are bounded together."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime

from .job_store_steps import START, add, at, begin, claim, claim_one, finish, succeed

SIZE, LENGTH = 1_000, 10
"""Results from a hundred characters on count."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def small(request: pytest.FixtureRequest, nothing_left: None) -> AsyncIterator[JobStore]:
    """A store that keeps ten executions of a job, and a thousand characters of their results."""
    made: JobStore
    if request.param == "memory":
        made = MemoryJobStore(history_length=LENGTH, history_size=SIZE)
    else:
        where = request.getfixturevalue("sqlite_database" if request.param == "sqlite" else "postgres_url")
        database = Database(dialect_for(str(where), "normal"), MIGRATIONS)
        made = SqlJobStore(database, ManualTime(START), history_length=LENGTH, history_size=SIZE)
    await made.open()
    assert await made.lead(START)
    yield made
    await made.close()


async def returned(store: JobStore, minute: int, characters: int) -> str:
    """Let the job's next execution return so many characters of JSON."""
    ended = succeed(await begin(store, await claim_one(store, minute)), "x" * (characters - 2))
    assert (await finish(store, ended)).written
    return ended.execution_id


async def kept(store: JobStore) -> list[int]:
    """Return how long the results are that the history holds, the newest first; 0: none."""
    return [len(one.result) + 2 if one.result else 0 for one in await store.executions("job", 100)]


async def test_oldest_results_make_room(small: JobStore):
    """Results of together more than the limit lose the oldest ones, and no record."""
    await add(small)
    for minute in range(1, 5):
        await returned(small, minute, 400)
    assert await kept(small) == [400, 400, 0, 0]


async def test_what_is_left_out_says_so(small: JobStore):
    """A record without its result is still a success, with the reason why the result is not there."""
    await add(small)
    first = await returned(small, 1, 600)
    await returned(small, 2, 600)
    execution = await small.execution(first)
    assert execution is not None
    assert (execution.status, execution.result) == (ExecutionStatus.SUCCESS, None)
    assert execution.reason == "its result was left out, to make room for those of newer executions"


async def test_newest_result_is_kept_whatever_its_size(small: JobStore):
    """One result beyond the limit is kept, and nothing beside it that counts."""
    await add(small)
    for minute, characters in enumerate((200, 50, 5_000), 1):
        await returned(small, minute, characters)
    assert await kept(small) == [5_000, 50, 0]


async def test_small_results_do_not_count(small: JobStore):
    """As many small results as records are kept stay, beside large ones."""
    await add(small)
    for minute, characters in enumerate((99, 99, 500, 99, 500, 99), 1):
        await returned(small, minute, characters)
    assert await kept(small) == [99, 500, 99, 500, 99, 99]


async def test_pruned_results_count_no_more(small: JobStore):
    """A large result whose record has left the history takes no room from those that came after it."""
    await add(small)
    await returned(small, 1, 900)
    for minute in range(2, 12):
        await returned(small, minute, 10)
    await returned(small, 12, 900)
    assert (await kept(small))[:2] == [900, 10]


async def test_jobs_do_not_share_their_room(small: JobStore):
    """What one job returned takes no room from another."""
    await add(small)
    await returned(small, 1, 900)
    await add(small, "other")
    (other,) = await claim(small, 1, "other")
    await finish(small, succeed(await begin(small, other), "x" * 900))
    assert await kept(small) == [900]


async def test_an_import_makes_room_too(small: JobStore):
    """Records that are inserted as they ended are bounded like those that end here."""
    await add(small)
    ended = succeed(await begin(small, await claim_one(small)), "x" * 598)
    await small.insert([ended._replace(execution_id=f"job@now-{number}", finished_at=at(number)) for number in range(2, 5)])
    assert sorted(await kept(small)) == [0, 0, 0, 600]
