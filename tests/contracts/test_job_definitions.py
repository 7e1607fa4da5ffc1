"""What a database holds of a job's definition: nothing that is as it is by default."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, replace

import pytest

from agentool.caller import Caller
from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.system.scheduler.stores.sql.claims import claim
from agentoolkit.system.scheduler.stores.sql.definitions import definition_of, job_of
from agentoolkit.system.scheduler.stores.sql.job_changes import _add, _Addition, _replace, _Replacement
from agentoolkit.system.scheduler.stores.sql.pausing import pause_failing

from .job_store_steps import add, at, change, make

POLICIES = {
    **dict.fromkeys(("max_runs", "timeout", "catch_up", "catch_up_window", "concurrency_key", "pause_after_failures"), None),
    **dict.fromkeys(("gate", "executor", "queue"), None),
    "max_instances": 1,
    "misfire_grace_time": 30,
    "coalesce": True,
    "max_retries": 0,
    "retry_backoff": 1.0,
    "retry_on": (),
    "overlap": "skip",
    "on_interrupt": "retry",
    "priority": "medium",
}
SCHEDULE = {
    **dict.fromkeys(("anchor", "start_at", "end_at", "shift"), None),
    "jitter": 0.0,
    "jitter_key": "",
    "exclude": (),
    "only": (),
}
JOB = {
    **dict.fromkeys(("result_queue", "error_queue", "changed_by"), None),
    "description": "",
    "tags": (),
    "created_by": Caller(name="code", door="code", scopes=frozenset({"admin"}), depth=0, lineage=()),
    "is_bounded": False,
    "policies": Policies(**POLICIES),
}


def test_a_definition_holds_what_was_said():
    """Of a job that says nothing of its policies a definition holds its name, target, schedule and when it was made."""
    job = make("job", "0 9 * * *")
    stored = json.loads(definition_of(job))
    assert (set(stored), set(stored["schedule"])) == (
        {"job_name", "agentool_name", "input_data", "schedule", "created_at"},
        {"kind", "text", "timezone"},
    )
    assert job_of("job", definition_of(job)) == job


def test_defaults_stay_as_they_are():
    """No default of a definition changes: jobs that are stored without it would change with it."""
    defaults = {kind: {each.name: each.default for each in fields(kind) if each.default is not MISSING} for kind in (Schedule, Job)}
    assert (asdict(Policies()), defaults) == (POLICIES, {Schedule: SCHEDULE, Job: JOB})


async def test_what_was_undone_is_not_remembered(first: SqlJobStore, second: SqlJobStore):
    """A job that was added and claimed in a transaction that came to nothing is not taken for the one that gets its revision."""

    def undone(session: Session) -> None:
        job = make()
        assert _add(first._transaction(session), [_Addition(job, JobState(JobStatus.ACTIVE, at(1)), None)])
        assert claim.__wrapped__(first._transaction(session), ["job"], at(1)).records  # type: ignore[attr-defined]
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await first._database.write(undone)
    await add(second, agentool_name="other")
    (claimed,) = (await first.claim(["job"], at(1))).records
    assert claimed.job is not None
    assert claimed.job.agentool_name == "other"


async def test_a_change_that_was_undone_is_not_remembered(first: SqlJobStore, second: SqlJobStore):
    """A failure that was written in the transaction of a change reads the job; if that comes to nothing, another's change counts."""
    job = await add(first)
    stored = await first.find("job")
    assert stored is not None

    def undone(session: Session) -> None:
        assert _replace(first._transaction(session), [_Replacement(make(description="undone"), stored.state, stored.state, None)]) == [True]
        pause_failing(first._transaction(session), ["job"])
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await first._database.write(undone)
    assert await change(second, replace(job, description="kept"), stored.state)
    found = await first.find("job")
    assert found is not None
    assert found.job.description == "kept"
