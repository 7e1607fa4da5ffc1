"""Sends executions to Celery's workers. Both sides take queues, names and limits from here.

Messages are acknowledged late, and redelivered if a worker is killed. That is harmless, because a worker first claims
the executions in the store. No message has an ETA, Celery keeps no results, and only JSON is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import get_args

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.messaging import Producer

from agentoolkit.celery_connection import connected_app
from agentoolkit.setting_groups import CELERY_HELLO, CELERY_QUEUE, CELERY_TASK, CelerySettings
from agentoolkit.system.scheduler.executors.couriers import GRACE_SECONDS, SEND_SECONDS, ThreadedCourier, message_seconds
from agentoolkit.system.scheduler.jobs import Priority
from agentoolkit.system.scheduler.ports import COMMON_QUEUE, Portion

TASK = CELERY_TASK
"""Name of the only Celery task. Its argument is a list of execution ids."""
QUEUES_KEPT = 256
"""Size of a courier's cache of queues: jobs may name any number."""
DELIVERIES = 20
"""Deliveries after which a quorum queue drops a message. The execution is then sent again, or was lost already."""

# Numbered, because brokers that serve queues in order sort them by name.
_LEVELS = {priority: f"{place}-{priority}" for place, priority in enumerate(get_args(Priority))}


def create_app(settings: CelerySettings, queues: Sequence[str] = ()) -> Celery:
    """Return a Celery application that sends executions, or that runs a worker.

    Args:
        settings: The broker, and the type of its queues.
        queues: Names of the queues that a worker consumes.
    """
    app = connected_app(settings)
    is_redis = _is_redis(settings)
    on_redis = {"visibility_timeout": settings.visibility_timeout, "queue_order_strategy": "sorted", "unacked_restore_throttle": 1}
    on_redis |= dict.fromkeys(("socket_timeout", "socket_connect_timeout"), SEND_SECONDS)
    app.conf.update(
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=CELERY_QUEUE,
        task_default_queue_type="classic" if is_redis else settings.queue_type,
        task_queues=[_queue(settings, CELERY_HELLO), _queue(settings, CELERY_QUEUE)]
        + [queue for name in queues for queue in create_queues(settings, name)],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=is_redis,
        worker_send_task_events=False,  # four more messages for each; Flower turns them on itself
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever: Celery's default gives up within an hour
        broker_connection_timeout=SEND_SECONDS,
        broker_transport_options=on_redis if is_redis else {"confirm_publish": True},
    )
    return app


def create_queue(settings: CelerySettings, name: str, priority: Priority) -> Queue:
    """Return the Celery queue of a queue's name and priority: quorum queues have no priorities, so each level has its own queue."""
    return _queue(settings, f"{name}.{_LEVELS[priority]}")


def create_queues(settings: CelerySettings, name: str) -> list[Queue]:
    """Return the Celery queues of a queue's name, one for each priority. The name of one of these, such as `gpu.1-high`, gives that one."""
    if name.endswith(tuple(f".{level}" for level in _LEVELS.values())):
        return [_queue(settings, name)]
    return [create_queue(settings, name, priority) for priority in get_args(Priority)]


class CeleryCourier(ThreadedCourier):
    """Sends executions to Celery's workers.

    Args:
        settings: The broker.
    """

    def __init__(self, settings: CelerySettings) -> None:
        super().__init__("celery")
        self._queue = lru_cache(QUEUES_KEPT)(partial(create_queue, settings))  # creating one for each message would be slow
        self._app = create_app(settings)

    def bring(self, portions: Sequence[Portion]) -> None:
        """See `ThreadedCourier.bring`. Redis gets them in one batch; RabbitMQ confirms each."""
        with self._app.producer_or_acquire() as producer, producer.batch():
            for portion in portions:
                if self.is_closed:  # the process waits for this thread, and a broker may take long to confirm each
                    return
                self._send(producer, portion)

    def disconnect(self) -> None:
        """See `ThreadedCourier.disconnect`."""
        self._app.close()

    def _send(self, producer: Producer, portion: Portion) -> None:
        route, limit = portion.route, message_seconds(portion.route.seconds)
        queue = self._queue(route.queue or COMMON_QUEUE, route.priority)
        self._app.send_task(
            TASK,
            args=[list(portion.execution_ids)],
            producer=producer,
            queue=queue,  # pyright: ignore[reportArgumentType]  the stubs allow only names; given a queue, Celery declares it
            shadow=route.label,
            soft_time_limit=limit,
            time_limit=None if limit is None else limit + GRACE_SECONDS,
            ignore_result=True,
            retry=False,
        )


def _queue(settings: CelerySettings, name: str) -> Queue:
    is_quorum = settings.queue_type == "quorum" and not _is_redis(settings)
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERIES} if is_quorum else None
    return Queue(name, Exchange(name, type="direct"), name, queue_arguments=arguments)


def _is_redis(settings: CelerySettings) -> bool:
    return settings.broker is not None and settings.broker.get_secret_value().startswith("redis")
