"""A scheduler's life against a model: starts, stops, restarts, openings and closings, in any order, by callers who leave,
by handlers, on a store that fails."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from agentoolkit.database.session import CommitUnknown, DatabaseError

from .stepped import START, Pause, World, patched, turns

FULL = bool(os.environ.get("AGENTOOL_FULL"))
EXAMPLES, STEPS = (int(os.environ.get("AGENTOOL_EXAMPLES", "1000")), 60) if FULL else (25, 25)
RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}
ALWAYS = {"misfire_grace_time": 3_600, "coalesce": False, "max_instances": 1_000}
REQUESTS = st.sampled_from(["start", "stop", "restart", "open", "close"])


class Model:
    """What the requests, in the order in which they were made, ask for."""

    def __init__(self) -> None:
        self.wanted, self.halted, self.closed = True, False, False

    def hear(self, request: str) -> None:
        self.wanted = request in ("start", "restart", "open")
        if request in ("start", "restart", "stop"):
            self.halted = request == "stop"
        if request != "stop":
            self.closed = request == "close"


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patching = patched()
        self.patching.__enter__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.world = World(Path(self.folder.name))
        self.model = Model()
        self.failed = False
        self.fault: tuple[int, BaseException] | None = None
        self.world.gate.choose = self._meets
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.process = self.world.add("a")
        self.process.heard = self._heard
        await self.world.do(self.process.request("open"))
        await self.world.do(self.process.ask("schedule", job_id="tick", schedule="1 second", **RUN, **ALWAYS))

    def _heard(self, request: str, error: BaseException | None) -> None:
        if error is None:
            self.model.hear(request)
            # One that is closed refuses it, unless it is opened before its turn; whoever has left is not told which.
            self.failed = self.failed or (request == "stop" and self.model.closed)
        else:
            self.failed = True

    def _meets(self, number: int, pause: Pause) -> BaseException | None:
        if self.fault is None or self.fault[0] > number:
            return None
        wanted = "after" if isinstance(self.fault[1], CommitUnknown) else "before"
        if not pause.point.endswith(wanted) or pause.point.startswith("close"):
            return None
        (_, error), self.fault = self.fault, None
        self.failed = True  # it may be the answer of somebody who has left
        return error

    def teardown(self) -> None:
        try:
            self.runner.run(self._finish())
        finally:
            self.runner.close()
            self.folder.cleanup()
            self.patching.__exit__(None, None, None)

    async def _finish(self) -> None:
        await self._check()
        await self.world.do(self.process.request("start"))
        await self.world.advance(3.0)
        self._check_rows()
        await self.world.end()
        assert self.world.leader() == "", "somebody leads who does not serve"

    @rule(request=REQUESTS)
    def ask(self, request: str) -> None:
        """Somebody asks, and waits."""

        async def ask() -> None:
            self.world.begin(self.process.request(request))
            await turns()

        self.runner.run(ask())

    @rule(request=st.sampled_from(["start", "stop", "restart"]))
    def ask_from_inside(self, request: str) -> None:
        """A handler asks, in the middle of its work."""

        async def ask() -> None:
            data = {"operation": "run", "asks": request}
            self.world.begin(self.process.ask("run_now", agentool_name="work", input_data=data, job_id="asking"))
            await turns()

        self.runner.run(ask())

    @rule(which=st.integers(0, 3))
    def leave(self, which: int) -> None:
        """One of those who wait leaves."""

        async def leave() -> None:
            waiting = [task for task in self.world.requests if not task.done()]
            if waiting:
                waiting[which % len(waiting)].cancel()
                await turns()

        self.runner.run(leave())

    @rule(after=st.integers(1, 12), error=st.sampled_from([DatabaseError("refused for once"), CommitUnknown("nobody knows")]))
    def fail(self, after: int, error: BaseException) -> None:
        """One of the next calls of the store will fail, before it is done or after."""
        self.fault = (self.world.gate.passed + after, error)

    @rule(number=st.integers(1, 8))
    def let_on(self, number: int) -> None:
        """Some of those that wait at the store go on."""

        async def let_on() -> None:
            for _ in range(number):
                self.world.gate.let_on()
                await turns()

        self.runner.run(let_on())

    @rule(hold=st.booleans())
    def hold_handlers(self, hold: bool) -> None:
        """Handlers that begin from now on do not end, or all may."""
        (self.world.gate.held_jobs.add if hold else self.world.gate.held_jobs.discard)("tick")

    @rule(seconds=st.integers(1, 3))
    def advance(self, seconds: int) -> None:
        self.runner.run(self.world.advance(seconds))

    @rule()
    def check(self) -> None:
        self.runner.run(self._check())

    async def _check(self) -> None:
        """All come to rest; then it runs and leads exactly if the last request that was granted asks for it."""
        self.fault = None
        self.world.gate.held_jobs.discard("tick")
        await self.world.settle()
        if self.failed:  # what was refused may be done or not: ask again
            self.failed = False
            self.model.hear("start")
            await self.world.do(self.process.request("start"))
            assert not self.failed, "a start on a store that works fails"
        await self.world.advance(1.0)
        engine, model = self.process.service.engine, self.model
        there = (engine is not None, self.world.leader(), engine is not None and engine.leading)
        leads = model.wanted and not model.halted
        assert there == (model.wanted, "a" if leads else "", leads), (there, vars(model), self.process.log)
        assert leads or not self.world.running["a"], "a handler runs, and nobody serves"

    def _check_rows(self) -> None:
        now, at, due = self.world.clock.now(), START + timedelta(seconds=1), set[str]()
        while at <= now:
            due.add(f"tick@{at.isoformat()}")
            at += timedelta(seconds=1)
        rows = self.world.query("SELECT execution_id, status, attempt, finished_at FROM agentool_executions WHERE job_id = 'tick'")
        counts = Counter(row[0] for row in rows)
        newest = sorted(due)[-len(rows) :]
        assert (sorted(counts), max(counts.values())) == (newest, 1), (sorted(due - counts.keys()), counts - Counter(due))
        for id_, status, attempt, _ in rows:
            starts = [self.world.starts[id_, number] for number in range(1, attempt + 2)]
            right = (status == "success" and starts[-2] == 1) or (status, attempt) == ("lost", 3)
            assert (right, max(starts), starts[-1]) == (True, 1, 0), (id_, status, attempt, starts)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_a_life_is_as_the_model_says(figure: Any) -> None:
    """Whatever is asked for in whatever order: the last request that is granted decides, no work is lost or done twice at once."""
    logging.disable(logging.CRITICAL)
    wanted = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not FULL,
        phases=(Phase.generate,),  # a shorter one takes minutes to be found, and the message has what was asked for
    )
    try:
        run_state_machine_as_test(Lives, settings=wanted)
    finally:
        logging.disable(logging.NOTSET)
    figure(33, f"the model held in {EXAMPLES} lives of up to {STEPS} steps")
