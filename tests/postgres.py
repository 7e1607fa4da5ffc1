"""A PostgreSQL database that is migrated once and emptied for each test, which takes a tenth of the time that migrating takes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS

MANY_BYTES = 1_000_000
"""Where a table has become so large all are made anew: what was deleted from it is still read."""

_SHAPE = """SELECT class.relname, class.relkind, class.relnatts, array_agg(attribute.attname || attribute.atttypid || attribute.attnotnull)
    FROM pg_class class LEFT JOIN pg_attribute attribute ON attribute.attrelid = class.oid
    WHERE class.relnamespace = 'public'::regnamespace GROUP BY class.oid ORDER BY class.relname"""
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_LARGEST = "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class MigratedPostgres:
    """A database with the tables of this version, and of rows only those that its migrations made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._migrate()

    def empty(self) -> None:
        """Take every row away that a test wrote; if a test changed a table or filled it, make all of them anew."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_OTHERS)
            if can_be_kept := self._can_be_kept(connection):
                with connection.transaction():
                    self._restore(connection)
        if not can_be_kept:
            self._migrate()

    def _migrate(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        with ThreadPoolExecutor(1) as thread:  # a fixture may be asked for where an event loop runs
            thread.submit(asyncio.run, self._open()).result()
        with psycopg.connect(self.url, autocommit=True) as connection:
            self._shape = connection.execute(_SHAPE).fetchall()
            self._made = {table: self._rows(connection, table) for (table,) in connection.execute(_TABLES).fetchall()}

    async def _open(self) -> None:
        database = Database(dialect_for(self.url), MIGRATIONS)
        await database.open()
        await database.close()

    def _can_be_kept(self, connection: psycopg.Connection[Any]) -> bool:
        ((largest,),) = connection.execute(_LARGEST).fetchall()
        return (largest or 0) < MANY_BYTES and connection.execute(_SHAPE).fetchall() == self._shape

    def _rows(self, connection: psycopg.Connection[Any], table: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()

    def _restore(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("SET LOCAL session_replication_role = replica")  # no trigger counts what is taken away
        for table, rows in self._made.items():
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for row in rows:
                connection.execute(
                    sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Literal, row)))
                )
