"""AgenTools that do something: one per file."""
