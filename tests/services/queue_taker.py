"""A process that shares a queue and is killed by kill -9 at a named point. Started by the tests, as a script.

Arguments: the database, and the point: ``taken``, ``taking``, ``added`` or ``adding``; those in -ing are inside the transaction.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.queue.backends.sql import SqlQueueBackend, statements
from agentoolkit.system.queue.messages import QueueMessage
from agentoolkit.system.queue.ports import Lease

START = datetime(2030, 1, 1, tzinfo=UTC)
MESSAGE = QueueMessage("execution-1", "q", '"result"', START, START)
LEASE = Lease("killed", seconds=10)
WRITES = {"adding": "insert", "taking": "save"}


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(name: str) -> None:
    """Die as soon as a statement has written, before the commit."""
    write = getattr(statements, name)
    setattr(statements, name, lambda *given: die(write(*given)))


async def main(database: str, point: str) -> None:
    backend = SqlQueueBackend(Database(dialect_for(database), MIGRATIONS))
    await backend.open()
    if point in WRITES:
        die_after(WRITES[point])
    if point in ("adding", "added"):
        await backend.add(MESSAGE, START + timedelta(days=1))
    else:
        await backend.take("q", LEASE, START)
    die()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
