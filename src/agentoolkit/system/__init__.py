"""The AgenTools that others build on."""
