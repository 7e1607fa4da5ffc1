"""The namespaces of the key-value storage in which the toolkit keeps what is somebody's. Whoever keeps there takes the name from here."""

from __future__ import annotations

SAVED_VIEWS = "agentool.saved_views"
"""Saved searches, by owner."""
AGENT_CHANGES = "agent-changes"
"""Digests of the answers of change gates, by job and AgenTool."""
AGENT_ANSWERS = "agent-answers"
"""Last answers of agents, by owner and job."""
TASK_FILES = "task_files"
"""Ids of the jobs that a task file has created, by the file's whole path."""

RESERVED = frozenset({SAVED_VIEWS, AGENT_CHANGES, AGENT_ANSWERS, TASK_FILES})
"""``storage_kv`` refuses these to callers without the scope ``admin``."""
