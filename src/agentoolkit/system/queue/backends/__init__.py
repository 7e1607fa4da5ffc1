"""Back ends that store queues and messages."""
