"""The AgenTools, and the doors to them."""
