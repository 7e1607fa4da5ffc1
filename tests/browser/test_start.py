"""``agentool start --all``: everything on one machine by one command, watched in Flower by a browser, and gone at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("playwright.async_api", reason="pip install playwright")

PATIENCE = 150.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Started:
    """The command under way."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOOL_", "CELERY_", "REDIS_"))}
        self.environment = {**kept, "AGENTOOL_HOME": str(folder), "COLUMNS": "200"}
        self.folder = folder
        self.ports = {name: free_port() for name in ("redis", "flower", "http")}
        asked = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        self.output = (folder / "output").open("w+")
        command = [sys.executable, "-m", "agentool", "start", "--all", *asked]
        self.process = subprocess.Popen(command, env=self.environment, cwd=folder, stdout=self.output, stderr=self.output)

    def said(self) -> str:
        return (self.folder / "output").read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while "Ctrl-C ends them all." not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def run(self, *words: str) -> str:
        """Run another command beside it."""
        asked = [sys.executable, "-m", "agentool", *words]
        return subprocess.run(asked, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGTERM)
        started.process.wait(30)
    started.output.close()


def answers_to_its_documents(started: Started) -> None:
    """*Checking Service Status* and *Running Tasks* of *Scheduler Service*: Redis, worker and Flower answer, and so does a task."""
    ping = subprocess.run(["redis-cli", "-p", str(started.ports["redis"]), "ping"], capture_output=True, text=True, check=True)
    assert ping.stdout == "PONG\n"
    flower = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://localhost:{started.ports['flower']}"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert flower.stdout in ("200", "302")
    broker = f"redis://127.0.0.1:{started.ports['redis']}/0"
    variables = {**started.environment, "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
    asked = [sys.executable, "-m", "agentoolkit.entrypoints.send_hello_task", "--name", "Your Name"]
    hello = subprocess.run(asked, env=variables, cwd=started.folder, capture_output=True, text=True, timeout=60, check=True)
    assert "hello Your Name" in hello.stdout


async def test_everything_starts_and_ends(started: Started, chromium: str):
    """It prints where pages and Flower are; Flower shows a run by its job's name; at a signal all is gone within ten seconds."""
    from playwright.async_api import async_playwright, expect

    started.wait_until_ready()
    for name in ("flower", "http"):
        assert f"http://127.0.0.1:{started.ports[name]}" in started.said()
    started.run("schedule", "daily_report", "now", "queue", "operation=list_queues")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        for _ in range(60):
            await page.goto(f"http://127.0.0.1:{started.ports['flower']}/tasks")
            if "daily_report" in await page.content():
                break
            await page.wait_for_timeout(1_000)
        await expect(page.get_by_text("daily_report").first).to_be_visible()
        if folder := os.environ.get("AGENTOOL_SCREENSHOTS"):
            await page.screenshot(path=str(Path(folder) / "flower.png"))
        await browser.close()
    assert "success" in started.run("history", "daily_report")
    answers_to_its_documents(started)
    processes = psutil.Process(started.process.pid).children(recursive=True)
    assert len(processes) >= 4
    started.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    started.process.wait(30)
    assert time.monotonic() - began <= 11
    assert not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert started.process.returncode == 0
