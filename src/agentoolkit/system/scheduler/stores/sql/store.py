"""The `JobStore` on a `Database`: assembles the statements of this folder."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from agentoolkit.database.batches import BulkWork
from agentoolkit.database.database import Database, DatabaseError
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.jobs import Job, JobState
from agentoolkit.system.scheduler.ports import AuditEntry, Change, Owner
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH, HISTORY_SIZE, KEPT, RETENTION
from agentoolkit.system.scheduler.stores.sql import (
    audit,
    claims,
    execution_changes,
    execution_take_overs,
    inserting,
    job_changes,
    outgoing,
    purging,
    queries,
    searching,
    single_statements,
)
from agentoolkit.system.scheduler.stores.sql.claims import NotLeading
from agentoolkit.system.scheduler.stores.sql.definitions import Definitions, WrittenDefinitions
from agentoolkit.system.scheduler.stores.sql.leader_lease_and_owners import Heartbeat, Ownership
from agentoolkit.system.scheduler.stores.sql.transactions import Together, Transaction
from agentoolkit.time_source import TimeSource

__all__ = ["NotLeading", "SqlJobStore"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")


class SqlJobStore:
    """Jobs, executions and messages in SQLite or PostgreSQL, shared by every process that opens it.

    Args:
        database: The database. It is opened and closed with the store.
        time: The time source.
        delivers: True if this process delivers outcomes and starts downstream executions; if not, the leader does.
        kept: See `retention.KEPT`.
        retention: See `retention.RETENTION`.
        history_length: Number of finished executions kept for each job.
        history_size: Maximum bytes of JSON of a job's results together.
    """

    survives_restart = True
    shared = True

    def __init__(
        self,
        database: Database,
        time: TimeSource,
        *,
        delivers: bool = True,
        kept: int = KEPT,
        retention: timedelta = RETENTION,
        history_length: int = HISTORY_LENGTH,
        history_size: int = HISTORY_SIZE,
    ) -> None:
        self._database = database
        self._kept = kept
        self._retention = retention
        self._history_length = history_length
        self._history_size = history_size
        self._time = time
        self._delivers = delivers
        self._become_owner()
        self._definitions = Definitions()
        self._heartbeat: Heartbeat | None = None
        self._together: dict[Together[Any, Any], BulkWork] = {}
        self._seen = 0

    note = audit.note
    entries = audit.entries
    replace = job_changes.replace
    exchange = job_changes.exchange
    remove = job_changes.remove
    find = queries.find
    find_cancelled = queries.find_cancelled
    find_similar = queries.find_similar
    jobs = queries.jobs
    list_jobs = queries.list_jobs
    count_jobs = queries.count_jobs
    last_outcomes = queries.last_outcomes
    downstream = queries.downstream
    upcoming = queries.upcoming
    due_next = searching.due_next
    execution = queries.execution
    executions = queries.executions
    executions_by_id = queries.executions_by_id
    statuses = queries.statuses
    damaged = queries.damaged
    search_jobs = searching.search_jobs
    search_executions = searching.search_executions
    claim = claims.claim
    follow = claims.follow
    insert = inserting.insert
    claim_executions = single_statements.claim_executions
    queue_retries = execution_take_overs.queue_retries
    begin = single_statements.begin
    finish = single_statements.finish
    retry = execution_changes.retry
    release = execution_changes.release
    release_all = execution_changes.release_all
    take_over = execution_take_overs.take_over
    note_waiting = execution_changes.note_waiting
    request_cancel = execution_changes.request_cancel
    cancel_requests = execution_changes.cancel_requests
    pending_cancels = execution_changes.pending_cancels
    acknowledge_cancel = execution_changes.acknowledge_cancel
    outbox = outgoing.outbox
    messages = outgoing.messages
    delivered = outgoing.delivered
    undelivered = outgoing.undelivered

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run work that only reads."""
        return await self._database.read(lambda session: work(self._transaction(session)))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction, and return when it is committed."""
        return await self._database.write(lambda session: work(self._transaction(session)))

    async def read_together(self, statement: Together[F, T], fact: F) -> T:
        """Run work that only reads, in one statement for all concurrent calls of the same statement."""
        return _answer(await self._database.read_together(self._bound(statement), fact))

    async def write_together(self, statement: Together[F, T], fact: F) -> T:
        """Run work in a transaction, together with all concurrent calls of the same statement, and return when it is committed."""
        return _answer(await self._database.write_together(self._bound(statement), fact))

    async def write_alone(self, statement: Together[F, T], fact: F) -> T:
        """As `write_together`, for work that writes rows of executions by one statement. See `LockOrder.EXECUTIONS`."""
        return _answer(await self._database.write_together(self._bound(statement), fact, order=LockOrder.EXECUTIONS))

    @property
    def locks_rows(self) -> bool:
        """True if a statement locks only the rows that it writes. SQLite has a single writer."""
        return self._database.dialect.name == "postgres"

    async def open(self) -> None:
        if self._heartbeat is None:
            if self._ownership.pid != os.getpid():  # the store was created before this process was forked
                self._become_owner()
            await self._database.open()
            self._seen = await self._database.write(self._enter)
            self._heartbeat = Heartbeat(self._database.dialect, self._ownership)

    async def close(self) -> None:
        heartbeat, self._heartbeat = self._heartbeat, None
        try:
            if heartbeat is not None:
                await asyncio.to_thread(heartbeat.stop)
                await self._database.write(self._ownership.resign)
        except DatabaseError:
            logger.warning("The database was not told that this process ends; others notice by its missing heartbeat", exc_info=True)
        finally:
            await self._database.leave()

    async def add(self, job: Job, state: JobState, note: AuditEntry | None = None) -> None:
        revision = await job_changes.add(self, job, state, note)
        self._definitions.remember(job, revision)

    async def lead(self, now: datetime) -> bool:
        return await self._database.read(self._ownership.leads_now) or await self._database.write(self._ownership.take_lead)

    async def leader(self) -> Owner | None:
        return await self._database.read(self._ownership.leader)

    async def owners(self) -> Sequence[Owner]:
        return await self._database.read(self._ownership.owners)

    async def set_stopped(self, stopped: bool, seconds: float | None = None) -> None:
        await self._database.write(lambda session: self._ownership.set_stopped(session, stopped, seconds))

    async def is_stopped(self) -> bool:
        return await self._database.read(self._ownership.is_stopped)

    async def changes(self) -> Sequence[Change]:
        changed, self._seen = await queries.changes_since(self, self._seen)
        return changed

    async def purge(self, now: datetime) -> None:
        before = micros(now - self._retention) or 0
        while await self._database.write(lambda session: purging.purge(session, before, self._kept)):
            """Repeat, so that other processes can write between two transactions."""
        await self._database.write(self._ownership.forget_ended)

    def _become_owner(self) -> None:
        self._ownership = Ownership(self._time)
        self.owner = self._ownership.owner
        self._deliverer = self.owner if self._delivers else ""

    def _bound(self, statement: Together[Any, Any]) -> BulkWork:
        """Return the same work object for the same statement: the database groups calls by it."""
        if statement not in self._together:
            self._together[statement] = lambda session, facts: statement(self._transaction(session), facts)
        return self._together[statement]

    def _transaction(self, session: Session) -> Transaction:
        limits = self._history_length, self._history_size
        definitions = WrittenDefinitions(self._definitions, session.written) if session.written else self._definitions
        return Transaction(session, definitions, self._ownership, self.owner, self._deliverer, *limits)

    def _enter(self, session: Session) -> int:
        self._ownership.beat(session)
        row = session.row("SELECT value FROM agentool_counters WHERE name = 'revision'")
        return row[0] if row else 0


def _answer(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer
