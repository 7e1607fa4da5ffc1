"""What each operation of `queue` and `storage_kv` costs as they fill: ``python -m bench.growing_tools`` prints the table.

``--kept 100 10000 --stores memory sqlite`` names the sizes: messages in one queue and, after them, keys in one namespace.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from agentool import Injector
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit
from bench.growth import AT_ONCE, POSTGRES, ROUNDS, clock_of, empty

Call = tuple[str, Mapping[str, Any]]
"""An AgenTool and its input."""


def operations(number: int, kept: int) -> dict[str, list[Call]]:
    """Return what is measured in one round, each as the calls that belong together."""
    queue, message, key = {"queue_name": "full"}, f"message-{number * 7 % kept:06}", f"key-{number * 7 % kept:06}"
    calls: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
        "queue: enqueue": [("queue", "enqueue", {**queue, "message": {"rows": 1}})],
        "queue: dequeue": [("queue", "dequeue", queue)],
        "queue: peek 10": [("queue", "peek", {**queue, "limit": 10})],
        "queue: size": [("queue", "size", queue)],
        "queue: get_message": [("queue", "get_message", {**queue, "message_id": message})],
        "queue: list_queues": [("queue", "list_queues", {})],
        "storage_kv: set": [("storage_kv", "set", {"key": key, "value": number})],
        "storage_kv: get": [("storage_kv", "get", {"key": key})],
        "storage_kv: increment": [("storage_kv", "increment", {"key": "counted"})],
        "storage_kv: keys, 100 by prefix": [("storage_kv", "keys", {"prefix": "key-0", "limit": 100})],
        "storage_kv: set and delete": [
            ("storage_kv", "set", {"key": f"new-{number}", "value": 1}),
            ("storage_kv", "delete", {"key": f"new-{number}"}),
        ],
    }
    return {name: [(tool, {"operation": operation, **fields}) for tool, operation, fields in made] for name, made in calls.items()}


async def fill(injector: Injector, kept: int) -> None:
    """Add messages and keys, many at once."""
    await injector.run("queue", {"operation": "create_queue", "queue_name": "full", "max_size": 2 * kept + ROUNDS})
    for start in range(0, kept, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, kept))
        names = {"operation": "enqueue", "queue_name": "full", "message": {"rows": 1}}
        await asyncio.gather(*(injector.run("queue", {**names, "message_id": f"message-{number:06}"}) for number in numbers))
        await asyncio.gather(
            *(injector.run("storage_kv", {"operation": "set", "key": f"key-{number:06}", "value": number}) for number in numbers)
        )


async def measure(database: str | None, kept: int) -> dict[str, float]:
    """Fill a toolkit, and return the median of each operation in milliseconds."""
    injector, clock = Injector(), clock_of(database)
    async with Toolkit(Settings(timezone="UTC", database=database), injector=injector):
        await fill(injector, kept)
        took: dict[str, list[float]] = {name: [] for name in operations(0, kept)}
        for number in range(1, ROUNDS + 1):
            for name, calls in operations(number, kept).items():
                began = clock()
                for tool, call in calls:
                    await injector.run(tool, call)
                took[name].append((clock() - began) * 1_000)
    return {name: median(times) for name, times in took.items()}


async def measure_all(stores: list[str], sizes: list[int], postgres: str) -> None:
    """Measure the stores and sizes that are named, and print a table for each store."""
    for name in stores:
        columns: list[dict[str, float]] = []
        for kept in sizes:
            with tempfile.TemporaryDirectory() as folder:
                if name == "postgres":
                    empty(postgres)
                columns.append(await measure({"memory": None, "sqlite": str(Path(folder) / "growth.db"), "postgres": postgres}[name], kept))
        print(f"\n{name}: milliseconds, medians of {ROUNDS}, by messages and keys\n")
        print("| operation | " + " | ".join(f"{kept:,}" for kept in sizes) + " | growth |\n|---|" + "--:|" * (len(sizes) + 1))
        for operation in columns[0]:
            figures = [column[operation] for column in columns]
            print(f"| {operation} | " + " | ".join(f"{figure:.3f}" for figure in figures) + f" | {figures[-1] / figures[0]:.1f} × |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.growing_tools", description=__doc__)
    parser.add_argument("--stores", nargs="+", default=["memory", "sqlite", "postgres"])
    parser.add_argument("--kept", nargs="+", type=int, default=[100, 10_000, 100_000])
    parser.add_argument("--postgres", default=POSTGRES, help="a database that is emptied")
    given = parser.parse_args()
    asyncio.run(measure_all(given.stores, given.kept, given.postgres))


if __name__ == "__main__":
    main()
