"""Chromium on the dashboard of a live scheduler. Skipped, with the reason, where there is no Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.entrypoints.rest.server import serving_api
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

playwright = pytest.importorskip("playwright.async_api", reason="pip install playwright")

LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
FAILS = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}
JOBS: tuple[dict[str, Any], ...] = (
    {"job_name": "nightly", "schedule": "every day at 02:00", "tags": ["ops"], **LIST},
    {"job_name": "steady", "schedule": "every 1 second", **LIST},
    {"job_name": "brief", "schedule": "every 1 second", **FAILS},
    {"job_name": "after-all", "schedule": "after steady", **LIST},
    {"job_name": "sleeper", "schedule": "every hour", "paused": True, **LIST},
)

OpenPage = Callable[..., Awaitable[Any]]


@pytest.fixture
def chromium() -> str:
    """Where Chromium is."""
    found = os.environ.get("AGENTOOL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium. Install it (Debian: apt-get install chromium), or set AGENTOOL_TEST_CHROMIUM")
    return found


@pytest.fixture
def axe() -> str:
    """The script of axe-core."""
    found = Path(os.environ.get("AGENTOOL_TEST_AXE", "node_modules/axe-core/axe.min.js"))
    if not found.exists():
        pytest.skip("there is no axe-core. npm install --no-save axe-core, or set AGENTOOL_TEST_AXE")
    return found.read_text()


@pytest.fixture
async def kit() -> AsyncGenerator[Toolkit]:
    """A live scheduler with jobs of several kinds, one of which fails, and with dead letters."""
    settings = Settings.from_values({"timezone": "UTC", "functions": ("tests.pages",)})
    async with Toolkit(settings) as opened:
        for job in JOBS:
            await opened.injector.run("scheduler", {"operation": "schedule", **job})
        for number in range(3):
            message = {"queue_name": "out", "message_id": f"m-{number}"}
            await opened.injector.run("queue", {"operation": "enqueue", "message": {"n": number}, **message})
            if number:
                await opened.injector.run("queue", {"operation": "move_to_dlq", "reason": f"HTTP 50{number}", **message})
        yield opened


@pytest.fixture
async def open_page(kit: Toolkit, chromium: str) -> AsyncGenerator[OpenPage]:
    """Open a browser's page on the dashboard; what it says on its console, or asks of others, fails the test."""
    said: list[str] = []
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(serving_api(kit, "127.0.0.1:0"))
        driver = await stack.enter_async_context(playwright.async_playwright())
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)

        async def opened(*, width: int = 1280, scheme: str = "light", bypass_csp: bool = False) -> Any:
            view = {"width": width, "height": 900 if width > 500 else 780}
            page = await browser.new_page(base_url=base, viewport=view, color_scheme=scheme, bypass_csp=bypass_csp, reduced_motion="reduce")
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda asked: None if asked.url.startswith(base) else said.append(asked.url))
            return page

        yield opened
    assert said == []
