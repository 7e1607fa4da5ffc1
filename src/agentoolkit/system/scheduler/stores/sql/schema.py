"""The scheduler's tables. Times are microseconds since 1970 in UTC; everything without a column of its own is JSON text."""

from __future__ import annotations

from collections.abc import Sequence

FIRST = (
    """
    CREATE TABLE agentool_jobs (
        job_id TEXT PRIMARY KEY,
        job_name TEXT NOT NULL,
        definition TEXT NOT NULL,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,
        next_run_at BIGINT,
        paused_until BIGINT,
        runs BIGINT NOT NULL,
        version BIGINT NOT NULL,
        reason TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        revision BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )
    """,
    # A name belongs to one job that can still fire; jobs that are done or removed keep theirs beside it.
    "CREATE UNIQUE INDEX agentool_jobs_name ON agentool_jobs (job_name) WHERE live = 1",
    "CREATE INDEX agentool_jobs_revision ON agentool_jobs (revision)",
    """
    CREATE TABLE agentool_executions (
        execution_id TEXT PRIMARY KEY,
        job_id TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        agentool_name TEXT NOT NULL,
        scheduled_at BIGINT NOT NULL,
        cause TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        due_count BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        owner TEXT NOT NULL,
        retry_at BIGINT,
        started_at BIGINT,
        finished_at BIGINT,
        duration DOUBLE PRECISION,
        result TEXT,
        error TEXT,
        attempts TEXT,
        delivery TEXT NOT NULL,
        cancel_requested INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX agentool_executions_job ON agentool_executions (job_id, sequence)",
    "CREATE INDEX agentool_executions_due ON agentool_executions (scheduled_at)",
    "CREATE INDEX agentool_executions_unfinished ON agentool_executions (job_id) WHERE finished_at IS NULL",
    """
    CREATE TABLE agentool_outbox (
        execution_id TEXT PRIMARY KEY,
        queue_name TEXT NOT NULL,
        payload TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE agentool_owners (
        owner TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        started_at BIGINT NOT NULL,
        heartbeat_at BIGINT NOT NULL
    )
    """,
    "CREATE TABLE agentool_leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, fence BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE agentool_counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "INSERT INTO agentool_counters (name, value) VALUES ('revision', 0), ('halted', 0)",
)

SECOND = (
    # Whose a message is to deliver: the process that wrote it, as long as it lives.
    "ALTER TABLE agentool_outbox ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX agentool_jobs_over ON agentool_jobs (created_at) WHERE live = 0",
)

THIRD = (
    # The job that one comes after. Every outcome looks here, so the index holds those jobs only.
    "ALTER TABLE agentool_jobs ADD COLUMN follows TEXT",
    "CREATE INDEX agentool_jobs_follows ON agentool_jobs (follows) WHERE follows IS NOT NULL",
)

FOURTH = (
    # History that belongs to no job, so that tidying need not read all of it.
    "CREATE INDEX agentool_executions_homeless ON agentool_executions (finished_at) WHERE sequence = 0",
)

MIGRATIONS: Sequence[Sequence[str]] = (FIRST, SECOND, THIRD, FOURTH)
"""Each is run once, in order. A published one is never changed; what is to be different comes as a further one."""
