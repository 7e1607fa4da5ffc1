"""Every page after some months of use: without a barrier, no wider than the screen; and the pictures of the how-to.

``AGENTOOL_PICTURES=1`` writes the pictures to ``docs/pictures``.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from agentoolkit.testing import TestToolkit

from .conftest import VIEWS, OpenPage, barriers_of, violations_of
from .seeding import seeded

RUN = "/executions/mail-digest@2030-01-02T06:30:00+00:00"
FAILED = "/executions/sync-crm@2030-01-02T10:00:00+00:00"
PAGES = (
    *("/", "/jobs", "/jobs?q=tag:ops", "/jobs/sync-crm", "/jobs/mail-digest", "/jobs/invoices", "/jobs/sync-crm/versions"),
    *("/jobs/sync-crm/edit", "/jobs/sync-crm/replay", "/new", "/new?like=backup", "/executions", "/executions?q=took:>20s", RUN, FAILED),
    *("/executions/backup@2030-01-02T01:00:00+00:00", "/week", "/queues", "/queues/crm-results", "/queues/crm-results/requeue?message=m-1"),
    *("/approvals", "/approvals/apr-1", "/usage", "/health", "/act?do=spread&job=backup&job=tidy-cache", "/act?do=stop", "/login"),
)
PICTURES = (
    ("home", "/", "light", 1280),
    ("job", "/jobs/sync-crm", "light", 1280),
    ("agent-run", RUN, "dark", 1280),
    ("versions", "/jobs/sync-crm/versions", "light", 1280),
    ("week", "/week", "dark", 1280),
    ("phone", "/", "dark", 360),
)
LARGEST = 150_000
"""Bytes of a picture."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def kit() -> AsyncGenerator[TestToolkit]:
    """A toolkit with ten jobs, their histories and their troubles, for all tests: they look, and change nothing."""
    async with seeded() as opened:
        yield opened


@pytest.mark.parametrize("part", range(3))
async def test_no_page_has_a_barrier(open_page: OpenPage, axe: str, part: int) -> None:
    """axe-core finds nothing, and no page is wider than the screen: in turn in light on a desk and in dark on a phone.

    ``AGENTOOL_FULL=1``: each page in each scheme at each width.
    """
    page = await open_page(bypass_csp=True)
    for number, path in enumerate(PAGES[part::3]):
        views = VIEWS if os.environ.get("AGENTOOL_FULL") else VIEWS[number % 2 :][:1]
        assert await barriers_of(page, axe, path, views) == []


@pytest.mark.parametrize("opening", ["Control+k", "?"])
async def test_no_dialog_has_a_barrier(open_page: OpenPage, axe: str, opening: str) -> None:
    """The palette with what it found, and the list of keys."""
    page = await open_page(bypass_csp=True)
    await page.goto("/")
    await page.keyboard.press(opening)
    await page.evaluate(axe)
    assert await violations_of(page) == []


async def test_home_names_all_eight_troubles(kit: TestToolkit, open_page: OpenPage) -> None:
    """One of each, and how many there are in the page's title."""
    await kit.injector.run("scheduler", {"operation": "stop", "reason": "the database moves"})
    page = await open_page()
    await page.goto("/")
    await kit.injector.run("scheduler", {"operation": "start"})
    kinds = await page.eval_on_selector_all("[data-kind]", "items => items.map(item => item.dataset.kind)")
    assert sorted(kinds) == ["approval", "broken", "budget", "failing", "lost", "missed", "silent", "undelivered"]
    assert await page.get_by_role("heading", level=1).inner_text() == "Eight things need you"
    assert (await page.title()).startswith("(8) ")
    assert "the database moves" in await page.get_by_role("status").inner_text()


@pytest.mark.parametrize(("name", "path", "scheme", "width"), PICTURES, ids=[picture[0] for picture in PICTURES])
async def test_pictures_are_small(open_page: OpenPage, tmp_path: Path, name: str, path: str, scheme: str, width: int) -> None:
    """Each fits into the how-to."""
    page = await open_page(width=width, scheme=scheme)
    await page.goto("/")  # other pages count the troubles that this one found
    await page.goto(path, wait_until="networkidle")
    folder = Path("docs/pictures") if os.environ.get("AGENTOOL_PICTURES") else tmp_path
    folder.mkdir(exist_ok=True)
    await page.screenshot(path=folder / f"{name}.png")
    assert 10_000 < (folder / f"{name}.png").stat().st_size < LARGEST
