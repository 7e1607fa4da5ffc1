"""``python -m bench``: every comparison, or those named: ``python -m bench call memory``."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import version

PEERS = ("apscheduler", "sqlalchemy", "dbos", "procrastinate", "croniter", "pydantic-ai-slim")

ALL = {
    "call": "call:run",
    "toolset": "toolset:run",
    "mcp": "mcp_call:run",
    "schedules": "schedules:run",
    "memory": "burst:memory",
    "durable": "burst:durable",
    "queues": "burst:queues",
    "postgres": "postgres:run",
    "steady": "steady:run",
    "bulk": "bulk:run",
    "idle": "idle:run",
    "fleet": "fleet:run",
}
"""Modules and their functions. Each is imported when it is its turn: a full garbage collection looks at all that was imported."""


def conditions() -> str:
    """Say what was measured on what."""
    versions = ", ".join(f"{name} {version(name)}" for name in PEERS)
    load = ", ".join(f"{figure:.1f}" for figure in os.getloadavg())
    machine = f"{os.cpu_count()} cores, load {load}; Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{machine}\nagentool {version('agentool')}, {versions}"


def comparison(name: str) -> Callable[[], Awaitable[bool]]:
    """Import what makes a comparison."""
    module, _, function = ALL[name].partition(":")
    run: Callable[[], Awaitable[bool]] = getattr(import_module(f"bench.{module}"), function)
    return run


async def main(names: list[str]) -> int:
    if names == ["growth"]:  # a table, not a comparison
        await import_module("bench.growth").main([])
        return 0
    print(conditions())
    met = [await comparison(name)() for name in names or ALL]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
