"""A table of notes, and work on it."""

from __future__ import annotations

from agentoolkit.database.database import Database

MIGRATIONS = (("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)",),)


def note(id_: int, text: str = ""):
    return lambda session: session.run("INSERT INTO notes (id, text) VALUES (:id, :text)", {"id": id_, "text": text})


def notes(session) -> list[int]:
    return [row[0] for row in session.rows("SELECT id FROM notes ORDER BY id")]


def note_alone(session, ids):
    """Read, and then write by one statement."""
    session.rows("SELECT 1")
    return note_at_once(session, ids)


def note_at_once(session, ids):
    """Write by one statement, which passes over rows that others lock."""
    sql = "SELECT r.id, (SELECT MAX(text) FROM (SELECT text FROM notes LIMIT 1 FOR UPDATE SKIP LOCKED) AS free) FROM r"
    session.write_rows(f", new AS ({sql}) INSERT INTO notes (id, text) SELECT * FROM new", {"id": "BIGINT"}, [(id_,) for id_ in ids])
    return ids


def fails(session) -> None:
    session.run("INSERT INTO notes (id) VALUES (999)")
    raise RuntimeError("mine")


def note_all(session, ids):
    for id_ in ids:
        note(id_)(session)
    return [id_ * 10 for id_ in ids]


async def open_and_close(database: Database) -> None:
    await database.open()
    await database.close()
