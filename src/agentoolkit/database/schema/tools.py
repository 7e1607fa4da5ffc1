"""Values, events, what agents keep, and tokens."""

from __future__ import annotations

from collections.abc import Sequence

VALUES: Sequence[str] = (
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

KEYS_IN_ORDER: Sequence[str] = (
    # Keys are told in the order of their code points, and found by how they begin, whatever the database's collation is.
    'postgres: CREATE INDEX agentool_values_keys ON agentool_values (namespace, key COLLATE "C")',
)

AGENTS: Sequence[str] = (
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

APPROVED_CALLS: Sequence[str] = (
    # A row is there from the moment the call begins; an outcome of NULL: nobody wrote how it ended.
    """
    CREATE TABLE agentool_approved_calls (
        approval_id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        outcome TEXT,
        PRIMARY KEY (approval_id, call_id)
    )
    """,
)

# Until then a run under way may use what its row says; NULL: it has ended.
RESERVATIONS: Sequence[str] = ("ALTER TABLE agentool_agent_runs ADD COLUMN reserved_until BIGINT",)

AGENT_DAYS: Sequence[str] = ("CREATE INDEX agentool_agent_runs_days ON agentool_agent_runs (day, owner)",)

EVENTS: Sequence[str] = (
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

TOKENS: Sequence[str] = (
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

SESSIONS: Sequence[str] = (
    "CREATE TABLE agentool_sessions (digest TEXT PRIMARY KEY, token_id TEXT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE INDEX agentool_sessions_expiry ON agentool_sessions (expires_at)",
)
