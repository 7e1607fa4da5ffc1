"""Chooses the available executors by settings and installed packages. Each is imported at its first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

from agentoolkit.setting_groups import CelerySettings, RedisSettings
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.executors.sending_to_workers import RemoteExecutor
from agentoolkit.system.scheduler.jobs import ExecutorName
from agentoolkit.system.scheduler.ports import Attempts, Courier, Executor

_BROKERS: Mapping[ExecutorName, str] = {
    "celery": "AGENTOOL_CELERY_BROKER, or CELERY_BROKER_URL, to the address of its broker",
    "rq": "AGENTOOL_REDIS_URL, or REDIS_URL, to the address of its Redis server",
}


class Executors(NamedTuple):
    """The executors of one toolkit."""

    couriers: Mapping[ExecutorName, Callable[[], Courier]]
    """Functions that create the couriers, by engine."""
    unavailable: Mapping[ExecutorName, str]
    """The unavailable engines, each with the remedy."""

    def maker(self, sent_at_once: int) -> Callable[[Attempts, int], Executor]:
        """Return a function that creates the executor: one with up to `sent_at_once` executions at workers, or a local one."""
        return partial(RemoteExecutor, couriers=self.couriers, sent_at_once=sent_at_once) if self.couriers else LocalExecutor


def executors_of(celery: CelerySettings, redis: RedisSettings, *, is_shared: bool) -> Executors:
    """Return the executors that these settings allow.

    Args:
        celery: Celery's broker.
        redis: RQ's server.
        is_shared: True if workers can open the store too.
    """
    couriers: dict[ExecutorName, Callable[[], Courier]] = {"celery": partial(_celery, celery), "rq": partial(_rq, redis)}
    is_set: dict[ExecutorName, bool] = {"celery": celery.broker is not None, "rq": redis.url is not None}
    unavailable: dict[ExecutorName, str] = {}
    for name in couriers:
        if find_spec(name) is None:
            unavailable[name] = f"Install it: pip install 'agentool[{name}]'."
        elif not is_shared:
            unavailable[name] = "Set AGENTOOL_DATABASE: workers claim what they run in a database that they share."
        elif not is_set[name]:
            unavailable[name] = f"Set {_BROKERS[name]}."
    return Executors({name: make for name, make in couriers.items() if name not in unavailable}, unavailable)


def _celery(settings: CelerySettings) -> Courier:
    from agentoolkit.system.scheduler.executors.celery import CeleryCourier

    return CeleryCourier(settings)


def _rq(settings: RedisSettings) -> Courier:
    from agentoolkit.system.scheduler.executors.rq import RqCourier

    return RqCourier(settings)
