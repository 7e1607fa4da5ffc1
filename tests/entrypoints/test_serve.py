"""`agentool serve`: tasks of a file become jobs that outlive the process."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentoolkit.entrypoints.cli.serving import Serving
from agentoolkit.garbage_while_serving import ROUNDS
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.testing import ManualTime
from agentoolkit.wiring import Toolkit

from .conftest import Cli

GREET = """
tasks:
  - name: greeting
    schedule: every day at 9am
    timezone: Europe/Berlin
    function: chores:greet
"""


def earlier(work: Callable[[Toolkit], Awaitable[object]], **ago: float) -> None:
    """Do something in the database at a time that has passed, and close it."""

    async def visit() -> None:
        settings = Settings(database=str(Path("home/agentool.db")), functions=("chores",), timezone="UTC")
        async with Toolkit(settings, time=ManualTime(datetime.now(UTC) - timedelta(**ago)), runs_jobs=False) as kit:
            await work(kit)

    asyncio.run(visit())


def marks(output: str) -> dict[str, str]:
    """Return what became of each task."""
    words = [line.split() for line in output.splitlines() if line.startswith("  ")]
    return {line[0]: line[1] for line in words}


def test_a_task_becomes_a_job(cli: Cli) -> None:
    """A task of the file is scheduled, and the job outlives the process."""
    assert marks(cli.serve(GREET).stdout) == {"greeting": "new"}
    assert [job["job_id"] for job in cli.data("list")["jobs"]] == ["greeting"]


def test_what_serves_has_short_collections_of_garbage(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its opening on full collections come sooner than Python's usual ones, so that each one is short."""
    seen: list[tuple[int, int, int]] = []
    begin = Serving._begin

    async def looking(serving: Serving, kit: Toolkit, opened: datetime) -> None:
        seen.append(gc.get_threshold())
        await begin(serving, kit, opened)

    monkeypatch.setattr(Serving, "_begin", looking)
    cli.serve(GREET)
    assert [rounds for *_, rounds in seen] == [ROUNDS]


def test_the_same_task_is_found_again(cli: Cli) -> None:
    """The very same task, served again, is the same job."""
    cli.serve(GREET)
    assert marks(cli.serve(GREET).stdout) == {"greeting": "kept"}


def test_a_changed_task_is_updated(cli: Cli) -> None:
    """A task that was changed changes its job, and serve says so."""
    cli.serve(GREET)
    assert marks(cli.serve(GREET.replace("9am", "10am")).stdout) == {"greeting": "changed"}
    assert cli.data("info", "greeting")["info"]["schedule"] == "0 10 * * *"


def test_a_task_that_is_gone_stays_as_a_job(cli: Cli) -> None:
    """A job whose task is no longer in the file stays, and is mentioned."""
    cli.serve(GREET)
    output = cli.serve(GREET.replace("greeting", "other")).stdout
    assert "Kept, though not in tasks.yaml: greeting. `agentool cancel NAME` ends one." in output
    assert len(cli.data("list")["jobs"]) == 2


def test_a_disabled_task_is_scheduled_paused(cli: Cli) -> None:
    """`enabled: false` makes a paused job."""
    cli.serve(GREET + "    enabled: false\n")
    assert cli.data("list")["jobs"][0]["state"] == "paused"


def test_disabling_a_task_pauses_its_job(cli: Cli) -> None:
    """`enabled: false` pauses a job that is there."""
    cli.serve(GREET)
    cli.serve(GREET + "    enabled: false\n")
    assert cli.data("list")["jobs"][0]["state"] == "paused"


def test_enabling_a_task_again_resumes_its_job(cli: Cli) -> None:
    """A job that its task file paused is resumed by it."""
    cli.serve(GREET + "    enabled: false\n")
    cli.serve(GREET)
    assert cli.data("list")["jobs"][0]["state"] == "active"


def test_a_job_that_a_person_paused_stays_paused(cli: Cli) -> None:
    """Serving a task again does not resume what somebody paused."""
    cli.serve(GREET)
    cli("pause", "greeting", "--reason", "holidays")
    cli.serve(GREET)
    assert cli.data("list")["jobs"][0]["state"] == "paused"


def test_once_is_once(cli: Cli) -> None:
    """A task that ran once does not run again because its file is served again."""
    once = GREET.replace("every day at 9am", "now")
    assert "hello world" in cli.serve(once).stdout
    second = cli.serve(once).stdout
    assert marks(second) == {"greeting": "kept"}
    assert "Nothing ran." in second


def test_memory_keeps_nothing(cli: Cli, folder: Path) -> None:
    """With --memory there is no database."""
    cli.serve(GREET, "--memory")
    assert not (folder / "home").exists()


def test_the_database_setting_is_used(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AGENTOOL_DATABASE names another place."""
    monkeypatch.setenv("AGENTOOL_DATABASE", str(folder / "other.db"))
    cli.serve(GREET)
    assert (folder / "other.db").exists()
    assert not (folder / "home").exists()


def test_the_example_runs_without_a_file(cli: Cli) -> None:
    """Without a file the bundled example is served."""
    assert "sample_machine" in cli("serve", "--for", "0.2").stdout


def test_the_example_leaves_a_database_of_ones_own_alone(cli: Cli) -> None:
    """The example keeps its jobs beside the user's: they are none of the user's jobs, and are there when it runs again."""
    cli("serve", "--for", "0.1")
    assert cli.data("list")["jobs"] == []
    assert "4 jobs kept there" in cli("serve", "--for", "0.1").stdout


@pytest.mark.parametrize("more", [(), ("--http", "127.0.0.1:0")])
@pytest.mark.parametrize("place", ["variable", ".env"])
def test_a_database_that_a_setting_names_is_served_while_it_is_empty(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, place: str, more: tuple[str, ...]
) -> None:
    """Who names a database means that one: the example is not served in its place, and it is said how a first job is made."""
    if place == "variable":
        monkeypatch.setenv("AGENTOOL_DATABASE", "own.db")
    else:
        Path(".env").write_text("AGENTOOL_DATABASE=own.db\n")
    output = cli("serve", "--for", "0.1", *more).stdout
    assert ("own.db, 0 jobs kept there" in output, "agentool schedule NAME WHEN TOOL" in output) == (True, True)


def test_an_empty_list_says_where_the_examples_jobs_are(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has run the example and asks for its jobs is shown the whole command; before, and where a database is named, there is none."""
    assert "example" not in cli("list").stdout
    cli("serve", "--for", "0.1")
    database = re.search(r"AGENTOOL_DATABASE=(\S+) agentool list", cli("list").stdout)
    assert database is not None
    monkeypatch.setenv("AGENTOOL_DATABASE", database[1])
    assert "sample_machine" in cli("list").stdout
    monkeypatch.setenv("AGENTOOL_DATABASE", "other.db")
    assert "example" not in cli("list").stdout


def test_kept_jobs_are_served_without_a_file(cli: Cli) -> None:
    """What was scheduled by other commands runs under a bare `serve`, and the example then stays away."""
    cli("schedule", "greeting", "now", "function", "operation=call", "function=agentoolkit.example.work:sample_machine")
    output = cli("serve", "--for", "0.5").stdout
    assert ("greeting" in output, "the bundled example" in output) == (True, False)


def test_the_example_says_how_to_look_at_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is a command that lists its jobs; within `uv run`, one that finds the program."""
    monkeypatch.setenv("UV", "uv")
    assert " uv run agentool list" in cli("serve", "--for", "0.1").stdout
    monkeypatch.delenv("UV")
    output = cli("serve", "--for", "0.1").stdout
    command = next(line for line in output.splitlines() if "AGENTOOL_DATABASE=" in line)
    monkeypatch.setenv("AGENTOOL_DATABASE", command.split("AGENTOOL_DATABASE=")[1].split(" agentool list")[0])
    assert len(cli.data("list")["jobs"]) == 4


def test_a_setting_that_is_no_json_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is cut off is named as the variable it is."""
    monkeypatch.setenv("AGENTOOL_PROGRAMS", '["ls"')
    assert cli("list", code=2).stderr.startswith("agentool: AGENTOOL_PROGRAMS is not JSON. Write e.g. ")


def test_a_missing_file_is_the_users_mistake(cli: Cli) -> None:
    """A file that is not there ends with 2 and one line."""
    result = cli("serve", "nowhere.yaml", code=2)
    assert result.stderr == "agentool: FILE: nowhere.yaml cannot be read: No such file or directory.\n"


def test_a_refused_task_is_named(cli: Cli) -> None:
    """A task that cannot be scheduled is named with the reason."""
    assert "tasks.yaml, line 4, task 'greeting': schedule: " in cli.serve(GREET.replace("every day", "evry day"), code=2).stderr


def test_a_function_that_is_not_allowed_is_refused(cli: Cli) -> None:
    """A package that is not named by --allow is not called."""
    Path("tasks.yaml").write_text(GREET)
    assert "is not allowed" in cli("serve", "tasks.yaml", "--for", "0", code=2).stderr


def test_all_refused_tasks_are_named_with_the_settings(cli: Cli) -> None:
    """Each is a line; then it is said what to export, with modules as they were written, and a relative program by its path."""
    tasks = """
tasks:
  - {name: a, schedule: 1 hour, function: "chores:greet"}
  - {name: b, schedule: 1 hour, agentool_name: shell, input_data: {operation: run, command: [./b.sh]}}
  - {name: c, schedule: evry hour, agentool_name: shell, input_data: {operation: run, command: [c, -x]}}
  - {name: d, schedule: 1 hour, agentool_name: shell, input_data: {operation: run, command: [c, -x]}}
"""
    Path("tasks.yaml").write_text(tasks)
    lines = cli("serve", "tasks.yaml", "--for", "0", code=2).stderr.splitlines()
    assert [line[: len("agentool: tasks.yaml, line 3, task 'a': ")] for line in lines[:4]] == [
        f"agentool: tasks.yaml, line {number}, task '{name}': " for number, name in ((3, "a"), (4, "b"), (5, "c"), (6, "d"))
    ]
    assert lines[4:] == [
        "agentool: No task of the file is scheduled. These lines allow what is missing:",
        "export AGENTOOL_FUNCTIONS='[\"chores\"]'",
        f'export AGENTOOL_PROGRAMS=\'["{Path.cwd()}/b.sh", "c"]\'',
    ]


def test_a_task_refused_for_two_reasons_names_both(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program and a folder, the steps of a sequence, a path: after the exports, nothing of it is refused any more."""
    for folder in ("work", "notes"):
        Path(folder).mkdir()
    tasks = """
tasks:
  - {name: a, schedule: 1 hour, agentool_name: shell, input_data: {operation: run, command: [true], cwd: work}}
  - name: b
    schedule: 1 hour
    agentool_name: sequence
    input_data:
      operation: run
      steps:
        - {name: one, agentool_name: shell, input_data: {operation: run, command: [echo, a]}}
        - {name: two, agentool_name: shell, input_data: {operation: run, command: [cat], env: {COLOUR: red}}}
  - {name: c, schedule: 1 hour, agentool_name: storage_fs, input_data: {operation: read, path: notes/a.txt}}
""".replace("[true]", '["true"]')
    Path("tasks.yaml").write_text(tasks)
    told = cli("serve", "tasks.yaml", "--for", "0", code=2).stderr.splitlines()
    exports = [line.removeprefix("export ") for line in told if line.startswith("export ")]
    assert exports == [
        'AGENTOOL_PROGRAMS=\'["true", "echo", "cat"]\'',
        "AGENTOOL_SHELL_FOLDERS='[\"work\"]'",
        "AGENTOOL_SHELL_VARIABLES='[\"COLOUR\"]'",
        'AGENTOOL_FILES=\'{"notes": "notes"}\'',
    ]
    for name, value in (line.split("=", 1) for line in exports):
        monkeypatch.setenv(name, value.strip("'"))
    cli("serve", "tasks.yaml", "--for", "0")


def test_an_execution_is_a_line(cli: Cli) -> None:
    """Each execution that ends is printed with its result."""
    line = next(line for line in cli.serve(GREET.replace("every day at 9am", "now")).stdout.splitlines() if "hello" in line)
    assert line.split()[1:4] == ["greeting", "function", "success"]


def test_nothing_is_wider_than_its_columns(cli: Cli) -> None:
    """Long names and long results are cut, so that a piped line has a bounded length."""
    long = GREET.replace("greeting", "g" * 60).replace("every day at 9am", "now") + f"    kwargs: {{name: {'x' * 500}}}\n"
    assert max(map(len, cli.serve(long).stdout.splitlines())) < 200


def test_due_times_missed_while_down_are_told(cli: Cli) -> None:
    """Serve says how many due times passed while nothing ran, and how many it makes up for."""

    async def add(kit: Toolkit) -> None:
        call = {"operation": "call", "function": "chores:greet"}
        job = {"operation": "schedule", "job_name": "often", "schedule": "1 minute", "agentool_name": "function", "input_data": call}
        await kit.injector.run("scheduler", job)

    earlier(add, seconds=5 * 60 + 5)
    assert "While it was down: 4 due times missed, 1 caught up." in cli.serve(GREET).stdout


def test_interrupted_executions_are_told(cli: Cli) -> None:
    """Serve says which executions were under way when their process ended."""

    async def leave_behind(kit: Toolkit) -> None:
        call = {"operation": "call", "function": "chores:greet"}
        for name, on_interrupt in (("again", "retry"), ("never", "fail")):
            job = {"operation": "schedule", "job_name": name, "schedule": "1 day", "on_interrupt": on_interrupt}
            await kit.injector.run("scheduler", {**job, "agentool_name": "function", "input_data": call})
            due = kit.scheduler.now()
            cut_short = Execution(f"{name}@1", name, "function", due, status=ExecutionStatus.RUNNING, started_at=due, owner="gone")
            await kit.scheduler.store.insert([cut_short])

    earlier(leave_behind, hours=1)
    assert "2 executions interrupted: 1 started again, 1 lost." in cli.serve(GREET).stdout


def test_a_stopped_scheduler_says_so(cli: Cli) -> None:
    """After `agentool stop` serve runs nothing, and says how to go on."""
    cli("stop")
    output = cli.serve(GREET.replace("every day at 9am", "now")).stdout
    assert "`agentool start` lets it go on" in output
    assert "Nothing ran." in output


def test_serving_does_not_stop_the_next_one(cli: Cli) -> None:
    """The end of one serve is not operation 'stop'."""
    cli.serve(GREET)
    assert not cli.data("status")["stopped"]


def test_a_task_of_another_zone_says_which(cli: Cli) -> None:
    """The next time is this machine's; words that are read in another zone than that are told with it."""
    away = cli.serve(GREET).output
    here = cli.serve(GREET.replace("Europe/Berlin", "UTC")).output
    assert ("every day at 09:00, Europe/Berlin\n" in away, "every day at 09:00\n" in here) == (True, True)
