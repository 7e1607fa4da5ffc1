"""What every store of jobs owes. One suite, every store; a new one adds itself to `STORES`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentoolkit.database import Database
from agentoolkit.dialects import dialect_for
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import ErrorRecord, Execution, Job, JobState, Policies, Standing, Status
from agentoolkit.system.scheduler.ports import Claimed, JobStore, Message
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import MIGRATIONS, SqlJobStore
from agentoolkit.testing import ManualTime

START = datetime(2030, 1, 1, tzinfo=UTC)


def memory(request: pytest.FixtureRequest) -> JobStore:
    return MemoryJobStore()


def sqlite(request: pytest.FixtureRequest) -> JobStore:
    path = request.getfixturevalue("sqlite_database")
    return SqlJobStore(Database(dialect_for(str(path), "normal"), MIGRATIONS), ManualTime(START))


def postgres(request: pytest.FixtureRequest) -> JobStore:
    url = request.getfixturevalue("postgres_url")
    return SqlJobStore(Database(dialect_for(url), MIGRATIONS), ManualTime(START))


STORES: dict[str, Callable[[pytest.FixtureRequest], JobStore]] = {"memory": memory, "sqlite": sqlite, "postgres": postgres}
"""Each makes a store that holds nothing."""


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, nothing_left: None) -> AsyncIterator[JobStore]:
    made = STORES[request.param](request)
    await made.open()
    assert await made.lead(START)
    yield made
    await made.close()


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def make(job_id: str = "job", schedule: str = "1 minute", **fields: Any) -> Job:
    policies = Policies(**{name: fields.pop(name) for name in list(fields) if name in Policies.__dataclass_fields__})
    made = {"job_name": job_id, "agentool_name": "probe", "input_data": {"operation": "run"}, "created_at": START, **fields}
    return Job(job_id=job_id, schedule=read_schedule(schedule, now=START, timezone="UTC").schedule, policies=policies, **made)


async def add(store: JobStore, job_id: str = "job", state: JobState = JobState.ACTIVE, **fields: Any) -> Job:
    job = make(job_id, **fields)
    await store.add(job, Standing(state, job.schedule.first_from(START)))
    return job


async def claim(store: JobStore, minutes: float, *job_ids: str) -> list[Execution]:
    return [claimed.execution for claimed in (await store.claim(job_ids or ("job",), at(minutes))).records]


async def claim_one(store: JobStore, minutes: float = 1) -> Execution:
    (execution,) = await claim(store, minutes)
    return execution


async def begin(store: JobStore, execution: Execution) -> Execution:
    started = execution._replace(status=Status.RUNNING, started_at=execution.scheduled_at)
    assert await store.begin(started)
    return started


def succeed(execution: Execution, result: Any = None) -> Execution:
    return execution._replace(status=Status.SUCCESS, result=result, finished_at=execution.scheduled_at, duration=0.5)


async def run(store: JobStore, minutes: float = 1, queue_name: str | None = None) -> Execution:
    """Claim, begin and finish the job's next execution."""
    ended = succeed(await begin(store, await claim_one(store, minutes)))
    message = Message(ended.execution_id, queue_name, {"result": None}) if queue_name else None
    assert await store.finish(ended, message)
    return ended


def none_held(execution_id: str) -> bool:
    return False


EVERY_POLICY: dict[str, Any] = {
    "max_instances": 3,
    "misfire_grace_time": None,
    "coalesce": False,
    "max_runs": 7,
    "timeout": 1.5,
    "max_retries": 2,
    "retry_backoff": 0.5,
    "retry_on": ("OSError",),
    "overlap": "queue_one",
    "catch_up": "all",
    "catch_up_window": 60,
    "on_interrupt": "fail",
    "concurrency_key": "k",
    "priority": "high",
}


# Jobs


async def test_store_comes_back_as_it_was_added(store: JobStore):
    """A job with every field set is found as it was added, by its id and by its name."""
    job = make(
        "job",
        "0 9 * * 1-5",
        job_name="Jöb 'one'",
        input_data={"operation": "run", "data": {"a": [1, 2.5, None, True, "ü"]}},
        result_queue="results",
        error_queue="errors",
        description="what it is for",
        tags=("a", "b"),
        created_at=at(0.5),
        **EVERY_POLICY,
    )
    standing = Standing(JobState.PAUSED, at(540), 4, 1, "why", at(600))
    await store.add(job, standing)
    assert await store.find("job") == (job, standing)
    assert await store.find("Jöb 'one'") == (job, standing)


@pytest.mark.parametrize("kind", ["0 9 * * *", "90 minutes", "2030-06-01T12:00:00+00:00"])
async def test_every_kind_of_schedule_is_kept(store: JobStore, kind: str):
    """Cron, interval and once come back with anchor, zone and bounds."""
    job = make(schedule=kind)
    job = replace(job, schedule=replace(job.schedule, end_at=at(10**6), jitter=2.0, jitter_key="job", exclude=("2030-01-05",)))
    await store.add(job, Standing())
    found = await store.find("job")
    assert found is not None
    assert found.job == job


async def test_find_tells_when_there_is_none(store: JobStore):
    """What nobody added is not found."""
    assert await store.find("nobody") is None


async def test_id_goes_before_name(store: JobStore):
    """Of a job with this id and one that is done with this name, the one with the id is found."""
    await add(store, "b", JobState.DONE, job_name="a")
    await add(store, "a", job_name="c")
    found = await store.find("a")
    assert found is not None
    assert found.job.job_id == "a"


async def test_jobs_are_listed_oldest_first(store: JobStore):
    """All jobs are listed in the order they were made."""
    for minute, job_id in enumerate(("c", "a", "b")):
        await add(store, job_id, created_at=at(minute))
    assert [stored.job.job_id for stored in await store.jobs()] == ["c", "a", "b"]


@pytest.mark.parametrize(("job_id", "job_name"), [("job", "other"), ("other", "name"), ("name", "other"), ("other", "job")])
async def test_taken_id_or_name_is_refused(store: JobStore, job_id: str, job_name: str):
    """A second job with the id or name of one that can fire, crosswise too, raises JobExists, and the first stays."""
    first = await add(store, job_name="name")
    with pytest.raises(JobExists):
        await add(store, job_id, job_name=job_name)
    assert [stored.job for stored in await store.jobs()] == [first]


async def test_finished_job_gives_up_its_id(store: JobStore):
    """A new job takes the place of one with its id that is done."""
    await add(store, state=JobState.DONE)
    second = await add(store, description="second")
    assert [stored.job for stored in await store.jobs()] == [second]


async def test_finished_job_gives_up_its_name(store: JobStore):
    """A new job may have the name of another that is done, and is found by it."""
    await add(store, "old", JobState.DONE, job_name="name")
    second = await add(store, "new", job_name="name")
    found = await store.find("name")
    assert found is not None
    assert found.job == second


async def test_replace_changes_and_counts_the_version(store: JobStore):
    """replace with the current version changes the job and makes its version one higher."""
    job = await add(store)
    changed = replace(job, description="new", job_name="renamed")
    assert await store.replace(changed, Standing(JobState.PAUSED, at(5)), version=1)
    assert await store.find("renamed") == (changed, Standing(JobState.PAUSED, at(5), version=2))
    assert await store.find("job") == (changed, Standing(JobState.PAUSED, at(5), version=2))


async def test_replace_with_an_old_version_changes_nothing(store: JobStore):
    """replace with another version than the current one is refused."""
    job = await add(store)
    before = await store.find("job")
    assert not await store.replace(replace(job, description="new"), Standing(), version=2)
    assert not await store.replace(replace(job, job_id="nobody"), Standing(), version=1)
    assert await store.find("job") == before


async def test_renamed_job_gives_up_its_old_name(store: JobStore):
    """After a new name the old one finds nothing and may be another's."""
    job = await add(store, "a", job_name="old")
    await store.replace(replace(job, job_name="new"), Standing(), version=1)
    assert await store.find("old") is None
    await add(store, "b", job_name="old")


async def test_remove_forgets_the_job_and_keeps_its_history(store: JobStore):
    """A removed job is not found, its name is free, and its executions stay."""
    await add(store)
    ended = await run(store)
    assert await store.remove("job")
    assert not await store.remove("job")
    assert (await store.find("job"), list(await store.jobs())) == (None, [])
    assert [found.execution_id for found in await store.executions("job", 10)] == [ended.execution_id]


async def test_remove_cancels_what_waits(store: JobStore):
    """Executions of a removed job that were not begun are cancelled, and one that runs may end."""
    await add(store, max_instances=2)
    running = await begin(store, await claim_one(store, 1))
    waiting = await claim_one(store, 2)
    await store.remove("job")
    assert not await store.begin(waiting._replace(status=Status.RUNNING))
    assert await store.finish(succeed(running), None)
    assert {found.status for found in await store.executions("job", 10)} == {Status.CANCELLED, Status.SUCCESS}


# Claims


async def test_claim_gives_a_due_time_out_and_moves_on(store: JobStore):
    """A claim returns an execution of the due time, owned by this store, and when the job is due next."""
    job = await add(store)
    claims = await store.claim(["job"], at(1))
    assert [(claimed.job, claimed.execution.scheduled_at) for claimed in claims.records] == [(job, at(1))]
    assert (claims.records[0].execution.status, claims.records[0].execution.owner) == (Status.QUEUED, store.owner)
    assert list(claims.next_times) == [("job", at(2))]


async def test_second_claim_gives_nothing(store: JobStore):
    """A due time that was given out is not given out again, and the answer says when the job is due next."""
    await add(store)
    await claim(store, 1)
    again = await store.claim(["job"], at(1))
    assert (list(again.records), list(again.next_times)) == ([], [("job", at(2))])


async def test_due_time_put_back_is_not_given_out_again(store: JobStore):
    """A due time that has its execution is passed over, also if an editor put the job's standing back meanwhile."""
    job = await add(store)
    ended = await run(store)
    await store.replace(job, Standing(next_run_at=at(1)), version=1)
    claims = await store.claim(["job"], at(1))
    assert (list(claims.records), list(claims.next_times)) == ([], [("job", at(2))])
    assert await store.execution(ended.execution_id) == ended


async def test_claim_of_many_jobs_answers_for_each(store: JobStore):
    """One claim deals with due, paused, finished and unknown jobs alike."""
    await add(store, "due")
    await add(store, "later", schedule="1 hour")
    await add(store, "paused", JobState.PAUSED)
    await add(store, "done", JobState.DONE)
    claims = await store.claim(["due", "later", "paused", "done", "unknown"], at(1))
    assert [claimed.execution.job_id for claimed in claims.records] == ["due"]
    assert dict(claims.next_times) == {"due": at(2), "later": at(60), "paused": None, "done": None, "unknown": None}


async def test_claim_writes_down_what_it_passes_over(store: JobStore):
    """Missed and skipped due times are in the history, finished, as soon as they are claimed."""
    await add(store, misfire_grace_time=60, coalesce=False)
    records = await claim(store, 10)
    assert [record.status for record in records] == [Status.MISSED, Status.QUEUED, Status.SKIPPED]
    assert {found.execution_id for found in await store.executions("job", 10)} == {record.execution_id for record in records}


async def test_claim_counts_unfinished_executions(store: JobStore):
    """A due time is skipped as long as max_instances executions are unfinished, and no longer."""
    await add(store)
    first = await claim_one(store, 1)
    assert (await claim_one(store, 2)).status is Status.SKIPPED
    await store.finish(succeed(await begin(store, first)), None)
    assert (await claim_one(store, 3)).status is Status.QUEUED


async def test_claim_keeps_where_the_job_stands(store: JobStore):
    """After its last run a job is done, and its standing says how often it ran."""
    await add(store, max_runs=1)
    await claim(store, 1)
    found = await store.find("job")
    assert found is not None
    assert (found.standing.state, found.standing.runs, found.standing.next_run_at) == (JobState.DONE, 1, None)


async def test_claim_does_not_count_as_a_change(store: JobStore):
    """Firing leaves a job's version as it is: who edits it need not read it again."""
    job = await add(store)
    await claim(store, 1)
    assert await store.replace(job, Standing(next_run_at=at(2)), version=1)


async def test_upcoming_names_what_is_due_some_time(store: JobStore):
    """upcoming has every active job and when it is due, and none that is done."""
    await add(store, "active")
    await add(store, "done", JobState.DONE)
    due = {job_id: when for job_id, when in await store.upcoming() if when is not None}
    assert due == {"active": at(1)}


# Executions


async def test_execution_comes_back_as_it_was_finished(store: JobStore):
    """Every field of an outcome is kept, times to the microsecond."""
    await add(store)
    started = await begin(store, await claim_one(store))
    error = ErrorRecord("ValueError", "no 'such' thing", "Traceback …")
    ended = started._replace(
        status=Status.FAILED,
        reason="raised ValueError",
        error=error,
        finished_at=at(2) + timedelta(microseconds=7),
        duration=0.25,
        result={"partial": [1, None, "ü"]},
    )
    assert await store.finish(ended, None)
    assert await store.execution(ended.execution_id) == ended


async def test_execution_is_begun_once(store: JobStore):
    """begin tells whether the execution was still waiting: the first time only."""
    await add(store)
    started = await begin(store, await claim_one(store))
    assert not await store.begin(started)


async def test_begun_execution_is_seen_running(store: JobStore):
    """Between begin and finish the execution is in the history as running."""
    await add(store)
    started = await begin(store, await claim_one(store))
    assert await store.execution(started.execution_id) == started
    assert list(await store.executions("job", 10)) == [started]


async def test_execution_is_finished_once(store: JobStore):
    """A second outcome changes nothing, sends nothing, and finish says so."""
    await add(store)
    ended = await run(store)
    other = ended._replace(status=Status.FAILED)
    assert not await store.finish(other, Message(other.execution_id, "q", {}))
    assert await store.execution(ended.execution_id) == ended
    assert list(await store.outbox(10)) == []


async def test_finished_execution_is_not_begun(store: JobStore):
    """An execution that was cancelled before it began cannot be begun."""
    await add(store)
    waiting = await claim_one(store)
    await store.finish(waiting._replace(status=Status.CANCELLED), None)
    assert not await store.begin(waiting._replace(status=Status.RUNNING))


async def test_unknown_execution_is_neither_begun_nor_finished(store: JobStore):
    """begin and finish of an execution nobody claimed say no and write nothing."""
    ghost = Execution("ghost@now", "ghost", "probe", START, owner=store.owner)
    assert not await store.begin(ghost._replace(status=Status.RUNNING))
    assert not await store.finish(succeed(ghost), None)
    assert await store.execution("ghost@now") is None


async def test_record_writes_down_once(store: JobStore):
    """record returns the ids that were new, and an id that is there stays as it is."""
    asked = Execution("job@now-1", "job", "probe", START, trigger="run_now", owner=store.owner)
    assert list(await store.record([asked])) == ["job@now-1"]
    assert list(await store.record([asked._replace(reason="other"), asked._replace(execution_id="job@now-2")])) == ["job@now-2"]
    assert await store.execution("job@now-1") == asked


async def test_history_holds_the_newest_hundred(store: JobStore):
    """Of 103 outcomes of a job the newest hundred are kept, and another job's stay."""
    await add(store, "other")
    await store.finish(succeed(await begin(store, (await claim(store, 1, "other"))[0])), None)
    await add(store)
    for minute in range(1, 104):
        await run(store, minute)
    history = await store.executions("job", 1000)
    assert (len(history), history[0].scheduled_at, history[-1].scheduled_at) == (100, at(103), at(4))
    assert len(await store.executions("other", 10)) == 1


async def test_history_of_passed_over_times_is_pruned_too(store: JobStore):
    """Skipped due times are pruned like outcomes, and the execution that still runs is not."""
    await add(store)
    running = await begin(store, await claim_one(store, 1))
    for minute in range(2, 110):
        await claim(store, minute)
    history = await store.executions("job", 1000)
    assert len([found for found in history if found.finished]) == 100
    assert running in history


async def test_executions_are_limited_newest_first(store: JobStore):
    """A limit gives the newest, of one job or of all."""
    await add(store, "a")
    await add(store, "b", schedule="90 seconds")
    await claim(store, 1, "a")
    await claim(store, 1.5, "b")
    assert [found.job_id for found in await store.executions(None, 10)] == ["b", "a"]
    assert [found.job_id for found in await store.executions(None, 1)] == ["b"]


async def test_retry_waits_and_can_be_begun_again(store: JobStore):
    """An execution that waits for its next attempt is unfinished, and is begun like a new one."""
    await add(store)
    started = await begin(store, await claim_one(store))
    waiting = started._replace(status=Status.RETRYING, attempt=2, retry_at=at(3), started_at=None)
    assert await store.retry(waiting)
    assert await store.execution(started.execution_id) == waiting
    assert await store.begin(waiting._replace(status=Status.RUNNING, started_at=at(3)))


async def test_finished_execution_is_not_retried(store: JobStore):
    """An outcome is final."""
    await add(store)
    ended = await run(store)
    assert not await store.retry(ended._replace(status=Status.RETRYING, retry_at=at(3)))
    assert await store.execution(ended.execution_id) == ended


async def test_take_over_leaves_what_is_held(store: JobStore):
    """Executions that this process works on are left alone."""
    await add(store)
    await begin(store, await claim_one(store))
    assert list(await store.take_over(at(2), lambda _: True)) == []


async def test_take_over_starts_waiting_executions(store: JobStore):
    """An execution that was claimed, not begun, and is held by nobody is given out to be started."""
    job = await add(store)
    waiting = await claim_one(store)
    (taken,) = await store.take_over(at(2), none_held)
    assert taken == Claimed(job, waiting)
    assert await store.begin(waiting._replace(status=Status.RUNNING))


@pytest.mark.parametrize(("on_interrupt", "status"), [("retry", Status.QUEUED), ("fail", Status.LOST)])
async def test_take_over_settles_running_executions(store: JobStore, on_interrupt: str, status: Status):
    """An execution whose process ended is to be started again, or is lost and says why, as its job chose."""
    await add(store, on_interrupt=on_interrupt, error_queue="errors")
    started = await begin(store, await claim_one(store))
    (taken,) = await store.take_over(at(2), none_held)
    found = await store.execution(started.execution_id)
    assert found is not None
    assert (taken.execution.status, found.status, bool(found.reason)) == (status, status, True)
    assert [message.queue_name for message in await store.outbox(10)] == (["errors"] if status is Status.LOST else [])


# Outbox


async def test_outcome_and_message_are_written_together(store: JobStore):
    """A finished execution with a message is pending delivery, and its message is in the outbox."""
    await add(store)
    ended = await run(store, queue_name="results")
    found = await store.execution(ended.execution_id)
    assert found is not None
    assert found.delivery == "pending"
    assert list(await store.outbox(10)) == [Message(ended.execution_id, "results", {"result": None})]


async def test_outbox_is_in_order_and_limited(store: JobStore):
    """The oldest messages come first, at most so many."""
    await add(store)
    ended = [await run(store, minute, "results") for minute in (1, 2, 3)]
    assert [message.execution_id for message in await store.outbox(2)] == [execution.execution_id for execution in ended[:2]]


async def test_delivered_message_leaves_the_outbox(store: JobStore):
    """A delivered message is gone, and the history says delivered; a second time changes nothing."""
    await add(store)
    ended = await run(store, queue_name="results")
    for _ in range(2):
        await store.delivered(ended.execution_id)
        found = await store.execution(ended.execution_id)
        assert found is not None
        assert (list(await store.outbox(10)), found.delivery) == ([], "delivered")


async def test_undelivered_message_stays_and_counts(store: JobStore):
    """After a failed attempt the message stays, keeps its place, and knows how many there were."""
    await add(store)
    first, second = [await run(store, minute, "results") for minute in (1, 2)]
    await store.undelivered((await store.outbox(1))[0], give_up=False)
    found = [(message.execution_id, message.attempts) for message in await store.outbox(10)]
    assert found == [(first.execution_id, 1), (second.execution_id, 0)]


async def test_message_given_up_leaves_the_outbox(store: JobStore):
    """A message that was given up is gone, and the history says so."""
    await add(store)
    ended = await run(store, queue_name="results")
    await store.undelivered((await store.outbox(1))[0], give_up=True)
    found = await store.execution(ended.execution_id)
    assert found is not None
    assert (list(await store.outbox(10)), found.delivery) == ([], "failed")


# Lifetime and leadership


async def test_open_and_close_twice(store: JobStore):
    """open and close do no harm the second time."""
    await store.open()
    await store.close()
    await store.close()


async def test_halted_until_told_otherwise(store: JobStore):
    """halt is remembered."""
    assert not await store.halted()
    await store.halt(True)
    assert await store.halted()
    await store.halt(False)
    assert not await store.halted()


async def test_leadership_is_kept(store: JobStore):
    """Who leads goes on leading."""
    assert await store.lead(at(1))
