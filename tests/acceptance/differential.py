"""One random script of operations, played on a store with a moved clock: all that can be seen of it is written down.

What may differ between the stores, and so is left out:

- how long a handler took, in real seconds; who leads, and how late the event loop was;
- the random part of the id of an execution that somebody asked for (its order is the order of asking);
- how far an execution has come when the answer to `backfill` or `cancel_execution` is given: a database takes some turns of the loop;
- which of several executions that finished at the same instant counts as the last, and is pruned first (on a real clock there are none);
- which executions of one job meet at an instant, where many that it comes after end at that instant: no job is backfilled that
  others come after;
- what stopping does: in memory what waits is cancelled, in a database it waits for the next start.
"""

from __future__ import annotations

import asyncio
import difflib
import pprint
import random
import re
from pathlib import Path
from typing import Any, Literal, cast

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit.system.queue.errors import QueueNotFound
from agentoolkit.system.scheduler import current_execution

from .moved import START, World

_REAL_TIME = {"duration", "lag", "lag_p50", "lag_p99", "loop_delay"}
LEFT_OUT = _REAL_TIME | {"leading", "leader", "leads_lost", "traceback", "scheduler_state", "last_outcome"}
NAMES = ("a", "b", "c", "d")
SCHEDULES = ("2 seconds", "3 seconds", "5 seconds", "10 seconds", "in 3 seconds", "after a", "after b ended", "after c failed")
STATUSES = ("success", "failed", "cancelled", "missed", "skipped", "queued", "running", "retrying", "lost")
_RANDOM_ID = re.compile(r"@now-[0-9a-f]{32}|\b(run|job)-[0-9a-f]{12}\b")

Step = tuple[str, dict[str, Any]]


class OddInput(BaseOperationInput):
    operation: Literal["run"]
    fails: int = 0
    naps: float = 0.0


async def odd_run(ctx: RunContext[World], fails: int = 0, naps: float = 0.0) -> dict[str, Any]:
    """Take some moved time; fail at the first attempts."""
    world, execution = ctx.deps, current_execution()
    assert execution is not None
    if naps:
        over = asyncio.Event()
        world.kit.clock.call_later(naps, over.set)
        world.running += 1
        try:
            await over.wait()
        finally:
            world.running -= 1
    if execution.attempt <= fails:
        raise OSError(f"attempt {execution.attempt}")
    return {"fails": fails, "naps": naps}


def script(seed: int, steps: int) -> list[Step]:
    """Return random steps: operations of the scheduler, and time that passes."""
    chance = random.Random(seed)
    return [_step(chance) for _ in range(steps)]


def _step(chance: random.Random) -> Step:
    job_id = chance.choice(NAMES)
    kind = chance.choices(
        ("pass", "schedule", "update", "change", "look", "list", "run_now", "cancel_execution", "backfill"),
        (30, 18, 8, 14, 8, 8, 6, 4, 4),
    )[0]
    if kind == "pass":
        return "pass", {"seconds": chance.choice((0.5, 1, 2, 3, 7, 15))}
    if kind == "schedule":
        return "schedule", {"job_id": job_id, "schedule": chance.choice(SCHEDULES), **_fields(chance), "replace": chance.random() < 0.4}
    if kind == "update":
        changes: dict[str, Any] = dict(
            chance.sample([("description", f"d{chance.randrange(3)}"), ("schedule", chance.choice(SCHEDULES)), ("max_runs", 3)], 1)
        )
        return "update", {"job_id": job_id, **changes}
    if kind == "change":
        return chance.choice(("pause", "resume", "cancel")), {"job_id": job_id}
    if kind == "look":
        return chance.choice(("get_job", "get_history")), {"job_id": job_id}
    if kind == "list":
        return chance.choice((("list", {}), ("status", {}), ("list_executions", {"execution_status": chance.choice(STATUSES), "limit": 5})))
    if kind == "run_now":
        return "run_now", {"job_id": chance.choice((*NAMES, "label")), **_work(chance, naps=False)}
    if kind == "cancel_execution":
        return "cancel_execution", {"job_id": job_id, "place": chance.randrange(3)}
    return "backfill", {"job_id": job_id, "start_at": START.isoformat(), "end_at": START.replace(minute=1).isoformat()}


def _work(chance: random.Random, *, naps: bool) -> dict[str, Any]:
    fails = chance.choices((0, 1, 2, 9), (6, 2, 1, 1))[0]
    slow = chance.choices((0.0, 0.5, 1.5, 4.0), (5, 2, 2, 1))[0] if naps else 0.0
    return {"agentool_name": "odd", "input_data": {"operation": "run", "fails": fails, "naps": slow}}


def _fields(chance: random.Random) -> dict[str, Any]:
    some: list[tuple[str, Any]] = [
        ("overlap", chance.choice(("skip", "queue_one", "queue_all", "allow"))),
        ("max_instances", chance.choice((1, 2, 3))),
        ("coalesce", False),
        ("max_runs", chance.choice((1, 2, 5))),
        ("max_retries", chance.choice((1, 2))),
        ("result_queue", "results"),
        ("error_queue", "errors"),
        ("catch_up", chance.choice(("latest", "all", "none"))),
        ("concurrency_key", "key"),
        ("job_name", chance.choice(("one", "two"))),
    ]
    fields: dict[str, Any] = dict(chance.sample(some, chance.randrange(4)))
    return {**fields, "retry_backoff": False, **_work(chance, naps=True)}


class Play:
    """A script on one store, and what was seen of it."""

    def __init__(self, database: Path | None) -> None:
        self.world = World(database)
        self.seen: list[Any] = []
        self._events: list[Any] = []

    async def run(self, steps: list[Step]) -> list[Any]:
        """Play a script from the beginning to the end."""
        await self.world.open()
        kit = self.world.kit
        assert kit is not None
        create_agentool("odd", OddInput, {"run": odd_run}, deps=self.world, injector=kit.injector)
        kit.scheduler.subscribe(self._hear)
        try:
            for operation, fields in steps:
                self.seen.append([operation, fields, await self._answer(operation, fields), self._heard()])
            await self.world.advance(30)
            self.seen.append(["at the end", await self._everything(), self._heard()])
        finally:
            await kit.scheduler.lifecycle.close(0.2)  # its handlers wait for time that stands still, and all is seen
            await self.world.close()
        return self.seen

    async def _answer(self, operation: str, fields: dict[str, Any]) -> Any:
        if operation == "pass":
            return await self.world.advance(fields["seconds"])
        if operation == "backfill" and await self.world.kit.scheduler.store.downstream(fields["job_id"]):
            return None
        if operation == "cancel_execution":
            rows = [row for row in await self.world.rows() if row.job_id == fields["job_id"]]
            if len(rows) <= fields["place"]:
                return None
            fields = {"execution_id": rows[fields["place"]].execution_id, "reason": "no"}
        try:
            answer = _neutral(await self.world.ask(operation, **fields))
            if operation == "backfill":
                del answer["statuses"]
            return answer["execution_id"] if operation == "cancel_execution" else answer
        except Exception as error:
            await self.world.quiet()
            return type(error).__name__, _neutral(str(error))

    async def _everything(self) -> Any:
        kit = self.world.kit
        assert kit is not None
        jobs = await kit.scheduler.store.jobs()
        executions = [row._replace(duration=None, error=row.error and row.error._replace(traceback="")) for row in await self.world.rows()]
        plain = [row._replace(owner="", attempts=len(row.attempts)) for row in executions]
        queues = {}
        for queue_name in ("results", "errors"):
            try:
                asked = {"operation": "peek", "queue_name": queue_name, "limit": 1_000}
                found = (await kit.injector.run("queue", asked)).data["messages"]
                queues[queue_name] = sorted(str(_neutral(message["message"])) for message in found)
            except QueueNotFound:
                queues[queue_name] = None
        return [[str(stored.state) for stored in jobs], sorted(_neutral(str(row)) for row in plain), queues]

    def _hear(self, event: Any) -> None:
        execution = event.execution
        self._events.append(_neutral([event.type, event.job_id, execution and execution.execution_id, execution and execution.reason]))

    def _heard(self) -> list[Any]:
        """Return the events since the last step. Those of one instant have no order."""
        heard, self._events = sorted(map(str, self._events)), []
        return heard


def _neutral(value: Any) -> Any:
    """Leave out what may differ."""
    if isinstance(value, str):
        return _RANDOM_ID.sub("@now", value)
    if isinstance(value, dict):
        return {key: _neutral(item) for key, item in cast("dict[str, Any]", value).items() if key not in LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [_neutral(item) for item in cast("list[Any]", value)]
    return value


def differences(seen: dict[str, list[Any]]) -> list[str]:
    """Name the first step at which a store differs from the first one, and how; none: they are alike."""
    (first, expected), *others = seen.items()
    for name, found in others:
        for number, (before, after) in enumerate(zip(expected, found, strict=True)):
            if before != after:
                lines = difflib.ndiff(_lines(before), _lines(after))
                apart = [line for line in lines if line[0] in "+-"]
                return [f"step {number}, {before[0]}: {first} (-) and {name} (+)", *apart]
    return []


def _lines(step: list[Any]) -> list[str]:
    return pprint.pformat(step, width=400).splitlines()
