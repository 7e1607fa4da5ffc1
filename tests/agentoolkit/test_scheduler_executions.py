"""Executions as things of their own: looked at, from inside too, cancelled, and run for a past range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.system.scheduler import JobNotFound, SchedulerError, current_execution
from agentoolkit.system.scheduler.engine.cancelling import Cancelling
from agentoolkit.system.scheduler.execution_records import Execution


async def test_executions_are_listed_by_status(kit, scheduler, probe):
    """list_executions gives the newest executions, of one job or all, in one status or any."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="a")
    await scheduler.add("2 minutes", job_id="b")
    await kit.advance(minutes=2)

    async def listed(**fields):
        return {(record["job_id"], record["status"]) for record in (await scheduler("list_executions", **fields))["history"]}

    assert await listed() == {("a", "running"), ("a", "skipped"), ("b", "running")}
    assert await listed(execution_status="running") == {("a", "running"), ("b", "running")}
    assert await listed(job_id="a", execution_status="skipped") == {("a", "skipped")}


async def test_one_execution_can_be_read(kit, scheduler):
    """get_execution gives the record with the id that the list names."""
    await scheduler.add("now", job_id="job")
    await kit.advance()
    (record,) = await scheduler.history("job")
    assert await scheduler("get_execution", execution_id=record["execution_id"]) == record


async def test_those_asked_for_at_one_instant_are_listed_as_they_were_asked_for(kit, scheduler):
    """Of executions of the same instant, the one that was asked for last comes first."""
    await scheduler.add("1 day", job_id="job")
    asked = [(await scheduler("run_now", job_id="job"))["execution_id"] for _ in range(5)]
    listed = (await scheduler("get_history", job_id="job"))["history"]
    assert [record["execution_id"] for record in listed] == asked[::-1]


@pytest.mark.parametrize("operation", ["get_execution", "cancel_execution"])
async def test_unknown_execution_is_refused(scheduler, operation):
    """An id that no record has raises KeyError and names the way to the right one."""
    with pytest.raises(KeyError, match="list_executions"):
        await scheduler(operation, execution_id="job@never")


async def test_what_ended_by_itself_is_not_noted_as_cancelled(kit, scheduler, probe, monkeypatch):
    """An execution that ends while it is being cancelled was not cancelled, and the audit does not say so."""

    async def too_late(cancelling: Cancelling, execution: Execution, reason: str) -> bool:
        return False

    probe.blocks()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")

    async def noted() -> list[str]:
        await scheduler("cancel_execution", execution_id=record["execution_id"])
        return [entry["action"] for entry in (await scheduler("audit", job_id="job"))["entries"]]

    with monkeypatch.context() as patch:
        patch.setattr(Cancelling, "cancel_execution", too_late)
        assert "cancelled_execution" not in await noted()
    assert "cancelled_execution" in await noted()


async def test_running_execution_can_be_cancelled(kit, scheduler, probe):
    """cancel_execution ends the handler, and the record has the reason; the job goes on."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", error_queue="errors")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")
    await scheduler("cancel_execution", execution_id=record["execution_id"], reason="not now")
    await kit.advance()
    (after,) = await scheduler.history("job")
    assert (after["status"], after["reason"], probe.running) == ("cancelled", "not now", 0)
    assert (await scheduler("get_job", job_id="job"))["next_run"] is not None


async def test_waiting_execution_can_be_cancelled(kit, scheduler, probe):
    """An execution that waits for room is taken out and never starts."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="queue_all", max_runs=2)
    await kit.advance(minutes=2)
    waiting = (await scheduler.history("job"))[1]
    cancelled = await scheduler("cancel_execution", execution_id=waiting["execution_id"])
    probe.may_end.set()
    await kit.advance()
    assert (cancelled["status"], await scheduler.statuses("job"), len(probe.calls)) == ("cancelled", ["success", "cancelled"], 1)


async def test_execution_cancelled_as_it_gets_its_turn_gives_it_on(kit, scheduler, probe):
    """One that is cancelled in the very moment in which it gets its room leaves it to those behind it."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="queue_all", max_runs=3)
    await kit.advance(minutes=3)
    _, second, _ = await scheduler.history("job")

    def cancel_second(event):
        if event.type == "scheduler.task.started" and event.execution.execution_id == second["execution_id"]:
            cancelling.append(scheduler.begin("cancel_execution", execution_id=second["execution_id"]))

    cancelling = []
    kit.scheduler.subscribe(cancel_second)
    probe.may_end.set()
    await kit.advance()
    assert (await scheduler.statuses("job"), kit.scheduler.lifecycle.engine.dispatch.executor.running) == (
        ["success", "cancelled", "success"],
        0,
    )


async def test_execution_that_waits_for_a_retry_can_be_cancelled(kit, scheduler, probe):
    """An execution between two attempts is cancelled at once, and its next attempt does not come."""
    probe.raises = OSError()
    await scheduler.add("now", job_id="job", max_retries=3, retry_backoff=60)
    await kit.advance()
    (record,) = await scheduler.history("job")
    await scheduler("cancel_execution", execution_id=record["execution_id"])
    await kit.advance(hours=1)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["cancelled"], 1)


async def test_ended_execution_stays_as_it_is(kit, scheduler):
    """cancel_execution of what has ended changes nothing and says how it ended."""
    await scheduler.add("now", job_id="job")
    await kit.advance()
    (record,) = await scheduler.history("job")
    assert (await scheduler("cancel_execution", execution_id=record["execution_id"]))["status"] == "success"


async def test_backfill_runs_a_past_range_once(kit, scheduler, probe):
    """backfill runs the due times of a range that have no record, and the same call again adds nothing."""
    await scheduler.add("0 * * * *", job_id="job")
    given = {"job_id": "job", "start_at": "2029-12-31T20:00:00", "end_at": "2030-01-01T00:00:00"}
    first = await scheduler("backfill", **given)
    await kit.advance()
    second = await scheduler("backfill", **given)
    assert (first["created"], first["total"], second["created"], second["statuses"]) == (4, 4, 0, {"success": 4})
    assert len(probe.calls) == 4


async def test_what_waits_of_a_finished_job_runs_as_its_id_is_defined_anew(kit, scheduler, probe):
    """A backfill of a job that is done goes on with the input of the job that is made under its id."""
    await scheduler.add("1 hour", job_id="job", max_runs=1, max_instances=1)
    await kit.advance(hours=5)
    probe.blocks()
    await scheduler("backfill", job_id="job", start_at="2030-01-01T02:00:00", end_at="2030-01-01T04:00:00")
    await kit.advance()
    await scheduler.add("1 day", job_id="job", input_data={"operation": "run", "number": 7})
    probe.may_end.set()
    await kit.advance()
    assert [given["number"] for given in probe.inputs] == [0, 0, 7]


async def test_longest_backfill_is_run_once(kit, scheduler, probe):
    """As many due times as a history holds are run by the first call, and none of them by the next ones."""
    await scheduler.add("0 * * * *", job_id="job", paused=True)
    given = {"job_id": "job", "start_at": "2029-12-27T20:00:00", "end_at": "2030-01-01T00:00:00"}
    created = []
    for _ in range(3):
        created.append((await scheduler("backfill", **given))["created"])
        for _ in range(10):  # one at a time, they need many turns
            await kit.advance()
    assert (created, len(probe.calls)) == ([100, 0, 0], 100)


async def test_backfill_respects_max_instances(kit, scheduler, probe):
    """A backfill runs no more at once than the job may."""
    probe.blocks()
    await scheduler.add("0 * * * *", job_id="job", max_instances=2)
    await scheduler("backfill", job_id="job", start_at="2029-12-31T20:00:00", end_at="2030-01-01T00:00:00")
    await kit.clock.let_run()
    running = probe.running
    probe.may_end.set()
    await kit.advance()
    assert (running, probe.most_running, len(probe.calls)) == (2, 2, 4)


@pytest.mark.parametrize(
    ("start", "end", "named"),
    [
        ("2031-01-01T00:00:00", "2031-01-02T00:00:00", "no past due time"),
        ("2029-12-31T20:30:00", "2029-12-31T20:45:00", "no past due time"),
        ("2020-01-01T00:00:00", "2030-01-01T00:00:00", "more than 100 due times"),
        ("2029-12-27T19:00:00", "2030-01-01T00:00:00", "more than 100 due times"),
        ("long ago", "2030-01-01T00:00:00", "is no time"),
    ],
)
async def test_impossible_backfill_is_refused(scheduler, start, end, named):
    """A range without past due times, or with more than the history holds, is refused and nothing runs."""
    await scheduler.add("0 * * * *", job_id="job")
    with pytest.raises(ValueError, match=named):
        await scheduler("backfill", job_id="job", start_at=start, end_at=end)
    assert await scheduler.history("job") == []


async def test_cancel_execution_while_stopped(kit, scheduler, probe):
    """What a stopped scheduler has ended can be asked about and stays as it is."""
    probe.blocks()
    await scheduler.add("now", job_id="job")
    await kit.advance()
    (record,) = await scheduler.history("job")
    await kit.scheduler.lifecycle.stop(seconds=0.05)
    assert (await scheduler("cancel_execution", execution_id=record["execution_id"]))["status"] == "cancelled"
    with pytest.raises(SchedulerError, match="stopped"):
        await scheduler("backfill", job_id="job", start_at="2029-12-31T20:00:00", end_at="2030-01-01T00:00:00")


async def test_restart_goes_on(kit, scheduler, probe):
    """restart stops and starts in one, and jobs fire on."""
    await scheduler.add("1 hour", job_id="job")
    assert (await scheduler("restart"))["running"]
    await kit.advance(hours=1)
    assert len(probe.calls) == 1


@pytest.mark.parametrize("count", [None, 2])
async def test_preview_schedules_nothing(scheduler, count):
    """preview says in words what a schedule means and when it fires next, five times or as many as asked."""
    shown = await scheduler("preview", schedule="every weekday at 9am", timezone="Europe/Berlin", **({"count": count} if count else {}))
    assert (shown["schedule"], shown["next_runs"][0], len(shown["next_runs"])) == ("0 9 * * 1-5", "2030-01-01T09:00:00+01:00", count or 5)
    assert (await scheduler("list"))["count"] == 0


async def test_preview_of_nonsense_is_refused(scheduler):
    """preview refuses what schedule would."""
    with pytest.raises(ValueError, match="schedule"):
        await scheduler("preview", schedule="whenever")


async def test_handler_knows_its_execution(kit, scheduler, probe, monkeypatch):
    """A handler can ask for the execution it runs in: its id, due time and attempt; outside of one there is none."""
    seen = []

    async def look(**given):
        seen.append(current_execution())

    monkeypatch.setattr(probe, "run", look)
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    (execution,) = seen
    assert (execution.execution_id, execution.attempt) == ("job@2030-01-01T00:01:00+00:00", 1)
    assert execution.scheduled_at == datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=1)
    assert current_execution() is None


async def test_record_has_times_and_duration(kit, scheduler, probe):
    """A record says when it was due, when it began and ended, how long the handler took, and which attempt it was."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1.5)
    probe.may_end.set()
    await kit.advance()
    (record,) = await scheduler.history("job")
    times = {"scheduled_at": "2030-01-01T00:01:00+00:00", "started_at": "2030-01-01T00:01:00+00:00", "attempt": 1}
    assert {**times, "finished_at": "2030-01-01T00:01:30+00:00"}.items() <= record.items()
    assert record["duration"] >= 0


@pytest.mark.parametrize("asked", [{"execution_status": "failed"}, {"query": "status:failed"}, {"limit": 5}])
async def test_nothing_of_an_unknown_job_is_no_empty_list(scheduler, asked):
    """A mistyped job is told, whatever else is asked; one that is there and has nothing of it is an empty list."""
    await scheduler.add("1 hour", job_id="there")
    assert (await scheduler("list_executions", job_id="there", **asked))["history"] == []
    with pytest.raises(JobNotFound, match="Did you mean 'there'"):
        await scheduler("list_executions", job_id="ther", **asked)


async def test_what_was_done_to_an_unknown_job_is_no_empty_list(scheduler):
    """The audit tells a mistyped job as well; of a cancelled one it still has everything, by its name too."""
    await scheduler.add("1 hour", job_name="Old one")
    await scheduler("cancel", job_id="Old one")
    assert (await scheduler("audit", job_id="Old one"))["count"] == 2
    with pytest.raises(JobNotFound):
        await scheduler("audit", job_id="nobody")
