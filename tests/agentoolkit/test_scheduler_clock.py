"""The one AsyncIOScheduler: rings on time, survives whoever it calls, and shows its alarms as any APScheduler shows its jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from agentoolkit.system.scheduler.engine.clock import Clock
from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS
from agentoolkit.testing import ManualTime

START = datetime(2030, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Bell:
    """A clock on time that is moved, and what it rang for."""

    def __init__(self) -> None:
        self.time = ManualTime(START)
        self.rung: list[tuple[float, list[str]]] = []
        self.fails = 0
        self.clock = Clock(self.time, self.ring)

    def ring(self, due: Mapping[str, datetime]) -> None:
        self.rung.append(((self.time.now() - START).total_seconds(), list(due)))
        if self.fails:
            self.fails -= 1
            raise OSError("broken")


@pytest.fixture
async def bell() -> AsyncIterator[Bell]:
    bell = Bell()
    bell.clock.start()
    yield bell
    if bell.clock.running:
        bell.clock.shutdown(wait=False)
    await bell.time.let_run()


async def test_it_is_an_asyncio_scheduler(bell: Bell):
    """The clock is APScheduler's AsyncIOScheduler, and says that it runs."""
    assert isinstance(bell.clock, AsyncIOScheduler)
    assert (bell.clock.running, bell.clock.state) == (True, 1)


async def test_it_rings_once_for_each_alarm_in_order(bell: Bell):
    """Each alarm rings once, at its time, the earliest first, and those of one moment together."""
    for job_id, seconds in (("c", 30), ("a", 10), ("b", 10)):
        bell.clock.set_alarm(job_id, at(seconds))
    await bell.time.advance(minutes=5)
    assert bell.rung == [(10, ["a", "b"]), (30, ["c"])]


async def test_alarm_can_be_moved_and_removed(bell: Bell):
    """An alarm that was set anew rings at its new time only; one that was removed does not ring."""
    for job_id in ("sooner", "later", "never"):
        bell.clock.set_alarm(job_id, at(20))
    bell.clock.set_alarm("sooner", at(10))
    bell.clock.set_alarm("later", at(30))
    bell.clock.set_alarm("never", None)
    await bell.time.advance(minutes=5)
    assert bell.rung == [(10, ["sooner"]), (30, ["later"])]


async def test_past_alarm_rings_at_once(bell: Bell):
    """An alarm whose time has passed rings without any time passing."""
    bell.clock.set_alarm("late", at(-60))
    await bell.time.let_run()
    assert bell.rung == [(0, ["late"])]


async def test_alarm_set_before_the_start_rings():
    """Alarms may be set before the clock is started."""
    bell = Bell()
    bell.clock.set_alarm("early", at(10))
    bell.clock.start()
    await bell.time.advance(seconds=10)
    bell.clock.shutdown(wait=False)
    await bell.time.let_run()
    assert bell.rung == [(10, ["early"])]


async def test_ring_that_raises_does_not_stop_the_clock(bell: Bell):
    """If who is rung raises, the clock goes on a moment later, and the other alarms ring."""
    bell.fails = 1
    bell.clock.set_alarm("breaks", at(10))
    bell.clock.set_alarm("next", at(10.5))
    await bell.time.advance(minutes=1)
    assert bell.rung == [(10, ["breaks"]), (10 + RETRY_SECONDS, ["next"])]


async def test_stopped_clock_does_not_ring(bell: Bell):
    """A paused or stopped clock rings for nothing."""
    bell.clock.set_alarm("a", at(10))
    bell.clock.pause()
    await bell.time.advance(seconds=20)
    assert bell.rung == []
    bell.clock.resume()
    await bell.time.advance(seconds=1)
    assert [job_ids for _, job_ids in bell.rung] == [["a"]]


async def test_alarms_can_be_cleared(bell: Bell):
    """After clear there is no alarm, and none rings."""
    bell.clock.set_alarm("a", at(10))
    assert bell.clock.has_alarm("a")
    bell.clock.clear()
    await bell.time.advance(minutes=1)
    assert (bell.clock.has_alarm("a"), bell.rung) == (False, [])


async def test_alarms_are_apschedulers_jobs(bell: Bell):
    """APScheduler's own questions are answered: what is there, and when it is due, the earliest first."""
    bell.clock.set_alarm("later", at(20))
    bell.clock.set_alarm("sooner", at(10))
    assert [(job.id, job.next_run_time) for job in bell.clock.get_jobs()] == [("sooner", at(10)), ("later", at(20))]
    assert bell.clock.get_job("sooner").trigger.get_next_fire_time(None, START) is None
    assert [job.id for job in bell.clock._lookup_jobstore("default").get_due_jobs(at(10))] == ["sooner"]


async def test_alarms_can_be_moved_and_removed_as_apschedulers_jobs(bell: Bell):
    """APScheduler's own changes hold: an alarm can be modified, removed, and all of them can."""
    for job_id in ("moved", "removed"):
        bell.clock.set_alarm(job_id, at(10))
    store = bell.clock._lookup_jobstore("default")
    moved = bell.clock.get_job("moved")
    moved.next_run_time = at(20)
    store.update_job(moved)
    bell.clock.remove_job("removed")
    await bell.time.advance(seconds=30)
    assert bell.rung == [(20, ["moved"])]
    store.add_job(moved)
    bell.clock.remove_all_jobs()
    assert bell.clock.get_jobs() == []


async def test_late_event_loop_is_measured(bell: Bell):
    """The clock tells by how much the event loop was late at its last ring."""
    bell.clock.set_alarm("a", at(10))
    await bell.time.let_run()
    bell.time.jump(at(13))
    await bell.time.advance()
    assert bell.clock.delay == 3


def test_nothing_is_submitted_to_apschedulers_executor():
    """Alarms ring; APScheduler never runs anything itself."""
    with pytest.raises(NotImplementedError):
        Clock(ManualTime(START), lambda job_ids: None)._executors["default"]._do_submit_job(None, [])
