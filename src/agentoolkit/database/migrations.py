"""The tables of the one database, as the ordered list of steps that made them, and the function that takes the steps.

Times are microseconds since 1970 in UTC; everything without a column of its own is JSON text.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentoolkit.database.session import DatabaseError, Session

_JOBS = (
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

_OUTBOX_OWNERS = (
    # Whose a message is to deliver: the process that wrote it, as long as it lives.
    "ALTER TABLE agentool_outbox ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX agentool_jobs_over ON agentool_jobs (created_at) WHERE live = 0",
)

_VALUES = (
    """
    CREATE TABLE agentool_values (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        expires_at BIGINT,
        PRIMARY KEY (namespace, key)
    )
    """,
    "CREATE INDEX agentool_values_expiry ON agentool_values (expires_at) WHERE expires_at IS NOT NULL",
)

_QUEUES = (
    """
    CREATE TABLE agentool_queues (
        queue_name TEXT PRIMARY KEY,
        max_size BIGINT NOT NULL,
        visibility_timeout DOUBLE PRECISION NOT NULL,
        max_retries BIGINT NOT NULL,
        description TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        arrivals BIGINT NOT NULL DEFAULT 0,
        remembered BIGINT NOT NULL DEFAULT 0
    )
    """,
    # What a queue holds is the sum of its slots. Each process counts in one of them, so that takers do not wait for each other.
    """
    CREATE TABLE agentool_queue_counts (
        queue_name TEXT NOT NULL,
        slot BIGINT NOT NULL,
        ready BIGINT NOT NULL,
        delayed BIGINT NOT NULL,
        in_flight BIGINT NOT NULL,
        dead BIGINT NOT NULL,
        dropped BIGINT NOT NULL,
        PRIMARY KEY (queue_name, slot)
    )
    """,
    """
    CREATE TABLE agentool_queue_messages (
        queue_name TEXT NOT NULL,
        message_id TEXT NOT NULL,
        body TEXT NOT NULL,
        enqueued_at BIGINT NOT NULL,
        available_at BIGINT NOT NULL,
        priority BIGINT NOT NULL,
        expires_at BIGINT,
        arrival BIGINT NOT NULL,
        state TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        token TEXT NOT NULL,
        leased_until BIGINT,
        reason TEXT NOT NULL,
        died_at BIGINT,
        change_at BIGINT,
        death BIGINT,
        PRIMARY KEY (queue_name, message_id)
    )
    """,
    """
    CREATE INDEX agentool_queue_messages_ready ON agentool_queue_messages (queue_name, priority, available_at, arrival)
    WHERE state = 'ready'
    """,
    "CREATE INDEX agentool_queue_messages_change ON agentool_queue_messages (queue_name, change_at, arrival) WHERE change_at IS NOT NULL",
    "CREATE INDEX agentool_queue_messages_death ON agentool_queue_messages (queue_name, death) WHERE death IS NOT NULL",
    """
    CREATE TABLE agentool_queue_ids (
        queue_name TEXT NOT NULL,
        message_id TEXT NOT NULL,
        number BIGINT NOT NULL,
        remembered_until BIGINT NOT NULL,
        PRIMARY KEY (queue_name, message_id)
    )
    """,
    "CREATE INDEX agentool_queue_ids_number ON agentool_queue_ids (queue_name, number)",
)

_DOWNSTREAM = (
    # The job that one comes after. Every outcome looks here, so the index holds those jobs only.
    "ALTER TABLE agentool_jobs ADD COLUMN follows TEXT",
    "CREATE INDEX agentool_jobs_follows ON agentool_jobs (follows) WHERE follows IS NOT NULL",
)

_HOMELESS = (
    # History that belongs to no job, so that tidying need not read all of it.
    "CREATE INDEX agentool_executions_homeless ON agentool_executions (finished_at) WHERE sequence = 0",
)

_KEYS_IN_ORDER = (
    # Keys are told in the order of their code points, and found by how they begin, whatever the database's collation is.
    'postgres: CREATE INDEX agentool_values_keys ON agentool_values (namespace, key COLLATE "C")',
)

_PAGES: Sequence[str] = (
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

_COUNTS: Sequence[str] = (
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

_AGENTS = (
    """
    CREATE TABLE agentool_conversations (
        conversation_id TEXT PRIMARY KEY,
        scope TEXT,
        revision TEXT NOT NULL,
        updated_at BIGINT NOT NULL,
        forked_from TEXT,
        record TEXT NOT NULL
    )
    """,
    "CREATE INDEX agentool_conversations_scope ON agentool_conversations (scope, updated_at)",
    "CREATE INDEX agentool_conversations_fork ON agentool_conversations (forked_from) WHERE forked_from IS NOT NULL",
    """
    CREATE TABLE agentool_conversation_entries (
        entry_id TEXT PRIMARY KEY,
        conversation_id TEXT NOT NULL,
        parent_id TEXT,
        message TEXT NOT NULL
    )
    """,
    "CREATE INDEX agentool_conversation_entries_of ON agentool_conversation_entries (conversation_id)",
    # Costs are in millionths of a dollar; NULL: unknown.
    """
    CREATE TABLE agentool_agent_runs (
        run_id TEXT PRIMARY KEY,
        agent TEXT NOT NULL,
        owner TEXT NOT NULL,
        job_id TEXT NOT NULL,
        day TEXT NOT NULL,
        tokens BIGINT NOT NULL,
        cost BIGINT
    )
    """,
    "CREATE INDEX agentool_agent_runs_day ON agentool_agent_runs (agent, owner, day)",
    "CREATE INDEX agentool_agent_runs_job ON agentool_agent_runs (job_id, agent)",
    """
    CREATE TABLE agentool_approvals (
        approval_id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        record TEXT NOT NULL
    )
    """,
    "CREATE INDEX agentool_approvals_pending ON agentool_approvals (created_at) WHERE status = 'pending'",
)

_LIVE_PAGES = (
    # Its condition is written so that only a page asks for it: PostgreSQL took it for every question about a live job, and read all of it.
    "DROP INDEX agentool_jobs_live",
    "CREATE INDEX agentool_jobs_live ON agentool_jobs (created_at, job_id) WHERE live + 0 = 1",
)

_LIVE_IDS = (
    # As above: PostgreSQL took it for a live job's name.
    "DROP INDEX agentool_jobs_live_id",
    "CREATE INDEX agentool_jobs_live_id ON agentool_jobs (job_id) WHERE live + 0 = 1",
)

_AUDIT = (
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

_EVENTS = (
    """
    CREATE TABLE agentool_events (
        event_id BIGINT PRIMARY KEY,
        event_type TEXT NOT NULL,
        source_agent TEXT NOT NULL,
        target_agent TEXT NOT NULL,
        owner TEXT NOT NULL,
        payload TEXT NOT NULL,
        published_at BIGINT NOT NULL
    )
    """,
    "CREATE TABLE agentool_event_cursors (name TEXT PRIMARY KEY, event_id BIGINT NOT NULL)",
    "INSERT INTO agentool_counters (name, value) VALUES ('events', 0)",
)

_TOKENS = (
    """
    CREATE TABLE agentool_tokens (
        token_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        digest TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        used_at BIGINT,
        revoked_at BIGINT
    )
    """,
)

_FAILURES = ("ALTER TABLE agentool_jobs ADD COLUMN failures_from BIGINT",)

MIGRATIONS: Sequence[Sequence[str]] = (
    _JOBS,
    _OUTBOX_OWNERS,
    _VALUES,
    _QUEUES,
    _DOWNSTREAM,
    _HOMELESS,
    _KEYS_IN_ORDER,
    _PAGES,
    _COUNTS,
    _AGENTS,
    _LIVE_PAGES,
    _LIVE_IDS,
    _AUDIT,
    _EVENTS,
    _TOKENS,
    _FAILURES,
)
"""A place in this list is a version that databases have reached: a step is never changed, and only ever appended at the end."""


def migrate(session: Session, migrations: Sequence[Sequence[str]]) -> None:
    """Run the migrations that a database lacks, in one transaction.

    Raises:
        DatabaseError: The database has more of them than this program knows.
    """
    with session.without_limits():
        if session.dialect == "postgres":  # two processes may meet at a new database
            session.run("SELECT pg_advisory_xact_lock(4919)")
        session.run("CREATE TABLE IF NOT EXISTS agentool_schema (version INTEGER NOT NULL)")
        row = session.row("SELECT version FROM agentool_schema")
        version = row[0] if row else 0
        if version > len(migrations):
            raise DatabaseError(
                f"The database has schema version {version}, and this program knows {len(migrations)}.",
                remedy="Use the newer version of the program, or another database.",
            )
        for statements in migrations[version:]:
            for statement in statements:
                if (sql := _for_dialect(statement, session.dialect)) is not None:
                    session.run(sql)
        session.run("DELETE FROM agentool_schema")
        session.run("INSERT INTO agentool_schema (version) VALUES (:version)", {"version": len(migrations)})


def _for_dialect(statement: str, dialect: str) -> str | None:
    """Return a statement, unless it begins with the name of another database system: ``postgres: CREATE …``."""
    name, colon, sql = statement.partition(": ")
    if not colon or name not in ("sqlite", "postgres"):
        return statement
    return sql if name == dialect else None
