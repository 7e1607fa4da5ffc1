"""Forty spoken requests: scripted by default, with a real model where ``AGENTOOL_TEST_MODEL`` names one."""

from __future__ import annotations

import os
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic_ai import Agent, models
from tests.agents.scripts import scripted, told
from tests.agents.spoken import SPOKEN, UP, Spoken

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.agents.scheduling import Scheduling
from agentoolkit.testing import TestToolkit

REAL = os.environ.get("AGENTOOL_TEST_MODEL")
BERLIN = ZoneInfo("Europe/Berlin")


async def after(kit: TestToolkit) -> dict[str, str]:
    """Return the jobs there are: when each is due next, or its state where it is not active."""
    told: dict[str, str] = {}
    for job in (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]:
        due = job["next_run"] and datetime.fromisoformat(job["next_run"]).astimezone(BERLIN).strftime("%a %H:%M")
        told[job["job_name"]] = due if due and job["state"] == "active" else job["state"]
    return told


def test_there_are_forty_of_them() -> None:
    """The table is as long as promised, and nothing is asked twice."""
    assert len({spoken.said for spoken in SPOKEN}) == 40


@pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: spoken.said)
async def test_a_request_becomes_what_was_meant(kit: TestToolkit, spoken: Spoken) -> None:
    """Afterwards there are exactly the jobs that should be there, due when they should be, and the model was told so, or why not."""
    job = {"job_name": "report", "schedule": "every day at 10:00", "agentool_name": "notification", "input_data": UP["input"]}
    with acting_as(Caller("maria", "rest", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": {"operation": "send", **UP["input"]}})
    models.ALLOW_MODEL_REQUESTS = bool(REAL)
    model = REAL or scripted(*spoken.calls, "done")
    said = await Agent(model, capabilities=[Scheduling(owner="maria")]).run(spoken.said)
    models.ALLOW_MODEL_REQUESTS = False
    jobs = await after(kit)
    if REAL:  # a real model names jobs as it likes
        assert sorted(jobs.values()) == sorted(spoken.jobs.values())
    else:
        assert spoken.told in told(said.all_messages())[-1]
        assert jobs == spoken.jobs
