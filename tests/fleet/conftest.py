"""Servers of the fleet's own, because they are stopped and killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.servers import Postgres, free_port, postgres_running, redis_running

from .fleet import Fleet


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that can be stopped."""
    with postgres_running() as server:
        yield server


class Redis:
    """A Redis server that can be killed, and started again on its port with nothing in it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._running = ExitStack()
        self.start()

    def start(self) -> None:
        self.url = self._running.enter_context(redis_running(self._folder, self._port))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


MakeFleet = Callable[..., Fleet]


@pytest.fixture(scope="module")
def make_fleet(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeFleet]:
    """Make a fleet with a database of its own: ``make_fleet(broker, lease=…)``."""
    made: list[Fleet] = []

    def make(broker: str, lease: float = 0.0) -> Fleet:
        name = f"fleet_{uuid4().hex[:8]}"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        made.append(Fleet(tmp_path_factory.mktemp(name), postgres.url.replace("/postgres?", f"/{name}?"), broker, lease))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()
