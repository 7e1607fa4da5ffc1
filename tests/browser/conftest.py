"""Chromium on the dashboard of a live scheduler. Skipped, with the reason, where there is no Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

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

START_SECONDS = 20.0
HEIGHTS = {1280: 900, 360: 780}
"""Pixels of a screen, by its width."""
View = tuple[str, int]
VIEWS: Sequence[View] = (("light", 1280), ("dark", 360), ("dark", 1280), ("light", 360))
"""Schemes of colours, and widths of screens."""
RULES = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']"

OpenPage = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    found = os.environ.get("AGENTOOL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium. Install it (Debian: apt-get install chromium), or set AGENTOOL_TEST_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def browser_address(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one Chromium for all tests, each of which opens a profile of its own in it."""
    profile = tmp_path_factory.mktemp("chromium")
    options = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run"]
    with subprocess.Popen([chromium, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{_port_of(profile)}"
        finally:
            process.terminate()


def _port_of(profile: Path) -> int:
    """Return where a browser listens, as it tells in its profile."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError, IndexError):
            return int((profile / "DevToolsActivePort").read_text().splitlines()[0])
        time.sleep(0.05)
    raise TimeoutError(f"Chromium did not listen within {START_SECONDS:g} s.")


@pytest.fixture
def axe() -> str:
    """The script of axe-core."""
    found = Path(os.environ.get("AGENTOOL_TEST_AXE", "node_modules/axe-core/axe.min.js"))
    if not found.exists():
        pytest.skip("there is no axe-core. npm install --no-save axe-core, or set AGENTOOL_TEST_AXE")
    return found.read_text()


@pytest_asyncio.fixture(loop_scope="module")
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


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(browser_address: str) -> AsyncGenerator[Any]:
    """The browser, for all tests of a file: what drives it takes longer to start than most tests take."""
    async with playwright.async_playwright() as driver:
        connected = await driver.chromium.connect_over_cdp(browser_address)
        yield connected
        await connected.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(kit: Toolkit, browser: Any) -> AsyncGenerator[OpenPage]:
    """Open a browser's page on the dashboard; what it says on its console, or asks of others, fails the test."""
    said: list[str] = []
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(serving_api(kit, "127.0.0.1:0"))

        async def opened(*, width: int = 1280, scheme: str = "light", bypass_csp: bool = False) -> Any:
            view = {"width": width, "height": HEIGHTS[width]}
            page = await browser.new_page(base_url=base, viewport=view, color_scheme=scheme, bypass_csp=bypass_csp, reduced_motion="reduce")
            stack.push_async_callback(page.close)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda asked: None if asked.url.startswith(base) else said.append(asked.url))
            return page

        yield opened
    assert said == []


async def violations_of(page: Any) -> list[tuple[str, str]]:
    """Return the rules that a page breaks, each with the first place. All that axe-core tells would take a second to bring here."""
    broken = "violations.map(one => [one.id, one.nodes[0].html.slice(0, 200)])"
    asked = f"{{runOnly: {RULES}, resultTypes: ['violations']}}"
    return [tuple(one) for one in await page.evaluate(f"axe.run(document, {asked}).then(({{violations}}) => {broken})")]


async def barriers_of(page: Any, axe: str, path: str, views: Sequence[View]) -> list[tuple[str, View, str, str]]:
    """Open a page once, and return what axe-core finds of WCAG 2.0 to 2.2, A and AA, and against its best practice, in each view."""
    await page.goto(path)
    await page.evaluate(axe)
    found: list[tuple[str, View, str, str]] = []
    for scheme, width in views:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        found += [(path, (scheme, width), *one) for one in await violations_of(page)]
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            found.append((path, (scheme, width), "wide", ""))
    return found
