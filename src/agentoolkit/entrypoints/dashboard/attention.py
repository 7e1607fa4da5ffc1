"""Find the troubles that need a person: nine kinds, from the answers of the AgenTools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, NamedTuple

from agentoolkit.agents.errors import OVER_BUDGET
from agentoolkit.entrypoints.dashboard.addresses import execution_address, job_address
from agentoolkit.entrypoints.dashboard.moments import read_moment, span
from agentoolkit.entrypoints.dashboard.page import Viewer, all_of
from agentoolkit.redaction import redacted_text
from agentoolkit.system.scheduler.decisions.admission import NEEDS_APPROVAL
from agentoolkit.system.scheduler.decisions.decision_records import was_coalesced
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import tells_of_workers
from agentoolkit.text import counted

WINDOW = timedelta(hours=24)
"""Age of the executions that are searched for troubles."""
LOOKED_AT = 200
"""The newest executions of each kind that are searched for troubles."""
STREAK = 30
"""Executions of one job that are searched for failures in a row."""
MAX_JOBS = 20
"""Jobs of one kind of trouble that are listed."""
MAX_LAG = 60.0
"""Seconds by which starts may be late before the scheduler counts as late."""
_DETAIL = 200
"""Characters of a detail."""


class NextStep(NamedTuple):
    """A link to a remedy."""

    label: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One trouble that needs a person."""

    kind: str
    icon: str
    """The status whose icon it has."""
    subject: str
    address: str
    told: str
    detail: str = ""
    at: str | None = None
    until: str | None = None
    steps: tuple[NextStep, ...] = ()


async def find_troubles(viewer: Viewer) -> list[Trouble]:
    """Return all troubles, the worst kind first."""
    status, failed, missed, lost, queued, recent, broken, paused, approvals = await all_of(
        viewer.scheduler("status"),
        _executions(viewer, execution_status="failed"),
        _executions(viewer, execution_status="missed"),
        _executions(viewer, execution_status="lost"),
        viewer.scheduler("list_executions", execution_status="queued", limit=LOOKED_AT, with_results=False),
        _executions(viewer),
        _jobs(viewer, "broken"),
        _jobs(viewer, "paused"),
        list_approvals(viewer),
    )
    return [
        *_silent(viewer, status),
        *(
            _of_job(
                job["job_id"],
                "broken",
                "failed",
                "is broken and never due",
                job["reason"],
                steps=(NextStep("Cancel…", f"/act?do=cancel&job={job['job_id']}"),),
            )
            for job in broken[:MAX_JOBS]
        ),
        *await _failing(viewer, failed),
        *_passed(lost, "lost", "executions lost", "execution lost"),
        *_unclaimed(queued["history"]),
        *_waiting(approvals, paused),
        *_undelivered(recent),
        *_passed([each for each in missed if not was_coalesced(each["reason"])], "missed", "due times missed", "due time missed"),
    ]


async def _executions(viewer: Viewer, **wanted: Any) -> list[dict[str, Any]]:
    """Return the executions that ended, or were due, within the window, the newest first."""
    data = await viewer.scheduler("list_executions", limit=LOOKED_AT, with_results=False, **wanted)
    since = viewer.clock.now - WINDOW
    return [
        execution for execution in data["history"] if (read_moment(execution["finished_at"] or execution["scheduled_at"]) or since) >= since
    ]


async def _jobs(viewer: Viewer, status: str) -> list[dict[str, Any]]:
    return (await viewer.scheduler("list", job_status=status, limit=LOOKED_AT))["jobs"]


async def list_approvals(viewer: Viewer) -> list[dict[str, Any]]:
    """Return the agents' calls that wait for a person."""
    if "agent" not in viewer.tools.injector.names():
        return []
    found = await viewer.tools.run("agent", "list_approvals")
    return found.model_dump(mode="json")["approvals"]


def _silent(viewer: Viewer, status: Mapping[str, Any]) -> Iterable[Trouble]:
    """Yield the trouble that due jobs are not run, or run late."""
    problem = detail = ""
    if status["stopped"]:
        problem, detail = "The scheduler is stopped", status["stop_reason"] or "Due jobs do not run until it is started again."
    elif not status["running"]:
        problem, detail = "No scheduler is running", "No process serves this database; `agentool serve` starts one."
    elif (status["lag"] or 0.0) > MAX_LAG:
        problem, detail = "The scheduler is late", f"A run started {span(status['lag'])} after its due time."
    if problem:
        steps = (NextStep("Start…", "/act?do=start"),) if status["stopped"] and viewer.may("admin") else ()
        yield Trouble(kind="silent", icon="failed", subject="Scheduler", address="/health", told=problem, detail=detail, steps=steps)


async def _failing(viewer: Viewer, failed: Sequence[Mapping[str, Any]]) -> list[Trouble]:
    """Return the jobs whose latest executions failed, with the number of failures in a row."""
    job_ids = list(dict.fromkeys(execution["job_id"] for execution in failed))[:MAX_JOBS]
    histories = await all_of(*(viewer.history(job_id, STREAK) for job_id in job_ids))
    found: list[Trouble] = []
    for job_id, history in zip(job_ids, histories, strict=True):
        ended = [execution for execution in history if execution["status"] in ("success", "failed", "lost")]
        streak = list(takewhile(lambda execution: execution["status"] != "success", ended))
        if not streak:
            continue
        newest, error = streak[0], streak[0]["error"]
        told = f"{error['type']}: {error['message']}" if error else newest["reason"]
        number = f"{len(streak)} times" if len(streak) < STREAK else f"at least {STREAK} times"
        times = "failed" if len(streak) == 1 else f"failed {number} in a row"
        steps = (NextStep("Run again…", f"/act?do=run&job={job_id}"), NextStep("Pause…", f"/act?do=pause&job={job_id}"))
        found.append(_of_job(job_id, "failing", "failed", times, told, newest["finished_at"], steps=steps))
    return found


def _passed(executions: Sequence[Mapping[str, Any]], status: str, many: str, one: str) -> Iterable[Trouble]:
    """Yield the jobs of missed or lost executions, with the number of due times."""
    by_job: dict[str, list[Mapping[str, Any]]] = {}
    for execution in executions:
        by_job.setdefault(execution["job_id"], []).append(execution)
    for job_id, found in list(by_job.items())[:MAX_JOBS]:
        number = sum(each["due_count"] for each in found)
        told = f"{number:,} {one if number == 1 else many}"
        steps = (NextStep("Look", execution_address(found[0]["execution_id"])), NextStep("Run now…", f"/act?do=run&job={job_id}"))
        yield _of_job(job_id, status, status, told, found[0]["reason"], found[0]["scheduled_at"], steps=steps)


def _unclaimed(queued: Sequence[Mapping[str, Any]]) -> Iterable[Trouble]:
    """Yield the jobs with executions that no worker claims."""
    by_job = {each["job_id"]: each for each in queued if tells_of_workers(each["reason"])}  # keeps the earliest due: the last listed
    for job_id, execution in list(by_job.items())[:MAX_JOBS]:
        steps = (NextStep("Look", execution_address(execution["execution_id"])),)
        reason, due = execution["reason"], execution["scheduled_at"]
        yield _of_job(job_id, "waiting", "skipped", "has a run that no worker takes", reason, due, steps=steps)


def _undelivered(executions: Sequence[Mapping[str, Any]]) -> Iterable[Trouble]:
    for execution in [execution for execution in executions if execution["delivery"] == "failed"][:MAX_JOBS]:
        steps = (NextStep("Look", execution_address(execution["execution_id"])),)
        told = "has an outcome that reached no queue"
        yield _of_job(execution["job_id"], "undelivered", "skipped", told, execution["reason"], execution["finished_at"], steps=steps)


def _waiting(approvals: Sequence[Mapping[str, Any]], paused: Sequence[Mapping[str, Any]]) -> Iterable[Trouble]:
    """Yield the calls and jobs that wait for a person, and the jobs that wait for their budget."""
    for approval in approvals[:MAX_JOBS]:
        wanted = ", ".join(call["tool"] for call in approval["calls"])
        here = f"/approvals/{approval['approval_id']}"
        steps = (NextStep("Decide…", here),)
        told = f"wants to call {wanted}, and waits for approval"
        who = f"asked by agent {approval['agent']}"
        yield _of_job(approval["job_id"], "approval", "running", told, who, until=approval["deadline"], steps=steps)
    for job in [each for each in paused if each["reason"].startswith(NEEDS_APPROVAL)][:MAX_JOBS]:
        steps = (NextStep("Approve…", f"/act?do=resume&job={job['job_id']}"), NextStep("Deny…", f"/act?do=cancel&job={job['job_id']}"))
        told = "waits for approval before its first run"
        yield _of_job(job["job_id"], "approval", "running", told, job["reason"].removeprefix(NEEDS_APPROVAL), steps=steps)
    for job in [each for each in paused if each["reason"].startswith(OVER_BUDGET)][:MAX_JOBS]:
        steps = (NextStep("Resume…", f"/act?do=resume&job={job['job_id']}"),)
        yield _of_job(job["job_id"], "budget", "skipped", "is paused by its budget", job["reason"], until=job["next_run"], steps=steps)


def _of_job(
    job_id: str,
    kind: str,
    icon: str,
    told: str,
    detail: str,
    at: str | None = None,
    until: str | None = None,
    steps: tuple[NextStep, ...] = (),
) -> Trouble:
    shown = redacted_text(detail)
    cut = shown if len(shown) <= _DETAIL else f"{shown[:_DETAIL]}…"
    return Trouble(
        kind=kind, icon=icon, subject=job_id, address=job_address(job_id), told=told, detail=cut, at=at, until=until, steps=steps
    )


def headline(troubles: Sequence[Trouble]) -> str:
    """Return a sentence with the number of troubles."""
    numbers = ("Nothing needs", "One thing needs", *(f"{word} things need" for word in _NUMBERS))
    return f"{numbers[len(troubles)] if len(troubles) < len(numbers) else counted(len(troubles), 'thing') + ' need'} you"


_NUMBERS = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
