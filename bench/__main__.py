"""``python -m bench``: every comparison, or those named: ``python -m bench call memory``."""

from __future__ import annotations

import asyncio
import sys

from bench import bulk, burst, call, growth, idle, schedules, steady, toolset

ALL = {
    "call": call.run,
    "toolset": toolset.run,
    "schedules": schedules.run,
    "memory": burst.memory,
    "durable": burst.durable,
    "steady": steady.run,
    "bulk": bulk.run,
    "idle": idle.run,
}


async def main(names: list[str]) -> int:
    if names == ["growth"]:  # a table, not a comparison
        await growth.main([])
        return 0
    met = [await ALL[name]() for name in names or ALL]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
