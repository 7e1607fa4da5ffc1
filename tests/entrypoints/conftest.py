"""A command line of its own for each test: an empty folder, a home that does not exist yet, and no settings."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agentoolkit.entrypoints.cli.app import app_for

SECONDS = 30.0
"""The longest that a test waits for a process."""

WORK = """
import asyncio
import time
from pathlib import Path


def greet(name: str = "world") -> str:
    return f"hello {name}"


def fail() -> None:
    raise ValueError("it cannot be done")


async def rest(seconds: float = 60.0) -> str:
    Path("resting").touch()
    await asyncio.sleep(seconds)
    return "rested"


def block(seconds: float = 60.0) -> None:
    Path("blocking").touch()
    time.sleep(seconds)


async def insist(seconds: float = 60.0) -> None:
    Path("insisting").touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            continue


async def hog(seconds: float = 60.0) -> None:
    Path("hogging").touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a module ``chores`` in it."""
    for name in [name for name in os.environ if name.startswith("AGENTOOL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTOOL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "chores", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chores.py").write_text(WORK)
    return tmp_path


class Cli:
    """Runs ``agentool`` in this process."""

    def __call__(self, *words: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
        """Run a command that is to end with an exit code."""
        result = CliRunner().invoke(app_for(words[:1]), list(words), input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        if words[:1] in ((), ("serve",)):
            gc.freeze()  # as it was: whoever serves and ends leaves all that the tests hold to be looked through again
        return result

    def data(self, *words: str) -> Any:
        """Run a command with ``--json`` and read what it printed."""
        return json.loads(self(*words, "--json").stdout)

    def greeting(self, name: str = "greeting", when: str = "1 hour", *more: str, code: int = 0) -> Result:
        """Schedule a job that greets."""
        return self("schedule", name, when, "function", "operation=call", "function=chores:greet", "--allow", "chores", *more, code=code)

    def serve(self, tasks: str, *more: str, code: int = 0) -> Result:
        """Serve the text of a task file for a moment."""
        Path("tasks.yaml").write_text(tasks)
        return self("serve", "tasks.yaml", "--allow", "chores", "--for", "0.05", *more, code=code)


@pytest.fixture
def cli() -> Cli:
    """The command line."""
    return Cli()


class Server:
    """``agentool serve`` as a process of its own."""

    def __init__(self, *words: str) -> None:
        command = "from agentoolkit.entrypoints.cli import main; main()"
        arguments = [sys.executable, "-u", "-W", "error", "-c", command, "serve", *words]
        self.output = Path(f"output-{time.monotonic_ns()}")
        with self.output.open("w") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)

    def wait_for(self, text: str, seconds: float = SECONDS) -> str:
        """Wait until the process has printed a text, and return all it has printed."""
        wait_until(lambda: text in self.output.read_text() or self.process.poll() is not None, seconds)
        assert text in self.output.read_text()
        return self.output.read_text()

    def stop(self, number: int = signal.SIGINT) -> str:
        """Send a signal, wait for the end, and return all it printed."""
        self.process.send_signal(number)
        self.process.wait(SECONDS)
        return self.output.read_text()


def wait_until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until something holds, and fail if it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start ``agentool serve``; whatever still runs at the end of the test is killed."""
    servers: list[Server] = []

    def started(tasks: str, *more: str) -> Server:
        Path("tasks.yaml").write_text(tasks)
        servers.append(Server("tasks.yaml", "--allow", "chores", *more))
        return servers[-1]

    yield started
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(SECONDS)
