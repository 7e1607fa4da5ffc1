"""A job whose row in the database somebody damaged: it is seen, and there is a way out."""

from __future__ import annotations

import json

import pytest

from agentoolkit.system.scheduler.errors import JobNotFound, SchedulerError
from agentoolkit.transfer import Everything, export_lines

from .lives import RUN, Life

FROM, TO = "2029-12-31T00:00:00+00:00", "2030-01-01T00:00:00+00:00"


@pytest.fixture
async def life(life: Life) -> Life:
    """A process that never read the job before it was damaged."""
    await life.ask("schedule", job_id="damaged", schedule="0 9 * * *", **RUN)
    await life.kit.database.write(lambda session: session.run("UPDATE agentool_jobs SET definition = '{half'"))
    await life.restart()
    return life


async def test_it_is_listed_with_the_reason(life: Life):
    """list shows it as broken, and why; what cannot be read is left empty."""
    (listed,) = (await life.ask("list"))["jobs"]
    assert (listed["job_id"], listed["state"], listed["agentool_name"], listed["schedule"]) == ("damaged", "broken", "", "")
    assert listed["reason"].startswith("it cannot be read: JSONDecodeError")


async def test_cancel_removes_it(life: Life):
    """cancel works as on any job, by id, and the id is free again."""
    assert (await life.ask("cancel", job_id="damaged"))["state"] == "cancelled"
    with pytest.raises(JobNotFound):
        await life.ask("cancel", job_id="damaged")
    assert (await life.ask("schedule", job_id="damaged", schedule="0 9 * * *", **RUN))["created"]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_job", {}),
        ("get_history", {}),
        ("pause", {}),
        ("resume", {}),
        ("run_now", {}),
        ("update", {"description": "new"}),
        ("schedule", {"schedule": "0 9 * * *", **RUN}),
        ("schedule", {"schedule": "0 9 * * *", "replace": True, **RUN}),
        ("backfill", {"start_at": FROM, "end_at": TO}),
    ],
)
async def test_others_name_it_and_the_way_out(life: Life, operation: str, more: dict[str, object]):
    """Every other operation on it is refused by an error that names the job and operation 'cancel'."""
    with pytest.raises(SchedulerError, match=r"Job 'damaged' cannot be read: JSONDecodeError.*'cancel'"):
        await life.ask(operation, job_id="damaged", **more)


async def test_a_job_that_comes_after_it_is_still_changed(life: Life):
    """A job that came after it can be changed, and the answer says that nothing starts it."""
    await life.ask("schedule", job_id="extract", schedule="0 9 * * *", **RUN)
    await life.ask("schedule", job_id="load", schedule="after extract", **RUN)
    await life.kit.database.write(lambda session: session.run("UPDATE agentool_jobs SET definition = '{half' WHERE job_id = 'extract'"))
    await life.restart()
    changed = await life.ask("update", job_id="load", description="new")
    assert any("'extract' is broken" in remark for remark in changed["remarks"])


async def test_it_is_not_exported_as_something_else(life: Life):
    """An export, which writes whole definitions, leaves it out."""
    await life.ask("schedule", job_id="good", schedule="0 9 * * *", **RUN)
    held = Everything(life.kit.scheduler.store, life.kit.queue.backend, life.kit.values)
    jobs = [line["job"]["job_id"] async for text in export_lines(held, life.now) if "job" in (line := json.loads(text))]
    assert jobs == ["good"]
