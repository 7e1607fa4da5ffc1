"""Running, retrying and replaying; many at once; the search grammar at the API."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from threading import Barrier, BrokenBarrierError, get_ident
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from agentoolkit.entrypoints.rest import create_app
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit

from .conftest import LIST, Api

FAIL = {"agentool_name": "queue", "input_data": {"operation": "size", "queue_name": "nowhere"}}


async def failing(api: Api, kit: TestToolkit, number: int = 1) -> list[dict[str, Any]]:
    """Return the executions of tasks that have failed."""
    for place in range(number):
        await api("POST", "/tasks", status=201, json={"name": f"failing-{place}", "schedule": "in 1 minute", **FAIL})
    await kit.advance(minutes=2)
    return (await api("GET", "/executions?status=failed"))["executions"]


async def bulk(api: Api, kit: TestToolkit, **asked: Any) -> dict[str, Any]:
    """Do something with many, and return how it ended."""
    action = await api("POST", "/bulk", status=202, json=asked)
    for _ in range(1_000):
        if action["status"] != "running":
            break
        await asyncio.sleep(0.005)
        action = await api("GET", f"/bulk/{action['bulk_id']}")
    await kit.clock.let_run()
    return action


async def test_a_task_is_run_once_more(api: Api, kit: TestToolkit) -> None:
    """At once, beside its schedule; the same idempotency key runs it once."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    headers = {"Idempotency-Key": "one"}
    first, second = [await api("POST", "/tasks/daily/run", status=202, headers=headers) for _ in range(2)]
    await kit.clock.let_run()
    assert first == second
    assert [each["trigger"] for each in (await api("GET", "/executions?task_id=daily"))["executions"]] == ["requested"]


async def test_a_task_is_run_with_other_input(api: Api) -> None:
    """The answer waits, and says how it ended; the task stays as it is."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    done = await api("POST", "/tasks/daily/run", json={"input_data": {"operation": "size", "queue_name": "nowhere"}})
    assert (done["status"], done["error"]["type"]) == ("failed", "QueueNotFound")
    assert (await api("GET", "/tasks/daily"))["input_data"] == LIST["input_data"]


async def test_input_that_does_not_fit_is_refused_before_anything_runs(api: Api) -> None:
    """With the field, and there is no execution."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    refused = await api("POST", "/tasks/daily/run", status=422, json={"input_data": {"operation": "size"}})
    assert "queue_name" in refused["detail"]
    assert (await api("GET", "/executions"))["executions"] == []


async def test_a_failed_execution_is_retried_once(api: Api, kit: TestToolkit) -> None:
    """A second request for the same one answers with the same retry, which names the original."""
    (failed,) = await failing(api, kit)
    retry, again = [await api("POST", f"/executions/{quote(failed['execution_id'])}/retry", status=202) for _ in range(2)]
    await kit.clock.let_run()
    assert retry["execution_id"] == again["execution_id"]
    assert retry["retry_of"] == failed["execution_id"]
    assert len((await api("GET", "/executions"))["executions"]) == 2


async def test_an_execution_is_replayed_with_edited_input(api: Api, kit: TestToolkit) -> None:
    """The original stays as it was."""
    (failed,) = await failing(api, kit)
    path = f"/executions/{quote(failed['execution_id'])}"
    replayed = await api("POST", f"{path}/replay", json={"input_data": {"operation": "list_queues"}})
    assert (replayed["status"], replayed["task_id"]) == ("success", failed["task_id"])
    assert (await api("GET", path))["status"] == "failed"


async def test_many_tasks_are_created_at_once(api: Api) -> None:
    """Each by itself: one that is refused is named, and holds up no other."""
    tasks = [{"name": f"task {number}", "schedule": "0 9 * * *", **LIST} for number in range(250)]
    tasks[7]["schedule"] = "whenever"
    made = await api("POST", "/batch/tasks", json={"tasks": tasks})
    assert (made["created"], made["failed"], made["task_ids"][7]) == (249, 1, None)
    assert made["failures"][0]["id"] == "task 7"
    assert (await api("POST", "/batch/tasks", json={"tasks": tasks[:7]}))["unchanged"] == 7


async def test_all_that_fit_are_retried(api: Api, kit: TestToolkit) -> None:
    """One request; it says how many, and its id tells the progress."""
    await failing(api, kit, 5)
    dry = await api("POST", "/bulk", status=202, json={"action": "retry", "query": "status:failed", "dry_run": True})
    assert (dry["status"], dry["total"], len(dry["sample"])) == ("dry_run", 5, 5)
    done = await bulk(api, kit, action="retry", query="status:failed job:failing-*")
    assert (done["status"], done["total"], done["done"], done["failed"]) == ("done", 5, 5, 0)
    assert len((await api("GET", "/executions?status=failed"))["executions"]) == 10


async def test_what_fails_among_many_is_named(api: Api, kit: TestToolkit) -> None:
    """The others are done."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    done = await bulk(api, kit, action="pause", ids=["daily", "nobody"], reason="move")
    assert (done["done"], done["failed"], done["failures"][0]["id"]) == (1, 1, "nobody")
    assert (await api("GET", "/tasks/daily"))["reason"] == "move"


@pytest.mark.parametrize("action", ["delete", "pause", "run", "cancel"])
@pytest.mark.parametrize("query", ["", "  "])
async def test_an_empty_query_is_not_all(api: Api, kit: TestToolkit, action: str, query: str) -> None:
    """An unset variable of a script does nothing; who means everything writes so."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    refused = await api("POST", "/bulk", status=422, json={"action": action, "query": query})
    assert (refused["field"], "Write job:* for all." in refused["detail"]) == ("query", True)
    assert (await api("GET", "/tasks/daily"))["status"] == "scheduled"
    assert (await bulk(api, kit, action="delete", query="job:*"))["done"] == 1


async def test_what_was_aborted_stays_aborted(api: Api, kit: TestToolkit) -> None:
    """A second abort, after all has ended, does not turn it into something that was done."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    action = await api("POST", "/bulk", status=202, json={"action": "run", "ids": ["daily"] * 2_000})
    path = f"/bulk/{action['bulk_id']}"
    assert (await api("POST", f"{path}/abort"))["status"] == "aborted"
    for _ in range(1_000):
        if (ended := await api("GET", path))["finished_at"]:
            break
        await asyncio.sleep(0.005)
    assert ended["done"] < ended["total"]
    assert (await api("POST", f"{path}/abort"))["status"] == "aborted"


async def test_what_is_done_is_not_aborted(api: Api, kit: TestToolkit) -> None:
    """An abort that comes too late changes nothing."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    done = await bulk(api, kit, action="pause", ids=["daily"])
    assert (await api("POST", f"/bulk/{done['bulk_id']}/abort"))["status"] == "done"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("job:failing-0", ["failing-0"]),
        ("job:failing-*", ["failing-0", "failing-1"]),
        ("status:failed,success", ["daily", "failing-0", "failing-1"]),
        ("-status:failed", ["daily"]),
        ("tag:nightly", ["daily"]),
        ("owner:code", []),
        ("owner:me", ["daily", "failing-0", "failing-1"]),
        ("tool:queue took:<1h", ["daily", "failing-0", "failing-1"]),
        ("took:>5m", []),
        ('error:"no queue is named"', ["failing-0", "failing-1"]),
        ("nowhere", ["failing-0", "failing-1"]),
        ("since:2030-01-01 until:2030-01-02", ["daily", "failing-0", "failing-1"]),
        ("since:2030-01-02", []),
    ],
)
async def test_executions_are_searched(api: Api, kit: TestToolkit, query: str, found: list[str]) -> None:
    """By each key of the grammar, alone and together."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "in 1 minute", "tags": ["nightly"], **LIST})
    await failing(api, kit, 2)
    listed = (await api("GET", "/executions", params={"query": query}))["executions"]
    assert sorted(execution["task_id"] for execution in listed) == found


async def test_a_search_goes_on_after_its_cursor(api: Api, kit: TestToolkit) -> None:
    """Each page has as many as asked for, and all together are all."""
    await failing(api, kit, 5)
    pages: list[list[str]] = []
    cursor: str | None = None
    for _ in range(5):
        if pages and cursor is None:
            break
        page = await api("GET", "/executions", params={"query": "status:failed", "limit": 2, **({"cursor": cursor} if cursor else {})})
        pages.append([execution["task_id"] for execution in page["executions"]])
        cursor = page["cursor"]
    assert sorted(task_id for page in pages for task_id in page) == [f"failing-{number}" for number in range(5)]
    assert max(map(len, pages)) == 2


async def test_tasks_are_searched(api: Api) -> None:
    """By tag and name."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", "tags": ["nightly"], **LIST})
    await api("POST", "/tasks", status=201, json={"name": "weekly", "schedule": "0 9 * * 1", **LIST})
    assert [task["name"] for task in (await api("GET", "/tasks?query=tag:nightly"))["tasks"]] == ["daily"]
    assert [task["name"] for task in (await api("GET", "/tasks?query=job:week* status:scheduled"))["tasks"]] == ["weekly"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("stat:failed", "Did you mean 'status'?"),
        ("status:fail", "Did you mean 'failed'?"),
        ("took:>5x", "took:>5m"),
        ("cost:cheap", "cost:>0.10"),
        ("since:yesterday", "since:24h"),
        ('error:"open', "Write error:"),
        ("job:", "job"),
    ],
)
async def test_what_cannot_be_searched_is_refused(api: Api, query: str, said: str) -> None:
    """With what would be right."""
    refused = await api("GET", "/executions", status=422, params={"query": query})
    assert (refused["field"], said in refused["detail"]) == ("query", True)


async def test_a_schedule_is_previewed(api: Api) -> None:
    """Nothing is scheduled."""
    read = await api("POST", "/preview", json={"schedule": "every weekday at 9:00", "timezone": "Europe/Berlin", "count": 2})
    assert (read["words"], len(read["next_runs"])) == ("every weekday (Monday to Friday) at 09:00", 2)
    assert (await api("GET", "/tasks"))["tasks"] == []


async def test_a_preview_takes_the_bounds_of_a_schedule(api: Api) -> None:
    """Days that are left out, and where their runs go."""
    bounds = {"exclude": ["weekends"], "shift": "next", "start_at": "2030-02-01T00:00:00", "end_at": "2030-04-30"}
    read = await api("POST", "/preview", json={"schedule": "0 9 10 * *", "timezone": "UTC", **bounds})
    assert read["next_runs"] == ["2030-02-11T09:00:00+00:00", "2030-03-11T09:00:00+00:00", "2030-04-10T09:00:00+00:00"]


async def test_tasks_are_simulated(api: Api) -> None:
    """Every due time in the range, up to the limit."""
    task = {"name": "often", "schedule": "0 * * * *", "timezone": "UTC", **LIST}
    asked = {"tasks": [task], "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z", "limit": 3}
    simulated = await api("POST", "/simulate", json=asked)
    assert ([one["due"][11:16] for one in simulated["due_times"]], simulated["is_cut"]) == (["00:00", "01:00", "02:00"], True)


async def test_tasks_are_simulated_by_the_schedulers_settings() -> None:
    """Zone, day parts and calendars are those by which the tasks would be scheduled."""
    given = {"timezone": "Asia/Tokyo", "day_parts": {"morning": "06:30"}, "calendars": {"closed": ["2030-01-02"]}}
    task = {"name": "early", "schedule": "every morning", "exclude": ["closed"], **LIST}
    asked = {"tasks": [task], "start": "2030-01-01T00:00:00Z", "end": "2030-01-04T00:00:00Z"}
    async with toolkit(settings=Settings.from_values(given)) as kit:
        transport = httpx2.ASGITransport(app=create_app(kit))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000/api/scheduler") as client:
            simulated = (await client.post("/simulate", json=asked)).json()
    assert [one["due"] for one in simulated["due_times"]] == ["2030-01-03T06:30:00+09:00", "2030-01-04T06:30:00+09:00"]


async def bury(kit: TestToolkit, *reasons: str) -> None:
    """Fill a queue with dead letters, numbered from 0."""
    for number, reason in enumerate(reasons):
        letter = {"queue_name": "q", "message_id": str(number)}
        await kit.injector.run("queue", {"operation": "enqueue", "message": number, **letter})
        await kit.injector.run("queue", {"operation": "move_to_dlq", "reason": reason, **letter})


async def test_dead_letters_are_grouped_and_put_back(api: Api, kit: TestToolkit) -> None:
    """By what their reasons have in common, the largest group first, and all of one group at once."""
    await bury(kit, "no", "disk 0 full", "disk 0x1f full")
    dead = await api("GET", "/queues/q/dead-letters")
    assert [(group["fingerprint"], group["count"]) for group in dead["groups"]] == [("disk … full", 2), ("no", 1)]
    assert (await api("POST", "/queues/q/requeue", json={"fingerprint": "disk … full"}))["count"] == 2
    assert [message["message"] for message in (await api("GET", "/queues/q/messages"))["messages"]] == [1, 2]


async def test_one_dead_letter_and_those_like_it_are_two_questions(api: Api, kit: TestToolkit) -> None:
    """Nothing is put back where both are asked: neither the one with its new payload, nor the others."""
    await bury(kit, "bad", "bad")
    both = {"message_id": "1", "message": {"n": 100}, "fingerprint": "bad"}
    assert (await api("POST", "/queues/q/requeue", status=422, json=both))["field"] == "fingerprint"
    assert (await api("GET", "/queues/q/dead-letters"))["count"] == 2


async def test_dead_letters_of_a_group_are_all_put_back(api: Api, kit: TestToolkit) -> None:
    """Also those behind a page of others."""
    await bury(kit, *["other"] * 1_001, "bad")
    assert (await api("POST", "/queues/q/requeue", json={"fingerprint": "bad"}))["message_ids"] == ["1001"]


async def test_the_audit_tells_who_did_what(api: Api) -> None:
    """The newest first, with the door."""
    await api("POST", "/tasks", status=201, json={"name": "daily", "schedule": "0 9 * * *", **LIST})
    await api("POST", "/tasks/daily/pause")
    entries = (await api("GET", "/audit?task_id=daily"))["entries"]
    assert [(entry["action"], entry["caller"]["door"]) for entry in entries] == [("paused", "rest"), ("created", "rest")]


async def test_a_task_for_an_agent_is_that_agents(api: Api) -> None:
    """And the list can be asked for its tasks alone."""
    await api("POST", "/tasks", status=201, json={"name": "mail", "schedule": "0 9 * * *", "agent_name": "email-agent", **LIST})
    await api("POST", "/tasks", status=201, json={"name": "other", "schedule": "0 9 * * *", **LIST})
    assert [task["name"] for task in (await api("GET", "/tasks?agent_name=email-agent"))["tasks"]] == ["mail"]
    assert (await api("GET", "/tasks/mail"))["agent_name"] == "email-agent"


async def test_who_made_a_task_for_an_agent_is_on_record(api: Api) -> None:
    """The agent owns it, with an owner's rights and no administrator's; who made it is named in the task and in the audit."""
    task = {"name": "mail", "schedule": "0 9 * * *", "agent_name": "email-agent", **LIST}
    await api("POST", "/tasks", status=201, json=task)
    made = await api("GET", "/tasks/mail")
    assert (made["created_by"]["name"], made["created_by"]["scopes"]) == ("email-agent", ["read", "write"])
    assert (made["changed_by"]["name"], made["changed_by"]["acts_for"]) == ("local", "email-agent")
    (entry,) = (await api("GET", "/audit?task_id=mail"))["entries"]
    assert (entry["caller"]["name"], entry["caller"]["scopes"]) == ("local", ["admin"])


@pytest.mark.parametrize("path", ["/tasks", "/batch/tasks"])
async def test_a_task_that_was_changed_for_an_agent_stays_its_own(api: Api, path: str) -> None:
    """At both doors for new tasks: the second definition replaces the first, and the owner is who it was."""
    task = {"name": "mail", "schedule": "0 9 * * *", "agent_name": "email-agent", "replace": True, **LIST}
    for schedule in ("0 9 * * *", "0 10 * * *"):
        body = {**task, "schedule": schedule}
        await api(
            "POST",
            path,
            status=201 if path == "/tasks" and schedule == "0 9 * * *" else 200,
            json=body if path == "/tasks" else {"tasks": [body]},
        )
    changed = await api("GET", "/tasks/mail")
    assert (changed["agent_name"], changed["created_by"]["name"], changed["changed_by"]["name"]) == ("email-agent", "email-agent", "local")


@pytest.mark.parametrize("more", [{}, {"replace": True}, {"schedule": "0 10 * * *", "replace": True}, {"dry_run": True}])
async def test_a_task_of_another_agent_is_not_taken_for_this_one_s(api: Api, more: dict[str, Any]) -> None:
    """Whether it says the same or replaces it: the answer would tell an agent of a task that it does not have."""
    task = {"name": "mail", "schedule": "0 9 * * *", "agent_name": "email-agent", **LIST}
    await api("POST", "/tasks", status=201, json=task)
    refused = await api("POST", "/tasks", status=409, json={**task, "agent_name": "support-bot", **more})
    assert (refused["field"], "'email-agent'" in refused["detail"]) == ("name", True)
    kept = await api("GET", "/tasks/mail")
    assert (kept["agent_name"], kept["schedule"], kept["version"]) == ("email-agent", "0 9 * * *", 1)


async def test_an_administrator_who_names_no_agent_changes_whose_task_it_is(api: Api) -> None:
    """As before: who does not say for whom means the task itself."""
    task = {"name": "mail", "schedule": "0 9 * * *", **LIST}
    await api("POST", "/tasks", status=201, json={**task, "agent_name": "email-agent"})
    await api("POST", "/tasks", json={**task, "schedule": "0 10 * * *", "replace": True})
    kept = await api("GET", "/tasks/mail")
    assert (kept["agent_name"], kept["schedule"]) == ("email-agent", "0 10 * * *")


async def test_a_simulation_holds_up_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand tasks take seconds, so they are read in a thread, and what is due meanwhile is run."""
    threads: list[int] = []
    monkeypatch.setattr("agentoolkit.simulation.simulate", lambda *_, **__: threads.append(get_ident()) or [])
    task = {"name": "x", "schedule": "every hour", **LIST}
    await api("POST", "/simulate", json={"tasks": [task], "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z"})
    assert threads
    assert get_ident() not in threads


async def test_a_simulation_that_takes_too_long_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence that says what to do, after the processor time that one request may take."""
    monkeypatch.setattr("agentoolkit.simulation.thread_time", count(step=1).__next__)
    task = {"name": "x", "schedule": "every hour", **LIST}
    asked = {"tasks": [task], "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z"}
    refused = await api("POST", "/simulate", status=422, json=asked)
    assert (refused["field"], refused["detail"].endswith("Give fewer tasks, a shorter range or a smaller limit.")) == ("tasks", True)
    assert len((await api("POST", "/simulate", json={**asked, "end": "2030-01-01T01:30:00Z"}))["due_times"]) == 1


async def test_simulations_wait_for_each_other(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are asked for at once, one thread works on them."""
    both, met = Barrier(2), list[bool]()

    def simulate(*_: Any, **__: Any) -> list[Any]:
        with suppress(BrokenBarrierError):
            both.wait(0.05)
            met.append(True)
        both.reset()
        return []

    monkeypatch.setattr("agentoolkit.simulation.simulate", simulate)
    asked = {"tasks": [{"name": "x", "schedule": "every hour", **LIST}], "start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00Z"}
    await asyncio.gather(*(api("POST", "/simulate", json=asked) for _ in range(2)))
    assert not met


async def test_processes_are_listed(api: Api) -> None:
    """This one alone, where nothing is shared: it leads."""
    (worker,) = (await api("GET", "/workers"))["workers"]
    assert (worker["leads"], worker["executions"], worker["worker"].startswith("pid ")) == (True, [], True)
