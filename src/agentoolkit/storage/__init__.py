"""AgenTools that keep things: values by key, and files."""
