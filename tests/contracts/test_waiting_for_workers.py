"""What the record of an execution says that no worker has taken: written once, and taken away by whoever claims it."""

from __future__ import annotations

from agentoolkit.system.scheduler.jobs import Execution, Job
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import add, at, begin, claim_one, finish, succeed

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
