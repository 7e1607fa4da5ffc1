"""Jobs that come after others, in task files and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentoolkit.entrypoints.cli.apply_tasks import apply_tasks
from agentoolkit.entrypoints.taskfile import Task, TaskFileError, read_tasks
from agentoolkit.testing import TestToolkit, toolkit

from .conftest import Cli

CALL = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
FILE = """
tasks:
  - {name: report, schedule: after Load all, type: after, function: "chores:greet", kwargs: {name: "!ref:after:result.result"}}
  - {name: Load all, schedule: after extract, function: "chores:greet", kwargs: {name: Load}}
  - {name: extract, schedule: now, function: "chores:greet"}
  - {name: alarm, schedule: after Load-all failed, function: "chores:fail"}
"""


def task(name: str, schedule: str, **more: Any) -> Task:
    return Task(name=name, schedule=schedule, **CALL, **more)


async def marks(kit: TestToolkit, *tasks: Task) -> list[tuple[str, str]]:
    return [(applied.job_id, applied.mark) for applied in await apply_tasks(kit.injector, tasks)]


# Task files


async def test_a_task_may_stand_before_the_one_it_comes_after() -> None:
    """Whatever their order in the file, all are scheduled, and told in that order; a second time all are kept."""
    tasks = (task("c", "after b failed"), task("b", "after a"), task("a", "1 hour"))
    async with toolkit() as kit:
        first, second = await marks(kit, *tasks), await marks(kit, *tasks)
    assert first == [("c", "new"), ("b", "new"), ("a", "new")]
    assert second == [("c", "kept"), ("b", "kept"), ("a", "kept")]


async def test_a_task_is_named_by_name_or_id() -> None:
    """A task comes after another one of the file by its name, or by the id that is made of it."""
    async with toolkit() as kit:
        await marks(kit, task("x", "after Load all"), task("y", "after Load-all ended"), task("Load all", "1 hour"))
        jobs = (await kit.injector.run("scheduler", {"operation": "list"})).data["jobs"]
    schedules = {job["job_id"]: job["schedule"] for job in jobs}
    assert (schedules["x"], schedules["y"]) == ("after Load-all succeeded", "after Load-all ended")


async def test_a_file_may_turn_an_order_round() -> None:
    """What came after another task comes before it now."""
    async with toolkit() as kit:
        await marks(kit, task("a", "1 hour"), task("b", "after a"))
        assert await marks(kit, task("a", "after b"), task("b", "1 hour")) == [("a", "changed"), ("b", "changed")]


@pytest.mark.parametrize("schedule", ["after any failed", "after any ended", "@reboot"])
async def test_a_task_may_come_after_whatever_there_is(schedule: str) -> None:
    """Of 'any' and the scheduler's own start no job has to be there."""
    async with toolkit() as kit:
        assert await marks(kit, task("b", schedule)) == [("b", "new")]


async def test_a_task_may_come_after_a_job_of_elsewhere() -> None:
    """What stands in no file is found among the jobs there are."""
    async with toolkit() as kit:
        await marks(kit, task("a", "1 hour"))
        assert await marks(kit, task("b", "after a")) == [("b", "new")]


async def test_tasks_in_a_circle_are_refused() -> None:
    """The way round is named, and nothing is scheduled."""
    async with toolkit() as kit:
        with pytest.raises(TaskFileError, match=r"come after each other: '\w' after '\w' after '\w'\."):
            await marks(kit, task("a", "after b"), task("b", "after a"), task("c", "1 hour"))
        assert (await kit.injector.run("scheduler", {"operation": "list"})).data["count"] == 0


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("after", "Task 'b' is refused: .*names no job"),
        ("after nobody", "Task 'b' is refused: .*No job has the id or name 'nobody'"),
        ("after b", "come after each other: 'b' after 'b'"),
    ],
)
async def test_a_wrong_predecessor_is_refused_by_task(schedule: str, said: str) -> None:
    """The task is named with the reason."""
    async with toolkit() as kit:
        with pytest.raises(TaskFileError, match=said):
            await marks(kit, task("b", schedule))


async def test_disabled_and_enabled_again() -> None:
    """A task without a next time is paused and resumed by its file as others are."""
    async with toolkit() as kit:
        states = [
            (await apply_tasks(kit.injector, [task("a", "1 hour"), task("b", "after a", enabled=enabled)]))[1].state
            for enabled in (False, False, True, True)
        ]
    assert states == ["paused", "paused", "active", "active"]


def test_served_they_run_one_after_another(cli: Cli) -> None:
    """Each has the result of the one before; what comes after a failure does not run."""
    Path("tasks.yaml").write_text(FILE)
    output = cli("serve", "tasks.yaml", "--allow", "chores", "--for", "2").stdout
    assert "after job 'Load-all' succeeded" in output
    assert "hello hello Load" in output
    history = {record["job_id"]: record["status"] for record in cli.data("history")["history"]}
    assert history == {"extract": "success", "Load-all": "success", "report": "success"}


# The command line


def test_preview_has_no_times(cli: Cli) -> None:
    """It says what was understood, and neither a time nor a job that is not looked for."""
    assert cli("preview", "after extract failed").stdout.splitlines()[:2] == [
        "  means  after job 'extract' failed",
        "  reads  after extract failed (after)",
    ]
    assert cli.data("preview", "after extract")["next_runs"] == []


def test_schedule_and_list_show_it(cli: Cli) -> None:
    """The answer has its words; the list has its text and no time."""
    cli.greeting("extract")
    words = ("schedule", "load", "after extract", "function", "operation=call", "function=chores:greet", "--allow", "chores")
    output = cli(*words, "--type", "after").stdout
    (line,) = [line for line in cli("list").stdout.splitlines() if line.startswith("load")]
    assert "Scheduled load\n" in output
    assert "after job 'extract' succeeded" in output
    assert line.split() == ["load", "scheduled", "function", "after", "extract", "succeeded"]


def test_info_says_when_it_runs(cli: Cli) -> None:
    """It is not said never to run."""
    cli.greeting("extract")
    cli.greeting("load", "after extract")
    output = cli("info", "load").stdout
    assert "when that happens" in output
    assert "never" not in output


def test_unknown_job_is_one_line(cli: Cli) -> None:
    """The nearest job is named, and the exit code is 2."""
    cli.greeting("extract")
    words = ("schedule", "load", "after extrat", "function", "operation=call", "function=chores:greet", "--allow", "chores")
    assert cli(*words, code=2).stderr == "agentool: WHEN: No job has the id or name 'extrat'. Did you mean 'extract'?\n"


def test_simulate_leaves_it_out_and_says_so(cli: Cli) -> None:
    """Nobody knows when others end, so such tasks are counted and not listed."""
    Path("tasks.yaml").write_text(FILE)
    found = cli.data("simulate", "tasks.yaml", "--from", "2030-01-01", "--to", "2030-01-02")
    output = cli("simulate", "tasks.yaml", "--from", "2030-01-01", "--to", "2030-01-02").stdout
    assert [firing["name"] for firing in found] == ["extract"]
    assert "3 tasks come after other jobs, whenever those end." in output


def test_a_run_by_hand_is_followed_by_whoever_serves(cli: Cli) -> None:
    """`agentool run` starts nothing that comes after; the next that serves does."""
    cli.greeting("extract")
    cli.greeting("load", "after extract")
    cli("run", "extract", "--allow", "chores")
    before = {record["job_id"]: record["status"] for record in cli.data("history")["history"]}
    cli.serve("tasks: []", "--for", "0.3")
    after = {record["job_id"]: record["status"] for record in cli.data("history")["history"]}
    assert (before, after) == ({"extract": "success", "load": "queued"}, {"extract": "success", "load": "success"})


def test_file_takes_its_kind() -> None:
    """`type: after` is one of the kinds of a task file."""
    assert [found.schedule_type for found in read_tasks(FILE)] == ["after", None, None, None]
