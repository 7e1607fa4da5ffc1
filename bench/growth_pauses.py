"""How long each operation keeps the event loop from everything else, with many jobs: ``python -m bench.growth_pauses`` prints the table.

``--jobs 100000 --stores memory sqlite postgres`` names the sizes. A step is what the loop does between two looks at who else waits; its
time is that of the loop's thread. Beside it is the longest gap between two beats of a task that only sleeps for a millisecond: it also
has what other threads do that hold the interpreter. Both are time of the processor, so that it hardly matters what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentoolkit.portions import IN_A_TURN, done_in_portions
from agentoolkit.settings import Settings
from agentoolkit.transfer import Everything, export_lines
from agentoolkit.wiring import Toolkit
from bench.growth import POSTGRES, empty, fill

WANTED_MS = 20.0
TOGETHER = 1_000
"""Jobs that are sent together."""


class Longest(NamedTuple):
    """The longest step of an operation, and the longest gap between two beats, in milliseconds."""

    step: float = 0.0
    gap: float = 0.0


class Watch:
    """Watches an event loop while a ``with`` block lasts."""

    def __init__(self) -> None:
        self.longest = Longest()

    def __enter__(self) -> Watch:
        self._run = run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            run(handle)
            self.longest = self.longest._replace(step=max(self.longest.step, (time.thread_time() - began) * 1_000))

        asyncio.Handle._run = timed  # type: ignore[method-assign]
        self._beats = asyncio.ensure_future(self._beat())
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.Handle._run = self._run  # type: ignore[method-assign]
        self._beats.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(0.001)
            self.longest = self.longest._replace(gap=max(self.longest.gap, (time.process_time() - before) * 1_000))


async def _export(kit: Toolkit) -> None:
    async for _ in export_lines(Everything(kit.scheduler.store, kit.queue.backend, kit.values), kit.scheduler.now()):
        pass


async def _schedule_many(kit: Toolkit) -> None:
    """Schedule jobs as the API does that is sent many."""
    asked = {"operation": "schedule", "agentool_name": "logging", "schedule": "every day at 9", "input_data": {"operation": "read"}}

    async def schedule(number: int) -> None:
        await kit.injector.run("scheduler", {**asked, "job_name": f"new-{number}"})

    await done_in_portions(schedule, range(TOGETHER), IN_A_TURN)


def _asks(operation: str, **fields: Any) -> Callable[[Toolkit], Awaitable[object]]:
    async def ask(kit: Toolkit) -> object:
        try:
            return await kit.injector.run("scheduler", {"operation": operation, **fields})
        except RuntimeError as refusal:
            return refusal

    return ask


OPERATIONS: dict[str, Callable[[Toolkit], Awaitable[object]]] = {
    "list": _asks("list"),
    "list, 1,000 jobs": _asks("list", limit=1_000),
    "list, a word that none has": _asks("list", query="absent"),
    "list, by how they ended": _asks("list", query="status:failed"),
    "list_executions": _asks("list_executions"),
    "list_executions, a word that none has": _asks("list_executions", query="absent"),
    "get_job": _asks("get_job", job_id="job-000077"),
    "get_job, unknown": _asks("get_job", job_id="job-000077x"),
    "status": _asks("status"),
    "schedule, 1,000 together": _schedule_many,
    "tidy": lambda kit: kit.scheduler.store.purge(kit.scheduler.now()),
    "export": _export,
    "restart": _asks("restart"),
}


async def measure(database: str | None, jobs: int, executions: int) -> dict[str, Longest]:
    """Fill a toolkit, open it anew where that has jobs, and return the longest step of each operation."""
    longest: dict[str, Longest] = {}
    settings = Settings(timezone="UTC", database=database, freeze=True)
    if database is not None:
        async with Toolkit(settings, runs_jobs=False) as kit:
            await fill(kit.scheduler.store, jobs, executions)
    kit = Toolkit(settings)
    with Watch() as watch:
        await kit.__aenter__()
        await asyncio.sleep(1)
    longest["open"] = watch.longest
    if database is None:
        await fill(kit.scheduler.store, jobs, executions)
    for name, operation in OPERATIONS.items():
        with Watch() as watch:
            await asyncio.ensure_future(operation(kit))
            await asyncio.sleep(0.1)
        longest[name] = watch.longest
    with Watch() as watch:
        await kit.__aexit__(None, None, None)
    return {**longest, "close": watch.longest}


async def main(arguments: list[str]) -> None:
    """Measure the stores that are named, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth_pauses", description=__doc__)
    parser.add_argument("--stores", nargs="+", default=["memory", "sqlite", "postgres"])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--executions", type=int, default=200_000)
    parser.add_argument("--postgres", default=POSTGRES, help="a database that is emptied")
    given = parser.parse_args(arguments)
    columns: list[dict[str, Longest]] = []
    for name in given.stores:
        with tempfile.TemporaryDirectory() as folder:
            if name == "postgres":
                empty(given.postgres)
            database = {"memory": None, "sqlite": str(Path(folder) / "pauses.db"), "postgres": given.postgres}[name]
            columns.append(await measure(database, given.jobs, given.executions))
    size = f"{given.jobs:,} jobs, {given.executions:,} executions"
    print(f"\nlongest step of the event loop / longest gap, in ms, wanted at most {WANTED_MS:g}; {size}\n")
    print("| operation | " + " | ".join(given.stores) + " |\n|---|" + "--:|" * len(columns))
    for operation in columns[0]:
        print(f"| {operation} | " + " | ".join(_told(column[operation]) for column in columns) + " |")


def _told(longest: Longest) -> str:
    told = f"{longest.step:.1f} / {longest.gap:.1f}"
    return told if max(longest) <= WANTED_MS else f"**{told}**"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
