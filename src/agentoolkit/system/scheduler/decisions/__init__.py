"""Pure decisions: when something is due, retried, recovered, and what becomes of it."""
