"""The application of Celery's workers: ``celery -A agentoolkit.entrypoints.celery_app worker``.

A worker process has one event loop, in a thread that starts after the fork. It claims the executions in its messages from the
shared store and runs them there. It reads the same settings as every process: ``AGENTOOL_*``, ``CELERY_BROKER_URL``, ``.env``.
Without a broker it looks for the Redis of this machine.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from threading import Thread
from typing import Any, NamedTuple

from celery import signals
from celery.app.amqp import Queues
from celery.exceptions import SoftTimeLimitExceeded
from celery.worker.request import Request

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.deaf_workers import EndsWhenDeaf
from agentoolkit.entrypoints.worker_checks import check_worker
from agentoolkit.setting_groups import CELERY_HELLO, CELERY_QUEUE
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.celery import TASK, create_app, create_queues
from agentoolkit.system.scheduler.executors.couriers import GRACE_SECONDS, turns

logger = logging.getLogger(__name__)

settings = Settings().or_local_redis()
app = create_app(settings.celery, settings.queues)
app.steps["worker"].add(EndsWhenDeaf)
toolkit = BackgroundToolkit(settings, runs_jobs=False)

POOLS = ("prefork", "processes", "threads", "solo")
"""Pools in which an event loop can have a thread of its own."""


class ExecutionsRequest(Request):
    """A message, as the worker's first process sees it. Its time limits give each execution its turn."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        _, soft = self.time_limits
        if soft is not None:
            soft *= turns(self.args, settings.concurrency)
            self.time_limits = (soft + GRACE_SECONDS, soft)


@app.task(name=TASK, ignore_result=True, Request=ExecutionsRequest)
def run_executions(execution_ids: list[str]) -> None:
    """Claim executions and run them until their outcomes are written. Executions of other processes are skipped."""
    try:
        toolkit.run_work(lambda kit: kit.scheduler.executions.run_claimed(execution_ids))
    except SoftTimeLimitExceeded:
        toolkit.stop()  # releases executions that can be retried; the others are recovered as after the end of a process
        raise


@app.task(name=CELERY_HELLO, shared=False)
def hello(name: str) -> str:
    """Return a greeting: `agentoolkit.entrypoints.send_hello_task` sends it to test whether a worker answers."""
    return f"hello {name}"


class WorkerEnd(NamedTuple):
    """How a worker ended."""

    code: int
    """Exit code; 0 after a stop."""
    was_ready: bool


def run_worker(asked: list[str]) -> WorkerEnd:
    """Run a worker in this process, with arguments of Celery's command, until it ends."""
    ended = WorkerEnd(0, was_ready=False)

    def note_ready(**_: object) -> None:
        nonlocal ended
        ended = ended._replace(was_ready=True)

    def note_code(sender: Any, **_: object) -> None:  # `worker_main` does not return it
        nonlocal ended
        ended = ended._replace(code=sender.exitcode or ended.code)

    signals.worker_ready.connect(note_ready)
    signals.worker_shutdown.connect(note_code)
    app.worker_main(asked)
    return ended


@signals.celeryd_init.connect
def note_queues(instance: Any, options: Mapping[str, Any], **_: object) -> None:
    """Note whether the option ``-Q`` names the worker's queues: later only those are known that it takes from."""
    instance.names_queues = bool(options.get("queues"))


@signals.celeryd_init.connect
def check_broker(**_: object) -> None:
    """End a worker that lacks the client of its broker, before Celery fails with a traceback."""
    broker = settings.celery.broker.get_secret_value() if settings.celery.broker else ""
    if broker.startswith("redis") and find_spec("redis") is None:
        raise SystemExit("agentool: A broker of Redis needs the package redis. Install 'agentool[celery]'.")


@signals.celeryd_after_setup.connect
def check_before_start(instance: Any, **_: object) -> None:
    """End a worker that could not do its work, with a sentence that says why. Else choose its queues."""
    if (why := unable(instance.pool_cls.__module__.rpartition(".")[2])) is not None:
        raise SystemExit(f"agentool: {why}")
    choose_queues(app.amqp.queues, are_named=instance.names_queues)


def choose_queues(queues: Queues, *, are_named: bool) -> None:
    """Choose the queues that this worker takes from.

    A name given by Celery's own option ``-Q`` (`are_named`) is that of a job's queue too, so its queues of all priorities are added.
    Without the option, Celery's default queue is left alone unless the worker has tasks of the user's own: it is also the queue of
    other applications on this broker, and a worker throws away tasks that it does not know.
    """
    taken, usual = set(queues.consume_from), {queue.name for queue in app.conf.task_queues}
    for name in taken - usual:
        for queue in create_queues(settings.celery, name):
            queues.select_add(queue)
    if not are_named and not any(_is_of_user(task) for task in app.tasks):
        queues.deselect([CELERY_QUEUE])


def _is_of_user(task: str) -> bool:
    return not task.startswith("celery.") and task not in (TASK, CELERY_HELLO)


def unable(pool: str) -> str | None:
    """Return why a worker with this pool could not do its work; None if it can."""
    pool = {"processes": "prefork", "thread": "threads"}.get(pool, pool)
    if pool not in POOLS:
        return f"The pool {pool!r} leaves no thread to an event loop. Start the worker with --pool prefork, threads or solo."
    for name, task in app.tasks.items():
        if inspect.iscoroutinefunction(task.run):
            return f"Task {name!r} is `async def`, which Celery never awaits: it would count as done and never run. Write `def`."
    return _unable_to_share()


@cache
def _unable_to_share() -> str | None:
    """Return why a worker cannot use its store; None if it can. Cached: both `agentool worker` and Celery ask."""
    try:
        check_worker(settings)
    except AgenToolError as error:
        return str(error)
    return None


@signals.beat_init.connect
def tell_of_beat(**_: object) -> None:
    """Warn that Celery's beat does not run schedules here."""
    logger.warning("Celery's beat starts no jobs of agentool: run `agentool serve` instead, which starts the due jobs.")


@signals.worker_process_init.connect
def warm_up(**_: object) -> None:
    """Open the store in a new process before its first message: the message of a killed process may wait for it already."""
    Thread(target=_open_store, name="agentool-warm-up", daemon=True).start()  # Celery kills a process not ready in four seconds


def _open_store() -> None:
    with suppress(AgenToolError):  # the first message raises it again
        toolkit.start()


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def stop_toolkit(**_: object) -> None:
    """Close the store when a worker ends."""
    toolkit.stop()
