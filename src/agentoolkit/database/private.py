"""Files that only their owner may read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from agentoolkit.own_folder import own_folder

_lock = Lock()


def make_private(path: Path) -> None:
    """Make a file, and the folders it is to be in, for their owner alone; take a file that is there from all others.

    Of folders that are there our own is taken from all others too. Any other stays as it is, as it may be shared with other programs
    or with people, and `agentool doctor` tells so. What is another user's stays as it is.
    """
    # Closing a file ends every lock that this process has on it. So only a new one is opened, and by one thread at a time.
    with _lock, suppress(OSError):  # who opens it next is told better what is wrong
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError, RuntimeError):  # the file is private also where no home is known, or its folder cannot be changed
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
