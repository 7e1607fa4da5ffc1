"""The steps that made searches quick: what a job is found by, and indexes on what few executions have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentoolkit.database.session import Session

SEARCH_TABLES: Sequence[str] = (
    """
    CREATE TABLE agentool_job_labels (
        job_id TEXT NOT NULL REFERENCES agentool_jobs (job_id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (job_id, kind, value)
    )
    """,
    "CREATE INDEX agentool_job_labels_value ON agentool_job_labels (kind, value, job_id)",
    "ALTER TABLE agentool_executions ADD COLUMN cost DOUBLE PRECISION",
    # Each holds what few executions have, so that the others pay nothing for it.
    "CREATE INDEX agentool_executions_cost ON agentool_executions (cost) WHERE cost IS NOT NULL",
    "CREATE INDEX agentool_executions_slow ON agentool_executions (duration) WHERE duration >= 1.0",
    """
    CREATE INDEX agentool_executions_cause ON agentool_executions (cause, scheduled_at, execution_id)
    WHERE cause <> 'schedule'
    """,
)
LABELS_IN_ORDER: Sequence[str] = (
    # Labels are found by how they begin, whatever the database's collation is.
    "postgres: DROP INDEX agentool_job_labels_value",
    'postgres: CREATE INDEX agentool_job_labels_value ON agentool_job_labels (kind, value COLLATE "C", job_id)',
)
_LABEL = "INSERT INTO agentool_job_labels (job_id, kind, value) VALUES (:job_id, :kind, :value)"
_COST = "UPDATE agentool_executions SET cost = :cost WHERE execution_id = :execution_id"


def fill_search_tables(session: Session) -> None:
    """Write down what the jobs that are there are found by, and what executions of agents have cost."""
    for job_id, job_name, definition in session.rows("SELECT job_id, job_name, definition FROM agentool_jobs"):
        labels = {("job", job_id), ("job", job_name), *_defined(_json(definition))}
        found = {(kind, value if kind == "owned" else value.casefold()[:500]) for kind, value in labels if value}
        session.run_many(_LABEL, [{"job_id": job_id, "kind": kind, "value": value} for kind, value in sorted(found)])
    agents = "SELECT execution_id, result FROM agentool_executions WHERE agentool_name = 'agent' AND result IS NOT NULL"
    for execution_id, result in session.rows(agents):
        try:
            cost = float(str(_json(result).get("cost")))
        except ValueError:
            continue
        session.run(_COST, {"execution_id": execution_id, "cost": cost})


def _defined(definition: dict[str, Any]) -> set[tuple[str, str]]:
    maker: dict[str, Any] = definition.get("created_by") or {}
    owner = str(maker.get("name", "code"))
    tags = {("tag", str(tag)) for tag in definition.get("tags") or ()}
    tool, text = str(definition.get("agentool_name", "")), str(definition.get("description", ""))
    return {("owner", owner), ("owned", owner), ("tool", tool), ("text", text), *tags}


def _json(text: str) -> dict[str, Any]:
    """Read a JSON object; what was damaged holds nothing."""
    try:
        read: object = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}  # pyright: ignore[reportUnknownVariableType]
