"""Actions by clicks, with a live scheduler behind the pages."""

from __future__ import annotations

from typing import Any

import pytest

from agentoolkit.wiring import Toolkit

from .conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def info_of(kit: Toolkit, job_id: str) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data["info"]


async def test_a_job_is_changed_and_restored(kit: Toolkit, open_page: OpenPage) -> None:
    """Its form, its versions, and the way back."""
    page = await open_page()
    await page.goto("/jobs/nightly")
    await page.get_by_role("link", name="Change", exact=True).click()
    await page.get_by_label("When").fill("every day at 04:00")
    await page.get_by_role("button", name="Change it").click()
    assert (await info_of(kit, "nightly"))["schedule"] == "0 4 * * *"
    await page.get_by_role("link", name="versions").click()
    await page.get_by_role("link", name="Restore…").click()
    await page.get_by_role("button", name="Restore job nightly").click()
    await page.wait_for_url("**/jobs/nightly")
    assert (await info_of(kit, "nightly"))["schedule"] == "0 2 * * *"


async def test_a_job_is_copied_run_and_cancelled(kit: Toolkit, open_page: OpenPage) -> None:
    """The copy is paused at first; a run of it at once is in its history."""
    page = await open_page()
    await page.goto("/jobs/nightly")
    await page.get_by_role("link", name="Copy", exact=True).click()
    await page.get_by_role("button", name="Schedule it").click()
    await page.wait_for_url("**/jobs/nightly-copy")
    assert (await info_of(kit, "nightly-copy"))["state"] == "paused"
    await page.get_by_role("link", name="Run with another input…").click()
    await page.get_by_label("Input, as JSON").fill('{"operation": "list_queues", "limit": 1}')
    await page.get_by_role("button", name="Run once").click()
    await page.get_by_role("heading", name="Ran 1 job").wait_for()
    await page.get_by_role("link", name="Look at it").click()
    await page.get_by_role("link", name="success").first.wait_for()
    await page.get_by_role("link", name="Cancel…").click()
    await page.get_by_role("button", name="Cancel job nightly-copy").click()
    await page.wait_for_url("**/jobs/nightly-copy?done=*")
    assert (await info_of(kit, "nightly-copy"))["state"] == "cancelled"


async def test_everything_is_paused_and_goes_on(kit: Toolkit, open_page: OpenPage) -> None:
    """With a reason, which the banner has until it is over."""
    page = await open_page()
    await page.goto("/health")
    await page.get_by_role("link", name="Pause everything…").click()
    await page.get_by_label("Why").fill("the disk is full")
    await page.get_by_role("button", name="Stop the scheduler").click()
    await page.get_by_text("the disk is full").first.wait_for()
    await page.get_by_role("link", name="Start…").first.click()
    await page.get_by_role("button", name="Start the scheduler").click()
    await page.wait_for_url("**/?done=*")
    assert await page.get_by_text("Everything is paused").count() == 0


async def test_dead_letters_are_made_ready(kit: Toolkit, open_page: OpenPage) -> None:
    """All that died of the same."""
    page = await open_page()
    await page.goto("/queues")
    await page.get_by_role("link", name="out", exact=True).click()
    await page.get_by_role("button", name="Make all 2 ready again…").click()
    await page.get_by_role("button", name="Make ready again").click()
    await page.get_by_role("heading", name="Made ready again 2 dead letters").wait_for()
    assert (await kit.injector.run("queue", {"operation": "size", "queue_name": "out"})).data["dead"] == 0


async def test_a_view_is_kept_and_a_list_saved(open_page: OpenPage) -> None:
    """A search under a name, as a link and as a file."""
    page = await open_page()
    await page.goto("/jobs?q=tag:ops")
    await page.get_by_text("Save this view").click()
    await page.get_by_label("Name").fill("Operations")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("link", name="Operations").wait_for()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    assert (await download.value).suggested_filename == "jobs.csv"


async def test_the_palette_leads_anywhere(open_page: OpenPage) -> None:
    """With the keyboard alone: to a job, and to the page that asks before it is paused."""
    page = await open_page()
    await page.goto("/")
    for text, offered, heading in (
        ("nightly", "nightly", "nightly"),
        ("pause night", "Pause nightly…", "Pause job nightly?"),
        ("week", "Week", "Coming week"),
    ):
        await page.keyboard.press("Control+k")
        await page.keyboard.type(text)
        await page.get_by_role("option", name=offered).first.wait_for()
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name=heading, level=1).wait_for()
        await page.wait_for_load_state()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    assert not await page.locator("#palette").is_visible()


async def test_jobs_of_one_minute_are_spread(kit: Toolkit, open_page: OpenPage) -> None:
    """From the page of the week."""
    await kit.injector.run(
        "scheduler",
        {
            "operation": "schedule",
            "job_name": "second",
            "schedule": "every day at 02:00",
            "agentool_name": "queue",
            "input_data": {"operation": "list_queues"},
        },
    )
    page = await open_page()
    await page.goto("/week")
    await page.get_by_role("link", name="Spread these…").click()
    await page.get_by_role("button", name="Spread 2 jobs").click()
    await page.get_by_role("heading", name="Spread 2 jobs").wait_for()
    assert [(await info_of(kit, name))["jitter"] for name in ("nightly", "second")] == [300.0, 300.0]
