"""``python -m bench.simulate_fleet``: fleets larger than our machines, simulated from what was measured on one of them.

A portion of executions passes five stations, each a queue before some servers: the scheduler that leads, the broker, a worker's
process, the database's commits, and the processors of the machine where all of them share one. What a station takes for a portion
is a sum of what was measured: so much for the message, so much for each execution in it. `docs/explanation/capacity.md` says what
comes of it; the measured points that it is checked against are below.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

SECONDS = 8.0
"""How long a fleet is watched; what settles, settles within the first half."""


@dataclass(frozen=True)
class Costs:
    """Seconds, as measured on two cores that others used too, so rather too high than too low."""

    lead_execution: float = 61e-6
    """Of the leading process: to claim an execution and to hand it over, in bursts."""
    send_message: float = 1.1e-3
    broker_message: float = 0.1e-3
    """Of the broker, to take a message and to give it away."""
    work_message: float = 3.4e-3
    """Of a worker's process, for a message with one execution."""
    work_execution: float = 0.12e-3
    """For each further one in it."""
    commit: float = 5.0e-3
    """Until a commit is on the disk; one that comes meanwhile waits for the next, with all others that wait."""
    commits: int = 2
    """Of a worker for each message: claimed and begun, finished. A leader's are shared by a whole tick."""
    database_message: float = 4.1e-3
    """Of the database's processors for a message with one execution, the leader's part included."""
    database_execution: float = 0.45e-3
    """For each further one in it."""


@dataclass(frozen=True)
class Fleet:
    """How many of what there are."""

    workers: int
    """Processes that work, in all."""
    portion: int = 50
    """Executions in a message; 1 where their timeout is longer than 30 seconds."""
    shared_cores: int = 0
    """All of it on one machine with so many processors; 0: each part has its own."""
    database_cores: int = 16
    databases: int = 1
    """Split by queue, then by owner: each part has a leader, a broker and a database of its own."""
    handler: float = 0.0
    """Seconds of a worker's processor that a handler takes."""


class Outcome(NamedTuple):
    """What a fleet does."""

    rate: float
    """Executions a second that come to their end."""
    late: float
    """Seconds from due to begun, 99 of 100."""
    busiest: str
    share: float
    """Of its time that the busiest station is at work."""


class Station:
    """So many servers before which portions queue."""

    def __init__(self, name: str, servers: int) -> None:
        self.name, self.servers, self.busy = name, servers, 0.0
        self._free = [0.0] * servers

    def pass_through(self, at: float, seconds: float) -> float:
        """Return when a portion that comes at this time has been served."""
        ended = max(at, heapq.heappop(self._free)) + seconds
        heapq.heappush(self._free, ended)
        self.busy += seconds
        return ended


def simulate(fleet: Fleet, rate: float, costs: Costs = Costs(), seed: int = 16) -> Outcome:
    """Let executions fall due at random, so many a second, and see how the fleet gets on.

    Args:
        fleet: What there is.
        rate: Executions a second that fall due, over all databases.
        costs: What each step takes.
        seed: Of chance.
    """
    chance, size = random.Random(seed), fleet.portion
    share = rate / fleet.databases  # every part does the same: one is looked at
    workers = max(1, fleet.workers // fleet.databases)
    parts = [
        (Station("leader", 1), size * costs.lead_execution + costs.send_message),
        (Station("broker", 1), costs.broker_message),
        (Station("database", fleet.database_cores), costs.database_message + (size - 1) * costs.database_execution),
    ]
    cpu = costs.work_message + (size - 1) * costs.work_execution + size * fleet.handler
    work = (Station("workers", workers), cpu + costs.commits * costs.commit)
    machine = Station("processors", fleet.shared_cores) if fleet.shared_cores else None
    stations = [*(station for station, _ in parts), work[0], *([machine] if machine else [])]
    all_cpu = cpu + sum(seconds for _, seconds in parts)
    at, ends, late = 0.0, list[float](), list[float]()
    while at < SECONDS:
        at += chance.expovariate(share / size)
        now = at if machine is None else machine.pass_through(at, all_cpu) - all_cpu
        for station, seconds in parts:
            now = station.pass_through(now, seconds * chance.uniform(0.7, 1.3))
        ended = work[0].pass_through(now, work[1] * chance.uniform(0.7, 1.3))
        late.append(ended - work[1] / 2 - at)
        ends.append(ended)
    within = sum(end <= SECONDS and end > SECONDS / 2 for end in ends) * size / (SECONDS / 2)
    settled = sorted(late[len(late) // 2 :])
    busiest = max(stations, key=lambda station: station.busy / station.servers)
    return Outcome(within * fleet.databases, settled[int(len(settled) * 0.99)], busiest.name, busiest.busy / busiest.servers / SECONDS)


def most(fleet: Fleet, costs: Costs = Costs()) -> tuple[float, str]:
    """Return how many executions a second a fleet can do, and what holds it back: twice as many as the workers can are due."""
    work = costs.work_message + (fleet.portion - 1) * costs.work_execution + fleet.portion * fleet.handler + costs.commits * costs.commit
    outcome = simulate(fleet, min(2 * fleet.workers * fleet.portion / work, 40_000.0 * fleet.databases), costs)
    return outcome.rate, outcome.busiest


class Point(NamedTuple):
    """Something that was measured, and the fleet that it was measured on."""

    what: str
    fleet: Fleet
    measured: float
    costs: Costs = Costs()


BUSY = 2.0
"""By how much others' work lengthened all of it while points were measured: a load of ten on two cores."""


def slower(costs: Costs, factor: float) -> Costs:
    """Return costs on a machine that others keep busy."""
    return replace(costs, **{name: value * factor for name, value in vars(costs).items() if isinstance(value, float)})


ON_A_BUSY_MACHINE = slower(replace(Costs(), commits=3), BUSY)
"""As the points were measured: then a message cost a worker three commits."""
POINTS: Sequence[Point] = (
    Point("1 a message, 1 worker's process", Fleet(1, 1, shared_cores=1), 42, ON_A_BUSY_MACHINE),
    Point("1 a message, 2 workers' processes", Fleet(2, 1, shared_cores=1), 42, ON_A_BUSY_MACHINE),
    Point("1 a message, 4 workers' processes", Fleet(4, 1, shared_cores=1), 38, ON_A_BUSY_MACHINE),
    Point("50 a message, 1 worker's process", Fleet(1, 50, shared_cores=1), 478, ON_A_BUSY_MACHINE),
    Point("50 a message, 2 workers' processes", Fleet(2, 50, shared_cores=1), 347, ON_A_BUSY_MACHINE),
)
"""Measured by `bench.fleet`, end to end on Celery, Redis and PostgreSQL: means of one to five runs, while others' work left us one of two
cores. They scatter by a factor of two."""


def main() -> None:
    """Print the points beside what was measured, then fleets past our machines."""
    say = sys.stdout.write
    say("measured, and simulated\n")
    for point in POINTS:
        rate, busiest = most(point.fleet, point.costs)
        say(f"  {point.what:<52} {point.measured:>8,.0f} {rate:>8,.0f}   x {rate / point.measured:.2f}   ({busiest})\n")
    say("\nfleets: executions a second that they can do, and what holds them back\n")
    for portion in (1, 50):
        for workers in (2, 8, 32, 128):
            rate, busiest = most(Fleet(workers, portion))
            say(f"  {portion:>2} a message, {workers:>3} workers' processes {rate:>10,.0f}   {busiest}\n")
    say("\n1,000,000 jobs: how many workers, how many databases\n")
    for rate in (100.0, 1_000.0, 10_000.0):
        for portion in (50, 1):
            say(f"  {rate:>6,.0f} a second, {portion:>2} a message: {smallest(rate, portion)}\n")


def smallest(rate: float, portion: int) -> str:
    """Say the smallest fleet that keeps up at 70 % of its busiest station, and how late it begins."""
    for databases in (1, 2, 4, 8, 16, 32, 64):
        for workers in (2**power for power in range(1, 12)):
            outcome = simulate(Fleet(workers, portion, databases=databases), rate)
            if outcome.share <= 0.7 and not math.isnan(outcome.late):
                return f"{workers} workers' processes, {databases} database(s); p99 {outcome.late * 1e3:,.0f} ms late, {outcome.busiest}"
    return "more than 64 databases"


if __name__ == "__main__":
    main()
