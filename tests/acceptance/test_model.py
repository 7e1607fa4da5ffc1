"""A model of jobs and due times beside the scheduler on SQLite: scheduled, paused, run, cut short and opened again at random."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from .moved import RUN, World

FULL = bool(os.environ.get("AGENTOOL_FULL"))
EXAMPLES, STEPS = (int(os.environ.get("AGENTOOL_EXAMPLES", "2000")), 50) if FULL else (30, 20)
ALWAYS = {"misfire_grace_time": 36_000, "coalesce": False, "max_instances": 1_000}
NAMES = st.sampled_from(["a", "b", "c"])
HALVES = st.integers(0, 8).map(lambda halves: halves / 2)


class ModelJob:
    """A job as the model knows it: a grid of due times, and where it stands on it."""

    def __init__(self, anchor: datetime, step: int) -> None:
        self.anchor, self.step = anchor, timedelta(seconds=step)
        self.next = anchor + self.step
        self.active = True

    def due_until(self, now: datetime) -> list[datetime]:
        due = []
        while self.active and self.next <= now:
            due.append(self.next)
            self.next += self.step
        return due

    def resume(self, now: datetime, seen: set[datetime]) -> None:
        self.active, self.next = True, self.anchor + self.step
        while self.next < now or self.next in seen:
            self.next += self.step


class SchedulerModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.world = World(Path(self.folder.name) / "agentool.db")
        self.do(self.world.open())
        self.jobs: dict[str, ModelJob] = {}
        self.due: set[tuple[str, datetime]] = set()
        self.again: Counter[str] = Counter()
        self.at_once = 0

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        if self.world.kit is not None:
            self.do(self.world.close())
        self.runner.close()
        self.folder.cleanup()

    def note_due(self) -> None:
        for name, job in self.jobs.items():
            self.due |= {(name, moment) for moment in job.due_until(self.world.now)}

    @rule(name=NAMES, step=st.integers(1, 3))
    def schedule(self, name: str, step: int) -> None:
        if name not in self.jobs:
            self.do(self.world.ask("schedule", job_id=name, schedule=f"{step} seconds", **RUN, **ALWAYS))
            self.jobs[name] = ModelJob(self.world.now, step)

    @rule(name=NAMES)
    def pause(self, name: str) -> None:
        if name in self.jobs:
            self.do(self.world.ask("pause", job_id=name))
            self.jobs[name].active = False

    @rule(name=NAMES)
    def resume(self, name: str) -> None:
        job = self.jobs.get(name)
        if job is not None:
            self.do(self.world.ask("resume", job_id=name))
            if not job.active:
                job.resume(self.world.now, {moment for of, moment in self.due if of == name})
            self.note_due()

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        if self.jobs.pop(name, None) is not None:
            self.do(self.world.ask("cancel", job_id=name))

    @rule(name=NAMES)
    def run_now(self, name: str) -> None:
        if name in self.jobs:
            self.do(self.world.ask("run_now", job_id=name))
            self.at_once += 1

    @rule(seconds=HALVES)
    def advance(self, seconds: float) -> None:
        self.do(self.world.advance(seconds))
        self.note_due()

    @rule(down=HALVES, cut_short=st.booleans())
    def crash(self, down: float, cut_short: bool) -> None:
        if cut_short:
            self.world.naps = -1.0
            before = Counter(self.world.starts)
            self.do(self.world.advance(1.5))
            self.note_due()
            self.again += self.world.starts - before
            self.world.naps = 0.0
        self.do(self.world.crash())
        self.world.running = 0
        self.world.now += timedelta(seconds=down)
        self.do(self.world.open())
        self.note_due()

    @invariant()
    def every_due_time_has_one_row_and_ran(self) -> None:
        expected = Counter(f"{name}@{moment.isoformat()}" for name, moment in self.due) + self.again
        starts = {id_: number for id_, number in self.world.starts.items() if "@now" not in id_}
        assert starts == expected, (Counter(starts) - expected, expected - Counter(starts))
        rows = self.do(self.world.rows())
        assert {row.status.value for row in rows} <= {"success"}, rows
        for name in {name for name, _ in self.due}:
            ids = [row.execution_id for row in rows if row.job_id == name and row.trigger == "schedule"]
            newest = sorted(moment for of, moment in self.due if of == name)[-len(ids) :]
            assert sorted(ids) == sorted(f"{name}@{moment.isoformat()}" for moment in newest)


def test_scheduler_does_as_the_model_does(figure) -> None:
    """Whatever is done in whatever order, crashes included: each due time of an active job has one row, and ran."""
    logging.disable(logging.CRITICAL)
    health = list(HealthCheck)
    wanted = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=health, derandomize=not FULL)
    try:
        run_state_machine_as_test(SchedulerModel, settings=wanted)
    finally:
        logging.disable(logging.NOTSET)
    figure(30, f"invariant held in {EXAMPLES} runs of up to {STEPS} steps")
