"""Real processes: signals, two on one database, and managing one from outside."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Cli, Server, wait_until

Start = Callable[..., Server]

QUICK = """
tasks:
  - name: greeting
    schedule: 1 second
    function: chores:greet
"""
REST = """
tasks:
  - name: resting
    schedule: now
    function: chores:rest
"""
BLOCK = REST.replace("resting", "blocking").replace("rest", "block")


def test_a_signal_ends_it_with_a_summary(start: Start) -> None:
    """Ctrl-C ends it cleanly, with the summary and exit code 0."""
    server = start(QUICK)
    server.wait_for("hello world")
    output = server.stop()
    assert server.process.returncode == 0
    assert output.index("Stopping…") < output.index("outcome") < output.rindex("success")


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    """A second Ctrl-C does not wait for what still runs."""
    server = start(REST)
    wait_until(Path("resting").exists)
    server.process.send_signal(signal.SIGINT)
    server.wait_for("Stopping…")
    server.stop()
    assert server.process.returncode == 130


def test_a_function_that_blocks_a_thread_is_left_behind(start: Start) -> None:
    """On SIGTERM it ends within ten seconds although a function would go on for a minute, and says what was cut short."""
    server = start("\n".join((BLOCK, REST.split("tasks:")[1])))
    wait_until(lambda: Path("blocking").exists() and Path("resting").exists())
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(10)
    assert server.process.returncode == 0
    assert "Cut short, to be started again next time: blocking, resting." in server.output.read_text()


@pytest.mark.parametrize(("function", "sign"), [("insist", "insisting"), ("hog", "hogging")])
def test_stopping_is_bounded_whatever_a_handler_does(start: Start, cli: Cli, function: str, sign: str) -> None:
    """On SIGTERM it ends within ten seconds though a handler swallows each cancellation, or blocks the event loop; the next goes on."""
    server = start(REST.replace("resting", "stubborn").replace("rest", function))
    wait_until(Path(sign).exists)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(10.5)
    Path(sign).unlink()
    start(QUICK)
    wait_until(lambda: [one["attempt"] for one in cli.data("history", "stubborn")["history"]] == [2], 15)


def test_a_killed_process_is_made_up_for(start: Start) -> None:
    """After kill -9 the next one says what was interrupted, and starts it again."""
    first = start(REST)
    wait_until(Path("resting").exists)
    first.stop(signal.SIGKILL)
    Path("resting").unlink()
    second = start(REST)
    second.wait_for("1 execution interrupted: 1 started again, 0 lost.")
    wait_until(Path("resting").exists)


def test_a_second_process_stands_by_and_takes_over(start: Start) -> None:
    """The second process says who leads, and leads when the first one ends."""
    first = start(QUICK)
    first.wait_for("Ctrl-C ends it.")
    second = start(QUICK)
    assert f"pid {first.process.pid} on " in second.wait_for("this process stands by.")
    first.stop()
    second.wait_for("This process leads now.")


def test_a_serving_process_is_managed_from_outside(start: Start, cli: Cli) -> None:
    """Scheduling, running and stopping from another process work while one serves."""
    server = start(QUICK)
    server.wait_for("hello world")
    cli("schedule", "new", "now", "function", "operation=call", "function=chores:greet", 'kwargs={"name": "there"}', "--allow", "chores")
    server.wait_for("hello there", 3)
    assert f"pid {server.process.pid} on" in cli("status").stdout
    cli("stop")
    server.wait_for("was stopped by operation 'stop'", 3)
    cli("start")
    server.wait_for("This process leads now.", 3)


def test_an_execution_of_another_process_is_cancelled(start: Start, cli: Cli) -> None:
    """`cancel-execution` reaches the process that runs it."""
    server = start(REST)
    wait_until(Path("resting").exists)
    execution_id = cli.data("history")["history"][0]["execution_id"]
    assert "was asked to cancel it" in cli("cancel-execution", execution_id).stdout
    server.wait_for("cancelled", 3)


def test_a_backfill_runs_where_it_is_served(start: Start, cli: Cli) -> None:
    """Due times that a management command fills in are run by the process that serves."""
    cli.greeting("hourly", "0 * * * *", "--timezone", "UTC")
    assert "agentool serve" in cli("backfill", "hourly", "2026-01-01T00:00", "2026-01-01T03:00").stdout
    start(QUICK)
    wait_until(lambda: len(cli.data("history", "hourly", "--status", "success")["history"]) == 3)
