"""``agentool start``: what becomes of a signal while a part starts."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from agentoolkit.entrypoints import start
from agentoolkit.settings import Settings


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
