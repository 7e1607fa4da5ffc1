"""Defaults of new jobs, from the settings: where failures go that no job says a queue for."""

from __future__ import annotations

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.settings import Settings
from agentoolkit.testing import toolkit

JOB = {"schedule": "1 minute", "agentool_name": "queue", "input_data": {"operation": "peek", "queue_name": "missing"}}


async def _job(kit, job_id: str, **fields):
    """Schedule a job, and return its definition."""
    await kit.injector.run("scheduler", {"operation": "schedule", "job_id": job_id, **JOB, **fields})
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data["info"]


async def test_failures_reach_the_default_queue():
    """A job without an error_queue has that of the settings, and its failures arrive there."""
    async with toolkit(settings=Settings(error_queue="failures")) as kit:
        assert (await _job(kit, "bad"))["error_queue"] == "failures"
        await kit.advance(minutes=1)
        (message,) = (await kit.injector.run("queue", {"operation": "peek", "queue_name": "failures"})).data["messages"]
    assert message["message"]["job_id"] == "bad"


async def test_a_job_that_fails_on_and_on_is_paused():
    """The setting pauses it after so many failures, the reason says why, and resumed it has as many tries again."""
    async with toolkit(settings=Settings(pause_after_failures=3)) as kit:
        await _job(kit, "bad")
        await kit.advance(minutes=10)
        found = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "bad"})).data
        assert (found["info"]["state"], len(found["recent_history"])) == ("paused", 3)
        assert found["info"]["reason"] == "paused after 3 failures in a row (pause_after_failures)"
        await kit.injector.run("scheduler", {"operation": "resume", "job_id": "bad"})
        await kit.advance(minutes=10)
        found = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "bad"})).data
        assert (found["info"]["state"], len(found["recent_history"])) == ("paused", 6)


async def test_a_job_that_names_a_queue_keeps_it():
    """The default is for those that say nothing."""
    async with toolkit(settings=Settings(error_queue="failures")) as kit:
        assert (await _job(kit, "own", error_queue="mine"))["error_queue"] == "mine"


async def test_the_same_job_again_is_the_same():
    """The default is part of the job, so a repeated call makes no other one."""
    async with toolkit(settings=Settings(error_queue="failures")) as kit:
        await _job(kit, "bad")
        again = await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "bad", **JOB})
        assert (again.data["created"], again.data["version"]) == (False, 1)


@pytest.mark.parametrize(("queue", "expected"), [("failures", "failures"), ("https://hooks.example.org/x", None)])
async def test_an_address_is_for_those_who_may_approve_one(queue, expected):
    """A caller whose jobs would wait for approval with an address gets none by default."""
    async with toolkit(settings=Settings(error_queue=queue)) as kit:
        with acting_as(Caller("maria", door="agent", scopes=OWN)):
            info = await _job(kit, "hers", schedule="1 hour")
        assert (info["error_queue"], info["state"]) == (expected, "active")
