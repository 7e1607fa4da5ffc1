"""A terminal in which a command is typed, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import NamedTuple

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Shown(NamedTuple):
    """What a command has shown, and how it ended."""

    raw: str
    code: int

    @property
    def text(self) -> str:
        """The same without colours, as a person reads it."""
        return _CODES.sub("", self.raw).replace("\r\n", "\n")


def typed(line: str, columns: int = 120, seconds: float = 60.0, **variables: str) -> Shown:
    """Type a line into a terminal of this width and return what it shows. `agentool` there is this Python's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    environment |= {"PATH": path, "TERM": "xterm-256color", "PYTHONWARNINGS": "error", **variables}
    shell = subprocess.Popen(["sh", "-c", line], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    shown = _read_all(ours, time.monotonic() + seconds)
    os.close(ours)
    return Shown(shown, shell.wait(5))


def _read_all(terminal: int, until: float) -> str:
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"it did not end in time: {b''.join(parts)!r}"
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux says so when nobody has the other end any more
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)
