"""Databases that an older version wrote: they are migrated, and what was under way goes on."""

from __future__ import annotations

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.search import read_search
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime

from .scenario import START

_OLD_ROWS = (
    """INSERT INTO agentool_jobs (job_id, job_name, definition, state, live, next_run_at, paused_until, runs, version, reason,
        sequence, revision, created_at) VALUES ('job', 'job', :definition, 'active', 1, 1893456060000000, NULL, 1, 1, '', 1, 1, 0)""",
    """INSERT INTO agentool_executions (execution_id, job_id, sequence, agentool_name, scheduled_at, cause, status, reason, due_count,
        attempt, owner, started_at, delivery) VALUES ('job@2030-01-01T00:00:00+00:00', 'job', 1, 'work', 1893456000000000, 'schedule',
        'running', '', 1, 1, 'somebody gone', 1893456000000000, 'none')""",
    """INSERT INTO agentool_outbox (execution_id, queue_name, payload, attempts, created_at)
        VALUES ('job@2029-12-31T23:59:00+00:00', 'results', '{"result": 1}', 0, 0)""",
)
_DEFINITION = """{"job_name":"job","agentool_name":"work","input_data":{"operation":"run"},"schedule":{"kind":"interval","text":"1 minute",
"timezone":"UTC","anchor":"2029-12-31T23:59:00+00:00","jitter":0.0,"jitter_key":"job","exclude":[]},"policies":{"retry_on":[]},
"result_queue":null,"error_queue":null,"description":"","tags":[],"created_at":"2030-01-01T00:00:00+00:00"}"""


async def test_rows_of_the_first_version_go_on(database_url: str, nothing_left: None, figure):
    """A job, a running execution and a message of the first version are claimed, started again and delivered by this one."""
    old = Database(dialect_for(database_url), MIGRATIONS[:1])
    await old.open()
    for statement in _OLD_ROWS:
        await old.write(lambda session, sql=statement: session.run(sql, {"definition": _DEFINITION} if "definition" in sql else {}))
    await old.close()
    store = SqlJobStore(Database(dialect_for(database_url), MIGRATIONS), ManualTime(START))
    await store.open()
    assert await store.lead(START)
    taken = [claimed.execution for claimed in await store.take_over(START, lambda _: False)]
    messages = [message.queue_name for message in await store.outbox(10)]
    upcoming = [change.job_id for change in await store.upcoming()]
    await store.close()
    figure(31, f"running row: {taken[0].status}, attempt {taken[0].attempt}; messages kept {len(messages)}; jobs due {len(upcoming)}")
    assert [(execution.status, execution.attempt) for execution in taken] == [(ExecutionStatus.QUEUED, 2)]
    assert (messages, upcoming) == (["results"], ["job"])


async def test_database_of_the_first_versions_gains_what_came_later(database_url: str, nothing_left: None):
    """What migrations of several parts reached before jobs could come after others is completed, each run once."""
    old = Database(dialect_for(database_url), MIGRATIONS[:4])
    await old.open()
    await old.write(lambda session: session.run(_OLD_ROWS[0], {"definition": _DEFINITION}))
    await old.close()
    new = Database(dialect_for(database_url), MIGRATIONS)
    await new.open()
    rows = await new.read(lambda session: session.rows("SELECT job_id, follows FROM agentool_jobs"))
    tables = await new.read(lambda session: session.row("SELECT COUNT(*) FROM agentool_values, agentool_queue_messages"))
    await new.close()
    assert (rows, tables) == ([("job", None)], (0,))


async def test_what_was_there_before_searches_is_found(database_url: str, nothing_left: None):
    """Jobs of an older version are found by name, tag, owner and AgenTool, and what agents have cost; a damaged job by its name."""
    old = Database(dialect_for(database_url), MIGRATIONS[:16])
    await old.open()
    definition = _DEFINITION.replace('"tags":[]', '"tags":["Größe"]').replace('"agentool_name":"work"', '"agentool_name":"agent"')
    for job_id, stored in (("job", definition), ("bad", "{")):
        statement = _OLD_ROWS[0].replace("'job', 'job'", f"'{job_id}', '{job_id}'")
        await old.write(lambda session, sql=statement, text=stored: session.run(sql, {"definition": text}))
    ended = _OLD_ROWS[1].replace("'work'", "'agent'").replace("'running'", "'success'")
    await old.write(lambda session: session.run(ended))
    await old.write(lambda session: session.run("""UPDATE agentool_executions SET finished_at = 1, result = '{"cost": "0.25"}'"""))
    await old.close()
    store = SqlJobStore(Database(dialect_for(database_url), MIGRATIONS), ManualTime(START))
    await store.open()
    found = {
        text: len((await store.search_executions(read_search(text, "executions", me="code", now=START), 9)).executions)
        for text in ("job:job", "tag:größe", "owner:me", "tool:agent", "cost:>0.2")
    }
    damaged = await store.search_jobs(read_search("job:bad", "jobs", me="code", now=START), 9)
    await store.close()
    assert (set(found.values()), [stored.job.job_id for stored in damaged.jobs]) == ({1}, ["bad"])


async def test_jobs_that_an_older_version_counted_are_counted_on(database_url: str, nothing_left: None):
    """Rows of changes that nobody had added up become numbers, which statements about many jobs at once change too."""
    old = Database(dialect_for(database_url), MIGRATIONS[:19])
    await old.open()
    for number in range(3):
        statement = _OLD_ROWS[0].replace("'job', 'job'", f"'job{number}', 'job{number}'")
        await old.write(lambda session, sql=statement: session.run(sql, {"definition": _DEFINITION}))
    await old.write(lambda session: session.run("UPDATE agentool_jobs SET state = 'paused' WHERE job_id = 'job2'"))
    await old.close()
    store = SqlJobStore(Database(dialect_for(database_url), MIGRATIONS), ManualTime(START))
    await store.open()
    before = await store.count_jobs()
    await store._database.write(lambda session: session.run("UPDATE agentool_jobs SET state = 'broken' WHERE state = 'active'"))
    after = await store.count_jobs()
    await store._database.write(lambda session: session.run("DELETE FROM agentool_jobs WHERE job_id <> 'job0'"))
    left = await store.count_jobs()
    await store.close()
    assert before == {JobStatus.ACTIVE: 2, JobStatus.PAUSED: 1}
    assert (after, left) == ({JobStatus.BROKEN: 2, JobStatus.PAUSED: 1}, {JobStatus.BROKEN: 1})
