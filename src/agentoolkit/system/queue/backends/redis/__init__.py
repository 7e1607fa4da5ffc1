"""Queues on a server of Redis."""

from agentoolkit.system.queue.backends.redis.backend import RedisQueueBackend

__all__ = ["RedisQueueBackend"]
