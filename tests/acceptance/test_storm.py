"""Kills among starts, stops, restarts, ends and upgrades: each due time ends in exactly one row, and nobody leads who does not serve."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from .stage import ROOT, Stage, Verdict, after_each, every_second, soon

FULL = bool(os.environ.get("AGENTOOL_FULL"))
ROUNDS, JOBS, SECONDS = (int(os.environ.get("AGENTOOL_ROUNDS", "60")), 40, 60) if FULL else (1, 10, 6)
"""Rounds, each on new jobs: a job keeps a hundred executions."""
DEEDS = ("kill", "kill", "end", "stop")


class Storm:
    """Three processes on one database that restart their schedulers all the time, and what comes over them."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage, self._chance = stage, chance
        self.done = 0

    def start(self) -> None:
        """Start a process that restarts its scheduler; one of an older release does not, which killed in a restart left all stopped."""
        self._stage.start(ready=False, restless=self._chance.random() if self._stage.release == ROOT else 0)

    def strike(self) -> None:
        """Kill a process or let it end, and start another; or stop the schedulers of all, and start them again."""
        child = self._chance.choice([child for child in self._stage.children if child.poll() is None])
        match self._chance.choice(DEEDS):
            case "kill":
                self._stage.kill(child)
                self.start()
            case "end":
                self._stage.end(child)
                self.start()
            case _:
                self._stage.ask({"operation": "stop"})
                self._stage.ask({"operation": "start"})
        self.done += 1


def stormed(stage: Stage, storm: Storm, prefix: str) -> Verdict:
    """Let a storm go over jobs of its own until they are over, and judge what is left.

    Whoever is started in the second half is of this release. Those of an older one go on beside it until they are struck.
    """
    plain = [*every_second(JOBS, soon(30 if FULL else 20), SECONDS, result_queue="results"), *after_each(3)]
    jobs = [{**job, "job_id": prefix + job["job_id"], "schedule": job["schedule"].replace("after ", f"after {prefix}")} for job in plain]
    stage.schedule(jobs)
    for _ in range(3):
        storm.start()
    ends = datetime.fromisoformat(jobs[0]["end_at"]).timestamp()
    while time.time() < ends:
        time.sleep(storm._chance.uniform(0.2, 0.8))
        if time.time() > ends - SECONDS / 2:
            stage.release = ROOT
        storm.strike()
    for child in stage.children:
        if child.poll() is None:
            stage.end(child)
    stage.finish(60)
    return stage.verdict(jobs, prefix)


def unharmed(stage: Stage, storm: Storm, prefix: str) -> Verdict:
    """Check that a storm leaves no wrong row, and nobody's lead."""
    verdict = stormed(stage, storm, prefix)
    print(f"{prefix} {verdict}", flush=True)
    assert verdict.clean, verdict
    assert stage.query("SELECT owner FROM agentool_leases") == []
    return verdict


def told(verdicts: Sequence[Verdict]) -> str:
    return f"{sum(verdict.wrong for verdict in verdicts)} of {sum(verdict.expected for verdict in verdicts)} rows wrong"


@pytest.mark.long_form  # the one with an upgrade in it does the same, and more
def test_a_storm_leaves_no_wrong_row(postgres_stage: Stage, figure):
    """Over PostgreSQL: no due time is lost or doubled, no handler starts twice that was not killed, the lead is given back."""
    storm = Storm(postgres_stage, random.Random(5))
    verdicts = [unharmed(postgres_stage, storm, f"r{number}-") for number in range(ROUNDS)]
    figure(42, f"{told(verdicts)}, {storm.done} kills, ends, stops and starts")


def without_tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def test_an_upgrade_in_a_storm_leaves_no_wrong_row(older_stage: Stage, older_release: Path, figure):
    """Processes of an older release are replaced one by one, on its database, while they are killed and stopped: no row is wrong."""
    storm = Storm(older_stage, random.Random(6))
    verdicts: list[Verdict] = []
    for number in range(ROUNDS):
        without_tables(older_stage.database)
        older_stage.release = older_release
        verdicts.append(unharmed(older_stage, storm, f"u{number}-"))
    figure(42, f"{told(verdicts)} over {ROUNDS} upgrades, {storm.done} kills, ends, stops and starts")
