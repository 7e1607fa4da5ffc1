"""Several processes on one PostgreSQL database: whatever they do at the same time, none waits for another in a circle."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS

CHILD = Path(__file__).with_name("sharing.py")


class Shared(NamedTuple):
    """What processes did together."""

    done: int
    deadlocks: list[str]
    claimed: list[str]


async def share(database_url: str, kinds: str, seconds: float, slot: int = -1, processes: int = 4) -> Shared:
    """Let processes work on the same things for some seconds."""
    database = Database(dialect_for(database_url), MIGRATIONS)
    await database.open()
    await database.close()
    asked = [[sys.executable, str(CHILD), database_url, str(number), str(seconds), kinds, str(slot)] for number in range(processes)]
    started = [await asyncio.create_subprocess_exec(*each, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for each in asked]
    ended = [await asyncio.wait_for(process.communicate(), 120 + seconds) for process in started]
    assert [errors.decode() for _, errors in ended] == [""] * processes
    told = [json.loads(printed) for printed, _ in ended]
    deadlocks, claimed = ([one for each in told for one in each[kind]] for kind in ("deadlocks", "claimed"))
    return Shared(sum(one["done"] for one in told), deadlocks, claimed)


ALONE = [pytest.param(kinds, marks=pytest.mark.long_form) for kinds in ("queue,values", "jobs", "executions")]


@pytest.mark.parametrize("kinds", ["queue,values,jobs,executions", *ALONE])
async def test_processes_that_share_never_deadlock(postgres_url: str, kinds: str):
    """Four that work on one queue, on the same values and on the same jobs do not wait for each other in a circle."""
    shared = await share(postgres_url, kinds, 2)
    assert (shared.deadlocks, shared.done > 20) == ([], True)


async def test_processes_that_are_sent_the_same_executions_claim_each_once(postgres_url: str):
    """Four that claim, finish and cancel the same executions, each in an order of its own, are given each of them once."""
    claimed = (await share(postgres_url, "executions", 2)).claimed
    assert (len(claimed) > 20, len(set(claimed))) == (True, len(claimed))


@pytest.mark.long_form
async def test_processes_that_share_never_deadlock_in_a_minute(postgres_url: str, figure):
    """The same for a minute; and counting messages in one row costs less than a fifth."""
    apart = together = 0
    for _ in range(4):  # in turn, because others may be at work on this machine
        apart += (await share(postgres_url, "queue", 5)).done
        together += (await share(postgres_url, "queue", 5, slot=3)).done
    queue = await share(postgres_url, "queue,values", 60, slot=3)
    everything = await share(postgres_url, "queue,values,jobs,executions", 60)
    figure(41, f"{len(queue.deadlocks) + len(everything.deadlocks)} deadlocks; one row for all {together}, one each {apart}")
    assert (queue.deadlocks, everything.deadlocks) == ([], [])
    assert together >= 0.8 * apart
