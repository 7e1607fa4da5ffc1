"""The scheduler on a real database, by a moved clock: what must outlive a restart does, and what goes wrong is survived."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from agentool import Injector
from agentoolkit.database.session import DatabaseError
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import ExecutionFailed
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.testing import ManualTime, TestToolkit
from agentoolkit.wiring import Toolkit

from .lives import RUN, Life
from .proxy import Proxy
from .scenario import START


async def statuses(life: Life, job_id: str) -> list[str]:
    return [row.status.value for row in reversed(await life.kit.scheduler.store.executions(job_id, 100))]


# History


async def test_runs_under_a_label_are_a_ring_as_well(life: Life):
    """Of 130 runs by hand under a label that is no job, and of 130 under another, the newest hundred of each are kept."""
    for _ in range(130):
        for label in ("first", "second"):
            await life.ask("run_now", job_id=label, agentool_name="queue", input_data={"operation": "list_queues"})
    for label in ("first", "second"):
        assert len(await life.kit.scheduler.store.executions(label, 200)) == 100


# Restarts


async def test_pause_ends_by_itself_after_a_restart(life: Life):
    """A job paused until an instant fires again from then on, though the process was restarted meanwhile."""
    await life.ask("schedule", job_id="job", schedule="1 minute", **RUN)
    await life.ask("pause", job_id="job", until=(life.now + timedelta(minutes=3.5)).isoformat())
    await life.restart()
    await life.advance(minutes=5)
    assert await statuses(life, "job") == ["success", "success"]


async def test_paused_job_stays_paused_after_a_restart(life: Life):
    """A job that was paused does not fire after a restart, and does when it is resumed."""
    await life.ask("schedule", job_id="job", schedule="1 minute", **RUN)
    await life.ask("pause", job_id="job")
    await life.restart()
    await life.advance(minutes=3.5)
    before = await statuses(life, "job")
    await life.ask("resume", job_id="job")
    await life.advance(minutes=1)
    assert (before, await statuses(life, "job")) == ([], ["success"])


async def test_stop_outlives_a_restart(life: Life):
    """A scheduler that was stopped stays so after a restart; after start the due times in between are accounted for."""
    await life.ask("schedule", job_id="job", schedule="1 minute", **RUN)
    await life.ask("stop")
    await life.restart()
    await life.advance(minutes=2.75)
    before = await statuses(life, "job")
    await life.ask("start")
    await life.advance(minutes=1)
    assert (before, await statuses(life, "job")) == ([], ["missed", "success"])


async def test_retry_fires_at_its_time_after_a_restart(life: Life):
    """An execution that waits for its next attempt when the process ends is attempted by the next one, when it is time."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=60, **RUN)
    await life.advance(seconds=1)
    before = await statuses(life, "job")
    await life.restart()
    await life.advance(seconds=20)
    waiting = await statuses(life, "job")
    await life.advance(seconds=60)
    assert (before, waiting, await statuses(life, "job"), life.starts) == (["retrying"], ["retrying"], ["success"], 2)


async def test_retry_fires_after_stop_and_start_in_the_same_process(life: Life):
    """An execution that waits for its next attempt is attempted by the engine that is started after a stop."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    await life.ask("stop")
    await life.ask("start")
    await life.advance(seconds=20)
    assert (await statuses(life, "job"), life.starts) == (["success"], 2)


async def test_retry_goes_on_when_the_lead_is_lost(life: Life):
    """A process that does not lead any more still makes the attempts that its own executions wait for."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    other = Life(life.database, life.clock)
    await life.kit.scheduler.store._database.write(life.kit.scheduler.store._ownership.step_down)
    await other.open()
    await life.advance(seconds=20)
    leads = [world.kit.scheduler.lifecycle.engine.leading for world in (life, other)]
    await other.close()
    assert (leads, await statuses(life, "job"), life.starts, other.starts) == ([False, True], ["success"], 2, 0)


async def test_stopped_process_lets_another_lead(life: Life):
    """After stop here and start elsewhere the other process fires, and what waited here runs there."""
    life.kit.scheduler.lifecycle.engine.dispatch.executor._concurrency = 0
    await life.ask("schedule", job_id="waits", schedule="now", **RUN)
    await life.ask("schedule", job_id="job", schedule="1 minute", **RUN)
    await life.advance(seconds=1)
    await life.ask("stop")
    other = Life(life.database, life.clock)
    await other.open()
    await other.ask("start")
    await other.advance(minutes=1)
    found = [await statuses(other, job_id) for job_id in ("waits", "job")]
    await other.close()
    assert (found, other.starts) == ([["success"], ["success"]], 2)


# Taking over while something is under way


async def test_take_over_leaves_what_is_being_claimed(life: Life):
    """A look for executions that nobody works on, at the very moment of their claim, starts none of them twice."""
    await life.ask("schedule", job_id="job", schedule="1 second", overlap="allow", **RUN)
    engine, errors = life.kit.scheduler.lifecycle.engine, []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    for _ in range(20):
        life.clock.jump(life.now + timedelta(seconds=1))
        engine.leadership.check_soon()
        engine.claiming.claim(["job"])
        await asyncio.sleep(0)  # so that the claim is asked for first
        await engine.leadership._take_over()
        await life.quiet()
    ended = await statuses(life, "job")
    assert (set(ended), life.starts, len(engine.dispatch.executor._tasks), errors) == ({"success"}, len(ended), 0, [])


async def test_take_over_leaves_what_is_about_to_run_at_once(life: Life):
    """An execution that somebody waits for is not taken from him between its record and its start."""
    engine = life.kit.scheduler.lifecycle.engine
    for _ in range(20):
        engine.leadership.check_soon()
        asked = {"operation": "run_now", **RUN}
        answer, _ = await asyncio.gather(life.kit.injector.run("scheduler", asked), engine.leadership.tick())
        assert answer.data["result"] == "done"


async def test_run_now_that_a_stop_cuts_short_is_cancelled(life: Life):
    """Whoever waits for a run is told that it was cancelled, and so says its record: it is not started again."""
    life.naps = True
    running = asyncio.ensure_future(life.kit.injector.run("scheduler", {"operation": "run_now", **RUN}))
    while not life.starts:  # noqa: ASYNC110  the handler sets nothing
        await asyncio.sleep(0.001)
    await life.kit.scheduler.lifecycle.stop(0.1)
    with pytest.raises(ExecutionFailed):
        await running
    await life.restart()
    (row,) = await life.kit.scheduler.store.executions(None, 10)
    assert (row.status, life.starts) == ("cancelled", 1)


# Cancelling


async def test_cancelled_retry_is_not_attempted(life: Life):
    """An execution that is cancelled while it waits for its next attempt ends there."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    (row,) = await life.kit.scheduler.store.executions("job", 1)
    await life.ask("cancel_execution", execution_id=row.execution_id)
    await life.advance(seconds=30)
    assert (await statuses(life, "job"), life.starts) == (["cancelled"], 1)


async def test_retry_of_a_cancelled_job_is_not_attempted(life: Life):
    """When its job is cancelled, an execution that waits for its next attempt is cancelled too."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    await life.ask("update", job_id="job", max_runs=5)
    await life.ask("cancel", job_id="job")
    await life.advance(seconds=30)
    assert (await statuses(life, "job"), life.starts) == (["cancelled"], 1)


async def test_another_process_cancels_a_retry(life: Life):
    """A cancellation that is asked for elsewhere also ends an execution that waits for its next attempt by the time it is heard."""
    life.raises, life.naps = 1, False
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    (row,) = await life.kit.scheduler.store.executions("job", 1)
    await life.kit.scheduler.store.request_cancel(row.execution_id)
    await life.advance(seconds=30)
    assert (row.status, await statuses(life, "job"), life.starts) == ("retrying", ["cancelled"], 1)


async def test_a_retry_that_another_process_took_over_is_left_to_it(life: Life):
    """An execution whose owner became another while it waited for its next attempt is not started here."""
    life.raises = 1
    await life.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=10, **RUN)
    await life.advance(seconds=1)
    take = "UPDATE agentool_executions SET owner = 'another'"
    await life.kit.database.write(lambda session: session.run(take))
    life.kit.scheduler.lifecycle.engine.leadership._rounds_to_take_over = 1_000  # that one lives, as far as this test goes
    await life.advance(seconds=30)
    assert (await statuses(life, "job"), life.starts) == (["retrying"], 1)


async def test_a_run_whose_caller_goes_away_as_it_starts_is_cancelled(life: Life):
    """The handler is not called when whoever asked for it goes away before its start is written down."""
    executor = life.kit.scheduler.lifecycle.engine.dispatch.executor
    running = asyncio.ensure_future(life.kit.injector.run("scheduler", {"operation": "run_now", **RUN}))
    while not executor.running:  # noqa: ASYNC110  nothing tells
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    await life.quiet()
    (row,) = await life.kit.scheduler.store.executions(None, 10)
    assert (row.status, row.reason, life.starts) == ("cancelled", "its caller went away", 0)


async def test_what_ends_while_it_is_cancelled_stays_as_it_ended(life: Life):
    """A handler that has returned has succeeded, although its execution is cancelled before its outcome is written down."""
    store = life.kit.scheduler.store
    finish, asked = store.finish, []

    async def slow_finish(endings):
        cancelling = life.kit.scheduler.lifecycle.engine.dispatch.cancelling
        asked.extend([await cancelling.cancel_execution(ending.execution, "too late") for ending in endings])
        return await finish(endings)

    store.finish = slow_finish
    await life.ask("schedule", job_id="job", schedule="now", **RUN)
    await life.advance(seconds=1)
    assert (asked, await statuses(life, "job")) == ([True], ["success"])


# Scheduling


async def test_the_very_same_job_scheduled_twice_at_once_is_there_once(life: Life):
    """Both are answered well: to one it was created, to the other it was there already."""
    wanted = {"operation": "schedule", "job_id": "job", "schedule": "1 minute", **RUN}
    answers = await asyncio.gather(*(life.kit.injector.run("scheduler", wanted) for _ in range(2)))
    assert sorted(answer.data["created"] for answer in answers) == [False, True]


# Starting and closing


async def test_closed_while_it_starts_nothing_is_left(emptied_database_url: str, nothing_left: None):
    """Whoever closes a scheduler that is just starting gets one that has ended, database and threads included."""
    life = Life(emptied_database_url)
    kit = TestToolkit(Settings(database=emptied_database_url, timezone="UTC"), life.clock, Injector())
    opening = asyncio.ensure_future(kit.scheduler.lifecycle.open())
    await asyncio.sleep(0)
    await kit.scheduler.lifecycle.close()
    await asyncio.wait({opening})
    assert (opening.exception(), kit.database.is_open, kit.scheduler.lifecycle.engine) == (None, False, None)


async def test_closing_is_bounded_though_the_database_hangs(emptied_database_url: str):
    """A scheduler whose writes are not answered any more ends within its time, without having told anybody."""
    life = Life(emptied_database_url)
    await life.open()
    life.naps = True
    for number in range(5):
        await life.kit.injector.run("scheduler", {"operation": "schedule", "job_id": f"job{number}", "schedule": "now", **RUN})
    while life.starts < 5:
        await life.clock.advance(seconds=0.5)
        await asyncio.sleep(0.001)
    hangs = threading.Event()
    held = life.kit.database.write(lambda session: hangs.wait(30))
    holding = asyncio.ensure_future(held)
    began = time.monotonic()
    await life.kit.scheduler.lifecycle._end(1)
    took = time.monotonic() - began
    hangs.set()
    await asyncio.wait({holding})
    await life.close()
    assert took < 10


async def test_cancelled_while_it_opens_nothing_is_left(emptied_database_url: str, nothing_left: None):
    """A toolkit whose opening was cancelled has ended all that it had begun."""
    kit = TestToolkit(Settings(database=emptied_database_url, timezone="UTC"), ManualTime(START), Injector())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), kit:
            pass
    assert (kit.database.is_open, kit.scheduler.lifecycle.engine) == (False, None)


# Delivery


async def test_outcome_without_a_queue_agentool_is_kept_then_given_up(life: Life):
    """Where the AgenTool 'queue' does not exist a message is tried as often as any, and the history then says that it failed."""
    await life.ask("schedule", job_id="job", schedule="1 minute", max_runs=1, result_queue="results", **RUN)
    life.kit.injector.unregister("queue")
    await life.advance(seconds=61)
    first = (await life.kit.scheduler.store.executions("job", 1))[0].delivery
    for _ in range(12):
        life.clock.jump(life.now + timedelta(minutes=6))
        await life.advance(seconds=2)
    last = (await life.kit.scheduler.store.executions("job", 1))[0]
    assert (first, last.delivery, last.status, list(await life.kit.scheduler.store.outbox(1))) == ("pending", "failed", "success", [])


async def test_a_damaged_row_stops_its_job_alone(life: Life, figure):
    """A definition that somebody damaged is kept, its job is broken and says why, and no due time of another job is missed."""
    await life.ask("schedule", job_id="damaged", schedule="1 minute", **RUN)
    await life.ask("schedule", job_id="good", schedule="1 minute", **RUN)
    damage = "UPDATE agentool_jobs SET definition = '{half', revision = revision + 1000 WHERE job_id = 'damaged'"
    await life.kit.database.write(lambda session: session.run(damage))
    await life.advance(minutes=5)
    sql = "SELECT state, reason, definition FROM agentool_jobs WHERE job_id = 'damaged'"
    state, reason, definition = await life.kit.database.read(lambda session: session.row(sql))
    good = await statuses(life, "good")
    figure(13, f"the job is {state}, its row {'kept' if definition == '{half' else 'lost'}, {5 - good.count('success')} of 5 others missed")
    assert (state, "cannot be read" in reason, definition, good) == ("broken", True, "{half", ["success"] * 5)


# What cannot be opened


async def test_toolkit_that_cannot_open_leaves_nothing(tmp_path, nothing_left: None):
    """A toolkit whose database cannot be used raises one clear error, and gives back its injector, threads and files."""
    (tmp_path / "agentool.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match="AGENTOOL_DATABASE"):
        async with Toolkit(Settings(database=str(tmp_path / "agentool.db"))):
            pass
    async with Toolkit(Settings(database=str(tmp_path / "other.db"))) as kit:
        assert kit.scheduler.lifecycle.engine is not None


async def test_toolkit_opens_after_a_start_that_failed(life: Life, monkeypatch: pytest.MonkeyPatch):
    """If the first round of a start fails the error is told, and the next use starts anew."""
    await life.ask("stop")
    original, calls = Dispatch.lead, []

    def fails_once(dispatch: Dispatch, leading: bool) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseError("refused")
        original(dispatch, leading)

    monkeypatch.setattr(Dispatch, "lead", fails_once)
    await life.kit.scheduler.store.set_stopped(False)
    with pytest.raises(DatabaseError):
        await life.ask("start")
    await life.ask("start")
    assert life.kit.scheduler.lifecycle.engine.leading


# A server that goes away


@pytest.fixture
async def away(emptied_postgres_url: str) -> AsyncIterator[tuple[Life, Proxy]]:
    proxy = Proxy(emptied_postgres_url)
    life = Life(proxy.url)
    await life.open()
    yield life, proxy
    await life.close()
    proxy.close()


async def test_server_that_was_away_costs_no_due_time(away: tuple[Life, Proxy], figure):
    """While PostgreSQL is away nothing is claimed; when it is back, every due time in between runs, within two seconds."""
    life, proxy = away
    await life.ask("schedule", job_id="job", schedule="1 second", coalesce=False, max_instances=100, **RUN)
    await life.advance(seconds=2)
    proxy.down()
    await life.advance(seconds=30)
    proxy.up()
    before = life.starts
    await life.advance(seconds=2)
    ended = await statuses(life, "job")
    figure(7, f"away for 30 s (moved clock): {life.starts - before} due times ran within 2 s, {len(ended) - ended.count('success')} wrong")
    assert (set(ended), len(ended) >= 33, life.starts == len(ended)) == ({"success"}, True, True)


@pytest.mark.parametrize("number", range(1, 9))
async def test_commit_that_got_no_answer_costs_nothing(away: tuple[Life, Proxy], number: int, figure):
    """Whichever commit loses its answer, of a claim, a start or an outcome: the due time has one row, and runs once."""
    life, proxy = away
    bounds = {"end_at": (life.now + timedelta(seconds=3.5)).isoformat()}
    await life.ask("schedule", job_id="job", schedule="1 second", coalesce=False, max_instances=100, **bounds, **RUN)
    await life.advance(seconds=0.5)
    proxy.cut_commit(number)
    await life.advance(seconds=6)
    ended = await statuses(life, "job")
    figure(8, f"commit {number} lost its answer: rows {ended}, {life.starts} starts for 3 due times")
    assert (ended, life.starts) == (["success"] * 3, 3)


async def test_cancelled_execution_is_noted_in_the_store(life: Life):
    """One whose handler does not end is known to be cancelled by whoever takes it over, if this process is killed."""
    life.naps = life.stays = True
    await life.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "now", **RUN})
    while not life.starts:
        await life.clock.advance(seconds=0.1)
        await asyncio.sleep(0.001)
    (row,) = await life.kit.scheduler.store.executions("job", 1)
    await life.kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": row.execution_id, "reason": "too slow"})
    noted = await life.kit.scheduler.store._database.read(
        lambda session: session.row("SELECT cancel_requested, cancel_reason FROM agentool_executions WHERE finished_at IS NULL")
    )
    life.may_end.set()
    assert (noted[0] > 0, noted[1]) == (True, "too slow")
