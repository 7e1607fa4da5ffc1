"""Create files that only their owner can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from agentoolkit.own_folder import own_folder

_lock = Lock()


def make_private(path: Path) -> None:
    """Create a file and its missing folders for their owner alone. Remove other users' rights to an existing file.

    Rights to our own existing folder are removed too. Any other existing folder stays as it is: it may be shared with programs
    or people, and `agentool doctor` reports it. Files of other users stay as they are.
    """
    # Closing a file releases all locks of this process on it. So only a new file is opened, by one thread at a time.
    with _lock, suppress(OSError):  # the database's own open reports the problem better
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError, RuntimeError):  # without a home, or with a folder of another user, the file is still private
            if path.parent == own_folder():
                _take_from_others(path.parent)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            _take_from_others(path)


def _take_from_others(path: Path) -> None:
    status = os.stat(path)
    if os.name == "posix" and status.st_uid == os.geteuid() and status.st_mode & 0o077:
        os.chmod(path, status.st_mode & 0o700)
