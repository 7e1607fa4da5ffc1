"""Executions on workers elsewhere, end to end, with history committed on PostgreSQL; beside the bare engines, in one run.

From the due instant, or the first message sent, until the last one is done. Two workers of two processes' worth, one producer.
The bare engine runs twice: with nothing but a counter in Redis, and with one row of history committed for each message.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import redis
from tests.servers import postgres_running, rabbitmq_running, redis_running

from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit
from bench import fleet_tool
from bench.bare_rq import DONE
from bench.harness import Bar, Side, compare

BURST = int(os.environ.get("BENCH_BURST", "10000"))
SINGLE = int(os.environ.get("BENCH_SINGLE", "3000"))
FORKED = 200
PROCESSES = os.environ.get("BENCH_PROCESSES", "2")
PATIENCE = 180.0
WARM = 100
"""Messages before the first that counts: each process opens its connections."""


@dataclass(frozen=True)
class Servers:
    """Where everything is."""

    database: str
    redis: str
    broker: str
    queue_type: str = "classic"

    @property
    def variables(self) -> dict[str, str]:
        bare = {
            "BENCH_DATABASE": self.database,
            "BENCH_REDIS": self.redis,
            "BENCH_BROKER": self.broker,
            "BENCH_QUEUE_TYPE": self.queue_type,
        }
        ours = {"AGENTOOL_DATABASE": self.database, "AGENTOOL_PLUGINS": "bench.fleet_tool:register", "AGENTOOL_TIMEZONE": "UTC"}
        broker = {"CELERY_BROKER_URL": self.broker, "REDIS_URL": self.redis, "AGENTOOL_CELERY_QUEUE_TYPE": self.queue_type}
        return {**os.environ, **bare, **ours, **broker, "PYTHONPATH": f".:{os.environ.get('PYTHONPATH', '')}"}


@contextmanager
def worker(asked: Sequence[str], servers: Servers, ready: str) -> Iterator[None]:
    """Run a worker while a block lasts."""
    with tempfile.NamedTemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", *asked], env=servers.variables, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + PATIENCE
            while ready not in Path(output.name).read_text():
                assert process.poll() is None, Path(output.name).read_text()
                assert time.monotonic() < deadline, Path(output.name).read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


def celery_worker(app: str, servers: Servers) -> Any:
    asked = ["celery", "-A", app, "worker", "--pool", "prefork", "-c", PROCESSES, "-l", "INFO", "--without-mingle", "--without-gossip"]
    return worker([*asked, "--without-heartbeat"], servers, " ready.")


def rq_worker(servers: Servers, kind: str, *, ours: bool) -> Any:
    if ours:
        module = "agentoolkit.entrypoints.rq_worker"
        return worker(["rq.cli", "worker", "-c", module, "-w", f"{module}.{kind}"], servers, "Listening on")
    theirs = {"ForkingWorker": "rq.Worker", "InProcessWorker": "rq.SimpleWorker"}[kind]
    return worker(
        ["rq.cli", "worker", "-c", "bench.bare_rq", "--url", servers.redis, "-w", theirs, "-S", "json", "bare"], servers, "Listening on"
    )


def until(holds: Any) -> float:
    """Return the moment at which something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)
    return time.monotonic()


async def ours(servers: Servers, executor: str, number: int, timeout: float, start: Any) -> float:
    """Executions a second: jobs that are due at one instant, claimed, sent, run elsewhere, and written down."""
    settings: Mapping[str, Any] = {"database": servers.database, "executor": executor, "timezone": "UTC", "log_console": False}
    brokers = {"celery_broker": servers.broker, "celery_queue_type": servers.queue_type, "redis_url": servers.redis}
    with start():
        async with Toolkit(Settings.from_values({**settings, **brokers})) as kit:
            fleet_tool.register(kit.injector)
            await _due_together(kit, WARM, timeout, "warm")
            return number / await _due_together(kit, number, timeout, f"at{time.time():.0f}")


async def _due_together(kit: Toolkit, number: int, timeout: float, prefix: str) -> float:
    """Let jobs be claimed that are due, all at once, and return the seconds until the last outcome is written down."""
    work = {"agentool_name": "noop", "input_data": {"operation": "run"}, "timeout": timeout, "misfire_grace_time": 3600}
    asked = {"operation": "schedule", "schedule": "now", **work}
    async with kit.scheduler.lifecycle.claims_suspended():
        for place in range(0, number, 500):
            names = [f"{prefix}-{index}" for index in range(place, min(place + 500, number))]
            await asyncio.gather(*(kit.injector.run("scheduler", {**asked, "job_id": name}) for name in names))
        began = datetime.now(UTC)
    sql = f"SELECT COUNT(*) FROM agentool_executions WHERE status = 'success' AND job_id LIKE '{prefix}-%'"
    deadline = time.monotonic() + PATIENCE
    while (await kit.database.read(lambda session: session.row(sql)))[0] < number:
        assert time.monotonic() < deadline, "it takes too long"
        await asyncio.sleep(0.05)
    took = (datetime.now(UTC) - began).total_seconds()
    late = "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY started_at) FROM agentool_executions"
    (p99,) = await kit.database.read(lambda session: session.row(f"{late} WHERE job_id LIKE '{prefix}-%'"))
    if number > WARM:
        print(f"    {number:,} at once: lateness p99 {p99 / 1e6 - began.timestamp():.2f} s of {took:.2f} s", flush=True)
    return took


async def bare(servers: Servers, send: Any, number: int, *, noted: bool, start: Any) -> float:
    """Messages a second of the bare engine, sent one after the other."""
    return await asyncio.to_thread(_bare, servers, send, number, noted, start)


def _bare(servers: Servers, send: Any, number: int, noted: bool, start: Any) -> float:
    with start(), redis.Redis.from_url(servers.redis) as client, psycopg.connect(servers.database, autocommit=True) as history:
        history.execute("CREATE TABLE IF NOT EXISTS bare_history (number INT, started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ)")

        def done() -> int:
            if noted:
                return int(history.execute("SELECT COUNT(*) FROM bare_history").fetchone()[0])  # type: ignore[index]
            return int(client.get(DONE) or 0)

        history.execute("TRUNCATE bare_history")
        client.delete(DONE)
        for place in range(WARM):
            send(noted, place)
        until(lambda: done() == WARM)
        began = time.monotonic()
        for place in range(number):
            send(noted, place)
        return number / (until(lambda: done() == WARM + number) - began)


def celery_sender(servers: Servers) -> Any:
    os.environ.update(BENCH_BROKER=servers.broker, BENCH_QUEUE_TYPE=servers.queue_type)
    from celery import Celery

    app = Celery("bare", broker=servers.broker)
    app.conf.update(
        task_default_queue="bare", task_serializer="json", task_default_queue_type="quorum" if servers.queue_type == "quorum" else "classic"
    )
    return lambda noted, number: app.send_task("bare.noted" if noted else "bare.counted", (number,), ignore_result=True)


def rq_sender(servers: Servers) -> Any:
    from rq import Queue

    queue = Queue("bare", redis.Redis.from_url(servers.redis), serializer="json")
    functions = {True: "bench.bare_rq.noted", False: "bench.bare_rq.counted"}
    return lambda noted, number: queue.enqueue_call(functions[noted], (number,), result_ttl=0)


async def celery_rows(servers: Servers, name: str, bare_broker: str) -> bool:
    """Compare with bare Celery, on a broker's address of its own: both declare a queue of the usual name, each of its kind."""
    apart = replace(servers, broker=bare_broker)
    mine = partial(celery_worker, "agentoolkit.entrypoints.celery_app", servers)
    theirs = partial(celery_worker, "bench.bare_engines:app", apart)
    met: list[bool] = []
    for title, number, timeout, bars in (
        ("single messages", SINGLE, 300.0, (0.8, 0.8)),
        ("a burst of short executions", BURST, 29.0, (3.0, 3.0)),
    ):
        us = Side("agentool: claimed, finished, kept", partial(ours, servers, "celery", number, timeout, mine))
        for noted, bar in zip((False, True), bars, strict=True):
            what = "a row committed each" if noted else "a counter, no history"
            peer = Side(f"bare Celery: {what}", partial(bare, apart, celery_sender(apart), number, noted=noted, start=theirs))
            met.append(await compare(f"{name}, {number:,} {title}, PostgreSQL", "executions/s", us, peer, Bar("at least", bar), rounds=2))
    return all(met)


async def rq_rows(servers: Servers) -> bool:
    """Compare with bare RQ: messages that travel alone, and short executions, which travel by fifty as to Celery."""
    met: list[bool] = []
    for kind, alone, burst in (("ForkingWorker", FORKED, FORKED * 10), ("InProcessWorker", FORKED * 5, FORKED * 10)):
        start = partial(rq_worker, servers, kind, ours=False)
        mine = partial(rq_worker, servers, kind, ours=True)
        for title, number, timeout in (("single messages", alone, 300.0), ("a burst of short executions", burst, 29.0)):
            us = Side(f"agentool, {kind}", partial(ours, servers, "rq", number, timeout, mine))
            for noted in (False, True):
                what = "a row committed each" if noted else "a counter, no history"
                peer = Side(f"bare RQ: {what}", partial(bare, servers, rq_sender(servers), alone, noted=noted, start=start))
                met.append(await compare(f"RQ, {number:,} {title}, PostgreSQL", "executions/s", us, peer, Bar("at least", 0.9), rounds=2))
    return all(met)


async def run() -> bool:
    """Celery on Redis and on RabbitMQ, and RQ. `BENCH_FLEET=redis,rabbitmq,rq` names some of them."""
    wanted = os.environ.get("BENCH_FLEET", "redis,rabbitmq,rq").split(",")
    met: list[bool] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_running(folder))
        servers = Servers(stack.enter_context(postgres_running()).url, server, server)
        if "redis" in wanted:
            met.append(await celery_rows(servers, "Celery on Redis", server))
        if "rabbitmq" in wanted:
            rabbit = stack.enter_context(rabbitmq_running(folder))
            broker, other = (stack.enter_context(rabbit.virtual_host()) for _ in range(2))
            met.append(await celery_rows(replace(servers, broker=broker, queue_type="quorum"), "Celery on RabbitMQ, quorum", other))
        if "rq" in wanted:
            met.append(await rq_rows(servers))
    return all(met)
