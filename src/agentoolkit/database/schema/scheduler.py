"""Jobs, their executions and messages, the processes that share them, and the audit."""

from __future__ import annotations

from collections.abc import Sequence

JOBS: Sequence[str] = (
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

OUTBOX_OWNERS: Sequence[str] = (
    # Whose a message is to deliver: the process that wrote it, as long as it lives.
    "ALTER TABLE agentool_outbox ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX agentool_jobs_over ON agentool_jobs (created_at) WHERE live = 0",
)

DOWNSTREAM: Sequence[str] = (
    # The job that one comes after. Every outcome looks here, so the index holds those jobs only.
    "ALTER TABLE agentool_jobs ADD COLUMN follows TEXT",
    "CREATE INDEX agentool_jobs_follows ON agentool_jobs (follows) WHERE follows IS NOT NULL",
)

HOMELESS: Sequence[str] = (
    # History that belongs to no job, so that tidying need not read all of it.
    "CREATE INDEX agentool_executions_homeless ON agentool_executions (finished_at) WHERE sequence = 0",
)

PAGES: Sequence[str] = (
    # Jobs by their names, also those that are over, and pages of jobs.
    "CREATE INDEX agentool_jobs_old_name ON agentool_jobs (job_name, created_at) WHERE live = 0",
    "CREATE INDEX agentool_jobs_live ON agentool_jobs (created_at, job_id) WHERE live = 1",
    "CREATE INDEX agentool_jobs_state ON agentool_jobs (state, created_at, job_id)",
    "CREATE INDEX agentool_jobs_live_id ON agentool_jobs (job_id) WHERE live = 1",
    "ALTER TABLE agentool_jobs ADD COLUMN ended_at BIGINT",
    # A history in the order in which it is pruned; what runs is in the index on the unfinished.
    "DROP INDEX agentool_executions_job",
    "CREATE INDEX agentool_executions_history ON agentool_executions (job_id, finished_at, sequence) WHERE finished_at IS NOT NULL",
    # Pages of executions: of all, and of those with an outcome that is not what most have.
    "DROP INDEX agentool_executions_due",
    "CREATE INDEX agentool_executions_newest ON agentool_executions (scheduled_at, execution_id)",
    """
    CREATE INDEX agentool_executions_outcome ON agentool_executions (status, scheduled_at, execution_id)
    WHERE status NOT IN ('queued', 'running', 'retrying', 'success')
    """,
    "DROP INDEX agentool_executions_homeless",
    "CREATE INDEX agentool_executions_homeless ON agentool_executions (finished_at) WHERE sequence <= 0",
    "ALTER TABLE agentool_executions ADD COLUMN cancel_reason TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX agentool_executions_cancel ON agentool_executions (owner) WHERE cancel_requested = 1",
    "CREATE INDEX agentool_outbox_order ON agentool_outbox (created_at, execution_id)",
)

COUNTS: Sequence[str] = (
    # How many jobs have each status. Triggers count, so that no way to change a job is forgotten.
    "CREATE TABLE agentool_job_counts (state TEXT NOT NULL, number BIGINT NOT NULL)",
    "INSERT INTO agentool_job_counts (state, number) SELECT state, COUNT(*) FROM agentool_jobs GROUP BY state",
    # SQLite has one writer, which changes the counts. On PostgreSQL each change adds a row: so nobody waits for another's commit.
    """sqlite: CREATE TRIGGER agentool_jobs_added AFTER INSERT ON agentool_jobs BEGIN
                INSERT INTO agentool_job_counts (state, number)
                SELECT NEW.state, 0 WHERE NOT EXISTS (SELECT 1 FROM agentool_job_counts WHERE state = NEW.state);
                UPDATE agentool_job_counts SET number = number + 1 WHERE state = NEW.state;
            END
    """,
    """postgres: CREATE FUNCTION agentool_count_job() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP <> 'INSERT' THEN INSERT INTO agentool_job_counts (state, number) VALUES (OLD.state, -1); END IF;
                IF TG_OP <> 'DELETE' THEN INSERT INTO agentool_job_counts (state, number) VALUES (NEW.state, 1); END IF;
                RETURN NULL;
            END $$
    """,
    """sqlite: CREATE TRIGGER agentool_jobs_deleted AFTER DELETE ON agentool_jobs BEGIN
                UPDATE agentool_job_counts SET number = number - 1 WHERE state = OLD.state;
            END
    """,
    """postgres: CREATE TRIGGER agentool_jobs_added_or_deleted AFTER INSERT OR DELETE ON agentool_jobs
            FOR EACH ROW EXECUTE FUNCTION agentool_count_job()
    """,
    """sqlite: CREATE TRIGGER agentool_jobs_changed AFTER UPDATE OF state ON agentool_jobs WHEN OLD.state <> NEW.state BEGIN
                INSERT INTO agentool_job_counts (state, number)
                SELECT NEW.state, 0 WHERE NOT EXISTS (SELECT 1 FROM agentool_job_counts WHERE state = NEW.state);
                UPDATE agentool_job_counts SET number = number - 1 WHERE state = OLD.state;
                UPDATE agentool_job_counts SET number = number + 1 WHERE state = NEW.state;
            END
    """,
    """postgres: CREATE TRIGGER agentool_jobs_changed AFTER UPDATE OF state ON agentool_jobs
            FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION agentool_count_job()
    """,
)

LIVE_PAGES: Sequence[str] = (
    # Its condition is written so that only a page asks for it: PostgreSQL took it for every question about a live job, and read all of it.
    "DROP INDEX agentool_jobs_live",
    "CREATE INDEX agentool_jobs_live ON agentool_jobs (created_at, job_id) WHERE live + 0 = 1",
)

LIVE_IDS: Sequence[str] = (
    # As above: PostgreSQL took it for a live job's name.
    "DROP INDEX agentool_jobs_live_id",
    "CREATE INDEX agentool_jobs_live_id ON agentool_jobs (job_id) WHERE live + 0 = 1",
)

AUDIT: Sequence[str] = (
    """
    CREATE TABLE agentool_audit (
        number BIGINT PRIMARY KEY,
        at BIGINT NOT NULL,
        owner TEXT NOT NULL,
        job_id TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        action TEXT NOT NULL,
        caller TEXT NOT NULL,
        states TEXT NOT NULL
    )
    """,
    "CREATE INDEX agentool_audit_job ON agentool_audit (job_id, number)",
    "CREATE INDEX agentool_audit_owner ON agentool_audit (owner, number)",
)

DUE_NEXT: Sequence[str] = (
    # Its condition is written so that only the question of what is due next takes it.
    "CREATE INDEX agentool_jobs_due ON agentool_jobs (next_run_at, job_id) WHERE state || '' = 'active'",
)

FAILURES: Sequence[str] = ("ALTER TABLE agentool_jobs ADD COLUMN failures_from BIGINT",)

CHEAPER_COUNTS: Sequence[str] = (
    # A row for each status there is, so that a trigger is one statement: every job that runs once changes its status.
    """sqlite: INSERT INTO agentool_job_counts (state, number)
            SELECT value, 0 FROM json_each('["active", "paused", "done", "broken", "removed"]')
            WHERE value NOT IN (SELECT state FROM agentool_job_counts)
    """,
    "sqlite: DROP TRIGGER agentool_jobs_added",
    "sqlite: DROP TRIGGER agentool_jobs_changed",
    """sqlite: CREATE TRIGGER agentool_jobs_added AFTER INSERT ON agentool_jobs BEGIN
                UPDATE agentool_job_counts SET number = number + 1 WHERE state = NEW.state;
            END
    """,
    """sqlite: CREATE TRIGGER agentool_jobs_changed AFTER UPDATE OF state ON agentool_jobs WHEN OLD.state <> NEW.state BEGIN
                UPDATE agentool_job_counts SET number = number + CASE state WHEN NEW.state THEN 1 ELSE -1 END
                WHERE state IN (OLD.state, NEW.state);
            END
    """,
)

LIVE_IDS_APART: Sequence[str] = (
    # Its condition is no other index's: PostgreSQL took it for pages, which it then read and sorted whole.
    "DROP INDEX agentool_jobs_live_id",
    "CREATE INDEX agentool_jobs_live_id ON agentool_jobs (job_id) WHERE live * 1 = 1",
)

COUNTS_BY_STATEMENT: Sequence[str] = (
    # One transaction at a time writes jobs, so one row for each status makes nobody wait. Rows that were added up had left holes to read.
    "postgres: DROP TRIGGER agentool_jobs_added_or_deleted ON agentool_jobs",
    "postgres: DROP TRIGGER agentool_jobs_changed ON agentool_jobs",
    "postgres: DROP FUNCTION agentool_count_job()",
    "postgres: TRUNCATE agentool_job_counts",
    "postgres: ALTER TABLE agentool_job_counts ADD PRIMARY KEY (state)",
    """postgres: INSERT INTO agentool_job_counts (state, number)
            SELECT each.state, (SELECT COUNT(*) FROM agentool_jobs j WHERE j.state = each.state)
            FROM (VALUES ('active'), ('paused'), ('done'), ('broken'), ('removed')) AS each (state)
    """,
    """postgres: CREATE FUNCTION agentool_count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    UPDATE agentool_job_counts c SET number = c.number + come.number
                    FROM (SELECT state, COUNT(*) AS number FROM after GROUP BY state) come WHERE c.state = come.state;
                ELSIF TG_OP = 'DELETE' THEN
                    UPDATE agentool_job_counts c SET number = c.number - gone.number
                    FROM (SELECT state, COUNT(*) AS number FROM before GROUP BY state) gone WHERE c.state = gone.state;
                ELSE
                    UPDATE agentool_job_counts c SET number = c.number + changed.number FROM (
                        SELECT state, SUM(one) AS number FROM (
                            SELECT state, 1 AS one FROM after UNION ALL SELECT state, -1 FROM before) each
                        GROUP BY state HAVING SUM(one) <> 0) changed WHERE c.state = changed.state;
                END IF;
                RETURN NULL;
            END $$
    """,
    *(
        f"""postgres: CREATE TRIGGER agentool_jobs_{name} AFTER {event} ON agentool_jobs REFERENCING {tables}
            FOR EACH STATEMENT EXECUTE FUNCTION agentool_count_jobs()
    """
        for name, event, tables in (
            ("added", "INSERT", "NEW TABLE AS after"),
            ("changed", "UPDATE", "OLD TABLE AS before NEW TABLE AS after"),
            ("deleted", "DELETE", "OLD TABLE AS before"),
        )
    ),
)

OUTCOMES_ONE_BY_ONE: Sequence[str] = (
    # For a list SQLite makes a table, twice for each row that is written. Executions are written three times, and few of them are in here.
    "sqlite: DROP INDEX agentool_executions_outcome",
    """sqlite: CREATE INDEX agentool_executions_outcome ON agentool_executions (status, scheduled_at, execution_id)
            WHERE status <> 'success' AND status <> 'running' AND status <> 'queued' AND status <> 'retrying'
    """,
)
