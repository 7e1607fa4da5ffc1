"""The engine of one event loop: clock, claims, attempts, records and deliveries."""
