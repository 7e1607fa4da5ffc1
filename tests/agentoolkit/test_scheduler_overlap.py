"""Policies of ours: overlapping runs, catching up, priorities, shared keys, pauses with an end."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest


async def late(kit, **length):
    """Let time pass unnoticed, then let the scheduler notice."""
    kit.clock.jump(kit.clock.now() + timedelta(**length))
    await kit.advance()


@pytest.mark.parametrize(
    ("overlap", "during", "after"),
    [
        ("skip", ["running", "skipped", "skipped"], ["success", "skipped", "skipped"]),
        ("queue_one", ["running", "queued", "skipped"], ["success", "success", "skipped"]),
        ("queue_all", ["running", "queued", "queued"], ["success", "success", "success"]),
        ("allow", ["running", "running", "running"], ["success", "success", "success"]),
        ("cancel_running", ["cancelled", "cancelled", "running"], ["cancelled", "cancelled", "success"]),
    ],
)
async def test_overlap_decides_on_due_times_while_one_runs(kit, scheduler, probe, overlap, during, after):
    """With one of at most one running, two further due times are skipped, wait, run beside it or replace it, as `overlap` says."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap=overlap, max_runs=3)
    await kit.advance(minutes=3)
    assert await scheduler.statuses("job") == during
    await scheduler("pause", job_id="job")
    probe.may_end.set()
    await kit.advance()
    await kit.advance()
    assert await scheduler.statuses("job") == after


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"catch_up": "latest"}, [("missed", 9), ("success", 1)]),
        ({"catch_up": "all"}, [("success", 1)] * 10),
        ({"catch_up": "all", "overlap": "queue_one"}, [("success", 1)] * 10),
        ({"catch_up": "none"}, [("missed", 10)]),
        ({"catch_up": "all", "catch_up_window": 150}, [("missed", 8), ("success", 1), ("success", 1)]),
    ],
)
async def test_catch_up_decides_on_late_due_times(kit, scheduler, fields, expected):
    """Of ten due times noticed late, catch_up runs the latest, all, or none, as far back as its window."""
    await scheduler.add("1 minute", job_id="job", **fields)
    await late(kit, minutes=10, seconds=45)
    await kit.advance()
    assert [(record["status"], record["due_count"]) for record in await scheduler.history("job")] == expected


@pytest.mark.parametrize("max_instances", [1, 3])
async def test_late_due_times_run_one_after_the_other(kit, scheduler, probe, max_instances):
    """Late due times that all run wait for each other: never do more than max_instances run at once."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", catch_up="all", max_instances=max_instances)
    await late(kit, minutes=5)
    during = (probe.running, await scheduler.statuses("job"))
    probe.may_end.set()
    await kit.advance()
    await kit.advance()
    assert during == (max_instances, ["running"] * max_instances + ["queued"] * (5 - max_instances))
    assert (await scheduler.statuses("job"), probe.most_running) == (["success"] * 5, max_instances)


async def test_due_time_that_is_not_late_keeps_its_overlap_policy(kit, scheduler, probe):
    """While late due times are caught up on, one noticed in time is skipped as ever."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", catch_up="all")
    await late(kit, minutes=2, seconds=30)
    await kit.advance(seconds=30)
    assert await scheduler.statuses("job") == ["running", "queued", "skipped"]


async def test_shared_key_lets_one_run_at_a_time(kit, scheduler, probe):
    """Executions of different jobs with one concurrency_key run one after another."""
    probe.blocks()
    for job_id in ("a", "b", "c"):
        await scheduler.add("1 minute", job_id=job_id, concurrency_key="database", max_runs=1)
    await kit.advance(minutes=1)
    running = probe.running
    probe.may_end.set()
    await kit.advance()
    assert (running, probe.most_running, len(probe.calls)) == (1, 1, 3)


async def test_urgent_executions_go_first(kit, scheduler, probe):
    """Of executions that wait for room, those of higher priority start first."""
    probe.blocks()
    kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 1
    for number, priority in enumerate(("medium", "low", "medium", "high", "critical")):
        data = {"operation": "run", "number": number}
        await scheduler.add("now", job_id=f"job{number}", input_data=data, priority=priority)
        await kit.advance()
    probe.may_end.set()
    await kit.advance()
    assert [given["number"] for given in probe.inputs] == [0, 4, 3, 2, 1]


async def test_pause_may_have_an_end(kit, scheduler, probe):
    """A job paused until a time fires again after it by itself, and says until then why it does not."""
    await scheduler.add("1 hour", job_id="job")
    await scheduler("pause", job_id="job", until="2030-01-01T02:30:00", reason="maintenance")
    info = (await scheduler("get_job", job_id="job"))["info"]
    await kit.advance(hours=4)
    assert (info["state"], info["reason"], info["paused_until"]) == ("paused", "maintenance", "2030-01-01T02:30:00+00:00")
    assert [call[11:13] for call in probe.calls] == ["03", "04"]


@pytest.mark.parametrize(
    ("until", "end"),
    [("at 02:30", "2030-01-01T02:30:00"), ("in 90 minutes", "2030-01-01T01:30:00"), ("friday", "2030-01-04T00:00:00")],
)
async def test_the_end_of_a_pause_may_be_in_words(scheduler, until, end):
    """As `start_at` takes them, in the zone of the job; a day alone is its beginning."""
    await scheduler.add("1 hour", job_id="job")
    await scheduler("pause", job_id="job", until=until)
    assert (await scheduler("get_job", job_id="job"))["info"]["paused_until"] == f"{end}+00:00"


@pytest.mark.parametrize(
    ("schedule", "bounds", "due", "number"),
    [
        ("2030-01-01T09:00:00", {}, "2030-01-01T09:00:00+00:00", 1),
        ("1 hour", {"end_at": "2030-01-01T03:30:00"}, "2030-01-01T03:00:00+00:00", 3),
        ("0 9 * * *", {"end_at": "2030-01-02T12:00:00"}, "2030-01-02T09:00:00+00:00", 2),
    ],
)
async def test_a_job_that_ends_within_its_pause_leaves_a_record(kit, scheduler, probe, schedule, bounds, due, number):
    """A reminder that is paused past its time is missed, and its pause says so at once; so is the rest of a job with an end."""
    await scheduler.add(schedule, job_id="job", **bounds)
    paused = await scheduler("pause", job_id="job", until="2030-01-04")
    assert paused["remarks"] == ["Nothing of it is due after the pause: it ends then, and does not run."]
    await kit.advance(days=4)
    (missed,) = (await scheduler("get_history", job_id="job"))["history"]
    assert (missed["status"], missed["scheduled_at"], missed["due_count"]) == ("missed", due, number)
    assert missed["reason"].startswith("paused until 2030-01-04T00:00:00+00:00, after which nothing was due")
    assert probe.calls == []
    assert (await scheduler("get_job", job_id="job"))["info"]["state"] == "done"


async def test_a_job_that_goes_on_after_its_pause_leaves_no_record_of_it(kit, scheduler, probe):
    """What was due meanwhile is not its own, and its pause remarks nothing."""
    await scheduler.add("1 hour", job_id="job")
    paused = await scheduler("pause", job_id="job", until="2030-01-01T02:30:00")
    await kit.advance(hours=3)
    assert (paused["remarks"], paused["paused_until"]) == ([], "2030-01-01T02:30:00+00:00")
    assert await scheduler.statuses("job") == ["success"]


async def test_a_paused_job_has_no_due_time_but_after_its_pause(kit, scheduler):
    """Paused for good it is due at no time; paused until a time, at the first one from then."""
    await scheduler.add("1 hour", job_id="job")
    for_good = await scheduler("pause", job_id="job")
    until = await scheduler("pause", job_id="job", until="2030-01-01T05:30:00")
    listed = (await scheduler("list"))["jobs"]
    assert (for_good["next_run"], until["next_run"], listed[0]["next_run"]) == (None, *["2030-01-01T06:00:00+00:00"] * 2)


async def test_end_of_a_pause_must_be_a_time(scheduler):
    """A pause until what is no time is refused, and the job goes on."""
    await scheduler.add("1 hour", job_id="job")
    for text in ("soon", "", "yesterday"):  # the last is a time, but none to come
        with pytest.raises(ValueError, match=f"until: '{text}' is not a time to come"):
            await scheduler("pause", job_id="job", until=text)
    assert (await scheduler("get_job", job_id="job"))["info"]["state"] == "active"


@pytest.mark.parametrize("until", ["2029-12-31T23:59:59", "2030-01-01T00:00:00", "2030-01-01T00:30:00+01:00"])
async def test_pause_must_end_later_than_now(kit, scheduler, until):
    """A pause until a time that has come is refused by value, the job goes on, and no due time from before it is invented."""
    await scheduler.add("1 hour", job_id="job")
    with pytest.raises(ValueError, match=f"until: '{re.escape(until)}' is not in the future"):
        await scheduler("pause", job_id="job", until=until)
    await kit.advance(hours=2)
    assert await scheduler.statuses("job") == ["success", "success"]


async def test_job_may_be_scheduled_paused(kit, scheduler, probe):
    """A job scheduled with paused does not fire before it is resumed."""
    await scheduler.add("1 hour", job_id="job", paused=True)
    await kit.advance(hours=1.5)
    await scheduler("resume", job_id="job")
    await kit.advance(hours=1)
    assert probe.calls == ["2030-01-01T02:00:00+00:00"]


async def test_exclusions_are_no_due_times(kit, scheduler, probe):
    """Quiet hours leave neither runs nor records; a date that is excluded leaves one record, which says so."""
    await scheduler.add("0 */6 * * *", job_id="job", exclude=["2030-01-02", "17:00-19:00"])
    await kit.advance(days=2, hours=1)
    assert [call[5:13] for call in probe.calls] == ["01-01T00", "01-01T06", "01-01T12", "01-03T00"]
    records = await scheduler.history("job")
    assert {record["scheduled_at"][:10] for record in records if record["status"] != "success"} == {"2030-01-02"}
    assert [record["reason"] for record in records if record["reason"]] == ["2030-01-02 (in 'exclude') is left out"]


async def test_jitter_delays_each_due_time_alike_each_time(scheduler):
    """With jitter a due time is delayed by less than so many seconds, and asked again by the same."""
    added = await scheduler.add("1 hour", job_id="job", jitter=600)
    again = await scheduler("get_job", job_id="job")
    assert "2030-01-01T01:00:00" <= added["next_run"] < "2030-01-01T01:10:00"
    assert again["next_run"] == added["next_run"]


async def test_given_up_handler_leaves_its_room_to_others(kit, scheduler, probe, monkeypatch):
    """A handler that is given up no longer counts against concurrency."""
    ended = asyncio.Event()

    async def stubborn(number, data):
        while number == 1 and not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(probe, "run", stubborn)
    kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 1
    await scheduler.add("now", job_id="stubborn", timeout=10, input_data={"operation": "run", "number": 1})
    await kit.advance()
    await scheduler.add("now", job_id="other")
    await kit.advance(minutes=1)
    assert await scheduler.statuses("other") == ["success"]
    ended.set()
