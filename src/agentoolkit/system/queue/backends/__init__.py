"""Where queues and messages live."""
