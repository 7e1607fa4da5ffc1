"""What lists can do: kept views, files, the palette; and jobs that are due together are spread."""

from __future__ import annotations

import csv
import html
import io
import re

import httpx2
import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule
from .test_pages import FAILS

HERE = {"Origin": "http://127.0.0.1:8000"}


async def keep_view(client: httpx2.AsyncClient, name: str = "Ops", **more: str) -> httpx2.Response:
    return await client.post("/views", data={"page": "jobs", "name": name, "query": "tag:ops", **more}, headers=HERE)


async def test_a_view_is_kept_under_a_name(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """It is a link on its list, and can be forgotten."""
    answer = await keep_view(client)
    assert answer.headers["location"] == "/jobs?q=tag%3Aops"
    assert '<a href="/jobs?q=tag%3Aops">Ops</a>' in await browse("/jobs")
    assert "Forget the view Ops" in await browse("/jobs?q=tag:ops")
    await client.post("/views", data={"page": "jobs", "name": "Ops", "do": "forget"}, headers=HERE)
    assert "Ops</a>" not in await browse("/jobs")


async def test_a_list_begins_with_its_default(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """Where no other is asked for; all are one click away."""
    await keep_view(client, is_default="on")
    assert (await client.get("/jobs")).headers["location"] == "/jobs?q=tag%3Aops"
    assert "There is no job yet" in await browse("/jobs?all=yes")


@pytest.mark.parametrize("fields", [{"query": "status:"}, {"page": "nobody"}, {"name": ""}])
async def test_a_view_that_cannot_be_kept(client: httpx2.AsyncClient, fields: dict[str, str]) -> None:
    """Is refused with what is wrong."""
    assert (await keep_view(client, **{"name": "Ops", **fields})).status_code == 422


async def test_a_list_is_a_file(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """With every page of what the list shows, as CSV and as JSON."""
    for number in range(60):
        await schedule(kit, f"job-{number}", tags=["ops"] if number else ["other"])
    answer = await client.get("/export/jobs.csv?q=tag:ops")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(lines), lines[0]["job_id"], answer.headers["content-type"]) == (59, "job-1", "text/csv; charset=utf-8")
    assert len((await client.get("/export/jobs.json")).json()) == 60


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/executions?status=failed&q=job:calm", []),
        ("/executions?status=success&q=job:calm", ["calm"]),
        ("/executions?job=brief&q=status:failed,success", ["brief"]),
        ("/executions?job=brief&status=success", []),
        ("/jobs?state=paused&q=calm", []),
        ("/jobs?state=active&q=status:failed", ["brief"]),
        ("/jobs?state=cancelled&q=status:success", ["former"]),
    ],
)
async def test_every_filter_of_a_list_counts(
    kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse, address: str, shown: list[str]
) -> None:
    """On the page, in its file, and in the question before something is done to all that match."""
    await schedule(kit, "brief", **FAILS)
    for name in ("calm", "former"):
        await schedule(kit, name)
    await kit.advance(hours=1)
    await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "former"})
    page = await browse(address)
    assert [name for name in ("brief", "calm", "former") if f'href="/jobs/{name}"' in page.partition("<table")[2]] == shown
    of_page, _, query = address.lstrip("/").partition("?")
    lines = list(csv.DictReader(io.StringIO((await client.get(f"/export/{of_page}.csv?{query}")).text)))
    assert [line["job_id"] for line in lines] == shown
    if shown and "q=" in address:
        value = re.findall(r'name="q" value="([^"]*)">all that', page)[0]
        question = await browse("/act", params={"do": "run" if of_page == "jobs" else "again", "q": html.unescape(value)})
        assert f"{of_page[:-1]} {shown[0]}" in question


@pytest.mark.parametrize("address", ["/jobs?state=zz", "/executions?status=zz", "/export/jobs.csv?state=zz", "/act?do=run&all_jobs=zz"])
async def test_a_filter_that_is_none_is_refused(browse: Browse, address: str) -> None:
    """It lists nothing instead of everything."""
    assert "zz" in await browse(address, status=422)


@pytest.mark.parametrize("page", ["jobs", "executions"])
async def test_a_file_without_lines_has_its_header(client: httpx2.AsyncClient, page: str) -> None:
    """A program finds its columns."""
    assert b"job_id," in (await client.get(f"/export/{page}.csv")).content


async def test_a_file_of_executions(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Those of one job and outcome; no secret of an error is in it."""
    fails = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}
    await schedule(kit, "brief", **fails)
    await kit.advance(hours=2)
    lines = (await client.get("/export/executions.json?status=failed&job=brief")).json()
    assert [line["status"] for line in lines] == ["failed", "failed"]
    assert "hunter2" not in str(lines)


async def test_a_spreadsheet_computes_nothing(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """A name that begins as a formula is text."""
    await schedule(kit, "=1+1", job_id="sum", description="@SUM(A1)")
    text = (await client.get("/export/jobs.csv")).text
    assert "'=1+1" in text
    assert "'@SUM(A1)" in text


async def test_the_palette_finds_jobs(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """By a part of their names; after a verb it leads to the page that asks."""
    await schedule(kit, "nightly")
    await schedule(kit, "hourly")
    assert (await client.get("/palette?q=NIGHT")).json() == [{"name": "nightly", "address": "/jobs/nightly"}]
    assert (await client.get("/palette?q=pause night")).json() == [{"name": "Pause nightly…", "address": "/act?do=pause&job=nightly"}]
    assert (await client.get("/palette?q=")).json() == []


async def test_the_palette_shows_nobody_elses(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """An odd text is looked for as it is."""
    with acting_as(Caller("maria", door="cli", scopes=OWN)):
        await schedule(kit, "nightly")
    assert (await client.get('/palette?q="night* OR"')).status_code == 200


async def test_jobs_of_the_busiest_minute_are_spread(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """Each gets a share of some seconds."""
    for name in ("one", "two"):
        await schedule(kit, name, "0 9 * * *")
    assert '/act?do=spread&amp;job=one&amp;job=two">Spread these…' in await browse("/week")
    form = [("do", "spread"), ("seconds", "120"), ("job", "one"), ("job", "two"), ("key", "k1")]
    body = "&".join(f"{name}={value}" for name, value in form)
    await client.post("/act", content=body, headers={**HERE, "Content-Type": "application/x-www-form-urlencoded"})
    await kit.clock.let_run()
    jobs = [(await kit.injector.run("scheduler", {"operation": "get_job", "job_id": name})).data for name in ("one", "two")]
    assert [job["info"]["jitter"] for job in jobs] == [120.0, 120.0]


async def test_a_pause_of_everything_says_why(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """On every page, until it is over."""
    await client.post("/act", data={"do": "stop", "reason": "the disk is full", "key": "k2"}, headers=HERE)
    for path in ("/", "/jobs", "/health"):
        assert "stopped by local: the disk is full" in await browse(path)


async def test_health_lists_workers(kit: TestToolkit, browse: Browse) -> None:
    """With what runs in each."""
    page = await browse("/health")
    assert "1 worker" in page
    assert '<span class="tag">leads</span>' in page
