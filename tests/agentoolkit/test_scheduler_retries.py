"""Attempts: which errors are worth another, when it comes, and what the record says of the earlier ones."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from agentool import InvalidInput

QUEUES = {"result_queue": "results", "error_queue": "errors"}


class RateLimited(Exception):
    """An error that says when to come back."""

    retry_after: object = None


async def test_failed_attempt_is_repeated_until_it_succeeds(kit, scheduler, probe):
    """With max_retries a handler that raises is called again, and the record ends as a success with its earlier attempts."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=3, retry_backoff=10, **QUEUES)
    await kit.advance()
    (waiting,) = await scheduler.history("job")
    probe.raises = None
    await kit.advance(seconds=10)
    (record,) = await scheduler.history("job")
    assert (waiting["status"], waiting["attempt"]) == ("retrying", 2)
    assert (record["status"], record["attempt"], [past["error"]["type"] for past in record["attempts"]]) == ("success", 2, ["OSError"])
    assert len(await scheduler.messages("results")) == 1
    assert await scheduler.messages("errors") == []


async def test_last_attempt_decides(kit, scheduler, probe):
    """After max_retries further attempts the execution has failed, once, and its error queue is told once."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=2, **QUEUES)
    await kit.advance(minutes=1)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["failed"], 3)
    assert len(await scheduler.messages("errors")) == 1


async def test_delays_double(kit, scheduler, probe):
    """The wait before each attempt doubles, less at most a half that spreads it."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=4, retry_backoff=10)
    await kit.advance(hours=1)
    moments = [datetime.fromisoformat(call) for call in probe.calls]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    for wait, most in zip(waits, (10, 20, 40, 80), strict=True):
        assert most / 2 <= wait <= most


async def test_what_is_cancelled_as_it_fails_is_not_repeated(kit, scheduler, probe, monkeypatch):
    """Whoever cancels an execution whose failure is just being written down is not told that it ends, and sees it run again."""
    probe.raises = OSError("busy")
    recorder = kit.scheduler.lifecycle.engine.dispatch._recorder
    put = recorder.put

    def cancelled_first(underway, *outcome):
        assert kit.scheduler.lifecycle.engine.dispatch.cancelling.cancel(underway.execution.execution_id, "no more")
        put(underway, *outcome)

    monkeypatch.setattr(recorder, "put", cancelled_first)
    await scheduler.add("now", job_id="job", max_retries=3)
    await kit.advance(hours=1)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["failed"], 1)


async def test_without_max_retries_nothing_is_repeated(kit, scheduler, probe):
    """By default a failure is final."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job")
    await kit.advance(hours=1)
    assert len(probe.calls) == 1


@pytest.mark.parametrize("error", [InvalidInput("wrong"), PermissionError(), SystemExit(1)])
async def test_hopeless_errors_are_not_repeated(kit, scheduler, probe, error):
    """What the same call would meet again, such as wrong input, is final at once."""
    probe.raises = error
    await scheduler.add("now", job_id="job", max_retries=3)
    await kit.advance(hours=1)
    assert (await scheduler.statuses("job"), len(probe.calls)) == (["failed"], 1)


@pytest.mark.parametrize(("retry_on", "calls"), [(["OSError"], 2), (["ConnectionError"], 2), (["ValueError"], 1)])
async def test_retry_on_names_classes(kit, scheduler, probe, retry_on, calls):
    """With retry_on only errors of the named classes, or derived from them, are repeated."""
    probe.raises = ConnectionResetError()
    await scheduler.add("now", job_id="job", max_retries=1, retry_on=retry_on)
    await kit.advance(hours=1)
    assert len(probe.calls) == calls


@pytest.mark.parametrize("named", [30, datetime(2030, 1, 1, 0, 0, 30, tzinfo=UTC)])
async def test_error_may_name_its_delay(kit, scheduler, probe, named):
    """An error with `retry_after`, in seconds or as a time, is repeated then, whatever the back-off says."""
    probe.raises = RateLimited()
    probe.raises.retry_after = named
    await scheduler.add("now", job_id="job", max_retries=1, retry_backoff=1)
    await kit.advance(minutes=1)
    assert probe.calls[1] == "2030-01-01T00:00:30+00:00"


@pytest.mark.parametrize("named", [math.inf, 1e300, datetime(9999, 12, 31, tzinfo=UTC)])
async def test_error_cannot_postpone_for_ever(kit, scheduler, probe, named):
    """Whatever an error names, the next attempt comes within a day."""
    probe.raises = RateLimited()
    probe.raises.retry_after = named
    await scheduler.add("now", job_id="job", max_retries=1)
    await kit.advance(days=1)
    assert probe.calls[1:] == ["2030-01-02T00:00:00+00:00"]


async def test_timeout_is_worth_a_retry(kit, scheduler, probe):
    """A handler that hung is called again."""
    probe.blocks()
    await scheduler.add("now", job_id="job", timeout=5, max_retries=1, retry_backoff=0)
    await kit.advance(seconds=5)
    probe.may_end.set()
    await kit.advance(seconds=1)
    assert await scheduler.statuses("job") == ["success"]


async def test_run_now_is_not_repeated(scheduler, probe):
    """Whoever calls run_now hears of a failure at once."""
    probe.raises = OSError("busy")
    await scheduler.add("1 hour", job_id="job", max_retries=3)
    with pytest.raises(RuntimeError):
        await scheduler("run_now", job_id="job")
    assert len(probe.calls) == 1


async def test_waiting_retry_counts_as_running(kit, scheduler, probe):
    """An execution that waits for its next attempt is unfinished: the next due time is skipped."""
    probe.raises = OSError("busy")
    await scheduler.add("1 minute", job_id="job", max_retries=1, retry_backoff=600)
    await kit.advance(minutes=2)
    assert await scheduler.statuses("job") == ["retrying", "skipped"]


async def test_retry_of_a_cancelled_job_does_not_come(kit, scheduler, probe):
    """A job that is cancelled while an attempt is awaited ends that execution as cancelled."""
    probe.raises = OSError("busy")
    await scheduler.add("1 minute", job_id="job", max_retries=3, retry_backoff=60)
    await kit.advance(minutes=1)
    await scheduler("cancel", job_id="job")
    await kit.advance(hours=1)
    assert (len(probe.calls), await scheduler.statuses("job")) == (1, ["cancelled"])


async def test_retry_waits_out_a_stop(kit, scheduler, probe):
    """A stopped scheduler attempts nothing more; in memory what waited is cancelled."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=3, retry_backoff=60)
    await kit.advance()
    await scheduler("stop")
    await kit.advance(hours=1)
    assert (len(probe.calls), await scheduler.statuses("job")) == (1, ["cancelled"])


async def test_id_is_the_same_for_every_attempt(kit, scheduler, probe):
    """All attempts at one due time have one record under one id."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=2)
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")
    assert (record["execution_id"], record["attempt"]) == ("job@2030-01-01T00:00:00+00:00", 3)
    assert datetime.fromisoformat(record["finished_at"]) > datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=1)


async def test_retries_that_are_due_together_are_asked_of_the_store_once(kit, scheduler, probe, monkeypatch):
    """What comes due with them waits for one answer of the store, however many there are."""
    probe.raises = RateLimited()
    probe.raises.retry_after = 60
    for number in range(30):
        await scheduler.add("now", job_id=f"job{number}", max_retries=1)
    await kit.advance()
    asked: list[str] = []
    store = kit.scheduler.lifecycle.engine.dispatch._store
    for name in ("execution", "find", "queue_retries"):
        method = getattr(store, name)
        monkeypatch.setattr(store, name, lambda *args, _name=name, _method=method: asked.append(_name) or _method(*args))
    await kit.advance(seconds=60)
    assert (len(probe.calls), asked) == (60, ["queue_retries"])


async def test_a_clock_set_back_after_a_job_was_made_takes_no_retry(kit, scheduler, probe):
    """What fails before the instant at which its job was made is retried as ever."""
    probe.raises = OSError("busy")
    await scheduler.add("1 hour", job_id="job", max_retries=1)
    kit.clock.jump(kit.clock.now() - timedelta(minutes=5))
    await scheduler("start_run", job_id="job", run_key="one")
    await kit.advance(minutes=1)
    assert len(probe.calls) == 2
