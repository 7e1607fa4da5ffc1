"""Pure functions that decide what is due, skipped, retried, recovered and recorded."""
