"""The stores of jobs that the contract suite runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime

from .job_store_steps import START


def memory(request: pytest.FixtureRequest) -> JobStore:
    return MemoryJobStore()


def sqlite(request: pytest.FixtureRequest) -> JobStore:
    path = request.getfixturevalue("sqlite_database")
    return SqlJobStore(Database(dialect_for(str(path), "normal"), MIGRATIONS), ManualTime(START))


def postgres(request: pytest.FixtureRequest) -> JobStore:
    url = request.getfixturevalue("postgres_url")
    return SqlJobStore(Database(dialect_for(url), MIGRATIONS), ManualTime(START))


@pytest.fixture
def postgres_url(emptied_postgres_url: str) -> str:
    """What a store finds that another one opened before it: migrations are tried elsewhere."""
    return emptied_postgres_url


STORES: dict[str, Callable[[pytest.FixtureRequest], JobStore]] = {"memory": memory, "sqlite": sqlite, "postgres": postgres}
"""Each makes a store that holds nothing."""


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, nothing_left: None) -> AsyncIterator[JobStore]:
    made = STORES[request.param](request)
    await made.open()
    assert await made.lead(START)
    yield made
    await made.close()


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime(START)


@pytest.fixture
async def first(database_url: str, clock: ManualTime, nothing_left: None) -> AsyncIterator[SqlJobStore]:
    """A store that leads."""
    store = SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock)
    await store.open()
    assert await store.lead(START)
    yield store
    await store.close()


@pytest.fixture
async def second(first: SqlJobStore, database_url: str, clock: ManualTime) -> AsyncIterator[SqlJobStore]:
    """Another store on the same database: another owner."""
    store = SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock)
    await store.open()
    yield store
    await store.close()
