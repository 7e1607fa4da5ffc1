"""The page of an execution links to what started it and to what it started."""

from __future__ import annotations

from typing import Any

import pytest

from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule
from .test_pages import FAILS


async def history_of(kit: TestToolkit, job_id: str) -> list[str]:
    answer = await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": job_id})
    return [execution["execution_id"] for execution in answer.data["history"]]


def address(execution_id: str) -> str:
    return f"/executions/{execution_id.replace('/', '%2F')}"


@pytest.mark.parametrize("when", ["after a/b failed", "after any failed"])
async def test_executions_before_and_after_link_to_each_other(kit: TestToolkit, browse: Browse, when: str) -> None:
    """Whether the alarm comes after one job or after any."""
    await schedule(kit, "a/b", "every 30 minutes", **FAILS)
    await schedule(kit, "alarm", when)
    await kit.advance(minutes=30)
    [failed], [alarm] = await history_of(kit, "a/b"), await history_of(kit, "alarm")
    assert f'<a href="{address(failed)}">the run before it</a>' in await browse(address(alarm))
    assert f'<dt>Started</dt><dd><a href="{address(alarm)}">alarm</a></dd>' in await browse(address(failed))


@pytest.mark.parametrize(("when", "upstream"), [("after other", "other"), ("after any failed", None), ("@reboot", None)])
async def test_a_job_names_its_upstream_only_if_that_is_a_job(kit: TestToolkit, browse: Browse, when: str, upstream: str | None) -> None:
    """Any job, and the scheduler's start, are no job with a page."""
    await schedule(kit, "other")
    await schedule(kit, "job", when)
    details: dict[str, Any] = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "job"})).data
    assert details["upstream"] == upstream
    assert ("Comes after" in await browse("/jobs/job")) is (upstream is not None)


async def test_jobs_after_any_are_downstream_of_every_job(kit: TestToolkit) -> None:
    """But not of themselves."""
    await schedule(kit, "job")
    await schedule(kit, "alarm", "after any failed")
    answers = [await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id}) for job_id in ("job", "alarm")]
    assert [answer.data["downstream"] for answer in answers] == [["alarm"], []]
