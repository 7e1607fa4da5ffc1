"""Whose jobs are, what callers may, and who did what."""

from __future__ import annotations

from typing import Any

import pytest
from tests.agents.conftest import SUNDAY

from agentool import Injector
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.settings import Settings
from agentoolkit.system.events.errors import InvalidEvent
from agentoolkit.system.scheduler import lookup
from agentoolkit.system.scheduler.errors import ExecutionNotFound, InvalidSchedule, JobExists, JobNotFound, LimitExceeded, NotPermitted
from agentoolkit.testing import ManualTime, TestToolkit

MARIA = Caller("maria", "agent", OWN)
PAUL = Caller("paul", "rest", OWN)
MAIL = {"operation": "send", "message": "x"}


async def call(kit: TestToolkit, operation: str, caller: Caller | None = None, **fields: Any) -> Any:
    """Call the scheduler as somebody; return the data of its answer."""
    with acting_as(caller or Caller()):
        return (await kit.injector.run("scheduler", {"operation": operation, **fields})).data


async def job(kit: TestToolkit, name: str, caller: Caller | None = None, **fields: Any) -> Any:
    """Schedule a notification as somebody."""
    wanted = {"schedule": "every day at 10:00", "agentool_name": "notification", "input_data": MAIL, **fields}
    return await call(kit, "schedule", caller, job_name=name, **wanted)


async def info(kit: TestToolkit, name: str) -> dict[str, Any]:
    """Return a job's definition and where it stands."""
    return (await call(kit, "get_job", job_id=name))["info"]


async def test_a_job_knows_who_made_and_changed_it(kit: TestToolkit) -> None:
    """The maker stays, with the door; the last who changed it is beside."""
    await job(kit, "j", MARIA)
    await call(kit, "update", job_id="j", description="new")
    made = await info(kit, "j")
    assert (made["created_by"]["name"], made["created_by"]["door"]) == ("maria", "agent")
    assert (made["changed_by"]["name"], made["changed_by"]["door"]) == ("code", "code")


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("get_job", {}),
        ("cancel", {}),
        ("pause", {}),
        ("resume", {}),
        ("update", {"description": "x"}),
        ("run_now", {}),
        ("start_run", {"run_key": "x"}),
        ("get_history", {}),
        ("list_executions", {}),
        ("backfill", {"start_at": "2026-11-01", "end_at": "2026-11-05"}),
    ],
)
async def test_every_operation_keeps_to_its_owner(kit: TestToolkit, operation: str, fields: dict[str, Any]) -> None:
    """Another owner's job is not there, whatever is asked of it."""
    await job(kit, "plan", PAUL)
    with pytest.raises(JobNotFound):
        await call(kit, operation, MARIA, job_id="plan", **fields)


async def test_another_owners_execution_is_not_there(kit: TestToolkit) -> None:
    """An execution is seen, and cancelled, by its job's owner."""
    await job(kit, "plan", PAUL)
    ran = await call(kit, "run_now", PAUL, job_id="plan")
    for operation in ("get_execution", "cancel_execution"):
        with pytest.raises(ExecutionNotFound):
            await call(kit, operation, MARIA, execution_id=ran["execution_id"])
    assert (await call(kit, "get_execution", PAUL, execution_id=ran["execution_id"]))["status"] == "success"


async def test_lists_hold_the_callers_own(kit: TestToolkit) -> None:
    """Jobs and executions of others are in no list; an admin can list one owner's."""
    await job(kit, "mine", MARIA)
    await job(kit, "plan", PAUL)
    await call(kit, "run_now", PAUL, job_id="plan")
    assert [found["job_name"] for found in (await call(kit, "list", MARIA))["jobs"]] == ["mine"]
    assert (await call(kit, "get_history", MARIA))["count"] == 0
    assert [found["job_name"] for found in (await call(kit, "list", owner="paul"))["jobs"]] == ["plan"]


async def test_a_taken_name_tells_nothing_of_whose_it_is(kit: TestToolkit) -> None:
    """A name that another owner has is taken, also for the very same job."""
    await job(kit, "plan", PAUL)
    with pytest.raises(JobExists, match="is taken"):
        await job(kit, "plan", MARIA)


async def test_the_nearest_name_is_one_of_the_callers_own(kit: TestToolkit) -> None:
    """A misspelt name leads to no job of others."""
    await job(kit, "plan", PAUL)
    with pytest.raises(JobNotFound) as refused:
        await call(kit, "get_job", MARIA, job_id="plam")
    assert "plan" not in str(refused.value)


async def test_another_owners_job_to_come_after_is_not_there(kit: TestToolkit) -> None:
    """It is refused with the words for a job that does not exist, under the name that was given, and never by its id."""
    await job(kit, "secret plan", PAUL)
    told: list[str] = []
    for name in ("secret plan", "no such job"):
        with pytest.raises(InvalidSchedule) as refused:
            await job(kit, "mine", MARIA, schedule=f"after {name}")
        told.append(str(refused.value).replace(name, "NAME"))
    assert told[0] == told[1]


async def test_a_cancellation_names_no_job_of_others(kit: TestToolkit) -> None:
    """Which of them the cancelled one started is theirs to know; the caller's own are named."""
    await job(kit, "mine", MARIA)
    await job(kit, "theirs", schedule="after mine")
    await job(kit, "too", MARIA, schedule="after mine")
    with acting_as(MARIA):
        told = (await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "mine"})).message
    assert "'too'" in told
    assert "theirs" not in told


async def test_what_a_job_comes_after_is_told_of_the_callers_own(kit: TestToolkit) -> None:
    """A misspelt name in a schedule leads to no job of others either, and to one's own."""
    await job(kit, "plan", PAUL)
    await job(kit, "extract", MARIA)
    for misspelt, told in (("plam", "Known: extract."), ("extrakt", "Did you mean 'extract'?")):
        with pytest.raises(InvalidSchedule) as refused:
            await job(kit, "load", MARIA, schedule=f"after {misspelt}")
        assert str(refused.value).endswith(told)


async def test_the_nearest_name_is_found_among_more_jobs_than_are_read(kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has very many jobs is told of the one beside the misspelt name, and of none of others."""
    monkeypatch.setattr(lookup, "_PAGE", 2)
    for name in ("a", "b", "report"):
        await job(kit, name, MARIA)
    await job(kit, "reporu", PAUL)
    with pytest.raises(JobNotFound, match="Did you mean 'report'"):
        await call(kit, "get_job", MARIA, job_id="reportt")


async def test_who_may_look_only_changes_nothing(kit: TestToolkit) -> None:
    """Without the scope write nothing is made or changed."""
    with pytest.raises(NotPermitted):
        await job(kit, "j", Caller("maria", "rest", frozenset({"read"})))


async def test_code_has_no_caps(kit: TestToolkit) -> None:
    """The application's own jobs have no end and no spread that nobody asked for."""
    await job(kit, "j", schedule="every 1 second")
    made = await info(kit, "j")
    assert (made["end_at"], made["jitter"]) == (None, 0.0)


async def test_a_repeating_job_of_a_model_ends(kit: TestToolkit) -> None:
    """After ninety days, or seven where it runs more often than hourly; the answer says so."""
    slow = await job(kit, "slow", MARIA)
    await job(kit, "fast", MARIA, schedule="every 10 minutes")
    assert (await info(kit, "slow"))["end_at"].startswith("2027-02-27")
    assert (await info(kit, "fast"))["end_at"].startswith("2026-12-06")
    assert any("ends on 2027-02-27" in remark for remark in slow["remarks"])


async def test_an_end_that_was_asked_for_stays(kit: TestToolkit) -> None:
    """Only a job without an end is given one."""
    await job(kit, "j", MARIA, end_at="2026-12-24")
    assert (await info(kit, "j"))["end_at"].startswith("2026-12-2")


async def test_the_same_job_again_is_the_same_though_it_was_given_an_end(kit: TestToolkit) -> None:
    """What admission added does not make it another job, also a day later."""
    await job(kit, "j", MARIA)
    await kit.advance(days=1)
    assert (await job(kit, "j", MARIA))["created"] is False


async def test_an_end_is_told_before_it_comes(kit: TestToolkit) -> None:
    """A week before its end a job says in every list that it ends, and on which day; until then it does not."""
    await job(kit, "j", MARIA)
    await kit.advance(days=82)
    assert (await info(kit, "j"))["reason"] == ""
    await kit.advance(days=2)
    (listed,) = (await call(kit, "list", MARIA))["jobs"]
    assert listed["reason"].startswith("ends on 2027-02-27")
    assert (await info(kit, "j"))["reason"] == listed["reason"]


async def test_a_job_near_its_end_goes_on_when_it_is_scheduled_again(kit: TestToolkit) -> None:
    """The very same job is given another end; its owner's model can do so, and it stays one job."""
    await job(kit, "j", MARIA)
    await kit.advance(days=85)
    again = await job(kit, "j", MARIA)
    assert (again["created"], again["changed"]) == (False, True)
    assert (await info(kit, "j"))["end_at"].startswith("2027-05-23")
    assert (await info(kit, "j"))["reason"] == ""


async def test_round_minutes_are_spread(kit: TestToolkit) -> None:
    """Jobs of models that are all due at nine do not all start at nine, and each always at the same second."""
    await job(kit, "j", MARIA)
    assert 0 < (await info(kit, "j"))["jitter"] <= 60


async def test_a_spread_job_runs_once_a_day(kit: TestToolkit) -> None:
    """The spread moves each due time, the first one too, and adds none."""
    await job(kit, "j", MARIA)
    await kit.advance(days=2)
    runs = (await call(kit, "get_history", job_id="j"))["history"]
    assert [run["scheduled_at"][:10] for run in runs] == ["2026-12-01", "2026-11-30"]


async def test_too_frequent_is_refused(kit: TestToolkit) -> None:
    """The shortest interval is a minute, for words, cron and changes alike."""
    with pytest.raises(LimitExceeded, match="every 5 minutes"):
        await job(kit, "j", MARIA, schedule="every 10 seconds")
    await job(kit, "j", MARIA)
    with pytest.raises(LimitExceeded):
        await call(kit, "update", MARIA, job_id="j", schedule="every 10 seconds")


class TestSmallCaps:
    """Caps that a test can reach."""

    @pytest.fixture(autouse=True)
    def caps(self, settings: dict[str, Any]) -> None:
        """Two jobs and thirty runs a day; a scheduled run may schedule once."""
        settings["agents"] = {"jobs": 2, "runs_per_day": 30, "max_depth": 1}

    async def test_jobs_are_counted_for_each_owner(self, kit: TestToolkit) -> None:
        """A third job is refused, and another owner has a count of its own; what code made is not counted."""
        await job(kit, "z", Caller("maria", "code"))
        await job(kit, "a", MARIA)
        await job(kit, "b", MARIA)
        with pytest.raises(LimitExceeded, match="Cancel one first"):
            await job(kit, "c", MARIA)
        await job(kit, "c", PAUL)

    async def test_runs_a_day_are_counted_over_all_jobs(self, kit: TestToolkit) -> None:
        """Two jobs that are each allowed may be too many runs together."""
        await job(kit, "a", MARIA, schedule="every 1 hour")
        with pytest.raises(LimitExceeded, match="30 times a day"):
            await job(kit, "b", MARIA, schedule="every 2 hours")

    @pytest.mark.parametrize("again", [{"operation": "resume"}, {"operation": "pause", "until": "in 5 minutes"}], ids=["resumed", "later"])
    async def test_runs_a_day_are_counted_when_a_job_goes_on(self, kit: TestToolkit, again: dict[str, Any]) -> None:
        """Whoever pauses jobs to schedule others has no more of them at once: neither resumed nor at the end of a pause."""
        await job(kit, "a", MARIA, schedule="every 1 hour")
        await call(kit, "pause", MARIA, job_id="a")
        await job(kit, "b", MARIA, schedule="every 2 hours")
        with pytest.raises(LimitExceeded, match="30 times a day"):
            await call(kit, caller=MARIA, job_id="a", **again)
        await call(kit, "pause", MARIA, job_id="b")
        await call(kit, caller=MARIA, job_id="a", **again)
        with pytest.raises(LimitExceeded, match="30 times a day"):
            await call(kit, "resume", MARIA, job_id="b")
        await call(kit, "resume", job_id="b")

    async def test_a_depth_can_be_allowed(self, kit: TestToolkit) -> None:
        """As deep as the setting says a scheduled run may schedule, and no deeper."""
        await job(kit, "a", MARIA.inside("x@1"))
        with pytest.raises(NotPermitted):
            await job(kit, "b", MARIA.inside("x@1").inside("y@2"))


async def test_a_scheduled_run_schedules_nothing(kit: TestToolkit) -> None:
    """From inside a run that was due, a model's job can make, change and start no job."""
    await job(kit, "j", MARIA)
    inside = MARIA.inside("j@1")
    for operation, fields in (("pause", {}), ("update", {"description": "x"}), ("start_run", {"run_key": "x"}), ("cancel", {})):
        with pytest.raises(NotPermitted, match="A scheduled run may not"):
            await call(kit, operation, inside, job_id="j", **fields)


async def test_a_loop_is_stopped(kit: TestToolkit) -> None:
    """A job that schedules another job fails at that, and no second job comes to be."""
    again = {"operation": "schedule", "job_name": "b", "schedule": "in 1 hour", "agentool_name": "notification", "input_data": MAIL}
    await job(kit, "a", MARIA, schedule="in 1 hour", agentool_name="scheduler", input_data=again)
    await kit.advance(hours=2)
    (run,) = (await call(kit, "get_history", job_id="a"))["history"]
    assert (run["status"], run["error"]["type"]) == ("failed", "NotPermitted")
    assert (await call(kit, "list"))["jobs"] == []


async def test_a_change_lends_no_scopes(kit: TestToolkit) -> None:
    """A model that edits a job its owner made with all scopes does not get them: the job then acts with the model's."""
    await job(kit, "a", Caller("maria", "cli"))
    await call(kit, "update", MARIA, job_id="a", description="x")
    assert (await info(kit, "a"))["created_by"]["scopes"] == ["read", "write"]


class TestOutward:
    """A job that reaches outwards waits for a person."""

    async def test_it_waits(self, kit: TestToolkit) -> None:
        """It is made paused, says why, and neither runs nor is resumed by a model."""
        made = await job(kit, "j", MARIA, agentool_name="http", input_data={"operation": "request", "url": "https://example.com"})
        assert made["state"] == "paused"
        assert (await info(kit, "j"))["reason"].startswith("needs approval")
        for operation, fields in (("resume", {}), ("run_now", {}), ("start_run", {"run_key": "x"}), ("update", {"paused": False})):
            with pytest.raises(NotPermitted) if operation != "update" else _nothing():
                await call(kit, operation, MARIA, job_id="j", **fields)
        assert (await info(kit, "j"))["state"] == "paused"

    async def test_a_person_resumes_it(self, kit: TestToolkit) -> None:
        """Its owner, with the scope approve, lets it run."""
        await job(kit, "j", MARIA, agentool_name="http", input_data={"operation": "request", "url": "https://example.com"})
        await call(kit, "resume", Caller("maria", "page", frozenset({"read", "write", "approve"})), job_id="j")
        assert (await info(kit, "j"))["state"] == "active"

    async def test_after_an_edit_it_waits_again(self, kit: TestToolkit) -> None:
        """What was approved is what it said then."""
        await job(kit, "j", MARIA, agentool_name="http", input_data={"operation": "request", "url": "https://example.com"})
        await call(kit, "resume", job_id="j")
        await call(kit, "update", MARIA, job_id="j", input_data={"operation": "request", "url": "https://example.org"})
        assert (await info(kit, "j"))["state"] == "paused"


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


@pytest.mark.parametrize("database", ["memory", "sqlite", "postgres"])
async def test_the_audit_tells_who_did_what(request: pytest.FixtureRequest, tmp_path: Any, database: str) -> None:
    """Each change is kept with its caller, before and after; secrets are hidden; others' entries are not shown."""
    url = {"memory": None, "sqlite": str(tmp_path / "a.db"), "postgres": "postgres"}[database]
    if url == "postgres":
        url = request.getfixturevalue("postgres_url")
    settings = Settings.from_values({"timezone": "UTC", **({"database": url} if url else {})})
    async with TestToolkit(settings, ManualTime(SUNDAY), Injector()) as kit:
        await job(kit, "j", MARIA, input_data={"operation": "send", "message": "password=hunter2"})
        await job(kit, "plan", PAUL)
        await call(kit, "pause", job_id="j", reason="holidays")
        await call(kit, "resume", MARIA, job_id="j")
        await call(kit, "update", MARIA, job_id="j", description="new")
        await call(kit, "run_now", MARIA, job_id="j")
        await call(kit, "cancel", MARIA, job_id="j")
        entries = (await call(kit, "audit", MARIA))["entries"]
        assert [(entry["action"], entry["caller"]["name"], entry["caller"]["door"]) for entry in reversed(entries)] == [
            ("created", "maria", "agent"),
            ("paused", "code", "code"),
            ("resumed", "maria", "agent"),
            ("changed", "maria", "agent"),
            ("ran", "maria", "agent"),
            ("cancelled", "maria", "agent"),
        ]
        changed = entries[2]
        assert (changed["before"]["description"], changed["after"]["description"]) == ("", "new")
        assert "hunter2" not in str(entries)
        assert [entry["job_id"] for entry in (await call(kit, "audit", owner="paul"))["entries"]] == ["plan"]
        with pytest.raises(NotPermitted):
            await call(kit, "audit", MARIA, owner="paul")


@pytest.mark.parametrize("how", ["cancelled", "done"])
@pytest.mark.parametrize("by", ["job_name", "job_id"])
async def test_the_name_of_a_job_that_is_over_hands_nobody_its_history(kit: TestToolkit, how: str, by: str) -> None:
    """Under an id, or a name, that another owner had, nobody finds that owner's results, by scheduling or by running at once."""
    when = {"schedule": "in 1 minute"} if how == "done" else {}
    await job(kit, "plan", PAUL, job_id="plan", **when)
    if how == "done":
        await kit.advance(minutes=2)
    else:
        await call(kit, "run_now", PAUL, job_id="plan")
        await call(kit, "cancel", PAUL, job_id="plan")
    given = {"job_id": "plan"} if by == "job_id" else {}
    with pytest.raises(JobExists):
        await job(kit, "plan", MARIA, **given)
    with pytest.raises(JobNotFound):
        await call(kit, "run_now", MARIA, job_id="plan", agentool_name="notification", input_data=MAIL)
    with pytest.raises(JobNotFound):
        await call(kit, "list_executions", MARIA, job_id="plan")
    await job(kit, "plan", PAUL, **given)


RUN = {"agentool_name": "notification", "input_data": MAIL}


@pytest.mark.parametrize("given", [{"job_id": "payroll"}, {"job_name": "payroll"}, {"job_name": "payroll", "replace": True}])
async def test_the_id_of_runs_without_a_job_hands_nobody_their_results(kit: TestToolkit, given: dict[str, Any]) -> None:
    """Code runs AgenTools under ids of its own; no owner finds their results by giving a job such an id."""
    await call(kit, "run_now", job_id="payroll", **RUN)
    with pytest.raises(JobExists):
        await call(kit, "schedule", MARIA, schedule="in 1 hour", **RUN, **given)
    with pytest.raises(JobNotFound):
        await call(kit, "list_executions", MARIA, job_id="payroll")
    assert (await call(kit, "schedule", job_id="payroll", schedule="in 1 hour", **RUN))["created"]


async def test_a_run_at_once_is_in_nobodys_history_but_its_owners(kit: TestToolkit) -> None:
    """A run under the id of a job to come would be told as that job's, and handed to its agent as its last answer."""
    with pytest.raises(JobNotFound):
        await call(kit, "run_now", MARIA, job_id="nightly", **RUN)
    await call(kit, "run_now", MARIA, **RUN)
    await job(kit, "nightly", PAUL)
    assert (await call(kit, "list_executions", PAUL, job_id="nightly"))["history"] == []


@pytest.mark.parametrize("by", [MARIA, Caller("root", "rest")])
async def test_a_job_that_is_replaced_stays_its_owners(kit: TestToolkit, by: Caller) -> None:
    """It is counted, seen and run as theirs, with no more scopes than it had; who replaced it is kept beside."""
    await job(kit, "plan", MARIA)
    await job(kit, "plan", by, input_data={**MAIL, "message": "y"}, replace=True)
    made = await info(kit, "plan")
    assert (made["created_by"]["name"], made["created_by"]["scopes"]) == ("maria", ["read", "write"])
    assert made["changed_by"]["name"] == by.name
    assert [found["job_id"] for found in (await call(kit, "list", MARIA))["jobs"]] == ["plan"]


@pytest.mark.parametrize("name", ["scheduler.task.success", "task.completed", "task.failed"])
async def test_nobody_publishes_what_the_scheduler_alone_tells(kit: TestToolkit, name: str) -> None:
    """Neither by its events' names nor by the other names under which they are told."""
    with acting_as(MARIA), pytest.raises(InvalidEvent, match="scheduler's own"):
        await kit.injector.run("events", {"operation": "publish", "event_type": name})
    with acting_as(MARIA):
        await kit.injector.run("events", {"operation": "publish", "event_type": "task.assigned"})
