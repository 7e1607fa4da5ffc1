"""Lists in pages, counts, cancelled jobs and near names, as the operations of the scheduler give them."""

from __future__ import annotations

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.system.scheduler import lookup
from agentoolkit.system.scheduler.errors import InvalidJob, JobNotFound


async def test_list_has_pages(kit, scheduler):
    """A list with a limit ends with a cursor, which continues it; the last page has none."""
    for number in range(5):
        await scheduler.add("1 day", job_id=f"job{number}")
    pages, cursor = [], None
    for _ in range(3):
        page = await scheduler("list", limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append([job["job_id"] for job in page["jobs"]])
        cursor = page["cursor"]
    assert (pages, cursor) == ([["job0", "job1"], ["job2", "job3"], ["job4"]], None)


async def test_list_by_status(kit, scheduler):
    """With a status a list holds the jobs that have it, cancelled ones too."""
    for job_id in ("a", "b", "c"):
        await scheduler.add("1 day", job_id=job_id)
    await scheduler("pause", job_id="b")
    await scheduler("cancel", job_id="c")
    found = {status: (await scheduler("list", job_status=status))["jobs"] for status in ("active", "paused", "cancelled")}
    assert {status: [job["job_id"] for job in jobs] for status, jobs in found.items()} == {
        "active": ["a"],
        "paused": ["b"],
        "cancelled": ["c"],
    }


async def test_cancelled_job_is_shown_with_who_and_when(kit, scheduler):
    """get_job of a cancelled job says that it was cancelled and by whom."""
    await scheduler.add("1 day", job_id="job")
    await scheduler("cancel", job_id="job")
    info = (await scheduler("get_job", job_id="job"))["info"]
    assert (info["state"], info["reason"]) == ("cancelled", "cancelled by code")


async def test_executions_have_pages(kit, scheduler, probe):
    """list_executions with a limit ends with a cursor, which continues it without a gap."""
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=5)
    first = await scheduler("list_executions", job_id="job", limit=3)
    second = await scheduler("list_executions", job_id="job", limit=3, cursor=first["cursor"])
    due = [record["scheduled_at"][14:16] for record in (*first["history"], *second["history"])]
    assert (due, second["cursor"]) == (["05", "04", "03", "02", "01"], None)


async def test_executions_without_results(kit, scheduler, probe):
    """Results are left out where they are not wanted."""
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    listed = [(await scheduler("list_executions", with_results=wanted))["history"][0]["result"] for wanted in (True, False)]
    assert listed == ["done", None]


@pytest.mark.parametrize("cursor", ["", "x", "2030-01-01T00:00:00 job", "2030-01-01T00:00:00+00:00"])
@pytest.mark.parametrize("operation", ["list", "list_executions"])
async def test_a_cursor_that_no_list_returned_is_refused(kit, scheduler, operation: str, cursor: str):
    """The refusal names the field and the way out."""
    with pytest.raises(InvalidJob, match=r"cursor.*leave it out"):
        await scheduler(operation, cursor=cursor)


async def test_an_unknown_id_among_many_is_answered_with_a_near_one(kit, scheduler):
    """The error names the nearest of a thousand jobs, and not all of them."""
    for number in range(1_000):
        await scheduler.add("1 day", job_id=f"backup-{number:04}")
    with pytest.raises(JobNotFound) as told:
        await scheduler("get_job", job_id="backup-05000")
    assert ("Did you mean 'backup-0500'" in str(told.value), len(str(told.value)) < 300) == (True, True)


async def test_neighbours_of_an_unknown_name_are_not_told_as_all(kit, scheduler):
    """Who sees everybody's jobs is told of those beside the name, and that there are more."""
    for number in range(50):
        await scheduler.add("1 day", job_id=f"backup-{number:02}")
    with pytest.raises(JobNotFound, match=r"Known: backup-00, .* and more\."):
        await scheduler("get_job", job_id="a")


async def test_all_jobs_are_told_where_they_are_few(kit, scheduler):
    """Where neither side of the unknown name was cut, what is known is all there is."""
    await scheduler.add("1 day", job_id="backup", job_name="of the shop")
    with pytest.raises(JobNotFound, match=r"Known: backup, of the shop\."):
        await scheduler("get_job", job_id="m")


async def test_how_many_more_is_not_told_where_not_all_were_looked_at(kit, scheduler, monkeypatch):
    """An owner with more than a thousand jobs, here five, is told of those, and that there are more."""
    monkeypatch.setattr(lookup, "_PAGE", 5)
    with acting_as(Caller("maria", "rest", OWN)):
        for number in range(6):
            await scheduler.add("1 day", job_id=f"backup-{number:04}")
        with pytest.raises(JobNotFound, match=r"Known: backup-0000, .* and more\."):
            await scheduler("get_job", job_id="zzz")


async def test_status_counts_jobs(kit, scheduler):
    """status tells how many jobs can fire, and how many are paused."""
    for job_id in ("a", "b", "c"):
        await scheduler.add("1 day", job_id=job_id)
    await scheduler("pause", job_id="b")
    await scheduler("cancel", job_id="c")
    status = await scheduler("status")
    assert (status["jobs_count"], status["paused"]) == (2, 1)
