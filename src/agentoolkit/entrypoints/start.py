"""Start all parts on one machine, each in its own process, with one command.

Source: *Scheduler Service*, "Running the Services".
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from agentool.errors import ConfigurationError
from agentoolkit.settings import Settings, home

READY_SECONDS = 60.0
"""Time for each part to answer, also on a slow machine."""
STOP_SECONDS = 10.0
"""Time for all parts to end. Source: the same, as *Scheduler Daemon* has it for itself."""
_LOOK_SECONDS = 0.1
_AGENTOOL = (sys.executable, "-m", "agentool")
_CELERY = (sys.executable, "-m", "celery", "-A", "agentoolkit.entrypoints.celery_app")


class Wanted(NamedTuple):
    """The parts to start, and their ports."""

    redis: bool = True
    worker: bool = True
    scheduler: bool = True
    flower: bool = True
    redis_port: int = 6379
    flower_port: int = 5555
    http_port: int = 8000


class Part(NamedTuple):
    """The process of one part."""

    name: str
    command: Sequence[str]
    port: int | None = None
    """Port that answers when it is ready."""
    url: str = ""
    """Its address for a person."""


def parts_of(wanted: Wanted) -> Iterator[Part]:
    """Yield the parts in their order of start.

    Raises:
        ConfigurationError: Redis is wanted, none listens, and none is installed.
    """
    if wanted.redis and not _listens(wanted.redis_port):
        if (program := shutil.which("redis-server")) is None:
            remedy = "Install it, as by `apt-get install redis-server`, or set CELERY_BROKER_URL and leave out --redis."
            raise ConfigurationError(f"No Redis listens on port {wanted.redis_port}, and none is installed.", remedy=remedy)
        where = ("--bind", "127.0.0.1", "--port", str(wanted.redis_port), "--dir", str(home()), "--save", "")
        yield Part("redis", (program, *where), wanted.redis_port)
    if wanted.worker:
        # Flower asks for events only when it runs, after the first messages.
        yield Part("worker", (*_AGENTOOL, "worker", *(["--task-events"] if wanted.flower else [])))
    if wanted.scheduler:
        address = f"127.0.0.1:{wanted.http_port}"
        yield Part("scheduler", (*_AGENTOOL, "serve", "--kept", "--http", address), wanted.http_port, f"http://{address}")
    if wanted.flower:
        where = ("--address=127.0.0.1", f"--port={wanted.flower_port}")
        yield Part("flower", (*_CELERY, "flower", *where), wanted.flower_port, f"http://127.0.0.1:{wanted.flower_port}")


def run_parts(wanted: Wanted, settings: Settings, say: Callable[[str], None]) -> bool:
    """Start the parts and print their addresses. End them at a signal, or when one ends. Return True after a signal.

    Raises:
        ConfigurationError: A part cannot be started.
    """
    environment = variables_of(wanted, settings)
    logs = home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with _collecting_signals() as stopped:
        try:
            for part in parts_of(wanted):
                processes[part.name] = _start_part(part, environment, logs / f"{part.name}.log", stopped)
                if stopped:
                    return True
                say(f"{part.name:<10} {part.url or 'started'}")
            if chosen := _chosen(environment):
                say(f"For jobs of workers, and Celery's commands, from other terminals: export {chosen}")
            say(f"Their output is in {logs}. Ctrl-C ends them all.")
            ended: list[str] = []
            while not stopped and not ended:
                time.sleep(_LOOK_SECONDS)
                ended = [name for name, process in processes.items() if process.poll() is not None]
            if not stopped:
                say(f"{ended[0]} has ended, so the others end too: see {logs / ended[0]}.log")
        finally:
            _end_all(list(processes.values()))
    return bool(stopped)


def variables_of(wanted: Wanted, settings: Settings) -> dict[str, str]:
    """Return the variables of all parts: one database, one broker, and with a worker also its executor."""
    ours = {"AGENTOOL_DATABASE": settings.database or ""}
    if settings.celery.broker is None:
        ours["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{wanted.redis_port}/0"
        if settings.celery.result_backend is None:
            ours["CELERY_RESULT_BACKEND"] = ours["CELERY_BROKER_URL"]
    if wanted.worker and settings.executor == "local":
        ours["AGENTOOL_EXECUTOR"] = "celery"
    return {**os.environ, **ours}


def _chosen(environment: Mapping[str, str]) -> str:
    """Return the variables of Celery that nobody has set, as a shell writes them. Those that are set may hold passwords."""
    names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    return " ".join(f"{name}={environment[name]}" for name in names if name in environment and name not in os.environ)


def _start_part(part: Part, environment: Mapping[str, str], log: Path, stopped: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start a part, and wait until its port answers or a signal comes. Raises `ConfigurationError`."""
    if part.port is not None and _listens(part.port):
        remedy = "Name another port, or end what listens there."
        raise ConfigurationError(f"The port of {part.name} is taken.", field="port", value=part.port, remedy=remedy)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  commands of ours
            part.command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + READY_SECONDS
    while part.port is not None and not stopped and not _listens(part.port):
        if process.poll() is not None or time.monotonic() > deadline:
            _end_all([process])
            raise ConfigurationError(f"{part.name} did not start.", remedy=f"Read {log}.")
        time.sleep(_LOOK_SECONDS)
    return process


def _end_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes and their children, the latest first. After `STOP_SECONDS` they are killed."""
    deadline = time.monotonic() + STOP_SECONDS - 1
    for process in reversed(processes):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in reversed(processes):
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _collecting_signals() -> Generator[list[int]]:
    """Give a list that collects the signals to stop while a block lasts."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":  # the source document starts it so: ``python -m … --all``
    from agentoolkit.entrypoints.cli import main

    sys.argv[1:1] = ["start"]
    main()
