"""Decides whether a job or an execution matches a search: every store must agree with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.search.grammar import Bound, Search, Term, TermValue

AGENT = "agent"
"""The AgenTool whose results contain their cost."""

MAX_LABEL = 500
"""Maximum characters of a label, and of the part of a description that is searched."""


def labels_of(job: Job) -> set[tuple[str, str]]:
    """Return a job's labels by kind in lower case, as searches compare them, and the owner's exact name under ``owned``."""
    found = {("job", job.job_id), ("job", job.job_name), ("owner", job.owner), ("tool", job.agentool_name), ("text", job.description)}
    found.update(("tag", tag) for tag in job.tags)
    return {("owned", job.owner), *((kind, label.casefold()[:MAX_LABEL]) for kind, label in found if label)}


def job_fits(search: Search, job: Job, state: JobState, last_outcome: ExecutionStatus | None) -> bool:
    """Tell whether a job matches a search."""
    return search.owner in (None, job.owner) and all(_job_holds(term, job, state, last_outcome) for term in search.terms)


def execution_fits(search: Search, execution: Execution, job: Job | None) -> bool:
    """Tell whether an execution matches a search. Terms on a job that is no longer known do not match."""
    if search.owner is not None and (job is None or job.owner != search.owner):
        return False
    return all(_execution_holds(term, execution, job) for term in search.terms)


def text_fits(search: Search, *texts: str, errors: Iterable[str]) -> bool:
    """Tell whether the words match one of the texts, and the terms on errors one of the errors."""
    errors = tuple(errors)
    words = {"": (*texts, *errors), "error": errors}
    return all(_contains(term, words[term.key]) is not term.is_negated for term in search.terms if term.key in words)


def error_texts(execution: Execution) -> tuple[str, ...]:
    """Return the texts that explain the outcome of an execution."""
    error = execution.error
    return (execution.reason, error.type, error.message) if error else (execution.reason,)


def cost_of(execution: Execution) -> float | None:
    """Return the cost of an agent's execution in US dollars, from its result; None if unknown."""
    result = execution.result
    if execution.agentool_name != AGENT or not isinstance(result, dict):
        return None
    try:
        return float(str(result.get("cost")))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  JSON
    except ValueError:
        return None


def _job_holds(term: Term, job: Job, state: JobState, last_outcome: ExecutionStatus | None) -> bool:
    match term.key:
        case "status":
            # A word that is a status of jobs never means their last outcome.
            fits = state.status in term.values or (last_outcome in term.values and last_outcome not in set(JobStatus))
        case "since" | "until":
            fits = _in_time(term, state.due_at)
        case "error":
            fits = _contains(term, (state.reason,))
        case "":
            fits = _contains(term, (job.job_id, job.job_name, job.description[:MAX_LABEL], state.reason))
        case _:
            fits = _labelled(term, job)
    return fits is not term.is_negated


def _execution_holds(term: Term, execution: Execution, job: Job | None) -> bool:
    match term.key:
        case "status":
            fits = execution.status in term.values
        case "trigger":
            fits = execution.trigger in term.values
        case "took":
            fits = _in_bounds(term.values, execution.duration)
        case "cost":
            fits = _in_bounds(term.values, cost_of(execution))
        case "since" | "until":
            fits = _in_time(term, execution.scheduled_at)
        case "error":
            fits = _contains(term, error_texts(execution))
        case "":
            fits = _contains(term, (execution.execution_id, execution.agentool_name, *error_texts(execution)))
        case _:
            fits = (job is not None and _labelled(term, job)) or (term.key == "job" and execution.job_id in term.values)
    return fits is not term.is_negated


def _labelled(term: Term, job: Job) -> bool:
    labels = {"job": (job.job_id, job.job_name), "tag": job.tags, "owner": (job.owner,), "tool": (job.agentool_name,)}[term.key]
    patterns = [text.replace("[", "[[]") for text in term.texts]
    return any(fnmatchcase(label.casefold(), pattern) for label in labels for pattern in patterns)


def _contains(term: Term, texts: Iterable[str]) -> bool:
    folded = [text.casefold() for text in texts]
    return any(value in text for value in term.texts for text in folded)


def _in_bounds(values: Iterable[TermValue], there: float | None) -> bool:
    return there is not None and any(isinstance(value, Bound) and value.holds(there) for value in values)


def _in_time(term: Term, there: datetime | None) -> bool:
    if there is None:
        return False
    bounds = [value for value in term.values if isinstance(value, datetime)]
    return any(there >= bound if term.key == "since" else there < bound for bound in bounds)
