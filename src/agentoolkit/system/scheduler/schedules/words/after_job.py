"""``after extract failed``: a job that comes after another; what may as well be a time, or another word for an outcome, is asked about."""

from __future__ import annotations

from collections.abc import Callable

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import START, Outcome, Upstream
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase

_OTHER_WORDS: dict[str, tuple[Outcome, ...]] = {
    **dict.fromkeys(("fails", "fail", "failing", "failure", "errors", "crashes", "crashed"), ("failed",)),
    **dict.fromkeys(("succeeds", "succeed", "succeeding", "success"), ("succeeded",)),
    **dict.fromkeys(("ends", "end", "finishes", "finish", "finished", "stops", "stopped"), ("ended",)),
    **dict.fromkeys(("completes", "complete", "completed", "done", "runs", "ran"), ("succeeded", "ended")),
}
"""What is said for an outcome, and the outcomes that it may mean."""
_HELPERS = ("has", "is", "was", "had", "been")


def after_phrase(before: Upstream, text: str, reads: Callable[[str], bool]) -> Phrase:
    """Return the phrase of a job that comes after another one.

    Raises:
        InvalidSchedule: What follows ``after`` may be a time, ``after 5 minutes``, or a job with an outcome, ``after extract fails``.
    """
    if before.job_id == START:
        remarks = ("runs once at each start of the scheduler, first at the next one; not when another process takes over",)
        return Phrase("after", before.text, remarks, needs_zone=False)
    said = text.strip()[len("after") :].strip()
    if said == before.job_id:
        for what, moment in (("a length of time", f"in {said}"), ("a day", f"the day after {said}"), ("a time of day", f"at {said}")):
            if reads(moment):
                raise _refusal(text, f"{said!r} may be {what} or a job", [moment], f"after {said} succeeded")
        job, outcomes = _outcome_in(said)
        if outcomes:
            meant = [f"after {job} {outcome}" for outcome in outcomes]
            raise _refusal(text, f"{said!r} may be the job {job!r} and what became of it, or a job", meant, f"after {said!r}")
    return Phrase("after", before.text, needs_zone=False)


def _outcome_in(said: str) -> tuple[str, tuple[Outcome, ...]]:
    """Split ``extract has finished`` into the job and the outcomes that may be meant; none where the last word is none."""
    *job, last = said.rstrip(".").split()
    outcomes = _OTHER_WORDS.get(last.lower(), ())
    while job and job[-1].lower() in _HELPERS:
        job.pop()
    return (" ".join(job), outcomes) if job else (said, ())


def _refusal(text: str, problem: str, meant: list[str], as_job: str) -> InvalidSchedule:
    remedy = f"Write {' or '.join(map(repr, meant))}, or {as_job!r} if that is a job's name."
    return InvalidSchedule(f"{problem}.", field="schedule", value=text, remedy=remedy)
