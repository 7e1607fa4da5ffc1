"""Brokers, databases and machines that fail under a fleet: no due time is lost, and none finishes twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import Postgres, rabbitmq_running

from .conftest import MakeFleet, Redis
from .fleet import OUR_WORKER, PATIENCE, SCHEDULER, WORKER, Fleet, every_second

FULL = bool(os.environ.get("AGENTOOL_FULL"))
JOBS = 20
LEASE = 0.0 if FULL else 4.0
"""Short, where the long form is not asked for: the product's own is twelve seconds."""


@pytest.fixture(scope="module")
def fleet(make_fleet: MakeFleet, redis: Redis) -> Fleet:
    """A scheduler and a worker on Redis, which every test leaves as it found them."""
    fleet = make_fleet(redis.url, LEASE)
    fleet.scheduler, fleet.worker = fleet.start(SCHEDULER, OUR_WORKER)
    return fleet


def test_redis_that_comes_back_empty_costs_nothing(fleet: Fleet, redis: Redis, figure):
    """Killed with messages in it and started again with none, it has lost no execution."""
    away = 60 if FULL else 3
    jobs = every_second("redis", JOBS, away + 4)
    fleet.schedule(jobs)
    fleet.until(lambda: len(fleet.notes("ends")) > JOBS)
    redis.stop()
    time.sleep(away)
    redis.start()
    back = time.monotonic()
    verdict = fleet.until_over(jobs, 2 * PATIENCE)  # a worker that hears nothing more begins anew after half a minute
    figure(9, f"Redis gone for {away} s, back empty: all ended {time.monotonic() - back:.1f} s after; {verdict}")
    assert (verdict.wrong, verdict.run_again) == (0, 0)


def test_a_database_that_goes_away_costs_nothing(fleet: Fleet, postgres: Postgres, figure):
    """PostgreSQL is stopped under scheduler and worker; what runs meanwhile keeps its outcome, what was due runs when it is back."""
    away = 30 if FULL else 4
    jobs = every_second("away", JOBS, away + 4)
    fleet.schedule(jobs, naps=1.0)
    fleet.until(lambda: bool(fleet.notes("starts", "away")))
    postgres.stop()
    time.sleep(away)
    before = len(fleet.notes("starts"))
    postgres.start()
    first = fleet.until(lambda: len(fleet.notes("starts")) > before)
    verdict = fleet.until_over(jobs)
    figure(7, f"PostgreSQL stopped for {away} s: first start {first:.1f} s after its return; {verdict}")
    assert first < 12
    assert (verdict.wrong, verdict.run_again) == (0, 0)


def test_a_killed_worker_costs_nothing(fleet: Fleet, figure):
    """Killed with all it forked and the executions in it, and replaced: each of them runs again at once, or on the next message."""
    jobs = every_second("killed", JOBS, 6)
    fleet.schedule(jobs, naps=0.5)
    fleet.until(lambda: len(fleet.notes("ends", "killed")) > JOBS)
    fleet.kill(fleet.worker)
    fleet.worker = fleet.start_worker()
    again = time.monotonic()
    verdict = fleet.until_over(jobs)
    figure(10, f"a worker killed with all it ran: all ended {time.monotonic() - again:.1f} s after another was there; {verdict}")
    assert verdict.wrong == 0


def test_a_leader_that_freezes_and_thaws_costs_nothing(fleet: Fleet, figure):
    """Another leads meanwhile; the first changes nothing when it wakes, and sends nothing that runs twice."""
    second = fleet.start_scheduler()
    frozen = 60 if FULL else 8
    jobs = every_second("frozen", JOBS, frozen + 4)
    fleet.schedule(jobs)
    fleet.until(lambda: bool(fleet.notes("ends", "frozen")))
    fleet.scheduler.send_signal(signal.SIGSTOP)
    before = sum(fleet.notes("starts").values())
    took = fleet.until(lambda: sum(fleet.notes("starts").values()) > before + 2 * JOBS)
    time.sleep(max(0.0, frozen - took))
    fleet.scheduler.send_signal(signal.SIGCONT)
    verdict = fleet.until_over(jobs)
    figure(5, f"the leader frozen for {frozen} s, its executions with workers: others ran {took:.1f} s after; {verdict}")
    fleet.kill(second)
    assert (verdict.wrong, verdict.run_again) == (0, 0)
    assert took < 20


@pytest.fixture
def rabbit_fleet(make_fleet: MakeFleet, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Fleet, object]]:
    """A scheduler and a worker on RabbitMQ: the one of this machine, or in the long form one that can be restarted."""
    with rabbitmq_running(tmp_path, shared=not FULL) as server, server.virtual_host() as broker:
        fleet = make_fleet(broker)
        fleet.environment["AGENTOOL_CELERY_QUEUE_TYPE"] = request.param
        fleet.start(SCHEDULER, [*WORKER, "threads"])
        yield fleet, server
        fleet.close()


@pytest.mark.parametrize("rabbit_fleet", ["quorum", "classic"] if FULL else ["quorum"], indirect=True)
def test_a_rabbitmq_that_breaks_off_costs_nothing(rabbit_fleet, figure):
    """All of its connections are cut, and in the long form it is stopped for ten seconds, while executions run and wait."""
    fleet, server = rabbit_fleet
    jobs = every_second("rabbit", JOBS, 16 if FULL else 6)
    fleet.schedule(jobs)
    fleet.until(lambda: len(fleet.notes("ends")) > JOBS)
    host = fleet.broker.rpartition("/")[2]
    if FULL:
        server.control("stop_app")
        time.sleep(10)
        server.control("start_app")
    else:
        server.control("close_all_connections", "--vhost", host, "a test")
    back = time.monotonic()
    verdict = fleet.until_over(jobs)
    what = "stopped for 10 s" if FULL else "all connections cut"
    kind = fleet.environment["AGENTOOL_CELERY_QUEUE_TYPE"]
    figure(9, f"RabbitMQ, {kind}, {what}: all ended {time.monotonic() - back:.1f} s after; {verdict}")
    assert (verdict.wrong, verdict.run_again) == (0, 0)
