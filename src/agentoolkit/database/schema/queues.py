"""Queues, what they count, hold and remember."""

from __future__ import annotations

from collections.abc import Sequence

QUEUES: Sequence[str] = (
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
