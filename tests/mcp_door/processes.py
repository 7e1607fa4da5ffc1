"""Servers in processes of their own, over standard input and output and over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mcp import StdioServerParameters

SECONDS = 20.0
"""The longest that a test waits for a process: machines can be busy."""
PROGRAM = [sys.executable, "-m", "agentool"]


def environment(home: Path, **more: str) -> dict[str, str]:
    """No setting of the machine's, and a home of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
    return {**kept, "AGENTOOL_HOME": str(home), "TZ": "UTC", **more}


def stdio(home: Path, *arguments: str, **more: str) -> StdioServerParameters:
    """How a client starts the server."""
    return StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], "mcp", *arguments], env=environment(home, **more))


@contextmanager
def http_server(home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start a server on a free port and return its address; it is ended by SIGTERM, within five seconds."""
    command = [*PROGRAM, "mcp", "--http", "--port", "0", *arguments]
    process = subprocess.Popen(command, env=environment(home, **(settings or {})), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
