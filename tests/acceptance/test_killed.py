"""Processes killed at random, and at every named point: each due time ends in exactly one row, each result is delivered.

Jobs that come after others are among them: each success of those has exactly one execution of these.
"""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .child import POINTS
from .stage import Stage, Verdict, after_each, every_second, kill_at_random, soon, wait_until

FULL = bool(os.environ.get("AGENTOOL_FULL"))


def test_killed_at_random_on_sqlite(stage: Stage, figure):
    """kill -9 at random moments: no due time is lost or doubled, no handler starts again that had not been cut short, and
    each success is followed once."""
    kills, number, seconds = (50, 220, 65) if FULL else (8, 40, 7)
    jobs = [*every_second(number, soon(number / 20 if FULL else 6), seconds, result_queue="results"), *after_each(5)]
    verdict = kill_at_random(stage, jobs, kills, random.Random(1))
    figure(1, f"{verdict.wrong} of {verdict.expected} rows wrong over {kills} kills ({verdict})")
    assert verdict.clean, verdict


def crash(folder: Path, point: str, at: int) -> Verdict:
    """Let a process die at a point, the next one too, and a third one finish."""
    folder.mkdir()
    stage = Stage(folder, str(folder / "agentool.db"))
    try:
        jobs = [*every_second(5, soon(5), 3, result_queue="results"), *after_each(2)]
        stage.schedule(jobs)
        first = stage.reap(stage.start(crash=point, at=at, ready=False, until_done=20))
        second = stage.reap(stage.start(crash=point, at=1, ready=False, until_done=20))
        assert -9 in (first, second) or at > 1, f"{point} was never passed"
        stage.finish()
        return stage.verdict(jobs)
    finally:
        stage.close()


@pytest.mark.parametrize("round_", range(10 if FULL else 1))
def test_killed_at_every_named_point(tmp_path: Path, round_: int, figure):
    """At each of the twelve points, twice in a row: no row is missing or too many, every result arrived, each success is
    followed once."""
    with ThreadPoolExecutor(8) as pool:
        judged = {point: pool.submit(crash, tmp_path / point, point, 1 + round_ % 2) for point in POINTS}
        verdicts = {point: future.result() for point, future in judged.items()}
    wrong, expected = (sum(getattr(verdict, name) for verdict in verdicts.values()) for name in ("wrong", "expected"))
    figure(2, f"{wrong} of {expected} rows wrong, {len(verdicts)} points x 2, from passing {1 + round_ % 2}")
    assert {point: str(verdict) for point, verdict in verdicts.items() if not verdict.clean} == {}


class Killer(threading.Thread):
    """Kills one of the processes every half second, and starts another."""

    def __init__(self, stage: Stage, kills: int) -> None:
        super().__init__()
        self._stage, self._kills, self._random = stage, kills, random.Random(2)

    def run(self) -> None:
        for _ in range(self._kills):
            time.sleep(0.5)
            living = [child for child in self._stage.children if child.poll() is None]
            self._stage.kill(self._random.choice(living))
            self._stage.start(ready=False)


def test_killed_on_postgres(postgres_stage: Stage, figure):
    """Four processes on one PostgreSQL database, one killed every half second: no due time is lost or doubled."""
    kills, number, seconds = (20, 250, 45) if FULL else (5, 40, 6)
    jobs = [*every_second(number, soon(number / 20 if FULL else 6), seconds, result_queue="results"), *after_each(5)]
    postgres_stage.schedule(jobs)
    for _ in range(4):
        postgres_stage.start(ready=False)
    wait_until(postgres_stage.starts, 60)
    killer = Killer(postgres_stage, kills)
    killer.start()
    killer.join(60)
    postgres_stage.finish(seconds + 60)
    verdict = postgres_stage.verdict(jobs)
    figure(3, f"{verdict.wrong} of {verdict.expected} rows wrong, 4 processes, {kills} kills ({verdict})")
    assert verdict.clean, verdict
