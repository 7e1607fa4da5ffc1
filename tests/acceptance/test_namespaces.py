"""Processes in PID namespaces of their own on one database, as in containers: none of them sees another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import Any

import psutil
import pytest

from .stage import Stage, every_second, soon, wait_until

LEASE = 0.8
OWN_NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc")
PIDS_BEFORE = 'left=$0; while [ "$left" -gt 0 ]; do /bin/true; left=$((left - 1)); done; "$@"; exit $?'
"""A shell that uses up some pids first, so that the pid of one process is nobody's where the other is."""


@pytest.fixture(params=["sqlite", "postgres"])
def any_stage(request: pytest.FixtureRequest) -> Stage:
    return request.getfixturevalue("stage" if request.param == "sqlite" else "postgres_stage")


@pytest.fixture(autouse=True)
def namespaces() -> None:
    if shutil.which(OWN_NAMESPACE[0]) is None:
        pytest.skip("there is no 'unshare' here, which makes PID namespaces")
    made = subprocess.run([*OWN_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no PID namespace can be made here: {made.stderr.strip()}")


def leader(stage: Stage) -> str:
    """Return who holds the lead, by plain SQL."""
    rows = stage.query("SELECT owner FROM agentool_leases WHERE name = 'leader'")
    return rows[0][0] if rows else ""


def leaders(stage: Stage, seconds: float) -> set[str]:
    """Return all who hold the lead during a time."""
    found, end = set[str](), time.monotonic() + seconds
    while time.monotonic() < end:
        found.add(leader(stage))
        time.sleep(0.05)
    return found


def start(stage: Stage, number: int) -> Any:
    """Start a process in a namespace of its own, with a pid of its own."""
    return stage.start(lease=LEASE, within=(*OWN_NAMESPACE, "sh", "-c", PIDS_BEFORE, str(10 * number)))


def in_namespace(child: Any) -> int:
    """Return the pid, seen from here, of the process that a command started in its namespace."""
    return psutil.Process(child.pid).children(recursive=True)[-1].pid


def test_processes_that_cannot_see_each_other_take_turns(any_stage: Stage, figure: Any):
    """Of two one leads, and the other does not take it for dead; one is killed, one frozen and woken: no row is wrong."""
    jobs = every_second(10, soon(5), 8)
    any_stage.schedule(jobs)
    first = start(any_stage, 1)
    at_first = leader(any_stage)
    second = start(any_stage, 2)
    wait_until(any_stage.starts)
    together = leaders(any_stage, 2.0)
    any_stage.kill(first)
    wait_until(lambda: leader(any_stage) not in ("", at_first))
    then = leader(any_stage)
    start(any_stage, 3)
    frozen = in_namespace(second)
    os.kill(frozen, signal.SIGSTOP)
    any_stage.in_flight += any_stage.count("agentool_executions WHERE status = 'running'")
    wait_until(lambda: leader(any_stage) not in ("", then))
    last = leader(any_stage)
    os.kill(frozen, signal.SIGCONT)
    woken = leaders(any_stage, 2.0)
    for child in any_stage.children:
        if child.poll() is None:
            os.kill(in_namespace(child), signal.SIGTERM)
            child.wait(15)
    any_stage.finish()
    verdict = any_stage.verdict(jobs)
    figure(34, f"{any_stage.database.partition(':')[0][:10]}: {verdict.wrong} of {verdict.expected} rows wrong in three PID namespaces")
    assert (together, woken) == ({at_first}, {last})
    assert verdict.clean, verdict
