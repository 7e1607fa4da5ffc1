"""A long time in a short one: nothing grows that should not."""

from __future__ import annotations

import gc
import os
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psutil

from .moved import RUN, START, World

FULL = bool(os.environ.get("AGENTOOL_FULL"))
JOBS, WARM_UP, SECONDS = (1_000, 150, 600) if FULL else (20, 300, 300)
"""A job keeps a hundred executions, and the bus 10,000 events, two of each firing: nothing can be flat before that many are reached."""


class Size(NamedTuple):
    """What a scheduler occupies."""

    memory: int
    """Bytes of the process."""
    file: int
    """Bytes of the database, without its log."""
    records: int


async def measured(world: World) -> Size:
    gc.collect()
    (records,) = await world.kit.database.read(lambda session: session.row("SELECT COUNT(*) FROM agentool_executions"))
    await world.kit.database.write(lambda session: session.rows("SELECT 1"))
    return Size(psutil.Process().memory_info().rss, world.database.stat().st_size, records)


async def test_long_use_fills_neither_memory_nor_disk(tmp_path: Path, nothing_left: None, figure):
    """Jobs of every second, far beyond the length of their histories: memory, file and records stay what they were."""
    world = World(tmp_path / "agentool.db")
    await world.open()
    bounds = {"start_at": (START + timedelta(seconds=1)).isoformat()}
    for number in range(JOBS):
        await world.ask("schedule", job_id=f"job{number}", schedule="1 second", **bounds, **RUN)
    await world.advance(WARM_UP, step=1)
    before = await measured(world)
    await world.advance(SECONDS, step=1)
    after = await measured(world)
    await world.close()
    grew, file = (after.memory - before.memory) / 1e6, after.file / before.file
    fired = JOBS * SECONDS
    figure(24, f"{fired} firings: memory {grew:+.1f} MB, file x {file:.2f}, {after.records / JOBS:.0f} records a job")
    assert sum(world.starts.values()) == JOBS * (WARM_UP + SECONDS)
    assert (after.records, before.records) == (100 * JOBS, 100 * JOBS)
    assert (grew < 10, file < 1.2) == (True, True)
