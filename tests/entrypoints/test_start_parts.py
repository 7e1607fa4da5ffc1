"""``agentool start``: what becomes of a signal while a part starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from agentoolkit.entrypoints import start
from agentoolkit.settings import Settings

from .conftest import Cli


@pytest.mark.parametrize(
    ("line", "names", "ports"),
    [
        ("--all", ["redis", "worker", "scheduler", "flower"], {6379, 8000, 5555}),
        ("--redis --worker --beat --flower", ["redis", "worker", "scheduler", "flower"], {6379, 8000, 5555}),
        ("--all --redis-port 6380 --flower-port 5556", ["redis", "worker", "scheduler", "flower"], {6380, 8000, 5556}),
        ("--worker", ["worker"], set()),
    ],
)
def test_parts_are_chosen_as_the_document_on_scheduled_tools_writes_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, line: str, names: list[str], ports: set[int]
) -> None:
    """*Start the Scheduler System*: each of its command lines starts the parts that it names, where it says."""
    monkeypatch.setattr(start, "_listens", lambda port: False)
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    wanted: list[start.Wanted] = []
    monkeypatch.setattr(start, "run_parts", lambda asked, *_: wanted.append(asked) or True)
    cli("start", *line.split())
    parts = list(start.parts_of(wanted[0]))
    assert ([part.name for part in parts], {part.port for part in parts if part.port}) == (names, ports)


def test_the_module_starts_them_as_the_document_writes_it(tmp_path: Path) -> None:
    """*Running the Services*: `python -m …start` is the command, and not a program that does nothing."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    asked = [sys.executable, "-m", "agentoolkit.entrypoints.start", "--redis", "--redis-port", port]
    environment = {**os.environ, "PATH": str(tmp_path), "AGENTOOL_HOME": str(tmp_path)}
    ran = subprocess.run(asked, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, f"No Redis listens on port {port}" in ran.stderr) == (2, True)


def test_a_signal_ends_what_has_not_answered_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that never listens is ended at once, not after the time that it has to answer; nothing says that it started."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    silent = start.Part("silent", (sys.executable, "-c", "import time; time.sleep(60)"), port)
    monkeypatch.setattr(start, "parts_of", lambda wanted: iter([silent, silent]))
    monkeypatch.setenv("AGENTOOL_HOME", str(tmp_path))
    said: list[str] = []
    began = time.monotonic()
    asked = Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    asked.start()
    assert start.run_parts(start.Wanted(), Settings.from_values({"timezone": "UTC"}), said.append) is True
    asked.join()
    assert time.monotonic() - began < start.READY_SECONDS / 3
    assert said == []


@pytest.mark.parametrize("broker", [None, "redis://:hunter2@127.0.0.1:1/0"])
def test_other_terminals_are_told_the_broker_that_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: str | None) -> None:
    """Without it, a job for workers is refused there, and Celery's commands ask the usual port. One that was set is theirs already."""
    monkeypatch.setattr(start, "parts_of", lambda wanted: iter([start.Part("brief", (sys.executable, "-c", ""))]))
    monkeypatch.setenv("AGENTOOL_HOME", str(tmp_path))
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    start.run_parts(start.Wanted(redis_port=6390), Settings.from_values({"celery_broker": broker}), said.append)
    url = "redis://127.0.0.1:6390/0"
    expected = [] if broker else [f"export CELERY_BROKER_URL={url} CELERY_RESULT_BACKEND={url}"]
    assert [line.partition("other terminals: ")[2] for line in said if "other terminals" in line] == expected
