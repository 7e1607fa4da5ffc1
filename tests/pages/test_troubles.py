"""The home page names each of its nine troubles, each seeded here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic_ai import Agent

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.approval_store import Approval, WaitingCall
from agentoolkit.entrypoints.dashboard.page import Viewer
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import waits_for_tool
from agentoolkit.system.scheduler.execution_records import DeliveryStatus, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule

FAILS = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}


def kinds_on(page: str) -> list[str]:
    """Return the kinds of trouble that a home page names."""
    return [part.split('"')[0] for part in page.split('data-kind="')[1:]]


async def keep(kit: TestToolkit, status: ExecutionStatus, **more: Any) -> None:
    """Keep an execution of the job ``hourly`` that ended so an hour ago."""
    due = kit.clock.now() - timedelta(hours=1)
    ended = Execution(f"hourly@{due.isoformat()}", "hourly", "queue", due, status=status, finished_at=due, **more)
    await kit.scheduler.store.insert([ended])


async def test_failing(kit: TestToolkit, browse: Browse) -> None:
    """A job whose latest runs failed."""
    await schedule(kit, "brief", **FAILS)
    await kit.advance(hours=2)
    assert kinds_on(await browse("/")) == ["failing"]


async def test_failed_and_well_again(kit: TestToolkit, browse: Browse) -> None:
    """A job that succeeded after a failure needs nobody."""
    await schedule(kit, "hourly")
    await keep(kit, ExecutionStatus.FAILED)
    await kit.advance(hours=1)
    assert kinds_on(await browse("/")) == []


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        (ExecutionStatus.MISSED, "noticed 90 s late", "1 due time missed"),
        (ExecutionStatus.LOST, "its process ended", "1 execution lost"),
    ],
)
async def test_missed_and_lost(kit: TestToolkit, browse: Browse, status: ExecutionStatus, reason: str, told: str) -> None:
    """Due times that were passed over, and runs whose process ended."""
    await schedule(kit, "hourly")
    await keep(kit, status, reason=reason)
    page = await browse("/")
    assert kinds_on(page) == [status.value]
    assert told in page
    assert reason in page


async def restart(kit: TestToolkit, seconds: int) -> None:
    """Stop the scheduler for some seconds."""
    await kit.injector.run("scheduler", {"operation": "stop"})
    await kit.advance(seconds=seconds)
    await kit.injector.run("scheduler", {"operation": "start"})
    await kit.advance(seconds=1)


async def test_due_times_that_a_later_run_stands_for_need_nobody(kit: TestToolkit, browse: Browse) -> None:
    """After a short restart one run stands for several due times: nothing was lost."""
    await schedule(kit, "hourly", "every 10 seconds")
    await restart(kit, 25)
    history = await kit.injector.run("scheduler", {"operation": "list_executions", "execution_status": "missed"})
    assert [each["due_count"] for each in history.data["history"]] == [1]
    assert kinds_on(await browse("/")) == []


async def test_a_run_that_stands_for_others_and_fails_is_a_failure(kit: TestToolkit, browse: Browse) -> None:
    """What became of the due times is what became of the run: no more, no less."""
    await schedule(kit, "brief", "every 10 seconds", **FAILS)
    await restart(kit, 25)
    assert kinds_on(await browse("/")) == ["failing"]


async def test_due_times_that_nothing_stands_for_are_missed_after_a_long_restart(kit: TestToolkit, browse: Browse) -> None:
    """Only those that were too late are counted, without those that the late run stands for."""
    await schedule(kit, "hourly", "every 10 seconds")
    await restart(kit, 65)
    page = await browse("/")
    assert kinds_on(page) == ["missed"]
    assert "3 due times missed" in page


async def test_old_ones_are_history(kit: TestToolkit, browse: Browse) -> None:
    """What was missed more than a day ago needs nobody."""
    await schedule(kit, "hourly", "every day at 10:00")
    await keep(kit, ExecutionStatus.MISSED)
    await kit.advance(hours=25)
    assert kinds_on(await browse("/")) == []


async def test_a_run_that_no_worker_takes(kit: TestToolkit, browse: Browse) -> None:
    """Where no worker has its AgenTool, home says so however long ago it was due, and the job's page why it does not run now."""
    await schedule(kit, "hourly")
    due = kit.clock.now() - timedelta(days=2)
    waits = Execution(f"hourly@{due.isoformat()}", "hourly", "queue", due, reason=waits_for_tool("queue"))
    await kit.scheduler.store.insert([waits])
    page = await browse("/")
    assert kinds_on(page) == ["waiting"]
    assert "waits for a worker that has AgenTool" in page
    assert "One of its runs is queued: waits for a worker that has AgenTool" in await browse("/jobs/hourly")


async def test_undelivered(kit: TestToolkit, browse: Browse) -> None:
    """An outcome that reached no queue."""
    await schedule(kit, "hourly")
    await keep(kit, ExecutionStatus.SUCCESS, delivery=DeliveryStatus.FAILED)
    assert kinds_on(await browse("/")) == ["undelivered"]


async def test_an_approval(kit: TestToolkit, browse: Browse) -> None:
    """An agent's run that is parked, with its deadline."""
    prompt = {"operation": "run", "agent": "assistant", "prompt": "Write to the board"}
    register_agent("assistant", Agent("test"), approvals="park")
    await schedule(kit, "weekly", agentool_name="agent", input_data=prompt)
    now = kit.clock.now()
    call = WaitingCall(call_id="c1", tool="send_mail", arguments={"to": "board@example.com", "token": "hunter2-hunter2"})
    asked = {"owner": "maria", "agent": "assistant", "job_id": "weekly", "execution_id": "weekly@1", "conversation_id": "c"}
    approval = Approval(approval_id="apr-1", calls=(call,), created_at=now, deadline=now + timedelta(hours=2), **asked)
    await kit.injector.get("agent").deps.parked.approvals.add(approval)
    page = await browse("/")
    assert kinds_on(page) == ["approval"]
    assert "send_mail" in page
    assert "in 2 h" in page
    page = await browse("/approvals/apr-1")
    assert "board@example.com" in page
    assert "hunter2" not in page


@pytest.mark.parametrize("path", ["/", "/jobs"])
async def test_a_job_that_goes_while_a_page_is_made(kit: TestToolkit, browse: Browse, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """It was listed, and nothing is known of it when its executions are asked for: it is shown without any."""
    await schedule(kit, "hourly")
    ask = Viewer.scheduler

    async def ask_too_early(viewer: Viewer, operation: str, /, **fields: Any) -> dict[str, Any]:
        data = await ask(viewer, operation, **fields)
        if operation in ("list", "list_upcoming"):
            data["jobs"] = [{**job, "job_id": "fleeting"} for job in data["jobs"]]
        return data

    monkeypatch.setattr(Viewer, "scheduler", ask_too_early)
    assert "/jobs/fleeting" in await browse(path)


async def test_a_job_that_waits_for_approval(kit: TestToolkit, browse: Browse) -> None:
    """A model's job that reaches outwards, before its first run."""
    with acting_as(Caller("model", door="agent", scopes=OWN)):
        await schedule(kit, "outward", agentool_name="function", input_data={"operation": "call", "function": "tests.pages.work:fail"})
    assert kinds_on(await browse("/")) == ["approval"]
    assert "outward" in await browse("/approvals")


async def test_paused_by_its_budget(kit: TestToolkit, browse: Browse) -> None:
    """A job that its budget paused, with the way back."""
    await schedule(kit, "watcher")
    reason = "The budget of the day is used up: $5.00 of $5.00 are used."
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "watcher", "reason": reason})
    page = await browse("/")
    assert kinds_on(page) == ["budget"]
    assert "$5.00 of $5.00" in page


async def test_paused_by_somebody_who_names_a_budget(kit: TestToolkit, browse: Browse) -> None:
    """Whoever pauses a job may write of a budget in the reason: its own budget did not pause it."""
    await schedule(kit, "planning")
    reason = "wait for the budget meeting"
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "planning", "reason": reason})
    assert kinds_on(await browse("/")) == []


async def test_broken(kit: TestToolkit, browse: Browse) -> None:
    """A job whose definition cannot be computed."""
    await schedule(kit, "hourly")
    store = kit.scheduler.store
    stored = await store.find("hourly")
    assert stored is not None
    broken = stored.state._replace(status=JobStatus.BROKEN, next_run_at=None, reason="its zone is gone")
    assert await store.replace(stored.job, broken, stored.state)
    page = await browse("/")
    assert kinds_on(page) == ["broken"]
    assert "its zone is gone" in page


async def test_silent(kit: TestToolkit, browse: Browse) -> None:
    """A scheduler that was stopped."""
    await kit.injector.run("scheduler", {"operation": "stop"})
    page = await browse("/")
    assert kinds_on(page) == ["silent"]
    assert "The scheduler is stopped" in page


async def test_every_page_says_how_many_things_need_somebody(kit: TestToolkit, browse: Browse) -> None:
    """Also where the home page was never looked at, and anew when some time has passed."""
    await schedule(kit, "sleeper", paused=True)
    assert "things need you" not in await browse("/health")
    await kit.injector.run("scheduler", {"operation": "stop", "reason": "the database moves"})
    await kit.advance(minutes=1)
    assert '<b>1<span class="hidden"> things need you</span></b>' in await browse("/health")
