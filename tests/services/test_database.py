"""The writer thread: what is asked together is committed together, and what goes wrong stays with who asked for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentoolkit.database import postgres_dialect
from agentoolkit.database.database import Database, DatabaseError
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.session import CommitUnknown

from .notes import MIGRATIONS, fails, note, note_all, notes, open_and_close


@pytest.fixture
async def database(database_url: str, nothing_left: None) -> AsyncIterator[Database]:
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS)
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


class Counting:
    """A connection that counts what its cursors are asked to execute."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.asked = connection, 0

    def cursor(self) -> Any:
        cursor = self.connection.cursor()
        execute = cursor.execute

        def counted(*given: Any, **more: Any) -> Any:
            self.asked += 1
            return execute(*given, **more)

        return SimpleNamespace(execute=counted, fetchall=cursor.fetchall, close=cursor.close)

    def fileno(self) -> int:
        return self.connection.fileno()

    def close(self) -> None:
        self.connection.close()


async def test_a_write_of_one_statement_asks_three_times(database: Database):
    """To begin, to do it, and to commit: the room is entered by the message that begins, for each costs a worker its time."""
    await database.write(note(1))
    counting = database._writer._connection = Counting(database._writer._connection)
    assert await database.write(lambda session: session.rows("SELECT 1")) == [(1,)]
    assert counting.asked == 3


async def test_what_only_reads_asks_postgres_once(database: Database):
    """Of a transaction it would see no more there: each of its statements sees what is committed. SQLite's see one moment."""
    await database.read(notes)
    counting = database._reader._connection = Counting(database._reader._connection)
    await database.read(notes)
    assert counting.asked == {"postgres": 1, "sqlite": 3}[database.dialect.name]


async def test_one_connection_serves_who_reads_and_who_writes(database_url: str, nothing_left: None):
    """As in a process for one message: it has one thread, whatever is asked of it. A read of SQLite's would take the lock that writes."""
    before = threading.active_count()
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS, reads_apart=False)
    await database.open()
    answers = await asyncio.gather(database.write(note(1)), database.read(notes))
    assert (answers[0], await database.read(notes), threading.active_count() - before) == (
        1,
        [1],
        {"postgres": 1, "sqlite": 2}[database.dialect.name],
    )
    await database.close()


async def test_a_commit_that_is_lost_is_told_to_nobody_who_only_reads(database_url: str, nothing_left: None, monkeypatch: Any):
    """Though one connection serves both, and both wait for it together; PostgreSQL is asked once for a read there, too."""
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS, reads_apart=False)
    await database.open()
    go_on = threading.Event()
    busy = asyncio.ensure_future(database.write(lambda _: go_on.wait(10)))
    await asyncio.sleep(0)
    both = asyncio.gather(database.write(note(1)), database.read(notes), return_exceptions=True)
    await asyncio.sleep(0)
    monkeypatch.setattr(database._writer, "_commit", lost)
    go_on.set()
    told, read = await both
    with pytest.raises(CommitUnknown):
        await busy
    assert (type(told), read) == (CommitUnknown, [])
    counting = database._reader._connection = Counting(database._reader._connection)
    await database.read(notes)
    assert counting.asked == {"postgres": 1, "sqlite": 3}[database.dialect.name]
    await database.close()


def lost(cursor: Any) -> None:
    cursor.connection.rollback()  # as a lost commit leaves it: work that came a moment later begins anew
    raise CommitUnknown("The connection was lost during a commit.")


async def test_an_open_of_a_migrated_database_writes_nothing(database: Database):
    """The row that says the version is the one that the first open wrote: a process that is forked for a message waits for no disk."""
    row = {"postgres": "SELECT xmin::text FROM agentool_schema", "sqlite": "SELECT rowid, total_changes() FROM agentool_schema"}
    before = await database.read(lambda session: session.row(row[session.dialect]))
    again = Database(database.dialect, MIGRATIONS)
    await again.open()
    after = await again.write(lambda session: session.row(row[session.dialect]))
    await again.close()
    assert after == before


@pytest.mark.parametrize(
    ("statement", "returned"),
    [
        ("INSERT INTO notes (id) SELECT number FROM r", []),
        ("INSERT INTO notes (id) SELECT number FROM r RETURNING id", [(1,), (2,)]),
        ("SELECT number FROM r WHERE number > 2", []),
    ],
)
async def test_a_statement_over_many_rows_returns_what_it_says(database: Database, statement: str, returned: list[Any]):
    """Nothing if it returns nothing, or no row."""
    rows = await database.write(lambda session: session.from_rows(statement, {"number": "BIGINT"}, [(1,), (2,)]))
    assert rows == returned


async def test_a_statement_over_equal_rows_sees_each_of_them(database: Database):
    """Of rows that are equal, and of columns that are the same in all rows, a statement sees as many as there are."""
    columns, rows = (
        {"number": "BIGINT", "text": "TEXT"},
        [[(1, "a")] * 40, [(number, "a") for number in range(40)], [(1, "a"), (1, "a"), (1, "b")], [(4, "")]],
    )
    sql = " SELECT number, text FROM r"
    assert [await database.read(lambda session, some=some: session.from_rows(sql, columns, some)) for some in rows] == rows


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False),  # SQLite has no NaN
    ),
    min_size=1,
    max_size=20,
)


@given(rows=ROWS)
@example(rows=[('"\\n\\u0000', 0, float("-inf")), ("null", -1, 0.1 + 0.2), ("[1, 2]", 1, 5e-324)])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_statement_over_rows_sees_them_as_they_were_given(database: Database, rows: list[Any]):
    """Text with any signs, the largest numbers and nulls come back unchanged, and in order."""
    columns = {"text": "TEXT", "number": "BIGINT", "fraction": "DOUBLE PRECISION"}
    assert await database.read(lambda session: session.from_rows(" SELECT text, number, fraction FROM r", columns, rows)) == rows


async def test_rows_that_are_too_long_for_one_statement_are_divided(database: Database, monkeypatch: pytest.MonkeyPatch):
    """A statement over them returns the rows of all its portions, in order; a row that is too long by itself is one of them."""
    monkeypatch.setattr(postgres_dialect, "LARGEST_TEXT", 100)
    rows = [(f"{number}" * number,) for number in range(40)] + [("x" * 200,), ("y",)]
    assert await database.read(lambda session: session.from_rows(" SELECT text FROM r", {"text": "TEXT"}, rows)) == rows


async def test_a_process_that_is_forked_is_told_instead_of_waiting(database: Database, monkeypatch: pytest.MonkeyPatch):
    """It has none of the threads, so nobody would ever answer; whoever asks together with others, or writes, is told too."""
    monkeypatch.setattr("agentoolkit.database.database.getpid", lambda: -1)
    for ask in (database.read, database.write):
        with pytest.raises(DatabaseError, match="opened before this process was forked"):
            await ask(lambda session: None)
    with pytest.raises(DatabaseError, match="opened before this process was forked"):
        await database.read_together(lambda session, facts: facts, 1)


async def test_rows_are_divided_by_their_bytes(monkeypatch: pytest.MonkeyPatch):
    """PostgreSQL counts bytes: rows of a script with three for each sign are divided before they are too many."""
    monkeypatch.setattr(postgres_dialect, "LARGEST_TEXT", 100)
    statements = dialect_for("postgresql://nowhere").with_rows({"text": "TEXT"}, [("漢" * 20,), ("字" * 20,)])
    assert [rows["rows"] for _, rows in statements] == [f'[["{"漢" * 20}"]]', f'[["{"字" * 20}"]]']


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


async def test_close_finishes_what_was_gathered_in_the_same_turn(database: Database):
    """Work that was asked for together with others is done though close follows before the event loop's next turn."""
    asked = asyncio.ensure_future(database.write_together(note_all, 1))
    await asyncio.ensure_future(database.close())
    assert await asyncio.wait_for(asked, 5) == 10


async def test_work_that_another_event_loop_hands_over_too_late_is_refused(database: Database):
    """Work that another event loop gathered, and hands over when the database is closed, ends with an error."""

    async def ask() -> None:
        asked = asyncio.ensure_future(database.write_together(note_all, 1))
        await asyncio.sleep(0)  # it is gathered; what follows is before the next turn
        asyncio.run_coroutine_threadsafe(database.close(), here).result(5)
        await asyncio.wait_for(asked, 5)

    here = asyncio.get_running_loop()
    with pytest.raises(DatabaseError, match="not open"):
        await asyncio.to_thread(asyncio.run, ask())


async def test_closed_database_says_so(database: Database):
    """After close there is one clear error, and open makes it usable again."""
    await database.close()
    await database.close()
    with pytest.raises(DatabaseError, match="not open"):
        await database.write(note(1))
    await database.open()
    await database.write(note(1))


# Opening


@pytest.fixture
async def unopened(database_url: str, nothing_left: None) -> AsyncIterator[Database]:
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS)
    yield database
    await database.close()


async def use(database: Database) -> list[int]:
    await database.open()
    return await database.read(notes)


async def test_all_who_open_at_once_wait_for_the_migrations(unopened: Database):
    """Whoever opens a database while it is being opened can read from it when that returns."""
    assert await asyncio.gather(*(use(unopened) for _ in range(5))) == [[]] * 5


async def test_nobody_is_harmed_by_a_cancelled_opener(unopened: Database):
    """When the first of two who open is cancelled, the second can use the database."""
    first, second = asyncio.ensure_future(unopened.open()), asyncio.ensure_future(use(unopened))
    await asyncio.sleep(0)
    first.cancel()
    assert (await asyncio.gather(first, second, return_exceptions=True))[1] == []


async def test_cancelled_opener_leaves_nothing(unopened: Database):
    """When the only one who opens is cancelled, the database is closed."""
    opening = asyncio.ensure_future(unopened.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait({opening})
    with pytest.raises(DatabaseError, match="not open"):
        await unopened.read(notes)


async def test_all_who_open_are_told_what_is_wrong(database_url: str, nothing_left: None):
    """A database that cannot be opened is refused to everybody who tries at once."""
    await open_and_close(Database(dialect_for(database_url), (*MIGRATIONS, ("SELECT 1",))))
    database = Database(dialect_for(database_url), MIGRATIONS)
    refused = await asyncio.gather(*(database.open() for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in refused] == [DatabaseError] * 3


def test_database_serves_one_event_loop_after_another(database_url: str, nothing_left: None):
    """A database that one event loop opened is open in the next one, also if the first ended while it was being opened."""

    async def begin() -> None:
        loops.append(asyncio.ensure_future(database.open()))
        await asyncio.sleep(0)

    loops: list[asyncio.Future[None]] = []
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS)
    asyncio.run(begin())
    assert asyncio.run(use(database)) == []
    assert asyncio.run(use(database)) == []
    asyncio.run(database.close())


def test_event_loops_in_several_threads_may_open_at_once(database_url: str, nothing_left: None):
    """However many loops, each in a thread of its own, first use a database at the same time: it is opened once for all."""

    def in_a_thread() -> None:
        together.wait(10)
        found.append(asyncio.run(use(database)))

    rounds = 20 if database_url.endswith(".db") else 5
    for _ in range(rounds):
        database, found, together = Database(dialect_for(database_url, "normal"), MIGRATIONS), [], threading.Barrier(4)
        threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        asyncio.run(database.close())
        assert found == [[]] * 4


async def test_close_during_the_first_open_leaves_nothing(unopened: Database):
    """Whoever opens is told that the database was closed meanwhile, and no thread or file stays."""
    opening = asyncio.ensure_future(unopened.open())
    await asyncio.sleep(0)
    await unopened.close()
    with pytest.raises(DatabaseError, match="closed while"):
        await opening
    assert not unopened.is_open


# Work that is undone


def undo_note(id_: int, answer: int) -> int:
    assert answer == id_ * 10
    return -id_


def note_or_remove(session, ids):
    """Note what is positive, and remove what is negative."""
    for id_ in ids:
        note(id_)(session) if id_ > 0 else session.run("DELETE FROM notes WHERE id = :id", {"id": -id_})
    return [id_ * 10 for id_ in ids]


@pytest.mark.parametrize("turns", range(1, 12))
async def test_cancelled_work_that_can_be_undone_leaves_nothing(database: Database, turns: int):
    """Whenever its caller is cancelled, the work was not done or is undone."""
    asked = [asyncio.ensure_future(database.write_together(note_or_remove, number, undo=undo_note)) for number in range(1, 21)]
    for _ in range(turns):
        await asyncio.sleep(0.0005 * (turns % 4))
    for task in asked[::2]:
        task.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await database.close()
    await database.open()
    assert await database.read(notes) == [number for number, answer in enumerate(answers, 1) if answer == number * 10]


async def test_answer_that_is_there_before_its_caller_is_cancelled_is_undone(database: Database):
    """A caller that is cancelled after the answer came, and before it goes on, leaves nothing either."""
    asked = asyncio.ensure_future(database.write_together(note_or_remove, 1, undo=undo_note))
    wake = database._writer._wake
    database._writer._wake = lambda answered: wake(answered) or asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await database.close()
    await database.open()
    assert await database.read(notes) == []


# Migrations


async def test_statement_for_one_database_system_is_left_out_by_others(database_url: str):
    """What begins with the name of a database system is run there only."""
    both = (
        *MIGRATIONS,
        ("sqlite: INSERT INTO notes (id, text) VALUES (1, 'sqlite')", "postgres: INSERT INTO notes VALUES (1, 'postgres')"),
    )
    database = Database(dialect_for(database_url), both)
    await database.open()
    assert await database.read(lambda session: session.rows("SELECT text FROM notes")) == [(database.dialect.name,)]
    await database.close()


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
    await open_and_close(Database(dialect_for(database_url), MIGRATIONS))
    with pytest.raises(DatabaseError):
        await open_and_close(Database(dialect_for(database_url), broken))
    await open_and_close(Database(dialect_for(database_url), (*MIGRATIONS, ("CREATE TABLE half (id INTEGER)",))))


async def test_newer_database_is_refused(database_url: str):
    """A database that a newer program has written is left alone, and the error says what to do."""
    await open_and_close(Database(dialect_for(database_url), (*MIGRATIONS, ("SELECT 1",))))
    with pytest.raises(DatabaseError, match="newer"):
        await open_and_close(Database(dialect_for(database_url), MIGRATIONS))


async def test_many_may_open_a_new_database_at_once(database_url: str, nothing_left: None):
    """Ten that meet at a database that does not exist yet all get to use it."""
    databases = [Database(dialect_for(database_url, "normal"), MIGRATIONS) for _ in range(10)]
    await asyncio.gather(*(database.open() for database in databases))
    await asyncio.gather(*(database.write(note(number)) for number, database in enumerate(databases)))
    assert await databases[0].read(notes) == list(range(10))
    await asyncio.gather(*(database.close() for database in databases))
