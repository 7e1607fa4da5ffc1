"""How the API says no: with field, value and way out, in its own words; and what it did when it only looked."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from agentoolkit.testing import TestToolkit

from .conftest import LIST, Api

DAILY = {"name": "daily", "schedule": "0 9 * * *", **LIST}
RANGE = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"priority": "x"}, "priority", "got 'x'. Give for example priority: 'high'."),
        ({"priority": "hihg"}, "priority", "Did you mean 'high'?"),
        ({"timeot": 5}, "timeot", "is not a field. Did you mean 'timeout'?"),
        ({"max_runs": "many"}, "max_runs", "got 'many'. Give for example max_runs: 10."),
        ({"tags": [""]}, "tags.0", "tags.0: it is empty, got ''."),
    ],
)
async def test_a_refused_field_says_its_value_and_the_way_out(api: Api, body: dict[str, Any], field: str, said: str) -> None:
    """As the same mistake is told at the command line."""
    refused = await api("POST", "/tasks", status=422, json={**DAILY, **body})
    assert (refused["field"], said in refused["detail"]) == (field, True), refused["detail"]


async def test_a_missing_field_is_called_as_the_caller_calls_it(api: Api) -> None:
    """And not as the scheduler does."""
    refused = await api("POST", "/tasks", status=422, json={name: value for name, value in DAILY.items() if name != "name"})
    assert refused["detail"] == "name: is required and missing."


WRONG = {"timezone": "Mars", "agentool_name": "queue", "input_data": {"operation": "lst_queues"}}


@pytest.mark.parametrize("lacks", ["schedule", "name"])
@pytest.mark.parametrize("wrong", [{}, {"schedule": 5}])
async def test_a_missing_field_hides_no_other_fault(api: Api, lacks: str, wrong: dict[str, Any]) -> None:
    """Nor does one of a wrong type: nobody corrects in rounds."""
    body = {name: value for name, value in {**DAILY, **wrong, **WRONG}.items() if name != lacks}
    refused = await api("POST", "/tasks", status=422, json=body)
    expected = {lacks, "timezone", "input_data.operation", *(wrong.keys() & body.keys())}
    assert {each["field"] for each in refused["errors"]} == expected


@pytest.mark.parametrize(
    "more", [{}, {"end_at": "2040-01-01T00:00:00Z"}, {"input_data": {"operation": "enqueue", "queue_name": "!ref:after:x"}}]
)
async def test_nothing_is_said_of_what_was_put_in_for_a_missing_field(api: Api, more: dict[str, Any]) -> None:
    """A task that lacks its schedule alone lacks its schedule alone."""
    body = {name: value for name, value in {**DAILY, **more}.items() if name != "schedule"}
    refused = await api("POST", "/tasks", status=422, json=body)
    assert [each["field"] for each in refused["errors"]] == ["schedule"]


async def test_a_refused_parameter_says_its_value(api: Api) -> None:
    """In a query as in a body."""
    refused = await api("GET", "/tasks?status=activ", status=422)
    assert (refused["field"], refused["value"], "got 'activ'" in refused["detail"]) == ("status", "activ", True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field", "said"),
    [
        ("PATCH", "/tasks/other", {"name": "daily"}, 409, "name", "Change it with PATCH /tasks/{task_id} or with replace"),
        ("PATCH", "/tasks/daily", {"version": 7, "timeout": 5.0}, 409, "version", "Read it again with GET /tasks/{task_id}"),
        ("GET", "/tasks/nobody", None, 404, "task_id", "No job has the id or name 'nobody'"),
        ("GET", "/executions/nobody@x", None, 404, "execution_id", "List them with GET /executions;"),
        ("PATCH", "/tasks/daily", {"input_data": {}}, 422, "input_data.operation", "GET /agentools/queue shows what it takes."),
        ("POST", "/approvals/nope/approve", None, 404, "approval_id", "GET /approvals shows what waits."),
    ],
)
async def test_a_problem_speaks_the_words_of_the_api(
    api: Api, method: str, path: str, body: Any, status: int, field: str, said: str
) -> None:
    """Its fields and its requests, not those of the scheduler behind it."""
    for name in ("daily", "other"):
        await api("POST", "/tasks", status=201, json={**DAILY, "name": name})
    refused = await api(method, path, status=status, json=body)
    assert (refused["field"], said in refused["detail"]) == (field, True), refused
    assert "peration '" not in refused["detail"]


async def test_words_of_the_scheduler_that_are_quoted_stay(api: Api) -> None:
    """They are the caller's own."""
    assert "'job_id'" in (await api("GET", "/tasks/job_id", status=404))["detail"]


@pytest.mark.parametrize("field", ["timeout", "end_at", "schedule", "name"])
async def test_a_null_in_a_change_is_told(api: Api, field: str) -> None:
    """Generated clients send null for all that they leave alone, so it changes nothing; the answer says so, and which word does."""
    await api("POST", "/tasks", status=201, json={**DAILY, "timeout": 5.0, "end_at": "2031-01-01T00:00:00+00:00"})
    answer = await api("PATCH", "/tasks/daily", json={field: None, "priority": "high"})
    assert answer["remarks"][-1] == f"null changes nothing, as in {field}; 'clear' names the fields to take back"
    assert not any("null" in remark for remark in (await api("PATCH", "/tasks/daily", json={"priority": "low"}))["remarks"])


async def test_a_dry_run_says_that_it_was_one(api: Api) -> None:
    """At each door for tasks: nothing is answered as created, and nothing is there."""
    made = await api("POST", "/tasks", json={**DAILY, "dry_run": True})
    assert (made["dry_run"], made["words"]) == (True, "every day at 09:00")
    many = await api("POST", "/batch/tasks", json={"tasks": [{**DAILY, "dry_run": True}]})
    assert (many["checked"], many["created"], many["task_ids"]) == (1, 0, [None])
    assert (await api("GET", "/tasks"))["tasks"] == []
    await api("POST", "/tasks", status=201, json=DAILY)
    changed = await api("PATCH", "/tasks/daily", json={"timeout": 5.0, "dry_run": True})
    assert (changed["dry_run"], changed["changed"]) == (True, True)
    assert "timeout" not in (await api("GET", "/tasks/daily"))["options"]


@pytest.mark.parametrize("wrong", [{"schedule": "bogus"}, {"priority": "x"}, {"type": "hourly"}, {"nmae": "z"}])
async def test_one_of_many_that_is_refused_holds_up_no_other(api: Api, wrong: dict[str, Any]) -> None:
    """Whatever is wrong with it: its schedule, or what its fields are."""
    made = await api("POST", "/batch/tasks", json={"tasks": [DAILY, {**DAILY, "name": "bad", **wrong}]})
    assert (made["created"], made["failed"], made["failures"][0]["id"]) == (1, 1, "bad")
    assert next(iter(wrong)) in made["failures"][0]["problem"]


async def test_one_of_many_without_a_name_is_called_by_its_place(api: Api) -> None:
    """Counted from 0."""
    made = await api("POST", "/batch/tasks", json={"tasks": [DAILY, {"schedule": "0 9 * * *"}, 3]})
    assert [failure["id"] for failure in made["failures"]] == ["tasks.1", "tasks.2"]


async def test_a_simulation_names_the_task_that_is_wrong(api: Api) -> None:
    """Among hundreds its schedule alone would not be found."""
    tasks = [{**DAILY, "name": f"task {number}", "schedule": "bogus" if number == 7 else "0 9 * * *"} for number in range(9)]
    refused = await api("POST", "/simulate", status=422, json={"tasks": tasks, **RANGE})
    assert ("'task 7'" in refused["detail"], refused["value"]) == (True, "bogus")


async def test_a_simulation_names_the_tasks_whose_times_are_not_known(api: Api) -> None:
    """They come after others, whenever those end."""
    tasks = [DAILY, {**DAILY, "name": "then", "schedule": "after daily"}]
    assert (await api("POST", "/simulate", json={"tasks": tasks, **RANGE}))["left_out"] == ["then"]


@pytest.mark.parametrize("wrong", [{"schedule": "bogus"}, {"priority": "x"}])
async def test_a_refused_request_leaves_its_key_free(api: Api, wrong: dict[str, Any]) -> None:
    """The body is put right and sent again with the same key, and then that key is taken."""
    key = {"Idempotency-Key": "k"}
    await api("POST", "/tasks", status=422, json={**DAILY, **wrong}, headers=key)
    await api("POST", "/tasks", status=201, json=DAILY, headers=key)
    assert (await api("POST", "/tasks", status=422, json={**DAILY, **wrong}, headers=key))["type"] == "urn:agentool:key-reused"


async def test_a_stopped_scheduler_is_unavailable(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """503, by the kind of the error and not by its words: a task that is called so is refused for what it is."""
    await client.post("/tasks", json=DAILY)
    await client.post("/stop")
    answer = await client.post("/tasks/daily/run")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:agentool:scheduler-stopped")
    assert "POST /start" in answer.json()["detail"]


@pytest.mark.parametrize("status", ["active", "scheduled"])
async def test_both_words_for_a_scheduled_task_are_taken(api: Api, status: str) -> None:
    """Records and models say active; the API answers with its own word."""
    await api("POST", "/tasks", status=201, json=DAILY)
    listed = await api("GET", f"/tasks?status={status}")
    assert [task["status"] for task in listed["tasks"]] == ["scheduled"]


@pytest.mark.parametrize("status", ["active", "scheduled"])
async def test_the_scheduler_takes_both_words_too(kit: TestToolkit, api: Api, status: str) -> None:
    """By Python, as at its doors."""
    await api("POST", "/tasks", status=201, json=DAILY)
    listed = await kit.injector.run("scheduler", {"operation": "list", "job_status": status})
    assert [job["state"] for job in listed.data["jobs"]] == ["active"]
