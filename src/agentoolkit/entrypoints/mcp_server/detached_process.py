"""Start a process that serves the jobs and outlives the client that started it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from agentool.errors import ConfigurationError
from agentoolkit.settings import Settings, home


def keep_serving(settings: Settings, allow: Sequence[str]) -> int | None:
    """Start a process that serves the database, unless an earlier one still runs.

    A lock tells whether one runs: the process inherits it, so it lasts exactly as long as the process.

    Returns:
        The new process's pid; None if one runs already.

    Raises:
        ConfigurationError: There is no database, or this system has no such locks.
    """
    if settings.database is None:
        raise ConfigurationError("There is no database that a process could serve later.", field="keep", remedy="Leave out --memory.")
    if sys.platform == "win32":
        raise ConfigurationError("--keep needs Linux or macOS.", field="keep", remedy="Run `agentool serve` in a window of its own.")
    import fcntl

    place = lock_file(settings.database)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        pid = _start(settings.database, allow, lock)
        os.ftruncate(lock, 0)
        os.write(lock, f"{pid}\n".encode())
        return pid
    finally:
        os.close(lock)


def lock_file(database: str) -> Path:
    """Return the file of a database whose lock the serving process holds; it contains the pid."""
    return home() / f"serve-{sha256(database.encode()).hexdigest()[:8]}.pid"


def _start(database: str, allow: Sequence[str], lock: int) -> int:
    allowed = [word for package in allow for word in ("--allow", package)]
    command = [sys.executable, "-m", "agentool", "serve", "--kept", *allowed]
    with (home() / "serve.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  this very program
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "AGENTOOL_DATABASE": database},
            start_new_session=True,  # a signal to the client's process group does not reach it
            pass_fds=[lock],
        )
    process.returncode = 0  # prevents the warning that it still runs: it outlives this process
    return process.pid
