"""What every store of jobs owes: a note of who did something is kept with the change itself, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from agentool.caller import Caller
from agentoolkit.database.database import DatabaseError
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, JobStore, StoredJob
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import add, at, make
from .owners import sql


def noted(job_id: str = "job", owner: str = "maria", **fields: Any) -> AuditEntry:
    caller = Caller(owner, "agent", frozenset({"write"}), 1, ("x@1",))
    return AuditEntry(at=at(0), caller=caller, action="created", owner=owner, job_id=job_id, **fields)


async def test_a_note_comes_back_as_it_was_kept(store: JobStore):
    """With its caller, and the job before and after."""
    entry = noted(execution_id="job@1", before={"a": [1, None]}, after={"ü": "x"})
    await store.note(entry)
    assert list(await store.entries(None, None, 10)) == [entry]


async def test_notes_are_found_by_job_and_owner(store: JobStore):
    """The newest first, as many as were asked for."""
    entries = [noted("a"), noted("b"), noted("a", "paul"), noted("a")]
    for entry in entries:
        await store.note(entry)
    assert list(await store.entries("a", "maria", 10)) == [entries[3], entries[0]]
    assert list(await store.entries(None, None, 2)) == [entries[3], entries[2]]


async def test_each_change_keeps_its_note(store: JobStore):
    """A job that is added, replaced, exchanged and removed, and an execution that is inserted, leave one note each."""
    job = make()
    await store.add(job, JobState(next_run_at=at(60)), noted())
    stored = await store.find(job.job_id)
    assert stored is not None
    await store.replace(job, stored.state._replace(reason="x"), stored.state, noted())
    stored = await store.find(job.job_id)
    assert stored is not None
    await store.exchange(stored, make(created_at=at(1)), JobState(next_run_at=at(60)), at(1), noted())
    await store.insert([Execution("job@x", "job", job.agentool_name, at(0), trigger="requested")], note=noted())
    await store.remove("job", at(2), "", noted())
    assert len(await store.entries("job", None, 10)) == 5


async def test_what_changes_nothing_leaves_no_note(store: JobStore):
    """A name that is taken, a job that changed meanwhile or is gone, an execution that is there: nothing was done."""
    await add(store)
    execution = Execution("job@x", "job", make().agentool_name, at(0), trigger="requested")
    await store.insert([execution])
    old = JobState(JobStatus.PAUSED)
    with pytest.raises(JobExists):
        await store.add(make(), JobState(), noted())
    assert not await store.replace(make(), JobState(), old, noted())
    assert not await store.exchange(StoredJob(make(), old), make(), JobState(), at(1), noted())
    assert not await store.insert([execution], note=noted())
    assert not await store.remove("other", at(1), "", noted())
    assert list(await store.entries(None, None, 10)) == []


async def test_a_note_that_cannot_be_kept_keeps_its_change_from_being_made(first: SqlJobStore):
    """Where the table of the audit is gone, no job is added or removed: there is no change without its note."""
    await add(first, "there")
    await sql(first, "DROP TABLE agentool_audit")
    with pytest.raises(DatabaseError):
        await first.add(make("new"), JobState(), noted("new"))
    with pytest.raises(DatabaseError):
        await first.remove("there", at(1), "", noted("there"))
    assert [stored.job.job_id for stored in await first.jobs()] == ["there"]
