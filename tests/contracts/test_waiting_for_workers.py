"""What the record of an execution says that no worker has taken: written once, and taken away by whoever claims it."""

from __future__ import annotations

import pytest

from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import START, add, at, begin, claim_one, finish, start, succeed
from .owners import sql

TOOL = "waits for a worker that has AgenTool 'work'"


async def waiting(store: SqlJobStore) -> Execution:
    await add(store)
    return await claim_one(store)


async def reason_of(store: SqlJobStore, execution: Execution) -> str:
    found = await store.execution(execution.execution_id)
    assert found is not None
    return found.reason


async def test_a_reason_is_said_once(first: SqlJobStore, second: SqlJobStore):
    """Any process may say it, the answer names those that did not say so before, and another reason takes its place."""
    execution = await waiting(first)
    said = {execution.execution_id: TOOL, "gone@1": TOOL}
    assert await second.note_waiting(said) == [execution.execution_id]
    assert await first.note_waiting(said) == []
    assert await reason_of(first, execution) == TOOL
    assert await first.note_waiting({execution.execution_id: "waits for a worker: none"}) == [execution.execution_id]


async def test_what_waits_no_more_says_nothing(first: SqlJobStore):
    """What runs, and what is over, keeps its reason."""
    running = await begin(first, await waiting(first))
    assert await first.note_waiting({running.execution_id: TOOL}) == []
    assert await finish(first, succeed(running))
    assert await first.note_waiting({running.execution_id: TOOL}) == []
    assert await reason_of(first, running) == ""


async def test_a_claim_takes_the_reason_away(first: SqlJobStore, second: SqlJobStore):
    """Whoever claims it is the worker that it waited for; any other reason stays."""
    execution = await waiting(first)
    for reason, left in ((TOOL, ""), ("started again after its process ended", "started again after its process ended")):
        await first.note_waiting({execution.execution_id: reason})
        (claimed,) = await second.claim_executions([execution.execution_id], at(2))
        assert (claimed.execution.reason, await reason_of(first, execution)) == (left, left)
        await second.release_all()
        assert [taken.execution.owner for taken in await first.take_over(at(3), lambda _: False)] == [first.owner]


async def test_a_job_that_cannot_be_read_is_left(first: SqlJobStore, second: SqlJobStore):
    """A newer version may have written it: it is asked of as unreadable, and stays whose it is; without an answer, too."""
    execution = await waiting(first)
    sql = "UPDATE agentool_jobs SET definition = REPLACE(definition, 'input_data', 'input_of_tomorrow'), revision = revision + 1000"
    await first.write(lambda tx: tx.session.run(sql))
    asked: list[Job] = []
    assert await second.claim_executions([execution.execution_id], at(2), lambda job: asked.append(job) or False) == []
    assert [(job.job_id, job.readable) for job in asked] == [(execution.job_id, False)]
    assert await second.claim_executions([execution.execution_id], at(2)) == []
    found = await first.execution(execution.execution_id)
    assert found is not None
    assert (found.owner, found.finished) == (first.owner, False)


async def test_what_a_worker_has_claimed_says_nothing(first: SqlJobStore, second: SqlJobStore):
    """While it waits there for room, neither whoever sent it nor a worker that lacks its AgenTool says that it waits for a worker."""
    execution = await waiting(first)
    assert len(await second.claim_executions([execution.execution_id], at(2))) == 1
    assert [await store.note_waiting({execution.execution_id: TOOL}) for store in (first, second)] == [[], []]
    assert await reason_of(first, execution) == ""


async def test_what_is_asked_for_by_a_process_that_does_not_lead_says_so_too(first: SqlJobStore, second: SqlJobStore):
    """Of `run_now` whoever asks is who sends: a worker says of it what it lacks."""
    await add(first)
    asked = Execution("job@now", "job", "probe", START, trigger="run_now", owner=second.owner)
    await second.insert([asked])
    assert await first.note_waiting({asked.execution_id: TOOL}) == [asked.execution_id]


@pytest.mark.parametrize(("reason", "left"), [(TOOL, ""), ("waits for a worker: none", ""), ("asked for", "asked for")])
async def test_what_begins_waits_no_more(first: SqlJobStore, reason: str, left: str):
    """Whatever it was said to wait for; another reason stays."""
    execution = await waiting(first)
    await first.note_waiting({execution.execution_id: reason})
    assert await start(first, execution.begun(at(1)))
    assert await reason_of(first, execution) == left


async def test_what_another_has_said_of_a_claimed_one_is_gone_when_it_begins(first: SqlJobStore, second: SqlJobStore):
    """A worker of an older version writes it on the record of another owner all the same."""
    execution = await waiting(first)
    (claimed,) = await second.claim_executions([execution.execution_id], at(2))
    await sql(first, "UPDATE agentool_executions SET reason = :reason", reason=TOOL)
    assert await start(second, claimed.execution.begun(at(3)))
    assert await reason_of(first, execution) == ""
