"""A job that an earlier version stored, whose text only mentions '!ref:', goes on as it was; new texts are looked at."""

from __future__ import annotations

import pytest

from agentoolkit.system.scheduler import InvalidJob

MENTION = "write !ref: before a key"
KEPT = {"agentool_name": "storage_kv", "input_data": {"operation": "set", "key": "kept", "value": MENTION}}
OTHER = {**KEPT["input_data"], "value": f"{MENTION} of a store"}


@pytest.fixture
async def earlier(scheduler, monkeypatch):
    """Two jobs stored before malformed references were refused: the input of both mentions the notation, and the gate of one."""
    gate = {"agentool_name": "storage_kv", "input_data": {"operation": "exists", "key": MENTION}}
    with monkeypatch.context() as before:
        before.setattr("agentool.references.check_references", lambda data: None)
        await scheduler("schedule", job_id="earlier", schedule="1 hour", **KEPT)
        await scheduler("schedule", job_id="gated", schedule="1 hour", **KEPT, gate=gate)
    return scheduler


async def kept(kit):
    """Return the value that the job kept."""
    return (await kit.injector.run("storage_kv", {"operation": "get", "key": "kept"})).value


async def test_job_that_mentions_the_notation_goes_on_running(earlier, kit):
    """When it is due, its text stays as it was stored."""
    await kit.clock.advance(hours=1)
    assert ((await earlier.history("earlier"))[0]["status"], await kept(kit)) == ("success", MENTION)


async def test_job_that_mentions_the_notation_can_be_run_now(earlier, kit):
    """Its own input is taken as it is; another that is given in its place is looked at."""
    await earlier("run_now", job_id="earlier")
    assert await kept(kit) == MENTION
    with pytest.raises(InvalidJob, match="!ref:storage_kv:my_key"):
        await earlier("run_now", job_id="earlier", input_data=OTHER)


@pytest.mark.parametrize("job_id", ["earlier", "gated"])
@pytest.mark.parametrize("fields", [{"description": "new"}, {"schedule": "2 hours"}, {"description": "new", **KEPT}])
async def test_job_that_mentions_the_notation_can_be_changed(earlier, job_id, fields):
    """Input and gate are looked at only where they are changed."""
    await earlier("update", job_id=job_id, **fields)
    for field, value in (("input_data", OTHER), ("gate", {**KEPT, "input_data": OTHER})):
        with pytest.raises(InvalidJob, match="!ref:storage_kv:my_key") as refused:
            await earlier("update", job_id=job_id, **{field: value})
        assert refused.value.field == field


async def test_job_that_mentions_the_notation_can_be_scheduled_over(earlier):
    """As task files do at every start: the same text is no new one."""
    again = await earlier("schedule", job_id="earlier", schedule="2 hours", **KEPT, replace=True)
    assert not again["created"]


async def test_job_that_mentions_the_execution_before_can_be_changed(scheduler, monkeypatch):
    """Such a text within another was plain text as well; a changed one is looked at."""
    with monkeypatch.context() as before:
        before.setattr("agentoolkit.system.scheduler.planning.check_upstream_references", lambda *asked: None)
        await scheduler("schedule", job_id="earlier", schedule="1 hour", **{**KEPT, "input_data": {**OTHER, "value": "see !ref:after:x"}})
    await scheduler("update", job_id="earlier", description="new")
    with pytest.raises(InvalidJob, match="comes after none"):
        await scheduler("update", job_id="earlier", input_data={**OTHER, "value": "look at !ref:after:x"})
