"""The `JobStore` on a `Database`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from agentoolkit.database.database import Database, DatabaseError, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.recovery import release
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Delivery, Execution, ExecutionStatus, Job, JobState
from agentoolkit.system.scheduler.ports import KEPT, RETENTION, Change, Claimed, Claims, Ending, Finished, Message, Owner, StoredJob
from agentoolkit.system.scheduler.stores.sql import executions as statements
from agentoolkit.system.scheduler.stores.sql import jobs as of_jobs
from agentoolkit.system.scheduler.stores.sql import purging
from agentoolkit.system.scheduler.stores.sql.claims import Definitions, claim
from agentoolkit.system.scheduler.stores.sql.ownership import Heartbeat, Ownership
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

_CANCEL_REQUESTS = "SELECT 1 FROM agentool_executions WHERE finished_at IS NULL AND cancel_requested = 1 AND owner = :owner"
_TAKE_CANCEL_REQUESTS = """
    UPDATE agentool_executions SET cancel_requested = 2 WHERE finished_at IS NULL AND cancel_requested = 1 AND owner = :owner
    RETURNING execution_id
"""


class NotLeading(SchedulerError):
    """Another process leads now; nothing was claimed."""


class SqlJobStore:
    """Jobs, executions and messages in SQLite or PostgreSQL, shared by every process that opens it.

    Args:
        database: Where; it is opened and closed with the store.
        time: The time source.
        delivers: Does this process deliver outcomes, and start what follows? If not, whoever leads does for what it ran.
        kept: See `ports.KEPT`.
        retention: See `ports.RETENTION`.
    """

    survives_restart = True
    shared = True

    def __init__(
        self, database: Database, time: TimeSource, *, delivers: bool = True, kept: int = KEPT, retention: timedelta = RETENTION
    ) -> None:
        self._database = database
        self._kept = kept
        self._retention = retention
        self._ownership = Ownership(time)
        self._definitions = Definitions()
        self._heartbeat: Heartbeat | None = None
        self._seen = 0
        self.owner = self._ownership.owner
        self._deliverer = self.owner if delivers else ""

    async def open(self) -> None:
        if self._heartbeat is None:
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
            logger.warning("The database did not hear that this process ends; others will notice by its silence", exc_info=True)
        finally:
            await self._database.close()

    async def lead(self, now: datetime) -> bool:
        return await self._database.read(self._ownership.leads_now) or await self._database.write(self._ownership.take_lead)

    async def release_all(self) -> None:
        await self._database.write(self._release_all)

    async def leader(self) -> Owner | None:
        return await self._database.read(self._ownership.leader)

    async def owners(self) -> Sequence[Owner]:
        return await self._database.read(self._ownership.owners)

    async def set_stopped(self, stopped: bool) -> None:
        value = {"value": int(stopped)}
        await self._database.write(lambda session: session.run("UPDATE agentool_counters SET value = :value WHERE name = 'halted'", value))

    async def is_stopped(self) -> bool:
        row = await self._database.read(lambda session: session.row("SELECT value FROM agentool_counters WHERE name = 'halted'"))
        return bool(row and row[0])

    async def add(self, job: Job, standing: JobState) -> None:
        revision = await self._database.write(lambda session: of_jobs.add(session, job, standing))
        self._definitions.remember(job, revision)

    async def find(self, id_or_name: str) -> StoredJob | None:
        return await self._database.read(lambda session: of_jobs.find(session, self._definitions, id_or_name))

    async def jobs(self) -> Sequence[StoredJob]:
        return await self._database.read(lambda session: of_jobs.everything(session, self._definitions))

    async def downstream(self, job_id: str) -> Sequence[str]:
        return await self._database.read(lambda session: of_jobs.downstream(session, job_id))

    async def replace(self, job: Job, standing: JobState, before: JobState) -> bool:
        return await self._database.write(lambda session: of_jobs.replace(session, job, standing, before))

    async def remove(self, job_id: str) -> bool:
        return await self._database.write(lambda session: of_jobs.remove(session, job_id, self._ownership.now(session)))

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        return await self._database.write(lambda session: self._claim(session, job_ids, now))

    async def insert(self, executions: Sequence[Execution], messages: Sequence[Message] = ()) -> Sequence[str]:
        return await self._database.write(lambda session: statements.insert(session, executions, messages, self._deliverer))

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        return await self._database.write(lambda session: statements.begin(session, executions))

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        return await self._database.write(lambda session: statements.finish(session, endings, self._definitions, self._deliverer))

    async def retry(self, execution: Execution) -> bool:
        return await self._database.write(lambda session: statements.postpone(session, execution, self.owner, self.owner))

    async def release(self, execution: Execution) -> bool:
        waiting = release(execution, execution.started_at or execution.scheduled_at)
        return await self._database.write(lambda session: statements.postpone(session, waiting, self.owner, ""))

    async def execution(self, execution_id: str) -> Execution | None:
        return await self._database.read(lambda session: statements.one(session, execution_id))

    async def executions(self, job_id: str | None, limit: int, status: ExecutionStatus | None = None) -> Sequence[Execution]:
        return await self._database.read(lambda session: statements.newest(session, job_id, limit, status))

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        return await self._database.write(lambda session: self._take_over(session, held, now))

    async def request_cancel(self, execution_id: str) -> bool:
        sql = "UPDATE agentool_executions SET cancel_requested = 1 WHERE execution_id = :id AND finished_at IS NULL"
        return await self._database.write(lambda session: session.run(sql, {"id": execution_id}) == 1)

    async def cancel_requests(self) -> Sequence[str]:
        mine = {"owner": self.owner}
        if not await self._database.read(lambda session: session.row(_CANCEL_REQUESTS, mine)):
            return ()
        return [row[0] for row in await self._database.write(lambda session: session.rows(_TAKE_CANCEL_REQUESTS, mine))]

    async def upcoming(self) -> Sequence[Change]:
        return await self._database.read(of_jobs.upcoming)

    async def changes(self) -> Sequence[Change]:
        changed, self._seen = await self._database.read(lambda session: of_jobs.changes(session, self._seen))
        return changed

    async def outbox(self, limit: int) -> Sequence[Message]:
        return await self._database.read(lambda session: self._outbox(session, limit))

    async def messages(self, limit: int) -> Sequence[Message]:
        return await self._database.read(lambda session: statements.messages(session, limit))

    async def delivered(self, execution_id: str) -> None:
        await self._database.write(lambda session: statements.note_delivery(session, execution_id, Delivery.DELIVERED))

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        def note(session: Session) -> None:
            if give_up:
                statements.note_delivery(session, message.execution_id, Delivery.FAILED)
            else:
                sql = "UPDATE agentool_outbox SET attempts = attempts + 1 WHERE execution_id = :id"
                session.run(sql, {"id": message.execution_id})

        await self._database.write(note)

    async def purge(self, now: datetime) -> None:
        before = micros(now - self._retention) or 0
        while await self._database.write(lambda session: purging.purge(session, before, self._kept)):
            """Others may write between two transactions."""
        await self._database.write(self._ownership.forget_ended)

    def _enter(self, session: Session) -> int:
        self._ownership.beat(session)
        row = session.row("SELECT value FROM agentool_counters WHERE name = 'revision'")
        return row[0] if row else 0

    def _claim(self, session: Session, job_ids: Sequence[str], now: datetime) -> Claims:
        if not self._ownership.leads(session):
            raise NotLeading("Another process leads now.")
        return claim(session, self._definitions, job_ids, now, self.owner)

    def _take_over(self, session: Session, held: Callable[[str], bool], now: datetime) -> Sequence[Claimed]:
        alive = self._ownership.alive(session) if self._ownership.leads(session) else None
        left = statements.abandoned(session, self.owner, held, alive)
        return statements.take_all(session, left, self._definitions, self.owner, now)

    def _outbox(self, session: Session, limit: int) -> Sequence[Message]:
        alive = self._ownership.alive(session) if self._ownership.leads_now(session) else None
        return statements.outbox(session, limit, self.owner, alive)

    def _release_all(self, session: Session) -> None:
        self._ownership.step_down(session)
        statements.release_all(session, self.owner)
