"""AgenTools that tell how things stand."""
