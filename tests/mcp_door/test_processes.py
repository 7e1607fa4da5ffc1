"""Several servers on one database: one leads, another takes over, and with ``--keep`` the jobs go on without any."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from tests.mcp_door.processes import SECONDS, stdio

from agentoolkit.entrypoints.background import BackgroundToolkit, background
from agentoolkit.settings import Settings

LEASE_SECONDS = 12.0


@pytest.fixture
def ticking(tmp_path: Path) -> Path:
    """A home whose database holds a job that is due every second."""
    (tmp_path / "home").mkdir()
    with visiting(tmp_path / "home") as kit:
        job = {"job_name": "tick", "schedule": "every second", "agentool_name": "metrics", "input_data": {"operation": "export"}}
        kit.run("scheduler", {"operation": "schedule", **job})
    return tmp_path / "home"


def visiting(home: Path) -> Any:
    """Look at what the servers keep, without running anything."""
    return background(Settings.from_values({"database": str(home / "agentool.db"), "timezone": "UTC"}), runs_jobs=False)


def runs(kit: BackgroundToolkit) -> list[dict[str, Any]]:
    return kit.run("scheduler", {"operation": "list_executions", "limit": 100}).data["history"]


def leader(kit: BackgroundToolkit) -> str | None:
    return kit.run("scheduler", {"operation": "status"}).data["leader"]


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Ask again and again, for so long at most."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def test_one_of_three_servers_leads_and_another_takes_over(ticking: Path) -> None:
    """Three clients, each with a server of its own: each due time runs once; the leader is killed, and another leads within the lease."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(stdio(ticking))) for _ in range(3)]
        three = [(await client.call_tool("scheduler_daemon_status", {})).structured_content["pid"] for client in clients]
        with visiting(ticking) as kit:
            await until(lambda: len(runs(kit)) >= 2)
            first = leader(kit)
            assert first is not None
            assert int(first.split()[1]) in three
            os.kill(int(first.split()[1]), signal.SIGKILL)
            killed = time.monotonic()
            await until(lambda: leader(kit) not in (None, first))
            assert time.monotonic() - killed <= LEASE_SECONDS + 5
            before = len(runs(kit))
            await until(lambda: len(runs(kit)) >= before + 2)
            due = Counter(run["scheduled_at"] for run in runs(kit))
    assert set(due.values()) == {1}


async def test_with_keep_the_jobs_go_on_when_every_client_is_gone(ticking: Path) -> None:
    """One process stays behind, not three, and a signal ends it."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(stdio(ticking, "--keep"))) for _ in range(3)]
        pids = [(await client.call_tool("scheduler_daemon_status", {})).structured_content["pid"] for client in clients]
    kept = left_behind(ticking)
    try:
        assert kept not in pids
        assert not any(map(is_running, pids))
        with visiting(ticking) as kit:
            await until(lambda: leader(kit) == f"pid {kept} on {os.uname().nodename}", LEASE_SECONDS + SECONDS)
            before = len(runs(kit))
            await until(lambda: len(runs(kit)) >= before + 2)
    finally:
        os.kill(kept, signal.SIGTERM)
    await until(lambda: not is_running(kept), 10)


def is_running(pid: int) -> bool:
    """Is it there, and no zombie that nobody has asked for?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def left_behind(home: Path) -> int:
    """The pid of the one process that was left behind."""
    (place,) = home.glob("serve-*.pid")
    return int(place.read_text())
