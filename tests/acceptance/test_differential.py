"""The same script of operations on every store: every answer, event, history and queue is the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from .differential import Play, differences, script

FULL = bool(os.environ.get("AGENTOOL_FULL"))
SCRIPTS, STEPS = (int(os.environ.get("AGENTOOL_EXAMPLES", "2000")), 50) if FULL else (3, 25)
FOUND = (32, 207, 253, 435, 10016, 10051, 10070)
"""Seeds of scripts that once showed a fault. They are played in every run, with all of their operations."""


async def play(seed: int, steps: int, tmp_path: Path, postgres_url: str | None) -> list[str]:
    databases: dict[str, Any] = {"memory": None, "sqlite": tmp_path / f"{seed}.db"}
    if postgres_url is not None:
        databases["postgres"] = postgres_url
    seen = {name: await Play(cast("Path | None", database)).run(script(seed, steps)) for name, database in databases.items()}
    return differences(seen)


@pytest.mark.parametrize("seed", FOUND)
async def test_faults_that_were_found_stay_mended(seed: int, tmp_path: Path, postgres_url: str):
    """A script that once showed a fault is answered the same on memory, SQLite and PostgreSQL."""
    assert await play(seed, 50, tmp_path, postgres_url) == []


@pytest.mark.parametrize("seed", range(0 if FULL else SCRIPTS))
async def test_stores_are_alike(seed: int, tmp_path: Path, postgres_url: str):
    """A random script is answered the same on memory, SQLite and PostgreSQL."""
    assert await play(seed, STEPS, tmp_path, postgres_url) == []


@pytest.mark.long_form
async def test_stores_are_alike_for_hours(tmp_path: Path, figure):
    """Thousands of random scripts are answered the same in memory and on SQLite."""
    differ = {seed: found for seed in range(SCRIPTS) if (found := await play(seed, STEPS, tmp_path, None))}
    figure(40, f"{SCRIPTS} scripts of {STEPS} operations: {len(differ)} differ")
    assert differ == {}
