"""What comes after outcomes: decided and written down in the transaction of the outcomes themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from agentoolkit.database.database import Session
from agentoolkit.database.session import Row
from agentoolkit.system.scheduler.decisions.downstream import decide_downstream
from agentoolkit.system.scheduler.jobs import Execution, upstream_execution_id
from agentoolkit.system.scheduler.ports import Claimed
from agentoolkit.system.scheduler.stores.sql.claims import EACH, STANDS, Definitions, Round

HAS_DOWNSTREAM = "EXISTS (SELECT 1 FROM agentool_jobs f WHERE f.follows = agentool_executions.job_id AND f.live = 1)"
"""Whether a job comes after the one of an execution: the one question that every outcome asks."""


def start_downstream(session: Session, definitions: Definitions, ended: Sequence[Execution], owner: str) -> dict[str, list[Claimed]]:
    """Write down what comes after executions that ended, as `owner`'s; empty: whoever leads starts it.

    Return it by the execution that it comes after.
    """
    ends: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in ended:
        ends[execution.job_id].append(execution)
    if not ends:
        return {}
    rows = _downstream_of(session, list(ends))
    before = {row[0]: row[-1] for row in rows}
    round_ = Round()
    round_.decide(
        session,
        definitions,
        [row[:-1] for row in rows],
        lambda job, standing, unfinished: decide_downstream(job, standing, ends[before[job.job_id]], unfinished, owner),
    )
    written: defaultdict[str, list[Claimed]] = defaultdict(list)
    for claimed in round_.write(session):
        written[upstream_execution_id(claimed.execution)].append(claimed)
    return written


def _downstream_of(session: Session, job_ids: Sequence[str]) -> list[Row]:
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    sql = f"""
        SELECT {STANDS}, follows FROM agentool_jobs WHERE live = 1 AND follows IN ({EACH[session.dialect]}) ORDER BY job_id{lock}
    """  # noqa: S608  column names of ours
    return session.rows(sql, {"ids": json.dumps(job_ids)})
