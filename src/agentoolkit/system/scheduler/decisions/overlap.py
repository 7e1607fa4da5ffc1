"""Overlap rules: what happens to a due time while earlier executions of the job still run. Pure functions, shared by all stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentoolkit.system.scheduler.decisions.decision_records import Scribe
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Job, Policies


def start_or_skip(
    scribe: Scribe, due: Iterable[Execution], unfinished: int, room: float, *, all_wait: bool = False
) -> tuple[int, Sequence[Execution]]:
    """Return the number of executions that start, and the records of those that start or are skipped.

    Args:
        scribe: Creates the records.
        due: The due executions, in order.
        unfinished: Number of the job's executions that run or wait.
        room: Number of runs that the job has left.
        all_wait: If true, no execution is skipped because of another: they start one after another.
    """
    records: list[Execution] = []
    runs = 0
    for execution in due:
        if runs >= room:
            break
        if not all_wait and (reason := _refuse_overlap(scribe.job.policies, unfinished + runs)):
            records.append(scribe.skipped(execution, reason))
        else:
            runs += 1
            records.append(execution)
    return runs, records


def _refuse_overlap(policies: Policies, unfinished: int) -> str:
    limit = policies.max_instances
    if policies.overlap == "skip" and unfinished >= limit:
        return f"still running: {unfinished} of at most {limit} (max_instances)"
    if policies.overlap == "queue_one" and unfinished > limit:
        return f"running: {limit}, and one waits already (overlap: queue_one)"
    return ""


def replaced_by(job: Job, unfinished: Iterable[Execution]) -> Sequence[Execution]:
    """Return the oldest scheduled executions of a job that a new one replaces (``overlap: cancel_running``)."""
    older = sorted((one for one in unfinished if one.job_id == job.job_id and one.trigger == "schedule"), key=lambda one: one.scheduled_at)
    return older[: max(0, len(older) + 1 - job.policies.max_instances)]
