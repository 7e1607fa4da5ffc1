"""Each page shows what the scheduler answers, and refuses as a page."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from agentoolkit.entrypoints.dashboard.moments import span
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule

FAILS = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}


async def test_home_says_that_nothing_is_wrong(kit: TestToolkit, browse: Browse) -> None:
    """In one sentence, with what comes next."""
    await schedule(kit, "hourly")
    page = await browse("/")
    assert "<h1>All quiet. Next: hourly in 1 h.</h1>" in page
    assert "data-kind" not in page


async def test_home_without_a_job(browse: Browse) -> None:
    """It says so."""
    assert "<h1>All quiet. There is no job yet.</h1>" in await browse("/")


async def test_a_failing_job_is_on_the_home_page(kit: TestToolkit, browse: Browse) -> None:
    """With how often it failed in a row and with its error, in which no secret is shown."""
    await schedule(kit, "brief", **FAILS)
    await kit.advance(hours=3)
    page = await browse("/")
    assert "<h1>One thing needs you</h1>" in page
    assert "failed 3 times in a row" in page
    assert "the other side answered 503" in page
    assert "hunter2" not in page


async def test_other_pages_count_troubles(kit: TestToolkit, browse: Browse) -> None:
    """As the home page last found them, in title, navigation and icon."""
    await schedule(kit, "brief", **FAILS)
    await kit.advance(hours=1)
    await browse("/")
    page = await browse("/jobs")
    assert "<title>(1) Jobs · agentool</title>" in page
    assert "/static/trouble.svg" in page


async def test_jobs_show_reading_and_outcomes(kit: TestToolkit, browse: Browse) -> None:
    """Each due time is a mark that leads to its execution."""
    await schedule(kit, "hourly")
    await kit.advance(hours=2)
    page = await browse("/jobs")
    assert "every hour" in page
    assert page.count('<svg class="mark success"') == 3  # two due times, and that the scheduler leads
    assert 'href="/executions/hourly@2030-01-02T11:24:00+00:00"' in page


@pytest.mark.parametrize(("state", "is_there"), [("active", False), ("paused", True), ("broken", False)])
async def test_jobs_of_one_state(kit: TestToolkit, browse: Browse, state: str, is_there: bool) -> None:
    """Others are left out."""
    await schedule(kit, "sleeper", paused=True)
    assert ('href="/jobs/sleeper"' in await browse(f"/jobs?state={state}")) is is_there


async def test_pages_of_jobs_lead_to_all(kit: TestToolkit, browse: Browse) -> None:
    """The link to the next page shows the rest."""
    for number in range(51):
        await schedule(kit, f"job-{number:02}")
    page = await browse("/jobs")
    assert 'href="/jobs/job-50"' not in page
    following = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    assert 'href="/jobs/job-50"' in await browse(following.replace("&amp;", "&"))


async def test_a_job_shows_its_next_ten(kit: TestToolkit, browse: Browse) -> None:
    """Exactly, in its zone."""
    await schedule(kit, "morning", "every day at 09:00", timezone="Europe/Berlin")
    page = await browse("/jobs/morning")
    assert "every day at 09:00" in page
    assert "Thu 3 Jan 2030 09:00:00, CET" in page
    assert "Sat 12 Jan 2030 09:00:00, CET" in page


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, "It is not due yet."), ({"paused": True}, "It is paused."), ({"schedule": "after other"}, "It waits for the job")],
)
async def test_a_job_says_why_it_does_not_run(kit: TestToolkit, browse: Browse, more: dict[str, Any], told: str) -> None:
    """The first reason that holds."""
    await schedule(kit, "other")
    await schedule(kit, "asked", **more)
    assert told in await browse("/jobs/asked")


async def test_an_execution_shows_each_attempt(kit: TestToolkit, browse: Browse) -> None:
    """With its own error; the secret in it is hidden."""
    await schedule(kit, "brief", **FAILS, max_retries=1)
    await kit.advance(hours=1, minutes=30)
    page = await browse("/executions/brief@2030-01-02T11:24:00+00:00")
    assert "Attempt 1" in page
    assert "Attempt 2" in page
    assert "hunter2" not in page


async def test_executions_of_one_outcome(kit: TestToolkit, browse: Browse) -> None:
    """Others are left out."""
    await schedule(kit, "brief", **FAILS)
    await schedule(kit, "fine")
    await kit.advance(hours=1)
    page = await browse("/executions?status=failed")
    assert 'href="/jobs/brief"' in page
    assert 'href="/jobs/fine"' not in page


@pytest.mark.parametrize("path", ["/jobs/nobody", "/executions/nobody@2030-01-01T00:00:00+00:00", "/executions?cursor=x"])
async def test_a_refusal_is_a_page(browse: Browse, path: str) -> None:
    """With the reason in words."""
    page = await browse(path, status=422 if "cursor" in path else 404)
    assert "Nothing was changed." in page
    assert "Traceback" not in page


async def test_a_query_that_cannot_be_read_can_be_corrected(browse: Browse) -> None:
    """The page has the query as it was typed, in a field that asks the same list again."""
    page = await browse("/executions?q=status:filed%20job:a", status=422)
    assert "Did you mean" in page
    assert '<form action="/executions">' in page
    assert 'value="status:filed job:a"' in page


async def test_a_form_says_what_an_input_lacks_in_its_own_words(browse: Browse, client: httpx2.AsyncClient) -> None:
    """By the field's name in the input, and with the command that shows the fields: nobody calls `injector.run` on a page."""
    form = {"job_name": "a", "schedule": "every day at 9", "agentool_name": "queue", "input": "{}", "do": "preview"}
    page = (await client.post("/new", data=form)).text
    assert "operation: is required and missing. `agentool tools queue` shows what it takes." in page.replace("&#39;", "'")
    assert "input_data" not in page


async def test_the_only_operation_of_a_tool_may_be_left_out_of_a_form(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """As on the command line."""
    form = {"job_name": "a", "schedule": "every day at 9", "agentool_name": "notification", "input": '{"message": "hi"}', "do": "save"}
    assert (await client.post("/new", data=form)).status_code == 303
    details = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "a"})).data
    assert details["info"]["input_data"] == {"operation": "send", "message": "hi"}


async def test_a_page_that_there_is_not_is_a_page(browse: Browse) -> None:
    """A browser that asks for an unknown address is shown a way back, in HTML."""
    assert "Go to what needs you" in await browse("/nowhere", status=404, headers={"Accept": "text/html,*/*"})


@pytest.mark.parametrize(("path", "accept"), [("/nowhere", "application/json"), ("/api/scheduler/nowhere", "text/html")])
async def test_a_program_and_the_api_are_answered_in_json(client: httpx2.AsyncClient, path: str, accept: str) -> None:
    """As before: whoever does not ask for HTML, and everybody below the API."""
    answer = await client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_what_waits_for_a_person_says_when_it_ends(kit: TestToolkit, browse: Browse) -> None:
    """``ends in 2 h``, and not ``until in 2 h``."""
    reason = "The budget of the day is used up: $5.00 of $5.00 are used."
    await schedule(kit, "dear")
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "dear", "until": "2030-01-03T00:00:00", "reason": reason})
    page = await browse("/")
    assert re.search(r"ends <time[^>]*>in 14 h<", page)
    assert "until <time" not in page


async def test_markup_in_names_is_text(kit: TestToolkit, browse: Browse) -> None:
    """Whatever a job says of itself is escaped."""
    await schedule(kit, "odd", description="<script>alert(1)</script>", tags=["<b>"])
    page = await browse("/jobs/odd")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_times_in_the_viewers_zone(kit: TestToolkit, browse: Browse, client: httpx2.AsyncClient) -> None:
    """Where it is asked for by a cookie; a zone that there is not counts for nothing."""
    await schedule(kit, "morning", "every day at 09:00", timezone="Europe/Berlin")
    client.cookies.update({"agentool_times": "mine", "agentool_zone": "Asia/Tokyo"})
    assert "Thu 3 Jan 2030 17:00:00, JST" in await browse("/jobs/morning")
    client.cookies.update({"agentool_zone": "Nowhere/../etc"})
    assert "Thu 3 Jan 2030 09:00:00, CET" in await browse("/jobs/morning")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.012, "12 ms"),
        (0.0004, "0.4 ms"),
        (0.00098, "1 ms"),
        (0, "0 ms"),
        (1.44, "1.4 s"),
        (38, "38 s"),
        (65, "1 min 5 s"),
        (3_600, "1 h"),
        (40_000, "11 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float, told: str) -> None:
    """The largest ones."""
    assert span(seconds) == told


async def test_the_first_load_is_small(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Page, style, scripts and icon have 60 KB at most as they are sent, and all come from here."""
    for number in range(50):
        await schedule(kit, f"job-{number}")
    await kit.advance(hours=30)
    page = await client.get("/jobs")
    parts = {part.split('"')[0] for part in page.text.split('="')[1:] if part.startswith("/static/")}
    assert len(parts) == 4
    sizes = [len(gzip.compress(page.content, 4))]
    for part in parts:
        answer = await client.get(part)
        assert answer.headers["cache-control"].endswith("immutable")
        sizes.append(len(gzip.compress(answer.content, 9)))
    assert sum(sizes) <= 60_000
    assert 'src="http' not in page.text


async def test_home_names_what_is_due_first_of_very_many(kit: TestToolkit, browse: Browse) -> None:
    """However many older jobs are due later, also within the same minute."""
    when = (kit.clock.now() + timedelta(seconds=50)).isoformat()
    for number in range(600):
        await schedule(kit, f"later-{number}", when)
    await schedule(kit, "soon", "in 5 seconds")
    assert "Next: soon in 5 s." in await browse("/")


async def test_home_names_what_is_due_first_before_what_is_paused(kit: TestToolkit, browse: Browse) -> None:
    """However many jobs are paused; those fill what is left of the list."""
    for number in range(600):
        await schedule(kit, f"paused-{number}", "every hour")
    for number in range(600):
        await kit.injector.run("scheduler", {"operation": "pause", "job_id": f"paused-{number}"})
    await schedule(kit, "some-day", "on 1 december 2031 at 9:00")
    page = await browse("/")
    assert "Next: some-day" in page
    assert page.index("/jobs/some-day") < page.index("/jobs/paused-0")


async def test_a_jobs_page_shows_all_that_is_not_as_usual(kit: TestToolkit, browse: Browse) -> None:
    """Its bounds and policies by their names, and nothing of what nobody said."""
    more = {"start_at": "2030-06-01T00:00:00+00:00", "exclude": ["weekends"], "overlap": "queue_one"}
    await schedule(kit, "odd", "every day at 9:00", **more)
    page = await browse("/jobs/odd")
    assert [name for name in ("start_at", "exclude", "overlap", "jitter", "max_instances") if f"<dt>{name}</dt>" in page] == [*more]
