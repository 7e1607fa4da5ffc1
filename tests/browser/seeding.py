"""A toolkit as it looks after some months of use, with one example of each of the eight troubles, at a moment that stands still."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.agents.approval_store import Approval, WaitingCall
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import Attempt, DeliveryStatus, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.testing import TestToolkit, toolkit

NOW = "2030-01-02T10:24:00+00:00"
LIST = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
FETCH = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}
ASK = {"agentool_name": "agent", "input_data": {"operation": "run", "agent": "assistant", "prompt": "Summarise today's mail"}}
JOBS: tuple[dict[str, Any], ...] = (
    {"job_name": "sync-crm", "schedule": "every 30 minutes", "tags": ["sales"], "timeout": 120, **FETCH},
    {"job_name": "mail-digest", "schedule": "every weekday at 07:30", "timezone": "Europe/Berlin", "tags": ["agent"], **ASK},
    {"job_name": "backup", "schedule": "every day at 02:00", "timezone": "Europe/Berlin", "tags": ["ops", "nightly"], **LIST},
    {"job_name": "backup-check", "schedule": "after backup", "tags": ["ops"], **LIST},
    {"job_name": "invoices", "schedule": "1st of every month at 06:00", "timezone": "Europe/Paris", "tags": ["finance"], **LIST},
    {"job_name": "price-watch", "schedule": "every 15 minutes", "tags": ["agent"], **ASK},
    {"job_name": "export-metrics", "schedule": "0 * * * *", "description": "Exports the metrics of the last hour", **LIST},
    {"job_name": "weekly-report", "schedule": "every monday at 09:00", "timezone": "America/New_York", **LIST},
    {"job_name": "tidy-cache", "schedule": "every day at 02:00", "timezone": "Europe/Berlin", "tags": ["nightly"], **LIST},
    {"job_name": "holiday-notice", "schedule": "2030-12-20T09:00:00", "paused": True, **LIST},
)
TIMED_OUT = ErrorRecord("TimeoutError", "crm.example.com did not answer within 30 seconds", 'File "crm.py", line 12, in sync\n    ...')


async def _keep(kit: TestToolkit, job: str, ago: float, status: ExecutionStatus = ExecutionStatus.SUCCESS, **more: Any) -> str:
    """Keep an execution that was due some minutes ago."""
    due = kit.clock.now() - timedelta(minutes=ago)
    ended = not more.pop("running", False)
    took: float = more.pop("took", 4.2)
    times = {"started_at": due, "finished_at": due + timedelta(seconds=took) if ended else None, "duration": took if ended else None}
    tool = next(one["agentool_name"] for one in JOBS if one["job_name"] == job)
    record = Execution(f"{job}@{due.isoformat()}", job, tool, due, status=status, **{**times, **more})
    await kit.scheduler.store.insert([record])
    return record.execution_id


def _run(cost: str, tokens: int) -> dict[str, Any]:
    said = [
        {"by": "user", "text": "Summarise today's mail", "tool": ""},
        {"by": "agent", "text": '{"since": "yesterday"}', "tool": "search_mail"},
        {"by": "tool", "text": "14 mails, 3 of them unanswered", "tool": "search_mail"},
        {"by": "agent", "text": "Three mails need an answer, two of them today.", "tool": ""},
    ]
    calls = [{"tool": "search_mail", "arguments": {"since": "yesterday"}}, {"tool": "send_summary", "arguments": {"to": "me"}}]
    used = {"requests": 3, "input_tokens": tokens, "output_tokens": tokens // 8, "cost": cost, "model": "small-model"}
    return {
        "output": "Three mails need an answer, two of them today.",
        "tool_calls": calls,
        "messages": said,
        "trace_id": "4bf92f35",
        **used,
    }


async def _seed_histories(kit: TestToolkit) -> None:
    for number in range(29, 0, -1):
        failed = number <= 3
        error = {"error": TIMED_OUT, "reason": TIMED_OUT.message} if failed else {}
        status = ExecutionStatus.FAILED if failed else ExecutionStatus.SUCCESS
        attempts = (
            (Attempt(1, kit.clock.now() - timedelta(minutes=31), kit.clock.now() - timedelta(minutes=30.5), TIMED_OUT),) if failed else ()
        )
        await _keep(
            kit,
            "sync-crm",
            number * 30 - 6,
            status,
            took=30.0 if failed else 3 + number % 7,
            attempts=attempts,
            attempt=1 + failed,
            **error,
        )
        await _keep(kit, "export-metrics", number * 60 - 36, ExecutionStatus.SKIPPED if number == 9 else ExecutionStatus.SUCCESS, took=0.4)
        await _keep(kit, "price-watch", number * 15, took=8 + number % 5, result=_run("0.0042", 1_800 + 40 * number))
    for days in range(12, -1, -1):
        ago = days * 1_440 + 564
        await _keep(kit, "backup", ago, took=310 + 9 * (days % 4))
        lost = {"reason": "its process ended", "finished_at": None, "duration": None} if days == 0 else {}
        await _keep(kit, "tidy-cache", ago, ExecutionStatus.LOST if days == 0 else ExecutionStatus.SUCCESS, **lost)
        await _keep(
            kit, "backup-check", ago - 5, delivery=DeliveryStatus.FAILED if days == 0 else DeliveryStatus.DELIVERED, trigger="after"
        )
        await _keep(kit, "mail-digest", days * 1_440 + 234, took=19 + days, result=_run("0.0310", 9_000 + 100 * days))
    late = {"reason": "noticed 3 h late, 30 s are allowed", "started_at": None, "finished_at": None, "duration": None}
    await _keep(kit, "weekly-report", 1_200, ExecutionStatus.MISSED, **late)
    await _keep(kit, "price-watch", 0, ExecutionStatus.RUNNING, running=True)


async def _seed_troubles(kit: TestToolkit) -> None:
    """The three that no history tells: an approval that waits, a job paused by its budget, and one that is broken."""
    now = kit.clock.now()
    call = WaitingCall(call_id="c1", tool="send_mail", arguments={"to": "board@example.com", "subject": "Figures of the year"})
    asked = {"owner": "maria", "agent": "assistant", "job_id": "mail-digest", "execution_id": "mail-digest@2030-01-02T06:30:00+00:00"}
    waiting = Approval(approval_id="apr-1", calls=(call,), created_at=now, deadline=now + timedelta(hours=2), conversation_id="c", **asked)
    await kit.injector.get("agent").deps.parked.approvals.add(waiting)
    reason = "The budget of the day is used up: $5.00 of $5.00 are used."
    await kit.injector.run("scheduler", {"operation": "pause", "job_id": "price-watch", "reason": reason, "until": "2030-01-03T00:00:00"})
    stored = await kit.scheduler.store.find("invoices")
    assert stored is not None
    broken = stored.state._replace(status=JobStatus.BROKEN, next_run_at=None, reason="the zone Europe/Atlantis is gone")
    assert await kit.scheduler.store.replace(stored.job, broken, stored.state)


async def _seed_queues(kit: TestToolkit, reasons: Sequence[str]) -> None:
    for number in range(9):
        message = {"queue_name": "crm-results", "message_id": f"m-{number}"}
        told = {"customer": f"c-{number}", "contacts": [number, number + 1]}
        await kit.injector.run("queue", {"operation": "enqueue", "message": told, **message})
        if number < len(reasons):
            await kit.injector.run("queue", {"operation": "move_to_dlq", "reason": reasons[number], **message})
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "mail", "message": {"n": 1}, "message_id": "one"})


@asynccontextmanager
async def seeded(at: datetime | str = NOW) -> AsyncGenerator[TestToolkit]:
    """Open a toolkit with ten jobs, their histories, queues with dead letters, and seven of the eight troubles.

    The eighth, a scheduler that is stopped, is one operation away.
    """
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    from agentoolkit.actions.agent import register_agent

    async with toolkit(at, Settings.from_values({"timezone": "UTC", "functions": ("tests.pages",)})) as kit:
        register_agent("assistant", Agent(TestModel()), injector=kit.injector)
        with acting_as(Caller("maria", door="cli", scopes=OWN | {"admin"})):
            for job in JOBS:
                await kit.injector.run("scheduler", {"operation": "schedule", **job})
            for change in ({"timeout": 60}, {"schedule": "every 30 minutes", "timeout": 30, "max_retries": 1}):
                await kit.injector.run("scheduler", {"operation": "update", "job_id": "sync-crm", **change})
        await _seed_histories(kit)
        await _seed_troubles(kit)
        await _seed_queues(kit, ["HTTP 502 from crm", "HTTP 503 from crm", "HTTP 502 from crm", "no field 'email'"])
        yield kit
