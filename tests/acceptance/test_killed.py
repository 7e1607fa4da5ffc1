"""Processes killed at random, and at every named point: each due time ends in exactly one row, each result is delivered."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .child import POINTS
from .stage import Stage, Verdict, every_second, kill_at_random, soon

FULL = bool(os.environ.get("AGENTOOL_FULL"))


def test_killed_at_random_on_sqlite(stage: Stage):
    """kill -9 at random moments: no due time is lost or doubled, and no handler starts again that had not been cut short."""
    kills, number, seconds = (50, 220, 65) if FULL else (8, 40, 9)
    jobs = every_second(number, soon(), seconds, result_queue="results")
    verdict = kill_at_random(stage, jobs, kills, random.Random(1))
    assert verdict.clean, verdict


def crash(folder: Path, point: str, at: int) -> Verdict:
    """Let a process die at a point, and another one finish."""
    folder.mkdir()
    stage = Stage(folder, str(folder / "agentool.db"))
    try:
        jobs = every_second(5, soon(1.5), 2, result_queue="results")
        stage.reap(stage.start(jobs=jobs, crash=point, at=at, ready=False))
        stage.in_flight += 1  # what crashed itself
        stage.finish()
        return stage.verdict(jobs)
    finally:
        stage.close()


@pytest.mark.parametrize("round_", range(10 if FULL else 1))
def test_killed_at_every_named_point(tmp_path: Path, round_: int):
    """At each of the twelve points, early and late: after a restart no row is missing or too many, and every result arrived."""
    with ThreadPoolExecutor(6) as pool:
        passings = [(point, at) for point in POINTS for at in (1, 2 + round_ % 3)]
        judged = {f"{point}-{at}": pool.submit(crash, tmp_path / f"{point}-{at}", point, at) for point, at in passings}
        verdicts = {name: future.result() for name, future in judged.items()}
    assert {name: str(verdict) for name, verdict in verdicts.items() if not verdict.clean} == {}


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


def test_killed_on_postgres(postgres_stage: Stage):
    """Four processes on one PostgreSQL database, one killed every half second: no due time is lost or doubled."""
    kills, number, seconds = (20, 250, 45) if FULL else (5, 40, 7)
    jobs = every_second(number, soon(2), seconds, result_queue="results")
    postgres_stage.start(jobs=jobs)
    for _ in range(3):
        postgres_stage.start()
    killer = Killer(postgres_stage, kills)
    killer.start()
    killer.join(60)
    postgres_stage.finish(seconds + 60)
    verdict = postgres_stage.verdict(jobs)
    assert verdict.clean, verdict
