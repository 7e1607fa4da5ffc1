"""The writer thread: what is asked together is committed together, and what goes wrong stays with who asked for it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agentoolkit.database import Database, DatabaseError
from agentoolkit.dialects import Sqlite, dialect_for
from agentoolkit.sql import CommitUnknown, Unreachable

from .proxy import Proxy

MIGRATIONS = (("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)",),)


def note(id_: int, text: str = ""):
    return lambda session: session.run("INSERT INTO notes (id, text) VALUES (:id, :text)", {"id": id_, "text": text})


def notes(session) -> list[int]:
    return [row[0] for row in session.rows("SELECT id FROM notes ORDER BY id")]


def fails(session) -> None:
    session.run("INSERT INTO notes (id) VALUES (999)")
    raise RuntimeError("mine")


def note_all(session, ids):
    for id_ in ids:
        note(id_)(session)
    return [id_ * 10 for id_ in ids]


@pytest.fixture
async def database(database_url: str, nothing_left: None) -> AsyncIterator[Database]:
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    proxy = Proxy(postgres_url)
    yield proxy
    proxy.close()


@pytest.fixture
async def proxied(proxy: Proxy) -> AsyncIterator[Database]:
    database = Database(dialect_for(proxy.url), MIGRATIONS)
    await database.open()
    yield database
    await database.close()


# Group commit


async def test_failing_work_fails_alone(database: Database):
    """Of works that wait together, one that raises is undone and told; all of the others are done."""
    works = [database.write(note(1)), database.write(fails), database.write(note(2)), database.write(note(1))]
    one, two, three, four = await asyncio.gather(*works, return_exceptions=True)
    assert (one, three, str(two)) == (1, 1, "mine")
    assert isinstance(four, DatabaseError)
    assert await database.read(notes) == [1, 2]


async def test_works_that_wait_share_a_transaction(database: Database):
    """A hundred works that wait while the writer is busy take two transactions at most."""
    writer = database._writer
    counted, original = [], writer._transaction
    writer._transaction = lambda batch: counted.append(len(batch)) or original(batch)
    await asyncio.gather(*(database.write(note(number)) for number in range(100)))
    assert (sum(counted), len(counted) <= 4) == (100, True)


async def test_bulk_work_answers_in_order(database: Database):
    """Everybody who asks for the same bulk work gets the answer to his own fact."""
    assert await asyncio.gather(*(database.write_together(note_all, number) for number in range(50))) == [n * 10 for n in range(50)]


async def test_failing_bulk_work_fails_for_one_only(database: Database):
    """A fact that bulk work cannot digest fails alone."""
    await database.write(note(7))
    asked = [database.write_together(note_all, number) for number in (6, 7, 8)]
    six, seven, eight = await asyncio.gather(*asked, return_exceptions=True)
    assert (six, eight, isinstance(seven, DatabaseError)) == (60, 80, True)


async def test_waiter_that_went_away_harms_nobody(database: Database):
    """Work whose waiter was cancelled is done, and the next is done too."""
    waiting = asyncio.ensure_future(database.write(note(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await database.write(note(2))
    assert await database.read(notes) == [1, 2]


async def test_reader_cannot_write(database: Database):
    """Work for the reader that writes is refused."""
    with pytest.raises(DatabaseError):
        await database.read(note(1))
    assert await database.read(notes) == []


async def test_close_finishes_what_waits(database: Database):
    """Work that was asked for before close is done before it returns."""
    asked = [asyncio.ensure_future(database.write(note(number))) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*asked) == [1] * 50


async def test_closed_database_says_so(database: Database):
    """After close there is one clear error, and open makes it usable again."""
    await database.close()
    await database.close()
    with pytest.raises(DatabaseError, match="not open"):
        await database.write(note(1))
    await database.open()
    await database.write(note(1))


# Migrations


async def test_migrations_run_once(database_url: str):
    """Opened again, nothing is migrated again; a further migration is run on what is there."""
    longer = (*MIGRATIONS, ("ALTER TABLE notes ADD COLUMN seen INTEGER NOT NULL DEFAULT 3",))
    for migrations in (MIGRATIONS, MIGRATIONS, longer, longer):
        database = Database(dialect_for(database_url), migrations)
        await database.open()
        if migrations is MIGRATIONS and await database.read(notes) == []:
            await database.write(note(1))
        await database.close()
    await database.open()
    assert await database.read(lambda session: session.rows("SELECT id, seen FROM notes")) == [(1, 3)]
    await database.close()


async def test_failed_migration_leaves_the_version_before_it(database_url: str):
    """A migration with an error changes nothing, and says what was wrong."""
    broken = (*MIGRATIONS, ("CREATE TABLE half (id INTEGER)", "NONSENSE"))
    await _open_and_close(Database(dialect_for(database_url), MIGRATIONS))
    with pytest.raises(DatabaseError):
        await _open_and_close(Database(dialect_for(database_url), broken))
    await _open_and_close(Database(dialect_for(database_url), (*MIGRATIONS, ("CREATE TABLE half (id INTEGER)",))))


async def test_newer_database_is_refused(database_url: str):
    """A database that a newer program has written is left alone, and the error says what to do."""
    await _open_and_close(Database(dialect_for(database_url), (*MIGRATIONS, ("SELECT 1",))))
    with pytest.raises(DatabaseError, match="newer"):
        await _open_and_close(Database(dialect_for(database_url), MIGRATIONS))


async def test_many_may_open_a_new_database_at_once(database_url: str, nothing_left: None):
    """Ten that meet at a database that does not exist yet all get to use it."""
    databases = [Database(dialect_for(database_url, "normal"), MIGRATIONS) for _ in range(10)]
    await asyncio.gather(*(database.open() for database in databases))
    await asyncio.gather(*(database.write(note(number)) for number, database in enumerate(databases)))
    assert await databases[0].read(notes) == list(range(10))
    await asyncio.gather(*(database.close() for database in databases))


async def _open_and_close(database: Database) -> None:
    await database.open()
    await database.close()


# What cannot be opened


def _garbage(folder: Path) -> str:
    path = folder / "garbage.db"
    path.write_bytes(b"this is no database at all " * 100)
    return str(path)


def _folder(folder: Path) -> str:
    return str(folder)


def _below_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return str(folder / "file" / "agentool.db")


@pytest.mark.parametrize("unusable", [_garbage, _folder, _below_a_file])
async def test_unusable_file_is_one_clear_error(tmp_path: Path, unusable, nothing_left: None):
    """A file that cannot be a database is one DatabaseError that names it, within two seconds."""
    name, began = unusable(tmp_path), time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        await Database(dialect_for(name), MIGRATIONS).open()
    assert (name in str(caught.value), "AGENTOOL_DATABASE" in str(caught.value)) == (True, True)
    assert time.monotonic() - began < 2


async def test_unreachable_server_is_one_clear_error(nothing_left: None):
    """A PostgreSQL server that is not there is one DatabaseError within two seconds."""
    pytest.importorskip("psycopg")
    began = time.monotonic()
    with pytest.raises(Unreachable, match="AGENTOOL_DATABASE"):
        await Database(dialect_for("postgresql://nobody@127.0.0.1:1/none"), MIGRATIONS).open()
    assert time.monotonic() - began < 2


_OPEN = """
import asyncio, concurrent.futures.thread, os, sys
from agentoolkit.database import Database, DatabaseError
from agentoolkit.dialects import dialect_for
if os.geteuid() == 0:  # root may write everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(Database(dialect_for(sys.argv[1]), (("CREATE TABLE notes (id INTEGER)",), ("SELECT 1",))).open())
except DatabaseError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", [0o444, 0o000])
async def test_file_that_may_not_be_written_is_one_clear_error(mode: int):
    """A file that is read-only, or not even that, is one line that says what to do, within two seconds."""
    folder = Path("/tmp") / f"agentool-readonly-{os.getpid()}-{mode}"
    folder.mkdir()
    path = folder / "agentool.db"
    await _open_and_close(Database(Sqlite(path), MIGRATIONS))
    for made in folder.iterdir():
        made.chmod(mode)
    folder.chmod(0o555)
    ran = subprocess.run([sys.executable, "-c", _OPEN, str(path)], capture_output=True, text=True, timeout=20, check=False)
    folder.chmod(0o755)
    for made in (*folder.iterdir(), folder):
        made.unlink() if made.is_file() else made.rmdir()
    assert (ran.stderr, str(path) in ran.stdout, "AGENTOOL_DATABASE" in ran.stdout) == ("", True, True)


# Full disks


class Full(Sqlite):
    """SQLite on a disk that has room for so many pages."""

    pages = 100_000

    def connect(self, *, writes: bool) -> sqlite3.Connection:
        connection = super().connect(writes=writes)
        if writes:
            self.opened = connection
            connection.execute(f"PRAGMA max_page_count = {self.pages}")
        return connection

    def make_room(self, pages: int) -> None:
        self.opened.execute(f"PRAGMA max_page_count = {pages}")


async def test_full_disk_is_an_error_and_nothing_more(sqlite_database: Path, nothing_left: None):
    """On a full disk a write fails with one clear error, reads go on, and after relief so do writes; nothing is damaged."""
    dialect = Full(sqlite_database)
    dialect.pages = 20
    database = Database(dialect, MIGRATIONS)
    await database.open()
    with pytest.raises(DatabaseError, match="Make room"):
        for number in range(100):
            await database.write(note(number, "x" * 4000))
    kept = await database.read(notes)
    dialect.make_room(1000)
    await database.write(note(1000))
    assert await database.read(notes) == [*kept, 1000]
    assert await database.read(lambda session: session.rows("PRAGMA integrity_check")) == [("ok",)]
    await database.close()


async def test_full_disk_gives_its_ballast_back_once(sqlite_database: Path):
    """The ballast file goes when the disk is full, and is not laid again by the next connection."""
    dialect = Full(sqlite_database)
    dialect.pages = 20
    database = Database(dialect, MIGRATIONS)
    await database.open()
    ballast = sqlite_database.with_name("agentool.db.ballast")
    assert ballast.stat().st_size == 1_000_000
    with pytest.raises(DatabaseError):
        await database.write(note(1, "x" * 1_000_000))
    dialect.connect(writes=True).close()
    assert not ballast.exists()
    await database.close()


async def test_ballast_that_cannot_be_removed_harms_nothing(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch):
    """A failed relief is passed over: the write fails with its own error, and the next succeeds."""
    dialect = Full(sqlite_database)
    dialect.pages = 20
    database = Database(dialect, MIGRATIONS)
    await database.open()

    def refuses(error: BaseException) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(dialect, "relieve", refuses)
    with pytest.raises(DatabaseError, match="full"):
        await database.write(note(1, "x" * 1_000_000))
    await database.write(note(2))
    await database.close()


# Lost connections


async def test_killed_connections_are_replaced(postgres_url: str, nothing_left: None):
    """After the server ended both connections the next read and the next write succeed."""
    import psycopg

    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    await database.write(note(1))
    await database.read(notes)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await database.write(note(2))
    assert await database.read(notes) == [1, 2]
    await database.close()


async def test_work_waits_for_no_server_that_is_down(proxy: Proxy, proxied: Database):
    """While the server is down every work fails with one clear error, soon; when it is back the next succeeds."""
    proxy.down()
    began = time.monotonic()
    failed = await asyncio.gather(*(proxied.write(note(number)) for number in range(100)), return_exceptions=True)
    assert {type(error) for error in failed} == {Unreachable}
    assert time.monotonic() - began < 2
    proxy.up()
    await proxied.write(note(1))
    assert await proxied.read(notes) == [1]


async def test_commit_without_an_answer_is_told_as_such(proxy: Proxy, proxied: Database):
    """When the connection is lost during a commit nothing is done twice: whoever waits is told that nobody knows."""
    proxy.cut_commit()
    with pytest.raises(CommitUnknown):
        await proxied.write(note(1))
    assert (proxy.commits_cut, await proxied.read(notes)) == (1, [1])


async def test_deadlock_is_resolved(postgres_url: str):
    """Two processes that lock the same rows in opposite order both get their work done."""
    first, second = [Database(dialect_for(postgres_url), MIGRATIONS) for _ in range(2)]
    await first.open()
    await second.open()
    await first.write(note_both)
    both = {first: (1, 2), second: (2, 1)}
    await asyncio.gather(*(database.write(touch(order)) for database, order in both.items()))
    assert await first.read(lambda session: session.rows("SELECT text FROM notes")) == [("xx",), ("xx",)]
    await first.close()
    await second.close()


def note_both(session) -> None:
    note(1)(session)
    note(2)(session)


def touch(ids):
    def work(session) -> None:
        for id_ in ids:
            session.run("UPDATE notes SET text = text || 'x' WHERE id = :id", {"id": id_})
            session.run("SELECT pg_sleep(0.2)")

    return work
