"""``serve --http``: the API beside the scheduler, in one process."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Cli, Server

TASKS = """
tasks:
  - {name: greeting, schedule: 1 hour, function: "chores:greet"}
"""
Start = Callable[..., Server]


def address_of(server: Server) -> str:
    """Wait until the API is served, and return where."""
    found = re.search(r"served at (http://\S+)", server.wait_for("Ctrl-C ends it."))
    assert found is not None
    return f"{found[1]}/api/scheduler"


def get(address: str) -> Any:
    """Return the JSON that an address answers."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def test_the_api_serves_the_tasks_of_the_file(start: Start) -> None:
    """They are listed, health is well, and Ctrl-C ends it all."""
    server = start(TASKS, "--http", "127.0.0.1:0")
    address = address_of(server)
    assert [task["name"] for task in get(f"{address}/tasks")["tasks"]] == ["greeting"]
    assert get(f"{address}/health")["status"] == "ok"
    server.stop()
    assert server.process.returncode == 0


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:http", "127.0.0.1:99999"])
def test_what_is_no_address_is_refused(cli: Cli, address: str) -> None:
    """With one that is."""
    assert "127.0.0.1:8000" in cli.serve(TASKS, "--http", address, code=2).stderr
