"""A page that is left open: it does not grow, asks nothing while it is hidden, and many of them harm nobody."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from agentoolkit.wiring import Toolkit

from .conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = 10_000 if os.environ.get("AGENTOOL_FULL") else 2_000
REFRESHES = 200
MAX_GROWTH = 5 * 1024 * 1024
"""Bytes."""


async def make_events(kit: Toolkit, number: int) -> None:
    """Let something happen to jobs so many times; each is an event that pages show."""
    for first in range(0, number, 2):
        operation = "pause" if first // 2 % 2 == 0 else "resume"
        await kit.injector.run("scheduler", {"operation": operation, "job_id": "nightly"})
        await kit.injector.run("scheduler", {"operation": operation, "job_id": "sleeper"})
        if first % 100 == 0:
            await asyncio.sleep(0)  # the server answers in between


async def measured(page: Any) -> tuple[int, int]:
    """Return how many elements a page has, and the bytes of its heap after what nobody needs was taken away."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    heap = (await session.send("Runtime.getHeapUsage"))["usedSize"]
    await session.detach()
    return await page.evaluate("document.querySelectorAll('*').length"), heap


async def test_ten_thousand_events_leave_a_page_as_it_was(kit: Toolkit, open_page: OpenPage) -> None:
    """The number of its elements is the same, and its heap grew by less than 5 MB (in the short form two thousand)."""
    for job_id in ("steady", "brief"):
        await kit.injector.run("scheduler", {"operation": "pause", "job_id": job_id})
    page = await open_page()
    await page.goto("/jobs", wait_until="networkidle")
    await page.evaluate("refresh()")
    elements, heap = await measured(page)
    for _ in range(REFRESHES):
        await make_events(kit, EVENTS // REFRESHES)
        await page.evaluate("refresh()")
    then_elements, then_heap = await measured(page)
    assert then_elements == elements
    assert then_heap - heap < MAX_GROWTH


async def test_a_hidden_page_asks_nothing_for_a_minute(open_page: OpenPage) -> None:
    """By its own clock, whatever comes due in it; shown again, it asks at once."""
    page = await open_page()
    await page.clock.install()
    await page.goto("/jobs", wait_until="networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    hide = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
    await page.evaluate(hide)
    await page.clock.run_for(60_000)
    assert asked == []
    async with page.expect_request("**/jobs"):
        await page.evaluate(
            "Object.defineProperty(document, 'hidden', {value: false}); document.dispatchEvent(new Event('visibilitychange'))"
        )


async def test_a_shown_page_asks_every_five_seconds(open_page: OpenPage) -> None:
    """So the silence of a hidden one is no accident."""
    page = await open_page()
    await page.clock.install()
    await page.goto("/jobs", wait_until="networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(20):
        await page.clock.run_for(1_000)
        await page.wait_for_load_state("networkidle")
    assert len(asked) in (3, 4, 5)
