"""The dashboard in Chromium, with a live scheduler behind it."""

from __future__ import annotations

import asyncio
import os

import pytest

from agentoolkit.system.scheduler.events import Event
from agentoolkit.wiring import Toolkit

from .conftest import HEIGHTS, JOBS, VIEWS, OpenPage, barriers_of

PAGES = (
    "/",
    "/jobs",
    "/jobs?q=tag:ops",
    "/jobs/steady",
    "/jobs/nightly",
    "/jobs/nightly/edit",
    "/jobs/nightly/replay",
    "/executions",
    "/executions?status=failed",
    "/week",
    "/queues",
    "/queues/out",
    "/queues/out/requeue?message=m-1",
    "/approvals",
    "/health",
    "/new",
    "/login",
    "/act?do=pause&all_jobs=live",
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def state_of(kit: Toolkit, job_id: str) -> str:
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data["info"]["state"]


async def until_failed(kit: Toolkit, job_id: str) -> None:
    """Wait until the live scheduler has run a job that is due every second, and fails."""
    failed = asyncio.Event()

    def hear(event: Event) -> None:
        if (event.type, event.job_id) == ("scheduler.task.failure", job_id):
            failed.set()

    stop = kit.scheduler.subscribe(hear)
    await failed.wait()
    stop()


async def test_no_page_has_a_barrier(open_page: OpenPage, axe: str) -> None:
    """axe-core finds nothing; in the short form on a phone in the dark, as `test_pictures` has all views of nearly the same pages."""
    page = await open_page(bypass_csp=True)
    views = VIEWS if os.environ.get("AGENTOOL_FULL") else VIEWS[1:2]
    assert [one for path in PAGES for one in await barriers_of(page, axe, path, views)] == []


async def test_pages_are_not_wider_than_the_screen(open_page: OpenPage) -> None:
    """Nothing scrolls sideways but timeline and week inside their frames; nothing is said on the console."""
    page = await open_page()
    for path in PAGES:
        assert (await page.goto(path)).status == 200, path
        for width, height in HEIGHTS.items():
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


@pytest.mark.parametrize("width", HEIGHTS)
async def test_a_name_stands_beside_its_lane(open_page: OpenPage, width: int) -> None:
    """Also on a phone, where the drawing is scrolled to the present."""
    page = await open_page(width=width)
    await page.goto("/")
    middles = "found => found.map(one => { const box = one.getBoundingClientRect(); return [box.left, box.top + box.height / 2]; })"
    names = await page.eval_on_selector_all(".timeline li a", middles)
    lanes = await page.eval_on_selector_all(".timeline .lane", middles)
    assert len(names) == len(JOBS)
    assert all(left >= 0 for left, _ in names)
    assert [middle for _, middle in names] == pytest.approx([middle for _, middle in lanes], abs=2)


async def test_what_needs_somebody_leads_to_its_run(kit: Toolkit, open_page: OpenPage) -> None:
    """From the home page to the job, to its failed run, to the error."""
    page = await open_page()
    await until_failed(kit, "brief")
    await page.goto("/")
    await page.get_by_role("link", name="brief", exact=True).first.click()
    await page.get_by_role("link", name="failed", exact=True).first.click()
    assert "ValueError" in await page.locator("article").first.inner_text()


async def test_a_job_is_paused_and_resumed(kit: Toolkit, open_page: OpenPage) -> None:
    """By clicks: each asks first, and the page says what was done."""
    page = await open_page()
    await page.goto("/jobs/nightly")
    await page.get_by_role("link", name="Pause…").click()
    await page.get_by_label("Why").fill("too loud")
    await page.get_by_role("button", name="Pause job nightly").click()
    assert "Paused nightly." in await page.get_by_role("status").inner_text()
    assert await state_of(kit, "nightly") == "paused"
    await page.get_by_role("link", name="Resume…").click()
    await page.get_by_role("button", name="Resume job nightly").click()
    assert await state_of(kit, "nightly") == "active"


async def test_some_jobs_are_chosen(kit: Toolkit, open_page: OpenPage) -> None:
    """With their boxes; progress and result are shown."""
    page = await open_page()
    await page.goto("/jobs")
    await page.get_by_label("Choose nightly").check()
    await page.get_by_label("Choose steady").check()
    assert await page.locator("[data-chosen]").inner_text() == "2 chosen"
    await page.get_by_label("What to do").select_option("pause")
    await page.get_by_role("button", name="the chosen ones…").click()
    await page.get_by_role("button", name="Pause 2 jobs").click()
    await page.get_by_role("heading", name="Paused 2 jobs").wait_for()
    assert [await state_of(kit, name) for name in ("nightly", "steady", "sleeper")] == ["paused"] * 3


async def test_with_the_keyboard_alone(kit: Toolkit, open_page: OpenPage) -> None:
    """A job is made, found and paused, and no mouse is touched."""
    page = await open_page()
    await page.goto("/")
    await page.keyboard.press("n")
    await page.wait_for_url("**/new")
    await page.get_by_label("Name", exact=True).focus()
    for text in ("typed", "every day at 9am", "UTC", "queue"):
        await page.keyboard.insert_text(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text('{"operation": "list_queues"}')
    for _ in range(5):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the button after Preview
    await page.wait_for_url("**/jobs/typed")
    await page.keyboard.press("g")
    await page.keyboard.press("j")
    await page.wait_for_url("**/jobs")
    await page.keyboard.press("/")
    await page.keyboard.insert_text("job:typed")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/jobs?q=job%3Atyped")
    await page.get_by_role("link", name="typed", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/jobs/typed")
    await page.get_by_role("link", name="Pause…").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/act?*")
    await page.locator("button:focus").wait_for()
    await page.keyboard.press("Enter")  # the button that confirms has the focus
    await page.wait_for_url("**/jobs/typed?done=*")
    assert await state_of(kit, "typed") == "paused"


async def test_the_list_of_keys(open_page: OpenPage) -> None:
    """A question mark shows it, and Escape takes it away."""
    page = await open_page()
    await page.goto("/")
    await page.keyboard.press("?")
    assert await page.locator("#help").is_visible()
    await page.keyboard.press("Escape")
    assert not await page.locator("#help").is_visible()


async def test_a_page_stays_fresh(kit: Toolkit, open_page: OpenPage) -> None:
    """What happens meanwhile appears without a reload."""
    page = await open_page()
    await page.goto("/jobs?state=paused")
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "nightly"})
    await page.evaluate("refresh()")
    await page.get_by_role("link", name="nightly", exact=True).wait_for()


async def test_a_page_left_open_does_not_grow(open_page: OpenPage) -> None:
    """After fifty refreshes it has no more elements than a page just opened may have."""
    page = await open_page()
    await page.goto("/jobs?state=paused")
    before = await page.evaluate("document.querySelectorAll('*').length")
    for _ in range(50):
        await page.evaluate("refresh()")
    assert await page.evaluate("document.querySelectorAll('*').length") == before


async def test_times_in_the_viewers_zone(open_page: OpenPage) -> None:
    """One switch, remembered."""
    page = await open_page()
    await page.goto("/jobs/nightly")
    await page.get_by_role("button", name="Show mine").click()
    await page.get_by_role("button", name="Show each job's").wait_for()


async def test_every_mark_is_drawn(kit: Toolkit, open_page: OpenPage) -> None:
    """One made of lines too: a failed run in a strip has a line of the colour of failures."""
    page = await open_page()
    await until_failed(kit, "brief")
    await page.goto("/jobs/brief")
    stroke = "getComputedStyle(document.querySelector('symbol#failed .line')).strokeWidth"
    assert await page.evaluate(stroke) == "1.9px"


async def test_a_hidden_page_asks_nothing(open_page: OpenPage) -> None:
    """Not even where its turn has come; one that is looked at does."""
    page = await open_page()
    await page.goto("/jobs", wait_until="networkidle")  # its icon comes last
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(12):
        await page.evaluate("refresh()")
    assert asked == []
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
    await page.evaluate("refresh()")
    assert set(asked) == {page.url}
