"""What a handler leaves behind whose work goes on elsewhere: how often it is called, for how long, and what its record keeps."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from agentoolkit.endings import GoesOnLater


async def test_waits_in_a_row_are_one_attempt(kit, scheduler, probe):
    """However often a handler looks, its record grows by one attempt without a traceback: from its first look to its last."""
    probe.raises = GoesOnLater("the mill grinds", 10)
    await scheduler.add("now", job_id="job")
    await kit.advance(seconds=65)
    (waiting,) = await scheduler.history("job")
    (look,) = waiting["attempts"]
    assert (waiting["status"], waiting["reason"], waiting["attempt"], len(probe.calls)) == ("retrying", "the mill grinds", 8, 7)
    assert (look["attempt"], look["started_at"], look["finished_at"]) == (7, probe.calls[0], probe.calls[-1])
    assert (look["error"]["type"], look["error"].get("traceback")) == ("GoesOnLater", "")


@pytest.mark.parametrize("after", [0, -5, 0.001, float("nan")])
async def test_a_handler_is_not_called_without_a_pause(kit, scheduler, probe, after):
    """Between two looks there is a second at least, whatever the handler asks for."""
    probe.raises = GoesOnLater("the mill grinds", after)
    await scheduler.add("now", job_id="job", retry_backoff=0)
    await kit.advance(seconds=10)
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(map(datetime.fromisoformat, probe.calls)))
    assert len(probe.calls) > 5


async def test_waiting_ends_after_a_week(kit, scheduler, probe):
    """What still waits seven days after its first look has failed, and says for what it waited and what to do."""
    probe.raises = GoesOnLater("the mill grinds", 43_200)
    await scheduler.add("now", job_id="job", max_retries=5, error_queue="errors")
    await kit.advance(days=8)
    (record,) = await scheduler.history("job")
    assert (record["status"], len(probe.calls)) == ("failed", 15)
    assert record["reason"] == "not called again, though it goes on later: the mill grinds"
    assert "7 days" in record["error"]["message"]
    assert len(await scheduler.messages("errors")) == 1


async def test_waits_make_no_retry_later_or_rarer(kit, scheduler, probe):
    """A failure after thousands of looks has all of its retries, and the first pause between them."""
    probe.raises = GoesOnLater("the mill grinds", 1)
    await scheduler.add("now", job_id="job", max_retries=2, retry_backoff=10)
    await kit.advance(seconds=1_100)  # at the 1,025th attempt the doubled pause would be no number any more
    looks = len(probe.calls)
    probe.raises = OSError("busy")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], len(probe.calls) - looks) == ("failed", 3)
    assert [past["error"]["type"] for past in record["attempts"]] == ["GoesOnLater", "OSError", "OSError"]
    first, second = (datetime.fromisoformat(call) for call in probe.calls[looks : looks + 2])
    assert 5 <= (second - first).total_seconds() <= 10


async def test_a_failure_between_waits_keeps_them_apart(kit, scheduler, probe):
    """Looks before and after a failed attempt are two waits of the record."""
    await scheduler.add("1 minute", job_id="job", max_retries=1, retry_backoff=2, max_runs=1)
    for raised in (GoesOnLater("grinds", 2), OSError("busy"), GoesOnLater("bakes", 30)):
        probe.raises = raised
        await kit.advance(seconds=60 if not probe.calls else 2)
    (record,) = await scheduler.history("job")
    assert [past["error"]["type"] for past in record["attempts"]] == ["GoesOnLater", "OSError", "GoesOnLater"]


async def test_run_now_says_that_it_calls_once(scheduler, probe):
    """Whoever runs such a handler now is told what it waits for, and what to do instead."""
    probe.raises = GoesOnLater("the mill grinds", 10)
    await scheduler.add("1 hour", job_id="job")
    with pytest.raises(RuntimeError, match=r"the mill grinds.*run_now calls a handler once"):
        await scheduler("run_now", job_id="job")
