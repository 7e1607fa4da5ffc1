"""Databases that cannot be used, disks that are full, connections that are lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database import database as database_module
from agentoolkit.database import postgres_connection, postgres_dialect, sqlite_dialect
from agentoolkit.database.database import Database, DatabaseError
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import CommitUnknown, DatabaseUnreachable
from agentoolkit.database.sqlite_dialect import Sqlite

from .notes import MIGRATIONS, note, note_alone, note_at_once, notes, open_and_close
from .proxy import Proxy


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
async def test_unusable_file_is_one_clear_error(tmp_path: Path, unusable, nothing_left: None, figure):
    """A file that cannot be a database is one DatabaseError that names it, within two seconds."""
    name, began = unusable(tmp_path), time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        await Database(dialect_for(name), MIGRATIONS).open()
    took = time.monotonic() - began
    figure(21, f"{unusable.__name__.strip('_').replace('_', ' ')}: one clear error after {took:.2f} s")
    assert (name in str(caught.value), "AGENTOOL_DATABASE" in str(caught.value)) == (True, True)
    assert took < 10


async def test_unreachable_server_is_one_clear_error(nothing_left: None):
    """A PostgreSQL server that is not there is one DatabaseError within two seconds."""
    pytest.importorskip("psycopg")
    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match="AGENTOOL_DATABASE"):
        await Database(dialect_for("postgresql://nobody@127.0.0.1:1/none"), MIGRATIONS).open()
    assert time.monotonic() - began < 10


_OPEN = """
import asyncio, concurrent.futures.thread, os, sys
from agentoolkit.database import database as database_module
from agentoolkit.database import postgres_dialect
from agentoolkit.database.database import Database, DatabaseError
from agentoolkit.database.dialects import dialect_for
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
    await open_and_close(Database(Sqlite(path), MIGRATIONS))
    for made in folder.iterdir():
        made.chmod(mode)
    folder.chmod(0o555)
    ran = subprocess.run([sys.executable, "-c", _OPEN, str(path)], capture_output=True, text=True, timeout=20, check=False)  # noqa: ASYNC221
    folder.chmod(0o755)
    for made in (*folder.iterdir(), folder):
        made.unlink() if made.is_file() else made.rmdir()
    assert (ran.stderr, str(path) in ran.stdout, "AGENTOOL_DATABASE" in ran.stdout) == ("", True, True)


# Files that another process keeps locked


class Counted(Sqlite):
    """SQLite that counts how often a transaction is begun."""

    begun = 0

    def begin(self, cursor: Any, room: LockOrder) -> None:
        self.begun += 1
        super().begin(cursor, room)


@pytest.fixture
def locked(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let another connection lock the file when it is called; a write waits for it for a tenth of a second only."""
    monkeypatch.setattr(sqlite_dialect, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(sqlite_database, isolation_level=None)) as other:
        yield lambda: other.execute("BEGIN IMMEDIATE") and None


async def test_works_that_wait_for_a_locked_file_wait_together(sqlite_database: Path, locked: Callable[[], None]):
    """Twenty writes at once on a file that stays locked wait once, not one after another, and each is told why."""
    dialect = Counted(sqlite_database)
    database = Database(dialect, MIGRATIONS)
    await database.open()
    locked()
    dialect.begun = 0
    refused = await asyncio.gather(*(database.write(note(number)) for number in range(20)), return_exceptions=True)
    assert {(type(error), "locked" in str(error)) for error in refused} == {(DatabaseError, True)}
    assert dialect.begun <= 2  # those that came before the first was taken up, and the others
    await database.close()


async def test_close_waits_for_no_locked_file(
    sqlite_database: Path, nothing_left: None, locked: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    """Close ends while a write still waits for a file that stays locked; the write is told even so."""
    database = Database(Sqlite(sqlite_database), MIGRATIONS)
    await database.open()
    locked()
    monkeypatch.setattr(database_module, "CLOSE_SECONDS", 0.01)
    writing = asyncio.ensure_future(database.write(note(1)))
    await asyncio.sleep(0)
    await database.close()
    assert not writing.done()
    with pytest.raises(DatabaseError, match="locked"):
        await writing


async def test_close_needs_no_thread_of_the_event_loop(sqlite_database: Path, nothing_left: None):
    """Close ends though every thread that the event loop has for blocking calls is taken."""
    database = Database(Sqlite(sqlite_database), MIGRATIONS)
    await database.open()
    may_end = threading.Event()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        loop.set_default_executor(pool)
        blocked = loop.run_in_executor(None, may_end.wait, 10)
        async with asyncio.timeout(5):
            await database.close()
        assert not blocked.done()
        may_end.set()
        await blocked


# Files that others must not read


def modes(path: Path) -> set[int]:
    """The permissions of a database and of all that lies beside it."""
    return {made.stat().st_mode & 0o777 for made in path.parent.iterdir() if made.name.startswith(path.name)}


async def test_database_is_its_owners_alone(tmp_path: Path):
    """The file, its log and the folders that are made for it are nobody else's to read."""
    path = tmp_path / "a" / "b" / "agentool.db"
    database = Database(Sqlite(path), MIGRATIONS)
    await database.open()
    await database.write(note(1))
    assert (modes(path), path.parent.stat().st_mode & 0o777) == ({0o600}, 0o700)
    await database.close()


async def test_database_that_others_could_read_is_taken_from_them(sqlite_database: Path):
    """A file that was made readable to all is repaired when it is opened; its folder stays as it is."""
    await open_and_close(Database(Sqlite(sqlite_database), MIGRATIONS))
    folder = sqlite_database.parent.stat().st_mode
    os.chmod(sqlite_database, 0o644)
    await open_and_close(Database(Sqlite(sqlite_database), MIGRATIONS))
    assert (modes(sqlite_database), sqlite_database.parent.stat().st_mode) == ({0o600}, folder)


@pytest.mark.parametrize(("name", "mode"), [(".agentool", 0o700), ("project", 0o755)])
async def test_only_our_own_folder_is_taken_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int):
    """A folder that was there already and is readable to all is repaired where it is ours alone, as in a user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / name
    folder.mkdir()
    folder.chmod(0o755)
    await open_and_close(Database(Sqlite(folder / "agentool.db"), MIGRATIONS))
    assert folder.stat().st_mode & 0o777 == mode


async def test_another_database_in_this_process_keeps_its_locks(sqlite_database: Path):
    """Opening a file a second time ends no lock that the first has on it."""
    first, second = (Database(Sqlite(sqlite_database, "normal"), MIGRATIONS) for _ in range(2))
    await first.open()
    with closing(sqlite3.connect(sqlite_database, isolation_level=None)) as mine:
        mine.execute("BEGIN IMMEDIATE")
        opening = asyncio.ensure_future(second.open())
        await asyncio.wait({opening}, timeout=0.3)
        asked = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')"
        ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", asked, str(sqlite_database)], capture_output=True, check=False)
        assert b"locked" in ran.stderr
        mine.execute("ROLLBACK")
    await opening
    await asyncio.gather(first.close(), second.close())


async def test_log_of_a_large_transaction_does_not_stay(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch):
    """After it was written back to the file, the log is cut to its limit."""
    monkeypatch.setattr(sqlite_dialect, "JOURNAL_BYTES", 100_000)
    monkeypatch.setattr(sqlite_dialect, "JOURNAL_PAGES", 1_000)
    database = Database(Sqlite(sqlite_database, "normal"), MIGRATIONS)
    await database.open()
    for number in range(3):
        await database.write(note(number, "x" * 8_000_000))
    log = sqlite_database.with_name("agentool.db-wal")
    assert log.stat().st_size > 1_000_000
    await database.write(note(9))
    await database.write(note(10))
    assert log.stat().st_size <= 200_000
    await database.close()


async def test_log_is_written_back_seldom_and_fits_into_what_is_kept_of_it(sqlite_database: Path):
    """Each connection that writes has it written back after so many pages as its limit has room for, and SQLite's default is less."""
    with closing(Sqlite(sqlite_database).connect(writes=True)) as connection:
        ((pages,),) = connection.execute("PRAGMA wal_autocheckpoint")
        ((size,),) = connection.execute("PRAGMA page_size")
    assert 1_000 < pages <= sqlite_dialect.JOURNAL_BYTES / (size + 24)


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


async def test_full_disk_is_an_error_and_nothing_more(sqlite_database: Path, nothing_left: None, figure):
    """On a full disk a write fails with one clear error, reads go on, and after relief so do writes; nothing is damaged."""
    dialect = Full(sqlite_database)
    dialect.pages = 20
    database = Database(dialect, MIGRATIONS)
    await database.open()
    written = [database.write(note(number, "x" * 4000)) for number in range(100)]
    refused = [error for error in await asyncio.gather(*written, return_exceptions=True) if error != 1]
    assert {(type(error), "Make room" in str(error)) for error in refused} == {(DatabaseError, True)}
    kept = await database.read(notes)
    dialect.make_room(1000)
    await database.write(note(1000))
    assert await database.read(notes) == [*kept, 1000]
    checked = await database.read(lambda session: session.rows("PRAGMA integrity_check"))
    figure(20, f"integrity_check {checked[0][0]}, {len(kept)} rows readable meanwhile, writes go on after relief")
    assert checked == [("ok",)]
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


async def test_works_that_meet_a_lost_connection_together_are_all_done(postgres_url: str):
    """What waits together when a transaction cannot begin because its connection is lost is done together on a new one."""
    import psycopg

    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    counted, original = [], database._writer._transaction
    database._writer._transaction = lambda batch: counted.append(len(batch)) or original(batch)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.gather(*(database.write(note(number)) for number in range(100)))
    assert await database.read(notes) == list(range(100))
    assert len(counted) <= 4
    await database.close()


async def test_work_waits_for_no_server_that_is_down(proxy: Proxy, proxied: Database):
    """While the server is down every work fails with one clear error, soon; when it is back the next succeeds."""
    proxy.down()
    began = time.monotonic()
    failed = await asyncio.gather(*(proxied.write(note(number)) for number in range(100)), return_exceptions=True)
    assert {type(error) for error in failed} == {DatabaseUnreachable}
    assert time.monotonic() - began < 10
    proxy.up()
    await proxied.write(note(1))
    assert await proxied.read(notes) == [1]


async def test_statement_that_commits_itself_is_sent_on_no_connection_that_was_closed(proxy: Proxy, proxied: Database):
    """A server that was away while nobody asked leaves nothing open: the statement was not sent, so it is done on a new connection."""
    await proxied.write_together(note_at_once, 1, order=LockOrder.EXECUTIONS)
    proxy.down()
    proxy.up()
    await proxied.write_together(note_at_once, 2, order=LockOrder.EXECUTIONS)
    assert await proxied.read(notes) == [1, 2]


async def test_commit_without_an_answer_is_told_as_such(proxy: Proxy, proxied: Database):
    """When the connection is lost during a commit nothing is done twice: whoever waits is told that nobody knows."""
    proxy.cut_commit()
    with pytest.raises(CommitUnknown):
        await proxied.write(note(1))
    assert (proxy.commits_cut, await proxied.read(notes)) == (1, [1])


@pytest.mark.parametrize("times", [0, 9], ids=["first", "prepared"])
async def test_statement_that_commits_itself_without_an_answer_is_told_as_such(proxy: Proxy, proxied: Database, times: int):
    """The same where a statement is a transaction by itself, also when it is sent by its name."""
    for number in range(times):
        await proxied.write_together(note_alone, number, order=LockOrder.EXECUTIONS)
    proxy.cut_commit()
    with pytest.raises(CommitUnknown):
        await proxied.write_together(note_alone, 9, order=LockOrder.EXECUTIONS)
    async with asyncio.timeout(10):  # the server may be at it still
        while len(await proxied.read(notes)) <= times:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (proxy.commits_cut, await proxied.read(notes)) == (1, [*range(times), 9])


async def test_statement_that_reads_first_is_done_again_on_a_new_connection(postgres_url: str):
    """A connection that was lost before the statement that writes is replaced, and nobody hears of it."""
    import psycopg

    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await database.write_together(note_alone, 1, order=LockOrder.EXECUTIONS)
    assert await database.read(notes) == [1]
    await database.close()


async def test_silent_server_counts_as_lost(proxy: Proxy, proxied: Database, monkeypatch: pytest.MonkeyPatch):
    """A connection that takes every byte and answers nothing ends writes and reads with an error, and is replaced."""
    monkeypatch.setattr(postgres_connection, "SILENT_SECONDS", 0.3)
    await proxied.write(note(1))
    await proxied.read(notes)
    proxy.swallow()
    began = time.monotonic()
    failed = await asyncio.gather(proxied.write(note(2)), proxied.read(notes), return_exceptions=True)
    assert all(isinstance(error, DatabaseError) for error in failed), failed
    assert time.monotonic() - began < 30
    proxy.swallow(False)
    await proxied.write(note(3))
    assert await proxied.read(notes) == [1, 3]


async def test_lock_of_another_ends_a_write(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """A write that meets a row which another transaction keeps locked fails soon with what to do, and others succeed."""
    import psycopg

    monkeypatch.setattr(postgres_dialect, "LOCK_SECONDS", 0.2)
    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    await database.write(note_both)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM notes WHERE id = 1 FOR UPDATE")
        with pytest.raises(DatabaseError, match="Another transaction has locked the rows: end it"):
            await asyncio.wait_for(database.write(lambda session: session.run("DELETE FROM notes WHERE id = 1")), 10)
        await database.write(lambda session: session.run("DELETE FROM notes WHERE id = 2"))
    await database.close()


async def test_statement_without_an_end_is_ended(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """A statement has its limit, and the next write is done."""
    monkeypatch.setattr(postgres_dialect, "STATEMENT_SECONDS", 0.2)
    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    with pytest.raises(DatabaseError, match="statement timeout"):
        await asyncio.wait_for(database.write(lambda session: session.run("SELECT pg_sleep(60)")), 10)
    await database.write(note(1))
    await database.close()


async def test_migration_has_no_such_limit(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """A migration takes as long as it needs, and waits for another process that migrates."""
    monkeypatch.setattr(postgres_dialect, "STATEMENT_SECONDS", 0.05)
    monkeypatch.setattr(postgres_dialect, "LOCK_SECONDS", 0.05)
    slow = (*MIGRATIONS, ("SELECT pg_sleep(0.3)",))
    databases = [Database(dialect_for(postgres_url), slow) for _ in range(2)]
    await asyncio.gather(*(database.open() for database in databases))
    await asyncio.gather(*(database.close() for database in databases))


@pytest.mark.parametrize(("room", "exclusive"), [(LockOrder.JOBS, True), (LockOrder.QUEUES, False)])
async def test_opposite_orders_do_no_harm(postgres_url: str, room: LockOrder, exclusive: bool):
    """Two processes that lock the same rows in opposite order: one waits in an exclusive room, one is done again elsewhere."""
    first, second = [Database(dialect_for(postgres_url), MIGRATIONS) for _ in range(2)]
    await first.open()
    await second.open()
    await first.write(note_both)
    begun: list[tuple[int, int]] = []
    both = {first: (1, 2), second: (2, 1)}
    await asyncio.gather(*(database.write(touch(order, begun), order=room) for database, order in both.items()))
    assert await first.read(lambda session: session.rows("SELECT text FROM notes")) == [("xx",), ("xx",)]
    assert (len(begun) == 2) == exclusive  # on a busy machine the second one, too, may be done again
    await first.close()
    await second.close()


async def test_what_a_sleeping_process_has_locked_is_free_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """A transaction that asks nothing for long is undone; its process, when it wakes, does all of it again."""
    monkeypatch.setattr(postgres_dialect, "IDLE_SECONDS", 0.1)
    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    tries: list[int] = []

    def work(session) -> None:
        note(1)(session)
        tries.append(1)
        if len(tries) == 1:
            time.sleep(0.3)
        note(2)(session)

    await database.write(work)
    assert (await database.read(notes), len(tries)) == ([1, 2], 2)
    await database.close()


def note_both(session) -> None:
    note(1)(session)
    note(2)(session)


def touch(ids: tuple[int, int], begun: list[tuple[int, int]]):
    def work(session) -> None:
        begun.append(ids)
        for id_ in ids:
            session.run("UPDATE notes SET text = text || 'x' WHERE id = :id", {"id": id_})
            session.run("SELECT pg_sleep(0.2)")

    return work
