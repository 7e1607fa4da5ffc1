"""Workers of the engines that the contract of executors is tried on, each in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 180.0
RQ_COMMAND = [
    "rq.cli",
    "worker",
    "-c",
    "agentoolkit.entrypoints.rq_worker",
]
"""As the how-to on scaling out writes it."""


@dataclass
class Worker:
    """A worker, and the settings of a scheduler that sends to it."""

    settings: Mapping[str, object]
    database: str
    log: Path
    process: subprocess.Popen[bytes]
    output: Path

    def pids(self) -> set[int]:
        """Return the pids of the worker and of what it forked."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return {parent.pid, *(child.pid for child in parent.children(recursive=True))}
        return set()


def environment_of(database: str, log: Path, **variables: str) -> dict[str, str]:
    """Return the variables of a worker: those of the machine, without settings of ours, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOOL_", "CELERY_", "REDIS_"))}
    mine = {"AGENTOOL_DATABASE": database, "AGENTOOL_TIMEZONE": "UTC", "EXECUTOR_WORK_LOG": str(log)}
    plugin = {"AGENTOOL_PLUGINS": "executor_work:register", "PYTHONPATH": str(Path(__file__).parent)}
    return {**kept, **mine, **plugin, **variables}


@contextmanager
def running(asked: Sequence[str], environment: Mapping[str, str], output: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, from when it has said a word."""
    with output.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", *asked], env=dict(environment), stdout=file, stderr=file, cwd=output.parent)
    try:
        deadline = time.monotonic() + PATIENCE
        while ready not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def until(holds: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until something holds, while a worker lives."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)


@contextmanager
def celery_worker(folder: Path, broker: str, pool: str, queue_type: str = "quorum", **variables: str) -> Iterator[Worker]:
    """Run a worker of Celery, by its own command."""
    database, log, output = str(folder / "agentool.db"), folder / "log", folder / "output"
    log.touch()
    environment = environment_of(database, log, CELERY_BROKER_URL=broker, AGENTOOL_CELERY_QUEUE_TYPE=queue_type, **variables)
    asked = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker", "--pool", pool, "--concurrency", "2", "-l", "INFO"]
    asked += ["--without-mingle", "--without-gossip"]
    with running(asked, environment, output, " ready.") as process:
        settings = {"executor": "celery", "celery_broker": broker, "celery_queue_type": queue_type}
        yield Worker(settings, database, log, process, output)


@contextmanager
def rq_worker(folder: Path, server: str, kind: str, **variables: str) -> Iterator[Worker]:
    """Run a worker of RQ, by its own command: ``ForkingWorker`` forks for each message, ``InProcessWorker`` does not."""
    database, log, output = str(folder / "agentool.db"), folder / "log", folder / "output"
    log.touch()
    environment = environment_of(database, log, REDIS_URL=server, **variables)
    with running([*RQ_COMMAND, "-w", f"agentoolkit.entrypoints.rq_worker.{kind}"], environment, output, "Listening on") as process:
        yield Worker({"executor": "rq", "redis_url": server}, database, log, process, output)
