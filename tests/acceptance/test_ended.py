"""Processes that are told to end, stopped, or killed while others stand by."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from .stage import ALL_OF_THEM, Stage, every_second, soon, wait_until

LEASE = 0.8
FULL = bool(os.environ.get("AGENTOOL_FULL"))
long_form = pytest.mark.long_form


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=long_form)])
def any_stage(request: pytest.FixtureRequest) -> Stage:
    return request.getfixturevalue("stage" if request.param == "sqlite" else "postgres_stage")


def once(job_id: str, **fields: Any) -> dict[str, Any]:
    """Return a job that is due at once."""
    return {"job_id": job_id, "schedule": "now", "input_data": {"operation": "run"}, **ALL_OF_THEM, **fields}


def statuses(stage: Stage) -> dict[str, tuple[str, int]]:
    """Return how the only execution of each job stands, and its attempt."""
    rows = stage.query("SELECT job_id, status, attempt FROM agentool_executions")
    return {job_id: (status, attempt) for job_id, status, attempt in rows}


def running(stage: Stage, number: int) -> bool:
    return stage.count("agentool_executions WHERE status = 'running'") == number


def leader(stage: Stage) -> int:
    """Return the process that leads, as ``status`` says."""
    (status,) = stage.ask({"operation": "status"})
    return int(status["leader"].split()[1]) if status["leader"] else 0


# What was cut short


def test_interrupted_execution_ends_as_its_job_chose(any_stage: Stage):
    """After kill -9 inside the handler: 'retry' runs it again as attempt 2, 'fail' declares it lost."""
    any_stage.schedule([once("again", on_interrupt="retry"), once("never", on_interrupt="fail")])
    child = any_stage.start(naps=60)
    wait_until(lambda: running(any_stage, 2))
    any_stage.kill(child)
    any_stage.finish()
    assert statuses(any_stage) == {"again": ("success", 2), "never": ("lost", 1)}


def test_handler_that_ends_its_process_is_given_up(stage: Stage, figure):
    """A handler that kills its process is lost after three attempts; the others run, each due time once."""
    jobs = every_second(5, soon(2), 4)
    stage.schedule([*jobs, once("poison")])
    deaths = 0
    while stage.reap(stage.start(ready=False, poison="poison", until_done=20)) != 0:
        deaths += 1
        assert deaths <= 3
    assert (deaths, statuses(stage)["poison"]) == (3, ("lost", 3))
    late = stage.query("SELECT MAX(started_at - scheduled_at) FROM agentool_executions WHERE job_id <> 'poison'")[0][0]
    verdict = stage.verdict(jobs)
    figure(12, f"lost after {deaths} attempts; others: {verdict.no_row + verdict.second_row} rows wrong, latest start {late / 1e6:.2f} s")
    assert (verdict.no_row, verdict.second_row, verdict.row_without_due_time) == (0, 0, 1)
    assert late < 20_000_000


# Being told to end


@pytest.mark.parametrize("signals", [pytest.param(1, marks=long_form), 2])
def test_told_to_end_under_load(stage: Stage, signals: int, figure):
    """SIGTERM, once or twice, with 50 handlers running: the process ends within ten seconds, and nothing is left running."""
    stage.schedule([once(f"job{number}") for number in range(50)])
    child = stage.start(naps=60)
    wait_until(lambda: running(stage, 50))
    took = end(child, signals)
    left = {status for status, _ in statuses(stage).values()}
    stage.finish()
    figure(21 + signals, f"exit {took:.1f} s after {signals} x SIGTERM with 50 handlers, left: {left}")
    assert (took < 10, child.returncode, left) == (True, 0, {"queued"})
    assert set(statuses(stage).values()) == {("success", 2)}


def end(child: Any, signals: int = 1) -> float:
    began = time.monotonic()
    for _ in range(signals):
        child.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    child.wait(15)
    return time.monotonic() - began


@long_form
def test_told_to_end_with_handlers_that_refuse(stage: Stage):
    """Handlers that swallow their cancellation do not keep the process from ending within its time."""
    stage.schedule([once(f"job{number}") for number in range(5)])
    child = stage.start(stubborn=True)
    wait_until(lambda: running(stage, 5))
    assert end(child) < 12


# JobState by


def test_second_process_stands_by_and_takes_over(any_stage: Stage, figure):
    """Of two processes one leads, and any says which; when it is killed the other fires within seconds, and no row is wrong."""
    jobs = every_second(10, soon(3), 5)
    any_stage.schedule(jobs)
    first = any_stage.start(lease=LEASE)
    second = any_stage.start(lease=LEASE)
    assert leader(any_stage) == first.pid
    wait_until(lambda: any_stage.starts())
    any_stage.kill(first)
    took = wait_until(lambda: any(pid == second.pid for _, _, pid in any_stage.starts()))
    assert leader(any_stage) == second.pid
    end(second)
    any_stage.finish()
    verdict = any_stage.verdict(jobs)
    figure(4, f"next firing {took:.2f} s after kill -9 of the leader, {verdict.wrong} of {verdict.expected} rows wrong")
    figure(26, f"second process stood by and named the leader; {verdict.wrong} rows wrong")
    assert took < 15
    assert verdict.clean, verdict


def owners(stage: Stage) -> dict[str, tuple[str, str, int]]:
    rows = stage.query("SELECT execution_id, owner, status, attempt FROM agentool_executions")
    return {execution_id: (owner, status, attempt) for execution_id, owner, status, attempt in rows}


def test_stopped_leader_that_comes_back_changes_nothing(any_stage: Stage, figure):
    """A leader that slept longer than its lease finds its executions taken: it changes no row, and stands by."""
    any_stage.schedule([once(f"job{number}") for number in range(10)])
    first = any_stage.start(lease=LEASE, naps=1.0)
    wait_until(lambda: running(any_stage, 10))
    os.kill(first.pid, signal.SIGSTOP)
    second = any_stage.start(lease=LEASE)
    wait_until(lambda: set(statuses(any_stage).values()) == {("success", 2)})
    before = owners(any_stage)
    os.kill(first.pid, signal.SIGCONT)
    time.sleep(2.0)
    changed = sum(before[id_] != now for id_, now in owners(any_stage).items())
    figure(5, f"{changed} rows changed by a leader that slept past its lease")
    assert (owners(any_stage), leader(any_stage)) == (before, second.pid)


# Jobs that others change


def test_what_another_process_does_to_a_job_takes_effect(any_stage: Stage):
    """A job that another process adds fires within a second of being due; changed it runs so, cancelled no more."""
    any_stage.start()
    now = soon(0)
    bounds = {"start_at": now.isoformat()}
    any_stage.ask({"operation": "schedule", "agentool_name": "work", "job_id": "job", "schedule": "1 second", **_WORK, **bounds})
    took = {"added": wait_until(lambda: any_stage.starts())}
    (updated,) = any_stage.ask({"operation": "update", "job_id": "job", "schedule": "1 hour"})
    time.sleep(0.6)
    fired = len(any_stage.starts())
    time.sleep(1.2)
    took["changed"] = len(any_stage.starts()) - fired
    any_stage.ask({"operation": "update", "job_id": "job", "schedule": "1 second"})
    wait_until(lambda: len(any_stage.starts()) > fired, 3)
    any_stage.ask({"operation": "cancel", "job_id": "job"})
    time.sleep(0.6)
    fired = len(any_stage.starts())
    time.sleep(1.2)
    assert took["added"] < 10
    assert (took["changed"], len(any_stage.starts()) - fired, json.dumps(updated) != "") == (0, 0, True)


_WORK = {"input_data": {"operation": "run"}}
