"""Emails."""

import logging

from agentoolkit.system.events import EventBus

logger = logging.getLogger(__name__)


def process_pending_emails_task(batch_size: int = 10) -> dict:
    """Scheduled task function."""
    logger.info("Processing %d pending emails", batch_size)

    event_bus = EventBus()
    event_bus.publish(
        event_type="email.batch_processed",
        source_agent="email-agent",
        payload={"batch_size": batch_size},
    )

    return {"status": "success", "processed": batch_size}
