"""What every store of jobs owes a search: each term, alone and together, turned round, and in pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentool.caller import Caller
from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore, Position
from agentoolkit.system.scheduler.search import Search, matching, read_search
from agentoolkit.system.scheduler.stores import memory_queries, memory_search
from agentoolkit.system.scheduler.stores.sql import few_jobs, keyset_pages, searching

from .job_store_steps import START, add, at, begin, change, claim, finish, make, succeed

MARIA, BEN = Caller("maria", "rest"), Caller("ben", "rest")


@pytest.fixture(params=[few_jobs.FEW_JOBS, {"jobs": 0, "executions": 0}], ids=["few", "many"])
def labelled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that few jobs have lead to these; those of many are asked of each job that is looked at."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", request.param)


async def fill(store: JobStore) -> None:
    """Add jobs of two owners, and executions with every kind of outcome."""
    await add(store, "report", tags=("nightly", "Größe"), created_by=MARIA, description="For the board", created_at=at(-4))
    await add(store, "report-2", job_name="Weekly report", tags=("weekly",), created_by=BEN, agentool_name="agent", created_at=at(-3))
    await add(store, "idle", JobStatus.PAUSED, created_by=BEN, created_at=at(-2), agentool_name="shell")
    await add(store, "over", JobStatus.DONE, created_by=MARIA, created_at=at(-1), tags=("nightly",))
    await add(store, "gone", created_by=MARIA, created_at=at(0), tags=("nightly",))
    await store.remove("gone", at(0), "cancelled by Müller")
    await change(store, make("idle", created_by=BEN, created_at=at(-2), agentool_name="shell"), JobState(JobStatus.PAUSED, reason="Übung"))
    (slow,) = await claim(store, 1, "report")
    await finish(store, succeed(await begin(store, slow))._replace(duration=400.0))
    (dear,) = await claim(store, 1, "report-2")
    await finish(store, succeed(await begin(store, dear), {"cost": "0.25"}))
    (wrong,) = await claim(store, 2, "report")
    error = ErrorRecord("TimeoutError", 'the "Börse" timed out\nat 100%', "Traceback")
    await finish(store, succeed(await begin(store, wrong))._replace(status=ExecutionStatus.FAILED, error=error, duration=2.0))
    (lost,) = await claim(store, 2, "report-2")
    await finish(store, succeed(await begin(store, lost))._replace(status=ExecutionStatus.LOST, reason="its process ended", duration=None))
    asked = slow._replace(execution_id="report@requested-7", trigger="requested", scheduled_at=at(3))
    await store.insert([asked])
    await store.insert([succeed(asked)._replace(execution_id="label@now-1", job_id="label", trigger="run_now", scheduled_at=at(4))])


def search(text: str, subject: Any) -> Search:
    return read_search(text, subject, me="maria", now=at(10))


EXECUTIONS = {
    "": ["label@now-1", "report@requested-7", "report failed", "report-2 lost", "report success", "report-2 success"],
    "status:failed": ["report failed"],
    "status:failed,lost": ["report failed", "report-2 lost"],
    "status:queued,lost": ["report@requested-7", "report-2 lost"],
    "status:success": ["label@now-1", "report success", "report-2 success"],
    "-status:success": ["report@requested-7", "report failed", "report-2 lost"],
    "job:report": ["report@requested-7", "report failed", "report success"],
    "job:REPORT*": ["report@requested-7", "report failed", "report-2 lost", "report success", "report-2 success"],
    'job:"weekly report"': ["report-2 lost", "report-2 success"],
    "job:label": ["label@now-1"],
    "-job:report": ["label@now-1", "report-2 lost", "report-2 success"],
    "tag:nightly": ["report@requested-7", "report failed", "report success"],
    "tag:GRÖSSE": ["report@requested-7", "report failed", "report success"],
    "tag:night_y": [],
    "tag:n?ghtly,weekly": ["report@requested-7", "report failed", "report-2 lost", "report success", "report-2 success"],
    "-tag:nightly": ["label@now-1", "report-2 lost", "report-2 success"],
    "owner:me status:success": ["report success"],
    "owner:Ben": ["report-2 lost", "report-2 success"],
    "tool:agent": ["report-2 lost", "report-2 success"],
    "trigger:run_now,requested": ["label@now-1", "report@requested-7"],
    "trigger:schedule status:failed": ["report failed"],
    "-trigger:schedule": ["label@now-1", "report@requested-7"],
    "took:>5m": ["report success"],
    "took:>=2s": ["report failed", "report success"],
    "took:<1s": ["label@now-1", "report-2 success"],
    "-took:>5m": ["label@now-1", "report@requested-7", "report failed", "report-2 lost", "report-2 success"],
    "cost:>0.10": ["report-2 success"],
    "cost:<=0.2": [],
    "cost:0.25": ["report-2 success"],
    "since:2030-01-01T00:02 until:2030-01-01T00:03": ["report failed", "report-2 lost"],
    "since:8m": ["label@now-1", "report@requested-7", "report failed", "report-2 lost"],
    'error:"timed out"': ["report failed"],
    'error:"BÖRSE"': ["report failed"],
    'error:timeouterror,"process ended"': ["report failed", "report-2 lost"],
    "error:100%": ["report failed"],
    "error:1_0": [],
    "-error:timed status:failed": [],
    "timed": ["report failed"],
    "now-1": ["label@now-1"],
    '"process ended" job:report-2': ["report-2 lost"],
}


@pytest.mark.usefixtures("labelled")
async def test_executions_that_fit(store: JobStore) -> None:
    """The newest first, whichever index answers."""
    await fill(store)
    found = {text: (await store.search_executions(search(text, "executions"), 100)).executions for text in EXECUTIONS}
    assert {text: [told(one) for one in executions] for text, executions in found.items()} == EXECUTIONS


def told(execution: Execution) -> str:
    """Return the id of an execution that was asked for; of one that was due, its job and its status."""
    return f"{execution.job_id} {execution.status}" if execution.trigger == "schedule" else execution.execution_id


JOBS = {
    "": ["report", "report-2", "idle"],
    "status:scheduled": ["report", "report-2"],
    "status:paused,done": ["idle", "over"],
    "status:cancelled": ["gone"],
    "status:failed": ["report"],
    "status:failed,done": ["report", "over"],
    "-status:scheduled": ["idle"],
    "-status:failed": ["report-2", "idle"],
    "job:report*": ["report", "report-2"],
    "job:Weekly*": ["report-2"],
    "tag:nightly": ["report"],
    "tag:nightly status:cancelled,done": ["over", "gone"],
    "tag:größe": ["report"],
    "-tag:nightly": ["report-2", "idle"],
    "owner:me": ["report"],
    "tool:sh*,agent": ["report-2", "idle"],
    "error:übung": ["idle"],
    "error:MÜLLER status:cancelled": ["gone"],
    "board": ["report"],
    "übung": ["idle"],
    "weekly": ["report-2"],
    "since:2030-01-01T00:03": ["report", "report-2"],
    "until:2030-01-01T00:03": [],
    "job:%": [],
}


@pytest.mark.usefixtures("labelled")
async def test_jobs_that_fit(store: JobStore) -> None:
    """The oldest first; those that are over only where they are asked for."""
    await fill(store)
    found = {text: (await store.search_jobs(search(text, "jobs"), 100)).jobs for text in JOBS}
    assert {text: [stored.job.job_id for stored in jobs] for text, jobs in found.items()} == JOBS


async def test_pages_of_a_search_are_all_that_fits(store: JobStore) -> None:
    """One at a time, each execution that fits comes once, in order."""
    await fill(store)
    for text in ("", "job:report*", "-status:cancelled", "owner:*", "took:<500s", "status:failed,lost,queued"):
        wanted = [told(one) for one in (await store.search_executions(search(text, "executions"), 100)).executions]
        found: list[str] = []
        place: Position | None = None
        for _ in range(10):
            page, place = await store.search_executions(search(text, "executions"), 1, place)
            found += [told(one) for one in page]
            if place is None:
                break
        assert (found, place) == (wanted, None)


@pytest.mark.usefixtures("labelled")
async def test_an_owner_sees_nothing_of_others(store: JobStore) -> None:
    """Whatever the terms say; a name that differs in its case is another owner's."""
    await fill(store)
    for name, jobs, executions in (("maria", {"report"}, {"report"}), ("Maria", set(), set()), ("m*", set(), set())):
        mine = Search("jobs", search("owner:* job:*", "jobs").terms, owner=name)
        assert {stored.job.job_id for stored in (await store.search_jobs(mine, 100)).jobs} == jobs
        mine = Search("executions", search("-job:nothing", "executions").terms, owner=name)
        assert {one.job_id for one in (await store.search_executions(mine, 100)).executions} == executions


async def test_an_owner_with_many_jobs_finds_them_behind_any_number_of_others(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of its jobs is filled while there are more, and only the last one is short; in order, each job once."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": 0, "executions": 0})
    monkeypatch.setattr(keyset_pages, "WINDOW", 3)
    for number in range(12):
        await add(store, f"ben-{number}", created_by=BEN, created_at=at(number))
    for number, minute in enumerate((1.5, 20, 21, 22, 23)):
        await add(store, f"maria-{number}", created_by=MARIA, created_at=at(minute))
    pages, place = list[list[str]](), None
    while not pages or place is not None:
        jobs, place = await store.search_jobs(Search("jobs", owner="maria"), 2, place)
        pages.append([stored.job.job_id for stored in jobs])
    assert pages == [["maria-0", "maria-1"], ["maria-2", "maria-3"], ["maria-4"]]


async def test_an_owner_with_many_jobs_finds_their_executions_behind_any_number_of_others(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of them is filled while there are more, and only the last one is short; the newest first, each once."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": 0, "executions": 0})
    monkeypatch.setattr(keyset_pages, "WINDOW", 3)
    monkeypatch.setattr(memory_queries, "FEW_JOBS", 0)
    monkeypatch.setattr(memory_search, "WINDOW", 4)
    monkeypatch.setattr(memory_search, "PORTION", 2)
    for owner in (MARIA, BEN):
        await add(store, owner.name, created_by=owner)
    ended = [("maria", 20.5), *(("ben", number) for number in range(9, 21)), *(("maria", number) for number in range(1, 5))]
    executions = [
        succeed(Execution(f"{owner}@{minute}", owner, "work", at(minute), started_at=at(minute)))._replace(status=status)
        for (owner, minute), status in zip(ended, [ExecutionStatus.SUCCESS, ExecutionStatus.FAILED] * 9, strict=False)
    ]
    await store.insert(executions)
    pages, place = list[list[str]](), None
    while not pages or place is not None:
        found, place = await store.search_executions(Search("executions", owner="maria"), 2, place)
        pages.append([execution.execution_id for execution in found])
    assert pages == [["maria@20.5", "maria@4"], ["maria@3", "maria@2"], ["maria@1"]]


@pytest.mark.parametrize("jobs_are", ["few", "many"])
async def test_a_page_of_an_owner_with_a_long_history_looks_at_a_part_of_it(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, jobs_are: str
) -> None:
    """Where no text fits, it ends after `WINDOW` of all and as many of the owner's, and the next one goes on: each record once."""
    if jobs_are == "many":
        monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": 0, "executions": 0})
        monkeypatch.setattr(memory_queries, "FEW_JOBS", 0)
    look_at_parts(monkeypatch)
    for owner in (MARIA, BEN):
        await add(store, owner.name, created_by=owner)
    await store.insert([ended("maria", number) for number in range(30)] + [ended("ben", number) for number in range(30, 50)])
    looked_at = list[str]()
    for module, name in ((searching, "error_texts"), (matching, "error_texts")):
        monkeypatch.setattr(module, name, lambda execution: looked_at.append(execution.execution_id) or ())
    pages, place, most = list[list[str]](), None, 0
    while not pages or place is not None:
        before = len(looked_at)
        found, place = await store.search_executions(replace(search("maria@0,é", "executions"), owner="maria"), 1, place)
        most = max(most, len(looked_at) - before)
        pages.append([execution.execution_id for execution in found])
    assert [page for page in pages if page] == [["maria@0"]]
    assert (len(pages) > 2, most <= 2 * WINDOW, looked_at) == (True, True, [f"maria@{number}" for number in reversed(range(30))])


async def test_a_page_of_an_owner_with_many_jobs_looks_at_a_part_of_them(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of its executions: what is found last is found by a later page, and each page is told where the next begins."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": 0, "executions": 0})
    look_at_parts(monkeypatch)
    for number in range(30):
        await add(store, f"maria-{number:02}", created_by=MARIA, created_at=at(number))
    pages, place = list[list[str]](), None
    while not pages or place is not None:
        jobs, place = await store.search_jobs(replace(search("maria-29,é", "jobs"), owner="maria"), 1, place)
        pages.append([stored.job.job_id for stored in jobs])
    assert [page for page in pages if page] == [["maria-29"]]
    assert len(pages) > 2


WINDOW = 6


def look_at_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page look at so many records, in small portions."""
    monkeypatch.setattr(keyset_pages, "WINDOW", WINDOW)
    monkeypatch.setattr(keyset_pages, "LOADED", 2)
    monkeypatch.setattr(memory_search, "WINDOW", WINDOW)
    monkeypatch.setattr(memory_search, "PORTION", 2)


def ended(owner: str, minute: int) -> Execution:
    return succeed(Execution(f"{owner}@{minute}", owner, "work", at(minute), started_at=at(minute)))


async def test_a_changed_job_is_found_by_what_it_is_now(store: JobStore) -> None:
    """Its former labels find it no more."""
    await add(store, "job", tags=("old",))
    await change(store, make("job", tags=("new",)), JobState(next_run_at=at(9)))
    found = [[stored.job.job_id for stored in (await store.search_jobs(search(f"tag:{tag}", "jobs"), 9)).jobs] for tag in ("old", "new")]
    assert found == [[], ["job"]]


async def test_results_are_left_out_where_they_are_not_wanted(store: JobStore) -> None:
    """A page of a search is as light as one of a list."""
    await fill(store)
    results = [
        (await store.search_executions(search("cost:>0", "executions"), 9, None, with_results)).executions[0].result
        for with_results in (True, False)
    ]
    assert (results, START) == ([{"cost": "0.25"}, None], at(0))
