"""What comes after outcomes: decided and written down in the transaction of the outcomes themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from agentoolkit.database import Session
from agentoolkit.sql import Row
from agentoolkit.system.scheduler.decisions import follow
from agentoolkit.system.scheduler.jobs import Execution, preceding_id
from agentoolkit.system.scheduler.ports import Claimed
from agentoolkit.system.scheduler.stores.sql.claims import EACH, Definitions, Round, unknown
from agentoolkit.system.scheduler.stores.sql.records import STANDING, standing_of

HAS_FOLLOWERS = "EXISTS (SELECT 1 FROM agentool_jobs f WHERE f.follows = agentool_executions.job_id AND f.live = 1)"
"""Whether a job comes after the one of an execution: the one question that every outcome asks."""


def followers(session: Session, definitions: Definitions, ended: Sequence[Execution], owner: str) -> dict[str, list[Claimed]]:
    """Write down what comes after executions that ended, as `owner`'s; empty: whoever leads starts it.

    Return it by the execution that it comes after.
    """
    ends: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in ended:
        ends[execution.job_id].append(execution)
    rows = _followers(session, list(ends)) if ends else []
    texts = unknown(session, definitions, [(row[0], row[2]) for row in rows])
    unfinished = _unfinished(session, [row[0] for row in rows])
    round_ = Round()
    for job_id, follows, revision, sequence, *stands in rows:
        try:
            standing = standing_of(tuple(stands))
            job = definitions.known(job_id, revision) or definitions.read(job_id, revision, texts[job_id])
        except Exception as error:
            round_.break_(job_id, sequence, error)
            continue
        round_.add(job, standing, follow(job, standing, ends[follows], unfinished.get(job_id, 0), owner), sequence)
    written: defaultdict[str, list[Claimed]] = defaultdict(list)
    for claimed in round_.write(session):
        written[preceding_id(claimed.execution)].append(claimed)
    return written


def _followers(session: Session, job_ids: Sequence[str]) -> list[Row]:
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    sql = f"""
        SELECT job_id, follows, revision, sequence, {STANDING} FROM agentool_jobs
        WHERE live = 1 AND follows IN ({EACH[session.dialect]}) ORDER BY job_id{lock}
    """  # noqa: S608  column names of ours
    return session.rows(sql, {"ids": json.dumps(job_ids)})


def _unfinished(session: Session, job_ids: Sequence[str]) -> dict[str, int]:
    each = EACH[session.dialect]
    sql = f"SELECT job_id, COUNT(*) FROM agentool_executions WHERE finished_at IS NULL AND job_id IN ({each}) GROUP BY job_id"  # noqa: S608
    return dict(session.rows(sql, {"ids": json.dumps(job_ids)})) if job_ids else {}
