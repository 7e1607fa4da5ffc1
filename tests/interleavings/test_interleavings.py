"""Each await of the engine is a place where another goes first, a caller leaves, a stop comes, the database fails or a process ends.

Enumerated, not guessed: a life is lived once as it is, its places are counted, and then it is lived again for each place and
each trouble. An oracle that knows the definitions alone compares rows, starts of handlers, messages and the lead.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database.session import CommitUnknown, DatabaseError

from .stepped import START, Pause, Process, World, in_a_world

TROUBLES = ("late", "cancelled", "stop", "restart", "refused", "unknown", "killed", "frozen")
"""Who waits goes on later than others; the caller of the request under way leaves; a stop and a start, or a restart, come;
the store refuses, or does what it is asked without an answer; the process is killed, or sleeps until another has its place."""
INTERRUPTING = ("stop", "restart", "killed", "frozen")
"""After these an execution may have one attempt more."""
STEP = 1 if os.environ.get("AGENTOOL_FULL") else 83
"""In the short form every so many-th place is tried, for each trouble beginning with another."""
RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}
ALWAYS = {"misfire_grace_time": 3_600, "coalesce": False, "max_instances": 100, "end_at": (START + timedelta(seconds=3.5)).isoformat()}
DUE = (1, 2, 3)
TRIES = 6
STOP_SECONDS = 1.0


class Life:
    """Four jobs and one downstream, a retry, a cancellation, a stop and a start; trouble at one place."""

    def __init__(self, world: World, place: int, trouble: str) -> None:
        self.world, self.place, self.trouble = world, place, trouble
        self.process: Process = world.add("a")
        self.happened = ""
        self.scheduled = False
        self.asking: asyncio.Task[Any] | None = None
        world.gate.choose = self._choose

    def _choose(self, number: int, pause: Pause) -> BaseException | None:
        if number != self.place:
            return None
        match self.trouble:
            case "late":
                self.world.gate.delay(pause)
            case "cancelled" if self.asking is not None and not self.asking.done():
                self.asking.cancel()
            case "stop":
                self.world.begin(self._stop_and_start())
            case "restart":
                self.world.begin(self._insist(lambda: self.process.service.restart(STOP_SECONDS)))
            case "refused" if pause.point.endswith("before") and not pause.point.startswith("close"):
                self.happened = pause.point
                return DatabaseError("refused for once")
            case "unknown" if pause.point.endswith("after") and not pause.point.startswith("close"):
                self.happened = pause.point
                return CommitUnknown("nobody knows")
            case "killed" if pause.process == "a" and self.scheduled:
                self.world.kill("a")
                self._leave()
            case "frozen" if pause.process == "a" and self.scheduled:
                self.world.gate.held.add("a")
                self.world.gate.waiting.append(pause)
                self._leave()
            case _:
                return None
        self.happened = pause.point
        return None

    def _leave(self) -> None:
        """Whoever asked a process that is gone has no answer."""
        for request in self.world.requests:
            request.cancel()

    async def _stop_and_start(self) -> None:
        await self._insist(lambda: self.process.service.stop(STOP_SECONDS))
        await self._insist(lambda: self.process.service.start())

    async def _insist(self, ask: Callable[[], Awaitable[Any]]) -> None:
        for _ in range(TRIES):
            try:
                await ask()
                return
            except RuntimeError:
                continue

    async def live(self) -> None:
        await self._surely(lambda: self.process.service.open())
        retried = {**RUN, "input_data": {"operation": "run", "fails_first": True}, "max_retries": 1, "retry_backoff": 0.3}
        await self._ask("schedule", job_id="a", schedule="1 second", result_queue="results", **RUN, **ALWAYS)
        await self._ask("schedule", job_id="b", schedule="1 second", **retried, **ALWAYS)
        await self._ask("schedule", job_id="d", schedule="after b", max_instances=100, **RUN)
        self.world.gate.held_jobs.add("c")
        await self._ask("schedule", job_id="c", schedule=(START + timedelta(seconds=1)).isoformat(), **RUN)
        self.scheduled = True
        await self._advance(2.25)
        await self._cancel_c()
        await self._surely(lambda: self.process.service.stop(STOP_SECONDS))
        await self._surely(lambda: self.process.service.start())
        await self._advance(3.0)
        await self._cancel_c()
        self.world.gate.held_jobs.clear()
        await self._advance(6.0)
        await self._thaw()
        await self._ask("start")  # what one that slept was asked for, it may do now
        await self._advance(6.0)

    async def _cancel_c(self) -> None:
        """Cancel what runs or waits of c, and see it ended."""
        for _ in range(TRIES):
            rows = self.world.query("SELECT execution_id FROM agentool_executions WHERE job_id = 'c' AND finished_at IS NULL")
            if not rows:
                return
            await self._ask("cancel_execution", execution_id=rows[0][0])
            await self._advance(1.0)

    async def _ask(self, operation: str, **fields: Any) -> None:
        await self._surely(lambda: self.process.ask(operation, **fields))

    async def _surely(self, ask: Callable[[], Awaitable[Any]]) -> None:
        """Ask, as a patient user does: again if it was refused, and another process if the one that was asked is gone."""
        for _ in range(TRIES):
            self.asking = self.world.begin(ask())
            await self._settle()
            if self.asking.done() and not self.asking.cancelled() and self.asking.exception() is None:
                return
            if isinstance(error := None if self.asking.cancelled() or not self.asking.done() else self.asking.exception(), AssertionError):
                raise error
        raise AssertionError(f"refused {TRIES} times: {self.asking}")

    async def _advance(self, seconds: float) -> None:
        end = self.world.clock.now() + timedelta(seconds=seconds)
        while self.world.clock.now() < end:
            await self.world.advance(0.25)
            await self._succeed()

    async def _settle(self) -> None:
        await self.world.settle()
        await self._succeed()

    def _is_gone(self) -> bool:
        return self.process.name in self.world.gate.held

    async def _succeed(self) -> None:
        """Where the process is gone, open another, and wait until it has taken over."""
        if not self._is_gone():
            return
        self.process = self.world.add("b")
        await self.world.do(self.process.service.open())
        await self.world.advance(26.0 if self.trouble == "frozen" else 6.0)

    async def _thaw(self) -> None:
        """Let a process that slept go on."""
        if self.trouble == "frozen" and "a" in self.world.gate.held:
            self.world.gate.held.discard("a")
            await self.world.beat()
            await self.world.settle()


def wrong(world: World, interruptions: int) -> list[str]:
    """Compare rows, handler starts, messages and the lead with what the definitions of the jobs alone say."""
    expected = {f"{job}@{(START + timedelta(seconds=second)).isoformat()}" for job in "ab" for second in DUE}
    expected |= {f"d@after-{id_}" for id_ in expected if id_.startswith("b")} | {f"c@{(START + timedelta(seconds=1)).isoformat()}"}
    rows = world.query("SELECT execution_id, job_id, status, attempt, reason FROM agentool_executions")
    ids = Counter(row[0] for row in rows)
    found = [f"{id_}: {ids[id_]} rows for {int(id_ in expected)}" for id_ in expected | ids.keys() if ids[id_] != (id_ in expected)]
    for id_, job, status, attempt, reason in rows:
        starts = [world.starts[id_, number] for number in range(1, attempt + 2)]
        right = status == ("cancelled" if job == "c" else "success")
        last, attempts = ((0, 1), TRIES) if job == "c" else ((1,), 1 + (job == "b") + interruptions)
        if not right or max(starts) > 1 or starts[-2] not in last or starts[-1] or attempt > attempts:
            found.append(f"{id_}: {status} {reason}, attempt {attempt}, started {starts}")
    messages = [json.loads(body)["execution_id"] for (body,) in world.query("SELECT body FROM agentool_queue_messages")]
    if sorted(messages) != sorted(id_ for id_ in expected if id_.startswith("a")):
        found.append(f"delivered {messages}")
    return found


async def lived(world: World, place: int, trouble: str) -> tuple[int, str, list[str]]:
    life = Life(world, place, trouble)
    await life.live()
    found = wrong(world, int(trouble in INTERRUPTING))
    if world.leader() != life.process.name:
        found.append(f"{world.leader()!r} leads, and {life.process.name} serves")
    found += [f"{name} still runs {number}" for name, number in world.running.items() if number and name not in world.gate.held]
    places = world.gate.passed
    await world.end()
    if led := world.leader():
        found.append(f"{led} leads, and nobody serves")
    return places, life.happened, found


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_place_is_a_wrong_one(tmp_path: Path, quiet: None, trouble: str, figure: Any):
    """Whatever comes at whichever await: every due time has one true row, every handler starts once an attempt, one process leads."""
    problems: dict[str, list[str]] = {}
    place, tried = 1 + TROUBLES.index(trouble) * 3 % STEP, 0
    places = place + 1
    while place < places:
        folder = tmp_path / f"{trouble}{place}"
        folder.mkdir()
        places, happened, found = in_a_world(folder, lambda world, at=place: lived(world, at, trouble))
        tried += bool(happened)
        if found:
            problems[f"{trouble} at {place}, {happened}"] = found
        place += STEP
    figure(32, f"{trouble}: {len(problems)} of {tried} places wrong")
    assert (problems, tried > 0) == ({}, True)
