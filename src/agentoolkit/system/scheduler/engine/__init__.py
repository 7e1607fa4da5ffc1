"""What runs on one event loop: clock, claims, attempts, records and deliveries."""
