"""One of several processes: an engine that leads, stands by, hears of others' changes, and takes over what they left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.planning import plan
from agentoolkit.system.scheduler.ports import Change, Owner, PendingCancel
from agentoolkit.system.scheduler.schedules import ReadingHabits
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.testing import TestToolkit


class SharedStore(MemoryJobStore):
    """A store in memory that tells what other processes do, as the test has it."""

    shared = True

    def __init__(self) -> None:
        super().__init__()
        self.leads = True
        self.told: list[Change] = []
        self.cancels: list[PendingCancel] = []
        self.asked: list[str] = []
        self.fails = 0

    async def lead(self, now: Any) -> bool:
        if self.fails:
            self.fails -= 1
            raise OSError("no connection")
        return self.leads

    async def leader(self) -> Owner | None:
        return Owner("other", "host", 1, None, None)  # type: ignore[arg-type]

    async def changes(self) -> list[Change]:
        told, self.told = self.told, []
        return told

    async def cancel_requests(self) -> list[PendingCancel]:
        return self.cancels

    async def acknowledge_cancel(self, execution_id: str) -> None:
        self.cancels = [asked for asked in self.cancels if asked.execution_id != execution_id]

    async def request_cancel(self, execution_id: str, reason: str = "", *, is_carried_out: bool = False) -> bool:
        self.asked.append(execution_id)
        return True


@pytest.fixture
async def store(kit: TestToolkit) -> SharedStore:
    """The toolkit's store, in the place of its own."""
    await kit.scheduler.lifecycle.close()
    store = SharedStore()
    kit.scheduler.__init__(replace(kit.scheduler.parts, store=store), ReadingHabits("UTC"))
    await kit.scheduler.lifecycle.open()
    return store


async def added_by_another(kit: TestToolkit, store: SharedStore, schedule: str, job_id: str = "job", **fields: Any) -> None:
    asked = JobFields(schedule=schedule, agentool_name="probe", input_data={"operation": "run"}, **fields)
    job, state, _ = plan(asked, job_id, kit.injector, kit.clock.now(), ReadingHabits("UTC"))
    await store.add(job, state)
    store.told.append(Change(job_id, state.next_run_at))


async def test_standing_by_it_fires_nothing(kit, store, scheduler, probe):
    """While another process leads, nothing fires here, and status says who leads; run_now runs all the same."""
    store.leads = False
    await kit.advance(seconds=1)
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=5)
    status = await scheduler("status")
    assert (probe.calls, status["leading"], status["leader"]) == ([], False, "pid 1 on host")
    assert (await scheduler("run_now", job_id="job"))["result"] == "done"


async def test_lead_can_be_won_lost_and_won_again(kit, store, scheduler, probe):
    """A process that gets the lead fires; one that loses it stops firing, and counts the loss."""
    await scheduler.add("1 minute", job_id="job")
    for leads in (True, False, True):
        store.leads = leads
        await kit.advance(minutes=2)
    status = await scheduler("status")
    assert (status["leading"], status["leads_lost"]) == (True, 1)
    assert {record["status"] for record in await scheduler.history("job")} == {"success", "missed"}


async def test_jobs_of_other_processes_are_noticed(kit, store, scheduler, probe):
    """A job that another process added fires here, in the process that leads."""
    await added_by_another(kit, store, "1 minute")
    await kit.advance(minutes=1)
    assert len(probe.calls) == 1


async def test_failed_round_is_repeated(kit, store, scheduler, probe):
    """If the store cannot be asked for a while, the next rounds ask it again."""
    store.fails = 3
    await kit.advance(seconds=2)
    await added_by_another(kit, store, "1 minute")
    await kit.advance(minutes=1)
    assert (store.fails, len(probe.calls)) == (0, 1)


def failing_once(method: Any) -> Any:
    """Return a store's method as it is while the store goes away for a moment."""
    fails = [OSError("no connection")]

    async def asked(*given: Any) -> Any:
        if fails:
            raise fails.pop()
        return await method(*given)

    return asked


async def test_a_failed_look_loses_no_change(kit, store, scheduler, monkeypatch):
    """Of two jobs that others changed one waits here and cannot be read: the other has its alarm, and the first is read a round later."""
    engine = kit.scheduler.lifecycle.engine
    engine.dispatch.executor._concurrency = 0
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    stored = await store.find("job")
    await store.replace(replace(stored.job, description="as it is now"), stored.state, stored.state)
    monkeypatch.setattr(store, "find", failing_once(store.find))
    store.told.append(Change("job", stored.state.next_run_at))
    await added_by_another(kit, store, "1 minute", "other")
    await kit.advance(seconds=2)
    waiting = [active.work.description for active in engine.dispatch.active.values()]
    assert (engine.clock.has_alarm("other"), waiting) == (True, ["as it is now"])


async def test_a_start_that_was_not_heard_of_is_asked_for_again(kit, store, scheduler, probe, monkeypatch):
    """The store goes away as a process takes the lead: what runs at each start of the scheduler starts a round later, once."""
    await scheduler.add("@reboot", job_id="boots")
    engine = kit.scheduler.lifecycle.engine
    engine.dispatch.lead(False)
    monkeypatch.setattr(store, "follow", failing_once(store.follow))
    await kit.advance(seconds=5)
    assert len(probe.calls) == 1


async def test_cancel_asked_for_elsewhere_ends_the_handler(kit, store, scheduler, probe):
    """An execution that another process asks to cancel is cancelled here, where it runs."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job")
    await kit.advance(minutes=1)
    store.cancels.append(PendingCancel((await scheduler.history("job"))[0]["execution_id"], ""))
    await kit.advance(seconds=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["reason"]) == ("cancelled", "cancelled by another process")


async def test_execution_that_runs_elsewhere_is_asked_to_end(kit, store, scheduler, probe):
    """cancel_execution of what another process runs is passed on to it."""
    other = Execution("job@now-1", "job", "probe", kit.clock.now(), status=ExecutionStatus.QUEUED, owner="other")
    await store.insert([other])
    await store.begin([other._replace(status=ExecutionStatus.RUNNING)])
    await scheduler("cancel_execution", execution_id="job@now-1")
    assert store.asked == ["job@now-1"]


async def test_executions_left_behind_are_taken_over(kit, store, scheduler, probe):
    """What another process claimed and did not begin runs here; what it ran and cannot finish is settled and told."""
    heard: list[tuple[str, str]] = []
    kit.scheduler.subscribe(lambda event: heard.append((event.type.rpartition(".")[2], event.execution.execution_id)))
    await added_by_another(kit, store, "1 hour")
    waiting = Execution("job@waiting", "job", "probe", kit.clock.now(), owner="other")
    orphan = Execution("gone@orphan", "gone", "probe", kit.clock.now(), owner="other")
    await store.insert([waiting, orphan])
    await kit.advance(seconds=10)
    assert await scheduler.statuses("job") == ["success"]
    assert ("success", "job@waiting") in heard
    assert ("failure", "gone@orphan") in heard


async def test_retry_left_behind_comes_at_its_time(kit, store, scheduler, probe):
    """An execution that waited for its next attempt in a process that ended gets it here, when it is due."""
    await added_by_another(kit, store, "1 hour")
    waiting = Execution("job@waiting", "job", "probe", kit.clock.now(), owner="other")
    await store.insert([waiting])
    retry_at = kit.clock.now().replace(minute=10)
    await store.retry(waiting._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=retry_at))
    await kit.advance(minutes=20)
    assert [call[14:16] for call in probe.calls] == ["10"]


async def test_stopped_everywhere_nothing_leads(kit, store, scheduler, probe):
    """A stop that any process asked for holds for all, until one asks to start."""
    await scheduler.add("1 minute", job_id="job")
    await store.set_stopped(True)
    await kit.advance(minutes=5)
    assert (probe.calls, (await scheduler("status"))["stopped"]) == ([], True)
    await scheduler("start")
    await kit.advance(minutes=1)
    assert len(probe.calls) >= 1


async def test_inactive_job_has_no_alarm(kit, store, scheduler, probe):
    """A job that another process paused does not fire."""
    await scheduler.add("1 minute", job_id="job")
    job, state = await store.find("job")
    await store.replace(job, JobState(JobStatus.PAUSED, state.next_run_at), state)
    store.told.append(Change("job", None))
    await kit.advance(minutes=5)
    assert (probe.calls, await scheduler.history("job")) == ([], [])
