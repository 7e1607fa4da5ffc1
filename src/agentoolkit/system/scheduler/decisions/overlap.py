"""What becomes of a due time while earlier executions of its job run: pure functions, so that every store decides alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentoolkit.system.scheduler.decisions.decision_records import Scribe
from agentoolkit.system.scheduler.jobs import Execution, Job, Policies


def start_or_skip(
    scribe: Scribe, due: Iterable[Execution], unfinished: int, room: float, *, all_wait: bool = False
) -> tuple[int, Sequence[Execution]]:
    """Return how many executions start, and the records of them and of those that are skipped.

    Args:
        scribe: Writes the records.
        due: What may start, in order.
        unfinished: How many executions of the job run or wait.
        room: How many more it may start in all.
        all_wait: None is skipped because another one runs: they start one after another.
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
    """Return the oldest scheduled executions of a job that give room to a new one (``overlap: cancel_running``)."""
    older = sorted((one for one in unfinished if one.job_id == job.job_id and one.trigger == "schedule"), key=lambda one: one.scheduled_at)
    return older[: max(0, len(older) + 1 - job.policies.max_instances)]
