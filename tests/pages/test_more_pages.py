"""Timeline, week, queues, approvals, forms and health."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from agentool.caller import ADMIN, Caller, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.approval_store import Approval, WaitingCall
from agentoolkit.entrypoints.dashboard.moments import PageClock
from agentoolkit.entrypoints.dashboard.rendering import editable
from agentoolkit.entrypoints.dashboard.timeline import Lane, draw_timeline
from agentoolkit.entrypoints.dashboard.week import density_of
from agentoolkit.redaction import restored
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.job_fields import options_of
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule
from .test_pages import FAILS

FORM = {"job_name": "typed", "schedule": "every day at 9am", "agentool_name": "queue", "input": '{"operation": "list_queues"}'}


async def send(client: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    return await client.post(path, content=str(httpx2.QueryParams(fields)))


async def test_a_job_whose_id_has_a_slash_has_pages(kit: TestToolkit, browse: Browse) -> None:
    """The list links to it, written as %2F, and it to its others."""
    await schedule(kit, "nightly/report")
    assert 'href="/jobs/nightly%2Freport"' in await browse("/jobs")
    for page in ("", "/edit", "/replay", "/versions"):
        assert "nightly/report" in await browse(f"/jobs/nightly%2Freport{page}")


async def definition_of(kit: TestToolkit, job_id: str) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data["info"]


async def test_the_timeline_shows_past_and_future(kit: TestToolkit, browse: Browse) -> None:
    """What was due and what will be; both within a day."""
    await schedule(kit, "rare", "every 8 hours")
    await kit.advance(hours=17)
    drawing = (await browse("/")).split(' timeline"')[1].split("</section>")[0]
    assert drawing.count('class="mark success"') == 2
    assert drawing.count('class="due"') == 3


async def test_the_timeline_shows_what_ran_and_is_due_no_more(kit: TestToolkit, browse: Browse) -> None:
    """A job in trouble has the first lane, one that is over or cancelled has a lane after those that are due."""
    for number in range(6):
        await schedule(kit, f"due-{number}", "every day at 10:00")
    await schedule(kit, "over", "in 1 minute")
    await schedule(kit, "failed", "in 2 minutes", **FAILS)
    await schedule(kit, "cancelled")
    await kit.advance(hours=1)
    await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "cancelled"})
    names = re.findall(r'<li><a href="/jobs/([^"]*)"', (await browse("/")).split(' timeline"')[1])
    assert names[0] == "failed"
    assert names[1:7] == [f"due-{number}" for number in range(6)]
    assert names[7:] in (["over"], ["cancelled"])


async def test_marks_that_would_overlap_are_one_bar(kit: TestToolkit) -> None:
    """With what it stands for."""
    now = kit.clock.now()
    runs = [
        {"scheduled_at": (now - timedelta(minutes=number)).isoformat(), "status": status, "execution_id": f"a@{number}"}
        for number, status in enumerate(["success", "failed", "success"])
    ]
    drawing = draw_timeline([Lane("a", "/jobs/a", runs, [])], PageClock(now))
    assert "<title>2 success, 1 failed, 10:22 to 10:24</title>" in drawing
    assert 'class="stretch failed"' in drawing


async def test_what_is_due_too_often_is_told_so(kit: TestToolkit, browse: Browse) -> None:
    """Its bar reaches to the end."""
    await schedule(kit, "often", "every 10 seconds")
    assert "more than 200 due" in await browse("/")


async def test_the_week_names_its_busiest_minute(kit: TestToolkit, browse: Browse) -> None:
    """And the jobs in it."""
    await schedule(kit, "one", "0 9 * * 1")
    await schedule(kit, "two", "0 9 * * *")
    page = await browse("/week")
    assert "Busiest minute: Monday 09:00, 2 jobs" in page
    assert "<title>Mon 09:00, 2 runs</title>" in page
    assert "<title>Tue 09:00, 1 run</title>" in page


async def test_jobs_that_run_all_the_time_stand_out_nowhere(kit: TestToolkit) -> None:
    """Their pace is told instead."""
    job = {
        "job_id": "often",
        "schedule_type": "interval",
        "schedule": "10 seconds",
        "timezone": "UTC",
        "next_run": "2030-01-02T10:24:10+00:00",
    }
    density = await density_of([job], PageClock(kit.clock.now()))
    assert sum(density.hours.values()) == 0
    assert density.steady[0] == pytest.approx(360, rel=0.01)


async def test_a_week_of_many_jobs_keeps_nobody_waiting(kit: TestToolkit) -> None:
    """Others on the event loop have their turn after each job, however many there are."""
    job = {"job_id": "a", "schedule_type": "cron", "schedule": "0 9 * * *", "timezone": "UTC", "next_run": "2030-01-03T09:00:00+00:00"}
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    density = await density_of([job] * 100, PageClock(kit.clock.now()))
    counting.cancel()
    assert (density.looked_at, turns >= 100) == (100, True)


async def test_a_form_is_read_back_before_it_is_saved(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """A preview shows reading and next times, and schedules nothing."""
    answer = await send(client, "/new", **FORM, do="preview")
    assert "every day at 09:00" in answer.text
    assert "Thu 3 Jan 2030 09:00:00, UTC" in answer.text
    assert "There is no job yet." in (await client.get("/jobs")).text


async def test_a_job_is_made_by_the_form(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """The browser goes to its page."""
    answer = await send(client, "/new", **FORM, do="save", tags="ops, night", paused="on")
    assert answer.headers["location"] == "/jobs/typed"
    info = await definition_of(kit, "typed")
    assert (info["state"], info["tags"]) == ("paused", ["ops", "night"])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"schedule": "every blue moon"}, "blue"),
        ({"input": "{"}, "The input is not JSON"),
        ({"agentool_name": "nobody"}, "nobody"),
        ({"schedule": ""}, "When it is due is missing."),
    ],
)
async def test_a_form_that_is_refused_keeps_what_was_typed(client: httpx2.AsyncClient, fields: dict[str, str], told: str) -> None:
    """With what is wrong."""
    answer = await send(client, "/new", **{**FORM, **fields, "do": "save"})
    assert answer.status_code == 422
    assert told in answer.text.split('role="alert">')[1].split("</p>")[0]
    assert 'value="typed"' in answer.text


async def test_a_job_is_changed_by_the_form(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Unless somebody else has changed it since it was read."""
    await schedule(kit, "typed")
    changed = {**FORM, "do": "save", "version": "1"}
    assert (await send(client, "/jobs/typed/edit", **changed)).status_code == 303
    assert (await definition_of(kit, "typed"))["schedule"] == "0 9 * * *"
    again = await send(client, "/jobs/typed/edit", **{**changed, "schedule": "every hour"})
    assert again.status_code == 422
    assert (await definition_of(kit, "typed"))["schedule"] == "0 9 * * *"


async def test_forms_hide_secrets_and_keep_them(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """What was hidden from whoever edits is what it was, in the changed job and in a copy."""
    message = {"operation": "enqueue", "queue_name": "q", "message": {"password": "hunter2-hunter2", "n": 1}}
    await schedule(kit, "typed", input_data=message)
    page = (await client.get("/jobs/typed/edit")).text
    assert "hunter2" not in page
    edited = editable(message).replace('"n": 1', '"n": 2')
    await send(client, "/jobs/typed/edit", **{**FORM, "input": edited, "do": "save"})
    assert (await definition_of(kit, "typed"))["input_data"]["message"] == {"password": "hunter2-hunter2", "n": 2}
    await send(client, "/new", **{**FORM, "job_name": "copy", "like": "typed", "input": edited, "do": "save"})
    assert (await definition_of(kit, "copy"))["input_data"]["message"]["password"] == "hunter2-hunter2"


ODD: dict[str, Any] = {
    "start_at": "2030-01-05T00:00:00",
    "end_at": "2031-01-01T00:00:00",
    "max_runs": 5,
    "jitter": 30,
    "exclude": ["weekends"],
    "shift": "next",
    "timeout": 9,
    "overlap": "queue_one",
    "priority": "low",
    "max_retries": 2,
    "retry_on": ["OSError"],
    "catch_up": "all",
    "catch_up_window": 3_600,
    "concurrency_key": "db",
    "pause_after_failures": 4,
    "misfire_grace_time": 300,
    "max_instances": 2,
    "result_queue": "done",
    "error_queue": "https://example.com/errors?token=hunter2-hunter2",
}


async def test_a_copy_has_every_field_of_the_job(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Those too that the form has no place for: it shows them, and they can be left out."""
    await schedule(kit, "odd", "every day at 9am", **ODD)
    page = (await client.get("/new?like=odd")).text
    assert all(f'value="{name}"' in page for name in ODD)
    assert "hunter2" not in page
    form = {**FORM, "like": "odd", "do": "save"}
    await send(client, "/new", **{**form, "job_name": "copy"})
    await send(client, "/new", **{**form, "job_name": "freer", "drop": "end_at"})
    odd, copy, freer = [options_of(await definition_of(kit, job_id)) for job_id in ("odd", "copy", "freer")]
    assert copy == odd
    assert freer == {name: value for name, value in odd.items() if name != "end_at"}


@pytest.mark.parametrize("path", ["/jobs/odd/edit", "/new"])
async def test_a_preview_knows_every_field_of_the_job(kit: TestToolkit, client: httpx2.AsyncClient, path: str) -> None:
    """Its next due times are those that the saved job has, and what saving would refuse is refused."""
    await schedule(kit, "odd", "every day at 10am", **ODD)
    form = {**FORM, "job_name": "odd" if "edit" in path else "copy", "like": "odd"}
    told = re.findall(r"<li><span>([^<]*)", (await send(client, path, **form, do="preview")).text)
    assert (await send(client, path, **form, do="save")).status_code == 303
    page = (await client.get(f"/jobs/{form['job_name']}")).text
    assert (len(told), told) == (5, re.findall(r"<li><span>([^<]*)", page))
    assert (await send(client, path, **{**form, "agentool_name": "nobody"}, do="preview")).status_code == 422


async def test_what_the_form_leaves_empty_is_taken_back(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """The description, the tags, the zone and a field that is ticked; the others stay."""
    more = {"description": "old", "tags": ["ops"], "timezone": "Europe/Berlin"}
    await schedule(kit, "odd", "every day at 9am", **ODD, **more)
    await send(client, "/jobs/odd/edit", **{**FORM, "job_name": "odd", "do": "save", "drop": "max_runs"})
    info = await definition_of(kit, "odd")
    assert (info["description"], info["tags"], info["timezone"], info["max_runs"]) == ("", [], "UTC", None)
    assert (info["timeout"], info["exclude"]) == (9, ["weekends"])


@pytest.mark.parametrize(("when", "kept"), [("every day at 9am", True), ("2030-01-03T09:00:00", False)])
async def test_no_page_promises_more_runs_than_there_will_be(kit: TestToolkit, browse: Browse, when: str, kept: bool) -> None:
    """A job with a maximum says so, and its next due times end with it, on the timeline too."""
    await schedule(kit, "few", when, max_runs=2)
    page = await browse("/jobs/few")
    assert ("at most 2 runs" in page, page.count("<li><span>")) == (kept, 2 if kept else 1)
    await schedule(kit, "often", "every hour", max_runs=3)
    await kit.advance(hours=1)
    drawing = (await browse("/")).split(' timeline"')[1].split("</section>")[0]
    assert drawing.count('class="due"') == 3  # two of one, and one of the other


def test_a_secret_that_was_replaced_is_the_new_one() -> None:
    """In lists as well."""
    original = {"list": [{"token": "old-old-old-old"}, {"token": "kept-kept-kept"}]}
    edited = {"list": [{"token": "new-new-new-new"}, {"token": "[redacted]"}]}
    assert restored(edited, original) == {"list": [{"token": "new-new-new-new"}, {"token": "kept-kept-kept"}]}


async def test_dead_letters_are_grouped_and_made_ready(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """By what they died of, numbers aside; a question comes first."""
    for number in range(3):
        message = {"queue_name": "out", "message_id": f"m-{number}"}
        await kit.injector.run("queue", {"operation": "enqueue", "message": {"token": "hunter2-hunter2"}, **message})
        await kit.injector.run("queue", {"operation": "move_to_dlq", "reason": f"HTTP 50{number}", **message})
    page = (await client.get("/queues/out")).text
    assert "<b>3 ×</b>" in page
    assert "hunter2" not in page
    assert "Make 2 dead letters ready again?" in (await client.get("/queues/out/requeue?message=m-0&message=m-1")).text
    await client.post("/queues/out/requeue", content="key=k&message=m-0&message=m-1")
    await kit.advance(seconds=1)
    size = (await kit.injector.run("queue", {"operation": "size", "queue_name": "out"})).data
    assert (size["ready"], size["dead"]) == (2, 1)


async def test_an_approval_is_denied_with_a_reason(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """It is gone from the list then."""
    now = kit.clock.now()
    await schedule(kit, "weekly")
    call = WaitingCall(call_id="c1", tool="send_mail", arguments={"to": "board@example.com"})
    asked = {"owner": "local", "agent": "assistant", "job_id": "weekly", "execution_id": "weekly@1", "conversation_id": "c"}
    approvals = kit.injector.get("agent").deps.parked.approvals
    await approvals.add(Approval(approval_id="apr-1", calls=(call,), created_at=now, deadline=now + timedelta(hours=2), **asked))
    answer = await send(client, "/approvals/apr-1", decision="deny", reason="too expensive")
    assert answer.status_code == 303
    decided = await approvals.get("apr-1")
    assert (decided.status, decided.reason, decided.decided_by) == ("denied", "too expensive", "local")
    assert "Nothing waits for a person." in (await client.get("/approvals")).text


async def test_an_approval_takes_other_arguments(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Those that were typed; what is no JSON is refused and decides nothing."""
    now = kit.clock.now()
    register_agent("assistant", Agent(TestModel()), injector=kit.injector)
    prompt = {"operation": "run", "agent": "assistant", "prompt": "Send the figures"}
    await schedule(kit, "weekly", agentool_name="agent", input_data=prompt)
    call = WaitingCall(call_id="c1", tool="send_mail", arguments={"to": "board@example.com"})
    asked = {"owner": "local", "agent": "assistant", "job_id": "weekly", "execution_id": "weekly@1", "conversation_id": "c"}
    approvals = kit.injector.get("agent").deps.parked.approvals
    await approvals.add(Approval(approval_id="apr-1", calls=(call,), created_at=now, deadline=now + timedelta(hours=2), **asked))
    form = {"decision": "approve", "arguments-c1": "{"}
    assert (await send(client, "/approvals/apr-1", **form)).status_code == 422
    await send(client, "/approvals/apr-1", **{**form, "arguments-c1": '{"to": "me@example.com"}'})
    decided = await approvals.get("apr-1")
    assert (decided.status, decided.edits) == ("approved", {"c1": {"to": "me@example.com"}})


async def test_health_tells_how_the_scheduler_does(kit: TestToolkit, browse: Browse) -> None:
    """In one sentence first."""
    assert "<h1>The scheduler is well</h1>" in await browse("/health")
    await kit.injector.run("scheduler", {"operation": "stop"})
    assert "<h1>The scheduler is stopped</h1>" in await browse("/health")


async def test_jobs_that_fit_a_query(kit: TestToolkit, browse: Browse) -> None:
    """By the grammar of every door; the query is the address."""
    await schedule(kit, "nightly", tags=["ops"])
    await schedule(kit, "other")
    page = await browse("/jobs?q=tag:ops")
    assert 'href="/jobs/nightly"' in page
    assert 'href="/jobs/other"' not in page


async def test_executions_that_fit_a_query_run_again(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """All of them by one form."""
    await schedule(kit, "nightly")
    await schedule(kit, "other")
    await kit.advance(hours=1)
    page = await browse("/executions?q=job:night*")
    assert 'href="/jobs/nightly"' in page
    assert 'href="/jobs/other"' not in page
    assert "Run again execution nightly@" in await browse("/act?do=again&q=job:night*")


async def test_a_query_that_cannot_be_read(browse: Browse) -> None:
    """It is refused with the nearest key."""
    assert "status" in await browse("/jobs?q=statu:failed", status=422)


async def test_changes_name_the_door_only_where_it_says_more(kit: TestToolkit, browse: Browse) -> None:
    """What code has done is by code, and not by code, code; a person's name is told with the door."""
    await schedule(kit, "made")
    with acting_as(Caller("maria", "rest", ADMIN)):
        await kit.injector.run("scheduler", {"operation": "pause", "job_id": "made"})
    page = await browse("/jobs/made")
    changes = page.split('class="audit"')[1].split("</ol>")[0]
    assert ("by maria, rest<" in changes, "by code<" in changes) == (True, True)


async def test_a_badge_says_how_a_job_does(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Its name and latest outcome, as a picture that is well formed whatever the name is."""
    await schedule(kit, "a <b> & c")
    at = "/jobs/a-%3Cb%3E-&-c/badge.svg"
    before = await client.get(at)
    await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "a <b> & c"})
    after = await client.get(at)
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "a <b> & c"})
    titles = [ElementTree.fromstring(answer.text)[0].text for answer in (before, after, await client.get(at))]
    assert titles == ["a <b> & c: no run yet", "a <b> & c: success now", "a <b> & c: paused"]
    assert after.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("status", [ExecutionStatus.LOST, ExecutionStatus.MISSED])
async def test_a_badge_is_not_green_after_a_run_without_an_end(
    kit: TestToolkit, client: httpx2.AsyncClient, status: ExecutionStatus
) -> None:
    """What was lost or missed after a success has no time at which it ended, and counts all the same."""
    await schedule(kit, "job")
    await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "job"})
    await kit.advance(minutes=5)
    await kit.scheduler.store.insert([Execution("job@x", "job", "queue", kit.clock.now(), status=status)])
    assert f"job: {status} now" in (await client.get("/jobs/job/badge.svg")).text
