"""Operation ``start_run``: one more run of a job, not waited for, and never twice for one key; and handlers that end early."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.endings import EndedEarly
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import JobNotFound
from agentoolkit.system.scheduler.errors import LimitExceeded
from agentoolkit.system.scheduler.stores import memory_search
from agentoolkit.testing import TestToolkit, toolkit


class LampInput(BaseOperationInput):
    operation: Literal["on", "quiet", "skip", "park"]


class LampOutput(BaseModel):
    lit: bool = True
    nothing_to_report: bool = False


async def lamp_on(ctx: RunContext[list[str]]) -> LampOutput:
    """Light it."""
    ctx.deps.append("on")
    return LampOutput()


async def lamp_quiet(ctx: RunContext[list[str]]) -> LampOutput:
    """Say that there is nothing to say."""
    return LampOutput(nothing_to_report=True)


async def lamp_skip(ctx: RunContext[list[str]]) -> LampOutput:
    """Have nothing to do."""
    raise EndedEarly("skipped", "it is day")


async def lamp_park(ctx: RunContext[list[str]]) -> LampOutput:
    """Wait for a person."""
    raise EndedEarly("cancelled", "waits for a person", {"asked": "paul"})


HANDLERS = {"on": lamp_on, "quiet": lamp_quiet, "skip": lamp_skip, "park": lamp_park}


async def job(kit: TestToolkit, operation: str, **fields: object) -> list[str]:
    """Schedule job ``j`` for tomorrow; return what its lamp did."""
    done: list[str] = []
    create_agentool("lamp", LampInput, HANDLERS, deps=done, injector=kit.injector)
    call = {"operation": "schedule", "job_name": "j", "schedule": "tomorrow", "agentool_name": "lamp", **fields}
    await kit.injector.run("scheduler", {**call, "input_data": {"operation": operation}})
    return done


async def start(kit: TestToolkit, key: str) -> dict[str, object]:
    """Start a run, and let it end."""
    answer = await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "j", "run_key": key})
    await kit.advance(seconds=1)
    return answer.data


async def last(kit: TestToolkit) -> dict[str, object]:
    """Return the newest execution."""
    return (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "j"})).data["history"][0]


async def test_a_run_is_started_and_not_waited_for() -> None:
    """The answer comes before the run has ended, and the run is the job's own."""
    async with toolkit() as kit:
        done = await job(kit, "on")
        answer = await start(kit, "a")
        assert (answer["job_id"], answer["trigger"], answer["execution_id"]) == ("j", "requested", "j@requested-a")
        assert answer["status"] != "success"
        assert (done, (await last(kit))["status"]) == (["on"], "success")


async def test_a_key_starts_one_run() -> None:
    """The same key again starts nothing and tells how its run stands."""
    async with toolkit() as kit:
        done = await job(kit, "on")
        await start(kit, "a")
        assert (await start(kit, "a"))["status"] == "success"
        await start(kit, "b")
        assert done == ["on", "on"]


async def test_the_schedule_stays_as_it_is() -> None:
    """A run that was asked for changes nothing about the next due time."""
    async with toolkit() as kit:
        await job(kit, "on")
        before = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "j"})).data["next_run"]
        await start(kit, "a")
        assert (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "j"})).data["next_run"] == before


async def test_a_run_that_was_asked_for_is_tried_again() -> None:
    """Unlike `run_now`, which tells whoever waits, it has the job's retries."""
    async with toolkit() as kit:
        await job(kit, "on", max_retries=1)
        with kit.injector.override("lamp", create_agentool("broken", LampInput, {**HANDLERS, "on": lamp_break}, deps=[])):
            await start(kit, "a")
            assert (await last(kit))["attempt"] == 2


async def lamp_break(ctx: RunContext[list[str]]) -> LampOutput:
    """Fail."""
    raise ConnectionError("no current")


async def test_a_job_that_does_not_exist_is_refused() -> None:
    """Only a job's runs can be started."""
    async with toolkit() as kit:
        with pytest.raises(JobNotFound):
            await start(kit, "a")


@pytest.mark.parametrize(
    ("operation", "status", "reason"),
    [("quiet", "success", "nothing to report"), ("skip", "skipped", "it is day"), ("park", "cancelled", "waits for a person")],
)
async def test_an_early_end_is_recorded_as_exactly_that(operation: str, status: str, reason: str) -> None:
    """A handler that had nothing to tell, nothing to do, or waits for a person is neither a plain success nor a failure."""
    async with toolkit() as kit:
        await job(kit, operation, max_retries=3, retry_on=["EndedEarly"])
        await start(kit, "a")
        run = await last(kit)
        assert (run["status"], run["reason"], run["error"], run["attempt"]) == (status, reason, None, 1)


async def test_what_an_early_end_leaves_is_kept() -> None:
    """The result of a handler that ended early is in the history."""
    async with toolkit() as kit:
        await job(kit, "park")
        await start(kit, "a")
        assert (await last(kit))["result"] == {"asked": "paul"}


@pytest.mark.parametrize(("operation", "queue"), [("quiet", None), ("skip", None), ("park", "errors"), ("on", "results")])
async def test_only_what_somebody_need_hear_is_delivered(operation: str, queue: str | None) -> None:
    """Nothing to report and nothing to do reach no queue; what waits for a person reaches that of errors."""
    async with toolkit() as kit:
        await job(kit, operation, result_queue="results", error_queue="errors")
        await start(kit, "a")
        queues = await kit.injector.run("queue", {"operation": "list_queues"})
        assert [found["queue_name"] for found in queues.data["queues"] if found["size"]] == ([queue] if queue else [])


@pytest.mark.parametrize("window", [memory_search.WINDOW, 1])
async def test_runs_that_are_asked_for_are_counted(monkeypatch: pytest.MonkeyPatch, window: int):
    """A caller without the scope ``admin`` starts no more runs a day than its jobs may have; the same key is no further one.

    It holds also where one page of a search looks at fewer runs than it has.
    """
    monkeypatch.setattr(memory_search, "WINDOW", window)
    monkeypatch.setattr(memory_search, "PORTION", window)
    settings = Settings.from_values({"timezone": "UTC", "agents": {"runs_per_day": 3}})
    async with toolkit(settings=settings) as kit:
        await job(kit, "on")
        with acting_as(Caller("maria", "rest", OWN)):
            call = {"agentool_name": "lamp", "input_data": {"operation": "on"}}
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "mine", "schedule": "in 2 days", **call})
            for key in ("1", "2", "3", "3", "1"):
                await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "mine", "run_key": key})
            with pytest.raises(LimitExceeded, match="3 runs in a day"):
                await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "mine", "run_key": "4"})
            await kit.advance(days=1, seconds=1)
            await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "mine", "run_key": "4"})
        await kit.injector.run("scheduler", {"operation": "start_run", "job_id": "mine", "run_key": "5"})


ON = {"agentool_name": "lamp", "input_data": {"operation": "on"}}


def numbered(asked: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a call with a number in its texts."""
    return {name: value.replace("#", str(number)) if isinstance(value, str) else value for name, value in asked.items()}


@pytest.mark.parametrize(
    "asked",
    [
        {"operation": "start_run", "job_id": "mine", "run_key": "#"},
        {"operation": "run_now", "job_id": "mine"},
        {"operation": "run_now", **ON},
        {"operation": "backfill", "job_id": "mine", "start_at": "2029-01-#", "end_at": "2029-01-#T12:00"},
    ],
    ids=["start_run", "run_now of a job", "run_now", "backfill"],
)
async def test_runs_that_histories_do_not_keep_are_counted_too(asked: dict[str, Any]):
    """A history has the newest hundred of one job: whoever asks for more of one, or for runs without a job, is refused too."""
    settings = Settings.from_values({"timezone": "UTC", "history": 2, "agents": {"runs_per_day": 6}})
    async with toolkit(settings=settings) as kit:
        await job(kit, "on")
        with acting_as(Caller("maria", "rest", OWN)):
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "mine", "schedule": "every day at 9:00", **ON})
            for number in range(10, 16):
                await kit.injector.run("scheduler", numbered(asked, number))
                await kit.clock.let_run()
                await kit.scheduler.lifecycle.wait_idle()
            with pytest.raises(LimitExceeded, match="6 runs in a day"):
                await kit.injector.run("scheduler", numbered(asked, 17))
        await kit.injector.run("scheduler", numbered(asked, 17))


async def test_the_progress_of_a_backfill_is_asked_for_without_limit():
    """Due times that have a record are not run again, and count once."""
    settings = Settings.from_values({"timezone": "UTC", "agents": {"runs_per_day": 6}})
    async with toolkit(settings=settings) as kit:
        await job(kit, "on")
        with acting_as(Caller("maria", "rest", OWN)):
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "mine", "schedule": "every day at 9:00", **ON})
            past = {"operation": "backfill", "job_id": "mine", "start_at": "2029-01-01", "end_at": "2029-01-05"}
            created = [(await kit.injector.run("scheduler", past)).data["created"] for _ in range(3)]
    assert created == [4, 0, 0]
