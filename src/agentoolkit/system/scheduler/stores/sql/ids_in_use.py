"""Finds the ids and names that are in use, and rows that earlier jobs have left under an id."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.stores.sql.inserting import LAST_PLACES

# A subquery for each, because with OR or a list a database may read a whole index, and with a join SQLite with statistics may.
_TAKEN = """
    SELECT r.place, (SELECT j.job_id FROM agentool_jobs j WHERE j.live <> 0 AND j.job_id = r.job_id),
        (SELECT j.job_id FROM agentool_jobs j WHERE j.live <> 0 AND j.job_id = r.job_name),
        (SELECT j.job_id FROM agentool_jobs j WHERE j.live = 1 AND j.job_name = r.job_id),
        (SELECT j.job_id FROM agentool_jobs j WHERE j.live = 1 AND j.job_name = r.job_name)
"""
_HELD = f", (SELECT j.job_id FROM agentool_jobs j WHERE j.job_id = r.job_id), {LAST_PLACES}"  # noqa: S608  SQL of ours
_NAMES = {"place": "BIGINT", "job_id": "TEXT", "job_name": "TEXT"}


class Held(NamedTuple):
    """The rows that conflict with a new job's id or name."""

    taken: list[str]
    """Ids of jobs that can fire and have its id or name."""
    is_known: bool
    """True if there is a row with its id, even of a job that is over."""
    last_place: int | None
    """Place of the newest execution under its id."""


def taken_by(session: Session, jobs: Sequence[Job]) -> list[list[str]]:
    """Return for each job the ids of jobs that can fire and have its id or name."""
    return [[job_id for job_id in ids if job_id is not None] for ids in _looked_up(session, jobs, f"{_TAKEN} FROM r")]


def held_by(session: Session, jobs: Sequence[Job]) -> list[Held]:
    """Return the conflicting rows for each job."""
    found: list[Held] = []
    for *ids, known, finished, unfinished in _looked_up(session, jobs, f"{_TAKEN} {_HELD} FROM r"):
        places = [place for place in (finished, unfinished) if place is not None]
        found.append(Held([job_id for job_id in ids if job_id is not None], known is not None, max(places, default=None)))
    return found


def _looked_up(session: Session, jobs: Sequence[Job], sql: str) -> list[list[Any]]:
    """Return the row of a statement for each job, without its place."""
    found = session.from_rows(sql, _NAMES, [(place, job.job_id, job.job_name) for place, job in enumerate(jobs)])
    return [rest for _, *rest in sorted(found, key=itemgetter(0))]
