"""The nine endpoints of *Agent Scheduler & Background Task Queue*, "API Endpoints", and those for tasks that are ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from agentoolkit.testing import TestToolkit

from .conftest import LIST, Api

DAILY = {"name": "daily report", "type": "cron", "schedule": "0 9 * * *", **LIST}


async def test_a_task_is_created_and_read(api: Api) -> None:
    """POST says how the schedule was understood, and GET shows the task by id and by name."""
    made = await api("POST", "/tasks", status=201, json=DAILY)
    assert (made["words"], made["next_runs"][0]) == ("every day at 09:00", "2030-01-01T09:00:00+00:00")
    task = await api("GET", f"/tasks/{made['task_id']}")
    assert (task["name"], task["status"], task["enabled"], task["input_data"]) == ("daily report", "scheduled", True, LIST["input_data"])
    assert await api("GET", "/tasks/daily report") == task


async def test_each_answer_has_the_same_word_for_a_status(api: Api) -> None:
    """Whoever makes a task, reads it, lists it or asks for it by its status."""
    made = await api("POST", "/tasks", status=201, json=DAILY)
    read, (listed,) = await api("GET", f"/tasks/{made['task_id']}"), (await api("GET", "/tasks?status=scheduled"))["tasks"]
    changed = await api("PATCH", f"/tasks/{made['task_id']}", json={"priority": "high"})
    assert {made["status"], read["status"], listed["status"], changed["status"]} == {"scheduled"}


async def test_tasks_are_listed_in_pages(api: Api) -> None:
    """Each page has the cursor of the next one; the last has none."""
    for number in range(3):
        await api("POST", "/tasks", status=201, json={**DAILY, "name": f"task {number}"})
    first = await api("GET", "/tasks?limit=2")
    second = await api("GET", "/tasks", params={"limit": 2, "cursor": first["cursor"]})
    assert [task["name"] for task in first["tasks"] + second["tasks"]] == ["task 0", "task 1", "task 2"]
    assert second["cursor"] is None


async def test_what_is_due_next_comes_first(api: Api) -> None:
    """As many as are asked for, in the order of their due times and not of their making."""
    for name, schedule in (("late", "0 9 1 1 *"), ("soon", "1 minute"), ("paused", "2 minutes"), ("then", "1 hour")):
        await api("POST", "/tasks", status=201, json={**LIST, "name": name, "schedule": schedule, "enabled": name != "paused"})
    assert [task["name"] for task in await api("GET", "/upcoming")] == ["soon", "then", "late"]
    assert [task["name"] for task in await api("GET", "/upcoming?limit=1")] == ["soon"]
    assert await api("GET", "/upcoming?agent_name=nobody") == []


async def test_a_task_is_disabled_and_enabled(api: Api) -> None:
    """It is paused, with a reason that says so, and scheduled again."""
    task_id = (await api("POST", "/tasks", status=201, json=DAILY))["task_id"]
    disabled = await api("POST", f"/tasks/{task_id}/disable")
    assert (disabled["status"], disabled["enabled"], disabled["reason"]) == ("paused", False, "disabled")
    enabled = await api("POST", f"/tasks/{task_id}/enable")
    assert (enabled["status"], enabled["enabled"], enabled["reason"]) == ("scheduled", True, "")


async def test_a_task_that_is_created_disabled_does_not_run(api: Api, kit: TestToolkit) -> None:
    """``enabled: false`` schedules it paused."""
    made = await api("POST", "/tasks", status=201, json={**DAILY, "schedule": "every minute", "type": None, "enabled": False})
    await kit.advance(minutes=5)
    assert made["status"] == "paused"
    assert (await api("GET", "/executions"))["executions"] == []


async def test_a_deleted_task_stays_readable(api: Api) -> None:
    """It is cancelled, and not in the list any more."""
    task_id = (await api("POST", "/tasks", status=201, json=DAILY))["task_id"]
    assert (await api("DELETE", f"/tasks/{task_id}"))["status"] == "cancelled"
    assert (await api("GET", f"/tasks/{task_id}"))["status"] == "cancelled"
    assert (await api("GET", "/tasks"))["tasks"] == []


async def test_a_change_needs_the_version_that_was_read(api: Api) -> None:
    """An old one is refused with 409, and nothing is changed."""
    task_id = (await api("POST", "/tasks", status=201, json=DAILY))["task_id"]
    changed = await api("PATCH", f"/tasks/{task_id}", json={"schedule": "0 10 * * *", "version": 1})
    assert (changed["changed"], changed["version"]) == (True, 2)
    await api("PATCH", f"/tasks/{task_id}", status=409, json={"schedule": "0 11 * * *", "version": 1})
    assert (await api("GET", f"/tasks/{task_id}"))["schedule"] == "0 10 * * *"


async def test_a_change_takes_back_what_it_clears(api: Api) -> None:
    """By the names of the fields; a null leaves them as they are."""
    task_id = (await api("POST", "/tasks", status=201, json={**DAILY, "timeout": 60.0, "end_at": "2100-01-01"}))["task_id"]
    await api("PATCH", f"/tasks/{task_id}", json={"timeout": None, "clear": ["end_at"]})
    options = (await api("GET", f"/tasks/{task_id}"))["options"]
    assert ("end_at" in options, options["timeout"]) == (False, 60.0)
    assert "end_at" in (await api("PATCH", f"/tasks/{task_id}", status=422, json={"clear": ["end"]}))["detail"]


async def test_executions_are_listed_and_read(api: Api, kit: TestToolkit) -> None:
    """Those due latest first, and each by its id."""
    await api("POST", "/tasks", status=201, json={"name": "often", "schedule": "every minute", **LIST})
    await kit.advance(minutes=2)
    listed = (await api("GET", "/executions?task_id=often&status=success"))["executions"]
    assert [execution["scheduled_at"] for execution in listed] == ["2030-01-01T00:02:00+00:00", "2030-01-01T00:01:00+00:00"]
    read = await api("GET", f"/executions/{listed[0]['execution_id'].replace('+', '%2B')}")
    assert (read["task_id"], read["status"], read["result"]["operation"]) == ("often", "success", "list_queues")


async def test_an_execution_that_has_ended_is_not_cancelled(api: Api, kit: TestToolkit) -> None:
    """The request to cancel it answers how it ended."""
    await api("POST", "/tasks", status=201, json={"name": "often", "schedule": "every minute", **LIST})
    await kit.advance(minutes=1)
    (ended,) = (await api("GET", "/executions"))["executions"]
    assert (await api("POST", f"/executions/{ended['execution_id']}/cancel"))["status"] == "success"


async def test_health_is_503_while_nothing_is_run(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """It is 200 while the scheduler runs."""
    assert (await client.get("/health")).status_code == 200
    await kit.scheduler.lifecycle.stop()
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["stopped"]) == (503, "degraded", True)


async def test_metrics_are_in_the_text_form_of_prometheus(client: httpx2.AsyncClient) -> None:
    """With its media type."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE agentool_jobs gauge" in answer.text


async def test_a_name_may_have_a_slash(api: Api) -> None:
    """Written as %2F it is part of the name, in each address of the task."""
    made = await api("POST", "/tasks", status=201, json={"name": "nightly/report ä", "schedule": "0 9 * * *", **LIST})
    assert (await api("GET", "/tasks/nightly%2Freport%20%C3%A4"))["task_id"] == made["task_id"]
    assert (await api("POST", "/tasks/nightly%2freport%20%C3%A4/pause"))["status"] == "paused"
    assert (await api("GET", "/tasks/nightly/report", status=404))["type"] == "urn:agentool:no-such-path"


async def test_versions_are_read_and_restored(kit: TestToolkit, api: Api) -> None:
    """Each change names its fields; a task is made what it was, and says which version it is now."""
    task_id = (await api("POST", "/tasks", status=201, json=DAILY))["task_id"]
    await kit.advance(seconds=1)
    await api("PATCH", f"/tasks/{task_id}", json={"timeout": 60.0})
    newest, oldest = (await api("GET", f"/tasks/{task_id}/versions"))["versions"]
    assert newest["changes"] == [{"field": "timeout", "before": None, "after": 60.0}]
    assert (newest["is_current"], oldest["is_current"], oldest["action"]) == (True, False, "created")
    await api("POST", f"/tasks/{task_id}/versions/{oldest['at']}/restore")
    assert "timeout" not in ((await api("GET", f"/tasks/{task_id}"))["options"] or {})
    refused = await api("POST", f"/tasks/{task_id}/versions/2000-01-01/restore", status=404)
    assert refused["type"] == "urn:agentool:no-such-version"


@pytest.mark.parametrize("bound", ["start_at", "end_at"])
async def test_a_task_with_a_bound_is_its_version(api: Api, bound: str) -> None:
    """The version says so, in whatever way the same instant is written."""
    await api("POST", "/tasks", status=201, json={**DAILY, "timezone": "Europe/Berlin", bound: "2031-06-01T00:00:00+02:00"})
    (version,) = (await api("GET", "/tasks/daily report/versions"))["versions"]
    assert version["is_current"] is True


async def test_what_changes_nothing_is_no_version(kit: TestToolkit, api: Api) -> None:
    """A run and a backfill leave the task as it is; a pause does not."""
    await api("POST", "/tasks", status=201, json=DAILY)
    for number in range(3):
        await api("POST", "/tasks/daily report/run", status=202, headers={"Idempotency-Key": str(number)})
    past = {"start_at": kit.clock.now().isoformat(), "end_at": (kit.clock.now() + timedelta(days=2)).isoformat()}
    await kit.advance(days=3)
    await kit.injector.run("scheduler", {"operation": "backfill", "job_id": "daily report", **past})
    await api("POST", "/tasks/daily report/pause")
    versions = (await api("GET", "/tasks/daily report/versions"))["versions"]
    assert [version["action"] for version in versions] == ["paused", "created"]
    assert versions[0]["changes"] == [{"field": "status", "before": "scheduled", "after": "paused"}]


async def test_lineage_names_the_tasks_before_and_after(api: Api) -> None:
    """By their ids."""
    first = (await api("POST", "/tasks", status=201, json=DAILY))["task_id"]
    then = (await api("POST", "/tasks", status=201, json={"name": "then", "schedule": "after 'daily report'", **LIST}))["task_id"]
    assert await api("GET", f"/tasks/{first}/lineage") == {"task_id": first, "upstream": None, "downstream": [then]}
    assert (await api("GET", f"/tasks/{then}/lineage"))["upstream"] == first


BOUNDS = {
    "start_at": "2030-06-01T00:00:00+00:00",
    "end_at": "2031-06-01T00:00:00+00:00",
    "exclude": ["weekends"],
    "only": ["2030-01-01/2031-12-31"],
    "shift": "next",
    "jitter": 30.0,
}


@pytest.mark.parametrize("more", [BOUNDS, {"overlap": "queue_one", "max_runs": 5, "error_queue": "errors"}, {"gate": {**LIST}}])
async def test_a_task_that_is_read_can_be_made_anew(api: Api, more: dict[str, Any]) -> None:
    """What a client reads of it is all that it is: the very same task is there already."""
    task = {"name": "daily", "schedule": "0 9 * * *", "timezone": "UTC", **LIST, **more}
    await api("POST", "/tasks", status=201, json=task)
    read = await api("GET", "/tasks/daily")
    assert {name: read["options"][name] for name in more} == more
    same = {name: read[name] for name in ("name", "type", "schedule", "timezone", "agentool_name", "input_data", "tags")}
    again = await api("POST", "/tasks", json={**same, **read["options"]})
    assert (again["created"], again["version"]) == (False, 1)


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_task_that_is_there_keeps_its_times(api: Api, kit: TestToolkit, enabled: bool) -> None:
    """Asked for again a minute later, an interval counts from where it did, also while it is paused."""
    task = {"name": "often", "schedule": "every 5 minutes", "timezone": "UTC", "enabled": enabled, **LIST}
    first = await api("POST", "/tasks", status=201, json=task)
    await kit.advance(minutes=1)
    again = await api("POST", "/tasks", json=task)
    assert again["next_runs"] == first["next_runs"]
