"""Operation ``schedule`` with ``replace``, as task files use it: the same job is found again, a different one is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database.worker import DatabaseThread
from agentoolkit.entrypoints.cli.apply_tasks import apply_tasks, check_tasks
from agentoolkit.entrypoints.taskfile import Task, TaskFileError, TasksRefused
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import InvalidJob, InvalidSchedule
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.testing import TestToolkit, toolkit

START = "2030-01-01T12:00:00+00:00"
CALL = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}


async def put(kit: TestToolkit, schedule: str, **fields: Any) -> dict[str, Any]:
    """Schedule a job, or make the one there is like it."""
    job = {"job_name": "job", "schedule": schedule, **CALL, **fields}
    return (await kit.injector.run("scheduler", {"operation": "schedule", "replace": True, **job})).data


async def apply(kit: TestToolkit, **fields: Any) -> tuple[str, str]:
    """Apply a file with one task."""
    (applied,) = await apply_tasks(kit.injector, [Task(name="job", **{"schedule": "1 hour", **CALL, **fields})])
    return applied.mark, applied.state


async def test_the_same_job_stays() -> None:
    """Nothing changes, the phase of an interval included."""
    async with toolkit(START) as kit:
        first = await put(kit, "1 hour")
        await kit.advance(minutes=40)
        second = await put(kit, "1 hour")
    assert (second["created"], second["changed"], second["version"]) == (False, False, first["version"])
    assert second["next_run"] == first["next_run"]


async def test_only_what_differs_is_changed() -> None:
    """A new description does not move the due times of an interval."""
    async with toolkit(START) as kit:
        first = await put(kit, "1 hour")
        await kit.advance(minutes=40)
        second = await put(kit, "1 hour", description="new")
    assert second["changed"]
    assert second["next_run"] == first["next_run"]


async def test_a_field_that_is_left_out_goes_back_to_its_default() -> None:
    """What is no longer asked for is no longer so."""
    async with toolkit(START) as kit:
        await put(kit, "1 hour", max_retries=3, tags=["x"])
        assert (await put(kit, "1 hour"))["changed"]
        info = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "job"})).data["info"]
    assert (info["max_retries"], info["tags"]) == (0, [])


async def test_words_mean_what_they_meant_when_the_job_was_made() -> None:
    """'tomorrow at 9am', asked for again the day after, is the same job."""
    async with toolkit(START) as kit:
        first = await put(kit, "tomorrow at 9am")
        await kit.advance(hours=14)
        second = await put(kit, "tomorrow at 9am")
    assert not second["changed"]
    assert second["next_run"] == first["next_run"]


async def test_other_words_count_from_now() -> None:
    """A single run that was changed means what it says from then on, and is the same job the next time."""
    async with toolkit(START) as kit:
        await put(kit, "tomorrow at 9am")
        await kit.advance(hours=14)
        changed = await put(kit, "tomorrow at 10am")
        await kit.advance(hours=1)
        again = await put(kit, "tomorrow at 10am")
    assert changed["changed"]
    assert changed["next_run"] == again["next_run"] == "2030-01-03T10:00:00+00:00"
    assert not again["changed"]


async def test_what_is_done_stays_done() -> None:
    """The very same job does not run again."""
    async with toolkit(START) as kit:
        await put(kit, "now")
        await kit.advance(seconds=1)
        assert (await put(kit, "now"))["state"] == "done"


async def test_a_change_that_cannot_be_loses_no_job() -> None:
    """A new time that has passed is refused, and the job is as it was."""
    async with toolkit(START) as kit:
        await put(kit, "2030-01-02T09:00:00")
        await kit.advance(hours=1)
        with pytest.raises(InvalidSchedule):
            await put(kit, "2030-01-01T12:30:00")
        assert (await kit.injector.run("scheduler", {"operation": "list"})).data["count"] == 1


async def test_the_marks_of_a_task() -> None:
    """A task is new, kept or changed."""
    async with toolkit(START) as kit:
        assert [await apply(kit), await apply(kit), await apply(kit, schedule="2 hours")] == [
            ("new", "active"),
            ("kept", "active"),
            ("changed", "active"),
        ]


async def test_disabled_and_enabled_again() -> None:
    """A file pauses and resumes its own jobs."""
    async with toolkit(START) as kit:
        assert [(await apply(kit, enabled=enabled))[1] for enabled in (False, False, True, True)] == [
            "paused",
            "paused",
            "active",
            "active",
        ]


@pytest.mark.parametrize("wrong", [{"schedule": "99 * * * *"}, {"agentool_name": "nobody"}, {"jitter": -1.0}, {"schedule": "after nobody"}])
async def test_a_file_with_a_refused_task_schedules_nothing(wrong: dict[str, Any]) -> None:
    """Tasks before and after the one that is refused are not scheduled, and one that is there is not changed."""
    tasks = [
        Task(name=name, **{"schedule": "1 hour", **CALL, **more}) for name, more in (("a", {}), ("wrong", wrong), ("job", {"tags": ["x"]}))
    ]
    async with toolkit(START) as kit:
        await put(kit, "1 hour")
        with pytest.raises(TaskFileError, match=r"Task 'wrong' is refused: .* No task of the file is scheduled\."):
            await apply_tasks(kit.injector, tasks)
        (job,) = (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]
        details = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job["job_id"]})).data
    assert (details["job_id"], details["info"]["tags"], details["info"]["version"]) == ("job", [], 1)


async def test_circle_through_other_jobs_is_refused_before_anything_is_scheduled() -> None:
    """A circle through a job that no task asks for is found by the check: no task of the file is scheduled."""
    tasks = [Task(name=name, schedule=schedule, **CALL) for name, schedule in (("a", "1 hour"), ("b", "after job"))]
    async with toolkit(START) as kit:
        await put(kit, "1 hour", job_name="b")
        await put(kit, "after b")
        with pytest.raises(TaskFileError, match=r"Task 'b' is refused: .*come after itself.* No task of the file is scheduled\."):
            await apply_tasks(kit.injector, tasks)


async def test_a_refused_task_is_named() -> None:
    """The task is named with the reason."""
    async with toolkit(START) as kit:
        with pytest.raises(TaskFileError, match=r"Task 'job' is refused: .*minute"):
            await apply(kit, schedule="99 * * * *")


async def test_many_tasks_share_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of three hundred is written in few transactions, and so is a second one that changes them all; a third writes nothing."""
    writes: list[int] = []
    transaction = DatabaseThread._transaction

    def counted(thread: DatabaseThread, batch: Any) -> list[Any]:
        if thread._writes:
            writes.append(len(batch))
        return transaction(thread, batch)

    monkeypatch.setattr(DatabaseThread, "_transaction", counted)

    def file(description: str) -> list[Task]:
        tasks = [Task(name=f"task {number}", schedule="1 hour", description=description, **CALL) for number in range(299)]
        return [Task(name="last", schedule="after task 7", description=description, **CALL), *tasks]

    settings = Settings.from_values({"timezone": "UTC", "database": f"sqlite:///{tmp_path / 'jobs.db'}"})
    done: list[tuple[str, int]] = []
    async with toolkit(START, settings) as kit:
        for description in ("one", "two", "two"):
            writes.clear()
            applied = await apply_tasks(kit.injector, file(description))
            marks = {task.mark for task in applied}
            done.append((marks.pop(), len(writes)))
            assert (len(applied), applied[0].job_id, marks) == (300, "last", set())
    assert [mark for mark, _ in done] == ["new", "changed", "kept"]
    assert max(commits for _, commits in done) < 20
    assert done[2][1] <= 2  # a heartbeat may come between


async def test_each_task_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only writing shows is said of all that it concerns, with those that are scheduled."""
    add = MemoryJobStore.add

    async def refusing(store: MemoryJobStore, job: Job, *more: Any) -> None:
        if job.job_id in ("b", "d"):
            raise InvalidJob("The disk is full.", field="job_id", value=job.job_id)
        await add(store, job, *more)

    monkeypatch.setattr(MemoryJobStore, "add", refusing)
    tasks = [Task(name=name, schedule="1 hour", **CALL) for name in "abcd"]
    async with toolkit(START) as kit:
        with pytest.raises(TasksRefused) as refused:
            await apply_tasks(kit.injector, tasks)
    assert [refusal[:20] for refusal in refused.value.refusals] == ["Task 'b' is refused:", "Task 'd' is refused:"]
    assert refused.value.advice == ("Scheduled already: a, c.",)


async def test_two_tasks_are_two_jobs() -> None:
    """Names of which the same id would be made are refused, and nothing is scheduled."""
    async with toolkit(START) as kit:
        with pytest.raises(TaskFileError, match=r"Tasks 'a b' and 'a-b' would be one job, 'a-b'"):
            await apply_tasks(kit.injector, [Task(name=name, schedule="1 hour", **CALL) for name in ("a b", "a-b")])
        assert (await kit.injector.run("scheduler", {"operation": "list"})).data["count"] == 0


@pytest.mark.parametrize("described", [1, 500])
async def test_a_task_is_told_of_those_alone_that_it_comes_after(described: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many a file has: else checking it would cost their number squared."""
    told: list[int] = []
    add = SchedulerService.add

    async def noting(service: SchedulerService, *given: Any, **more: Any) -> Any:
        told.append(len(more["assumed"]))
        return await add(service, *given, **more)

    monkeypatch.setattr(SchedulerService, "add", noting)
    tasks = [Task(name=f"task {number}", schedule="1 hour", **CALL) for number in range(described)]
    async with toolkit(START) as kit:
        await check_tasks(kit.injector, [*tasks, Task(name="last", schedule="after task 0", **CALL)])
    assert sorted(told) == [0] * described + [1]
