"""Many schedulers, workers and jobs, one process killed after another: the oracle finds every due time once."""

from __future__ import annotations

import os
import random
import time
from datetime import timedelta

import pytest

from .conftest import MakeFleet, Redis
from .fleet import SCHEDULER, WORKER, Due, Fleet, every_second

MINUTE = 60


def kill_until(fleet: Fleet, kinds: list[list[str]], end: float, every: float) -> int:
    """Kill one process every so many seconds, whichever chance names, and start another of its kind; return how many."""
    chance, kills = random.Random(16), 0
    crew = dict(zip(fleet.processes, kinds, strict=True))
    while time.time() + every < end:
        time.sleep(every)
        victim = chance.choice(list(crew))
        kind = crew.pop(victim)
        fleet.kill(victim)
        crew[fleet.start(kind)[0]] = kind
        kills += 1
    return kills


def test_one_after_another_is_killed(make_fleet: MakeFleet, redis: Redis, figure):
    """Two schedulers and two workers, of which one is killed every three seconds: no due time is lost or doubled."""
    fleet, kinds = make_fleet(redis.url), [SCHEDULER, SCHEDULER, [*WORKER, "threads"], [*WORKER, "prefork"]]
    fleet.start(*kinds)
    jobs = every_second("few", 40, 9)
    fleet.schedule(jobs)
    kills = kill_until(fleet, kinds, jobs[0].moments[-1].timestamp(), 3.0)
    verdict = fleet.until_over(jobs)
    figure(35, f"2 schedulers, 2 workers, {kills} kills: {verdict}")
    assert verdict.wrong == 0
    fleet.close()


@pytest.mark.long_form
def test_ten_thousand_jobs_in_ten_minutes(make_fleet: MakeFleet, redis: Redis, figure):
    """Three schedulers and four workers, of which one is killed every twenty seconds. `FLEET_MINUTES` makes it shorter."""
    minutes, number = int(os.environ.get("FLEET_MINUTES", "10")), 10_000
    fleet, kinds = make_fleet(redis.url), [*[SCHEDULER] * 3, *[[*WORKER, "threads"]] * 2, *[[*WORKER, "prefork"]] * 2]
    fleet.start(*kinds)
    (one,) = every_second("many", 1, 1, ahead=90)
    jobs = [Due(f"many{place}", one.first + timedelta(seconds=place % MINUTE), MINUTE, minutes) for place in range(number)]
    fleet.schedule(jobs)
    kills = kill_until(fleet, kinds, one.first.timestamp() + minutes * MINUTE, 20.0)
    began = time.time()
    verdict = fleet.until_over(jobs, 600)
    late = fleet.query(
        "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY started_at - scheduled_at) FROM agentool_executions"
    )
    median, worst = (value / 1e6 for value in late[0][0])
    figure(35, f"{number:,} jobs, {minutes} min, 3 schedulers, 4 workers, {kills} kills: {verdict}; "
               f"lateness p50 {median:.1f} s, p99 {worst:.1f} s; over {time.time() - began:.0f} s after the last kill")  # fmt: skip
    assert verdict.wrong == 0
