"""Check what the scheduler keeps: its database, its leader, late jobs, and undelivered outcomes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta

from agentool.errors import AgenToolError
from agentoolkit.database.database import Database
from agentoolkit.database.sqlite_dialect import Sqlite
from agentoolkit.entrypoints.cli.doctor.finding import Finding, broken, ok, warning
from agentoolkit.entrypoints.cli.find_jobs import find_jobs
from agentoolkit.entrypoints.cli.not_allowed import not_allowed_here
from agentoolkit.entrypoints.cli.printing import moment_of, present, relative
from agentoolkit.entrypoints.cli.session import call, jobs_without_tool, settings_for
from agentoolkit.redaction import redacted_text
from agentoolkit.system.scheduler.answer_schemas import History, JobSummary, SchedulerStatus
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import tells_of_workers
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.text import counted
from agentoolkit.wiring import Toolkit

_MIN_FREE_BYTES = 500_000_000
_OLD_HEARTBEAT = timedelta(seconds=10)
_LATE = timedelta(seconds=30)
_MAX_READ = 10_000
_MAX_NAMED = 3
_MAX_DAMAGED = 100


async def check_records() -> AsyncIterator[Finding]:
    """Open the database without running jobs, and check everything in it."""
    settings = settings_for()
    try:
        unopened = Toolkit(settings, runs_jobs=False)
    except AgenToolError as error:  # a plugin, an extra or an address that the settings name is missing
        yield broken("settings", error.problem, error.remedy or "")
        return
    try:
        async with unopened as kit:
            async for finding in _check_open(kit, redacted_text(settings.database or "")):
                yield finding
    except AgenToolError as error:
        yield broken("database", error.problem, error.remedy or "")


async def _check_open(kit: Toolkit, where: str) -> AsyncIterator[Finding]:
    if kit.database is not None:
        async for finding in check_database(kit.database, where):
            yield finding
    yield await check_leader(kit)
    yield await check_owners(kit)
    jobs = (await find_jobs(kit)).jobs  # read once, as there may be many
    yield check_broken(jobs)
    yield await check_backlog(kit, jobs)
    yield await check_workers(kit)
    yield await check_tools(kit, jobs)
    yield await check_allowed(kit, jobs)
    for check in (check_damaged, check_outbox, check_queue, check_events):
        yield await check(kit)


async def check_database(database: Database, where: str) -> AsyncIterator[Finding]:
    """Check that the database can be read; of a file also its pages and the room on its disk."""
    row = await database.read(lambda session: session.row("SELECT version FROM agentool_schema"))
    yield ok("database", f"{where}, {database.dialect.name}, schema version {row[0] if row else 0}, can be read and written")
    if not isinstance(database.dialect, Sqlite):
        return
    found = await database.read(lambda session: session.rows("PRAGMA integrity_check(5)"))
    problems = "; ".join(str(row[0]) for row in found)
    if problems == "ok":
        yield ok("integrity", "every page is sound")
    else:
        yield broken("integrity", problems, "Stop the scheduler and restore a backup, or `agentool export` what can be read.")
    path = database.dialect.path
    free = shutil.disk_usage(path.parent).free
    said = f"{free / 1e9:,.1f} GB free, the database has {path.stat().st_size / 1e6:,.1f} MB"
    if free >= _MIN_FREE_BYTES:
        yield ok("disk", said)
    else:
        yield warning("disk", said, "Make room: without it nothing can be recorded, so nothing is started.")


async def check_leader(kit: Toolkit) -> Finding:
    """Check that a process leads, and that its heartbeat is recent."""
    if (await call(kit, SchedulerStatus, "status")).stopped:
        return warning("leader", "the scheduler is stopped, nothing fires", "agentool start")
    leader = await kit.scheduler.store.leader()
    if leader is None:
        return warning("leader", "no process serves this database, nothing fires", "agentool serve")
    said = f"pid {leader.pid} on {leader.host}, heartbeat {relative(leader.heartbeat_at, kit.scheduler.now())}"
    if kit.scheduler.now() - leader.heartbeat_at > _OLD_HEARTBEAT:
        return warning("leader", said, "Look whether that process hangs; another one takes the lead when its lease ends.")
    return ok("leader", said)


async def check_owners(kit: Toolkit) -> Finding:
    """List the other processes on the database."""
    now = kit.scheduler.now()
    others = [owner for owner in await kit.scheduler.store.owners() if owner.owner != kit.scheduler.store.owner]
    said = [f"pid {owner.pid} on {owner.host} (heartbeat {relative(owner.heartbeat_at, now)})" for owner in others]
    return ok("processes", "; ".join(said) or "none besides this one")


def check_broken(jobs: Sequence[JobSummary]) -> Finding:
    """Name the jobs that cannot be read or computed: they never fire."""
    found = [f"{job.job_id}: {job.reason}" for job in jobs if job.state == JobStatus.BROKEN]
    if not found:
        return ok("jobs", f"{counted(len(jobs), 'job')}, none is broken")
    said = f"{len(found)} of {counted(len(jobs), 'job')} broken: {_first(found)}"
    return warning("jobs", said, "Cancel them, and schedule them anew: agentool cancel JOB")


async def check_backlog(kit: Toolkit, jobs: Sequence[JobSummary]) -> Finding:
    """Check that no active job is late."""
    is_served = await kit.scheduler.store.leader() is not None
    overdue = present() - (_LATE if is_served else timedelta(0))
    due = [(moment, job.job_id) for job in jobs if job.state == "active" and (moment := moment_of(job.next_run))]
    late = sorted((moment, job_id) for moment, job_id in due if moment < overdue)
    if late:
        oldest, job_id = late[0]
        said = f"{len(late)} of {counted(len(jobs), 'job')} late, the oldest is {job_id}, due {relative(oldest, present())}"
        return warning("due jobs", said, "See 'leader': somebody has to run them.")
    if due and not is_served:
        return warning("due jobs", f"{counted(len(jobs), 'job')}, none is due yet, and no process would start it", "agentool serve")
    return ok("due jobs", f"{counted(len(jobs), 'job')}, none is late")


async def check_workers(kit: Toolkit) -> Finding:
    """Check that workers claim the executions sent to them."""
    queued = await call(kit, History, "list_executions", execution_status="queued", limit=_MAX_READ, with_results=False)
    waiting = Counter(record.reason for record in queued.history if tells_of_workers(record.reason))
    if not waiting:
        return ok("workers", "nothing that was sent to them waits for long")
    said = "; ".join(f"{reason} ({number})" for reason, number in waiting.most_common(_MAX_NAMED))
    more = f"; and for {len(waiting) - _MAX_NAMED} more reasons" if len(waiting) > _MAX_NAMED else ""
    return warning("workers", f"{said}{more}", "Start workers for these queues that have these AgenTools: agentool worker [QUEUE]")


async def check_tools(kit: Toolkit, jobs: Sequence[JobSummary]) -> Finding:
    """Check that every job has its AgenTool."""
    lost = await jobs_without_tool(kit, jobs)
    if lost:
        said = _first([f"{job_id} needs {name!r}" for job_id, name in lost])
        return warning("tools", f"not here: {said}", "Name the plugins that bring them by AGENTOOL_PLUGINS, or cancel the jobs.")
    return ok("tools", "every job that runs here has its AgenTool")


async def check_allowed(kit: Toolkit, jobs: Sequence[JobSummary]) -> Finding:
    """Check that this process allows what the jobs call. What `agentool serve --allow` allows is not known here."""
    found = await not_allowed_here(kit, jobs)
    if found.problems:
        return warning("allowed", f"not allowed here: {_first(found.problems)}", "; ".join(found.exports))
    return ok("allowed", "the settings allow what the jobs call")


async def check_damaged(kit: Toolkit) -> Finding:
    """Name the records that cannot be read: everything else skips them."""
    found: list[str] = []
    for store in (kit.scheduler.store, kit.queue.backend, kit.values):
        with suppress(ConnectionError):  # a server that is away is told by `check_queue`
            found += await store.damaged(_MAX_DAMAGED)
    if not found:
        return ok("records", "those that were looked at can be read")
    return warning("records", f"damaged: {_first(found)}", "Repair the rows in the database, or delete them.")


async def check_outbox(kit: Toolkit) -> Finding:
    """Check that outcomes reach their queues."""
    messages = await kit.scheduler.store.messages(_MAX_READ)
    refused = [f"{message.execution_id} by {message.queue_name!r}" for message in messages if message.attempts]
    records = (await call(kit, History, "list_executions", limit=_MAX_READ, with_results=False)).history
    given_up = sum(record.delivery == "failed" for record in records)
    said = f"{len(messages):,} outcomes wait for their queue, {given_up:,} were given up"
    if refused:
        return warning(
            "outbox", f"{said}; refused so far: {_first(refused)}", "Look whether these queues are full, or the addresses answer."
        )
    return warning("outbox", said, "The history names them: delivery 'failed'.") if given_up else ok("outbox", said)


async def check_queue(kit: Toolkit) -> Finding:
    """Check that there is an AgenTool for queues, and that what keeps them answers."""
    if "queue" not in kit.injector:
        return broken("queue", "there is no AgenTool 'queue', so no outcome can be sent to one", "create_queue_agent()")
    try:
        return ok("queue", f"the AgenTool is there, with {counted(len(await kit.queue.names()), 'queue')}")
    except AgenToolError as error:
        return broken("queue", error.problem, error.remedy or "")


async def check_events(kit: Toolkit) -> Finding:
    """Check that what keeps the events answers."""
    try:
        newest = (await kit.events.store.bounds()).newest
    except AgenToolError as error:
        return broken("events", error.problem, error.remedy or "")
    return ok("events", f"{counted(newest, 'event')} so far")


def _first(found: Sequence[str]) -> str:
    """Return the first of several descriptions, and the number of the others."""
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return "; ".join(found[:_MAX_NAMED]) + more
