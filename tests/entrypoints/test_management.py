"""The management commands: each is one call of the scheduler on the shared database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from agentoolkit.entrypoints.cli.commands.executions import STATUSES
from agentoolkit.entrypoints.cli.job_tables import print_jobs
from agentoolkit.system.scheduler.answer_schemas import JobSummary
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.jobs import CatchUp, OnInterrupt, Overlap, Priority
from agentoolkit.system.scheduler.schedules import Kind

from .conftest import Cli, Server


def test_an_empty_database_says_what_to_do(cli: Cli) -> None:
    """Without jobs, the list says how to make one."""
    assert "agentool schedule NAME WHEN TOOL" in cli("list").stdout


def test_schedule_says_how_it_was_understood(cli: Cli) -> None:
    """The answer names the job, the words, the zone and the next due times."""
    cli.greeting("before")
    words = ("schedule", "standup", "every weekday at 9am", "function", "operation=call", "function=chores:greet")
    output = cli(*words, "--allow", "chores", "--timezone", "Europe/Berlin").stdout
    assert "Scheduled standup" in output
    assert "every weekday (Monday to Friday) at 09:00" in output
    assert "Europe/Berlin" in output
    assert output.count("09:00 +0") == 3


RETIMED = ("update", "before", "--timezone", "UTC", "--allow", "chores")
TYPED = ("scheduler", "schedule", "notification", "tomorrow", "--message", "hi", "--name", "hi")


@pytest.mark.parametrize(("words", "said"), [(TYPED, "agentool serve"), (RETIMED, "agentool serve --allow chores")])
def test_whoever_schedules_is_told_that_nobody_serves(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """Without a process that serves the database, the answer says what starts one, with what was allowed here."""
    assert cli.greeting("before").stdout.rstrip().endswith("nothing runs yet: agentool serve --allow chores")
    assert cli(*words).stdout.rstrip().endswith(f"No process serves this database, so nothing runs yet: {said}")


def test_the_remark_is_data_too(cli: Cli) -> None:
    """As JSON it is one of the remarks."""
    assert cli.data(*TYPED)["remarks"][-1].endswith("nothing runs yet: agentool serve")


def test_what_was_allowed_for_scheduling_has_to_be_allowed_where_it_runs(cli: Cli, start: Callable[..., Server]) -> None:
    """A process that serves has settings of its own, which are not known here."""
    start("tasks: []\n").wait_for("Ctrl-C")
    assert "has to allow it as well: agentool serve --allow chores" in cli.greeting("before").stdout
    assert "serve" not in cli("schedule", "hello", "tomorrow", "notification", "message=hi").stdout


@pytest.mark.parametrize("words", [("notification", "in 2 minutes", "message=hi"), ("shell", "tomorrow", "operation=run", "command=ls")])
def test_a_tool_in_the_place_of_the_name_is_told_with_the_order(cli: Cli, words: tuple[str, ...]) -> None:
    """Who forgets the name is shown the whole command."""
    output = cli("schedule", *words, code=2).stderr
    assert f"The order is NAME WHEN TOOL: agentool schedule my_{words[0]} '{words[1]}' {words[0]}" in output


def test_input_is_given_by_fields_or_json(cli: Cli) -> None:
    """`key=value` words and --input come together; a value is JSON where it can be."""
    given = ("--input", '{"operation": "call", "function": "chores:rest"}', 'kwargs={"seconds": 0.5}', "--allow", "chores")
    cli("schedule", "rest", "1 hour", "function", *given)
    assert cli.data("info", "rest")["info"]["input_data"] == {"operation": "call", "function": "chores:rest", "kwargs": {"seconds": 0.5}}


def test_options_reach_the_job(cli: Cli) -> None:
    """What an option sets is set."""
    options = (
        "--max-runs 3 --timeout 5 --max-retries 2 --overlap queue_one --priority high --result-queue done --error-queue wrong --paused"
    )
    cli.greeting("greeting", "1 hour", *options.split())
    info = cli.data("info", "greeting")["info"]
    found = [info[name] for name in ("max_runs", "timeout", "max_retries", "overlap", "priority", "result_queue", "error_queue", "state")]
    assert found == [3, 5.0, 2, "queue_one", "high", "done", "wrong", "paused"]


def test_zero_is_a_value(cli: Cli) -> None:
    """An option that is 0 is given, not left out."""
    cli.greeting("greeting", "1 hour", "--retry-backoff", "0")
    assert cli.data("info", "greeting")["info"]["retry_backoff"] == 0


@pytest.mark.parametrize(
    ("shown", "accepted"),
    [
        ("skip|queue_one|queue_all|cancel_running|allow", Overlap),
        ("critical|high|medium|low", Priority),
        ("latest|all|none", CatchUp),
        ("retry|fail", OnInterrupt),
        ("cron|interval|once|after|list", Kind),
    ],
)
def test_help_names_what_is_accepted(cli: Cli, shown: str, accepted: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choices in the help of `schedule` are those of the scheduler."""
    monkeypatch.setenv("COLUMNS", "300")
    assert tuple(shown.split("|")) == get_args(accepted)
    assert shown in cli("schedule", "--help").stdout


def test_every_field_of_a_job_has_an_option(cli: Cli) -> None:
    """`schedule` takes each field of a job, and names all of them in its help."""
    shown = cli("schedule", "--help").stdout
    by_place = {"job_name", "schedule", "agentool_name", "input_data"}
    flags = {"schedule_type": "--type", "tags": "--tag"}
    missing = [name for name in JobFields.model_fields if flags.get(name, f"--{name.replace('_', '-')}") not in shown]
    assert set(missing) <= by_place


def test_the_latest_options_reach_the_job(cli: Cli) -> None:
    """A gate, repeated names, a switch and numbers are set as they are given."""
    gate = '{"agentool_name": "queue", "input_data": {"operation": "list_queues"}}'
    words = ("--gate", gate, "--retry-on", "OSError", "--retry-on", "KeyError", "--no-coalesce", "--catch-up-window", "60")
    words = (*words, "--max-retries", "1", "--catch-up", "all")
    cli.greeting("greeting", "1 hour", *words, "--concurrency-key", "one")
    info = cli.data("info", "greeting")["info"]
    assert info["gate"] == {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
    assert (info["retry_on"], info["coalesce"]) == (["OSError", "KeyError"], False)
    assert (info["catch_up_window"], info["concurrency_key"]) == (60, "one")


def test_gate_that_is_no_object_is_refused(cli: Cli) -> None:
    """A gate is written as a JSON object."""
    assert "is not a JSON object" in cli.greeting("greeting", "1 hour", "--gate", "[1]", code=2).stderr


def test_history_help_names_every_status() -> None:
    """The choices of --status are those of the scheduler."""
    assert tuple(STATUSES.split("|")) == tuple(ExecutionStatus)


def test_replace_changes_a_job(cli: Cli) -> None:
    """--replace changes the job of that name; without it a different one is refused."""
    cli.greeting()
    words = ("schedule", "greeting", "2 hours", "function", "operation=call", "function=chores:greet", "--allow", "chores")
    cli(*words, code=2)
    assert "Changed greeting" in cli(*words, "--replace").stdout


def test_a_visitor_starts_nothing(cli: Cli) -> None:
    """A management command neither leads nor runs what is due."""
    cli.greeting("due", "now")
    assert cli.data("status")["leader"] is None
    assert cli.data("history")["count"] == 0


def test_list_shows_state_and_next_due_time(cli: Cli) -> None:
    """A job is a line with its state, its next due time, how far that is, its tool and its schedule."""
    cli.greeting("greeting", "0 9 * * *", "--timezone", "UTC")
    line = cli("list").stdout.splitlines()[1]
    assert line.startswith("greeting  scheduled  ")
    assert "09:00:00 +00:00  in " in line
    assert line.endswith("function  0 9 * * *")


def test_list_shows_the_last_outcome(cli: Cli) -> None:
    """Beside the state it says how the job ended last."""
    cli.greeting()
    cli("schedule", "failing", "1 hour", "function", "operation=call", "function=chores:fail", "--allow", "chores")
    cli("run", "greeting", "--allow", "chores")
    cli("run", "failing", "--allow", "chores", code=1)
    assert [line.split()[:3] for line in cli("list").stdout.splitlines()[1:]] == [
        ["greeting", "scheduled", "success"],
        ["failing", "scheduled", "failed"],
    ]
    assert [job["last_outcome"] for job in cli.data("list")["jobs"]] == ["success", "failed"]


def test_list_has_every_page(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many jobs a page holds, the list is whole, also for programs."""
    for number in range(5):
        cli.greeting(f"job{number}")
    monkeypatch.setattr("agentoolkit.entrypoints.cli.session.PAGE", 2)
    assert len(cli("list").stdout.splitlines()) == 6
    assert cli.data("list")["count"] == 5


def test_info_shows_what_is_out_of_the_ordinary(cli: Cli) -> None:
    """The definition is shown without what every job has."""
    cli.greeting("greeting", "1 hour", "--tag", "nice", "--max-retries", "2")
    output = cli("info", "greeting").stdout
    assert '["nice"]' in output
    assert "max_retries" in output
    assert "coalesce" not in output


def test_an_unknown_job_is_the_users_mistake(cli: Cli) -> None:
    """A name that does not exist ends with 2, and the nearest one is named."""
    cli.greeting()
    assert cli("info", "greting", code=2).stderr.startswith("agentool: JOB: No job has the id or name 'greting'. Did you mean 'greeting'?")


def test_run_prints_the_result(cli: Cli) -> None:
    """`run` runs a job here and now and prints what it returned."""
    cli.greeting()
    assert '"hello world"' in cli("run", "greeting", "--allow", "chores").stdout
    assert cli.data("history", "greeting")["history"][0]["trigger"] == "run_now"


def test_run_takes_another_input(cli: Cli) -> None:
    """--input replaces the job's input for this once."""
    cli.greeting()
    other = '{"operation": "call", "function": "chores:greet", "kwargs": {"name": "you"}}'
    assert cli.data("run", "greeting", "--allow", "chores", "--input", other)["result"]["result"] == "hello you"


def test_a_run_that_fails_ends_with_1(cli: Cli) -> None:
    """What was asked rightly and failed is not the user's mistake."""
    cli("schedule", "failing", "1 hour", "function", "operation=call", "function=chores:fail", "--allow", "chores")
    assert "ValueError: it cannot be done" in cli("run", "failing", "--allow", "chores", code=1).stderr


def test_an_unknown_job_is_not_run(cli: Cli) -> None:
    """`run` takes the name of a job that exists."""
    cli("run", "nobody", code=2)


def test_history_is_in_the_order_of_events(cli: Cli) -> None:
    """The newest execution is the last line."""
    cli.greeting()
    cli("run", "greeting", "--allow", "chores")
    cli("run", "greeting", "--allow", "chores")
    lines = cli("history").stdout.splitlines()
    assert lines[0].split() == ["due", "job", "tool", "status", "took", "result"]
    assert len(lines) == 3


def test_history_of_one_status(cli: Cli) -> None:
    """--status shows only those; a word that is no status is refused."""
    cli.greeting()
    cli("run", "greeting", "--allow", "chores")
    assert cli("history", "--status", "failed").stdout == "No execution matches.\n"
    cli("history", "--status", "happy", code=2)


def test_pause_and_resume(cli: Cli) -> None:
    """A paused job says why, and resumes."""
    cli.greeting()
    assert (
        "is paused until Thu 2099-01-01 00:00 +00:00." in cli("pause", "greeting", "--until", "2099-01-01", "--reason", "holidays").stdout
    )
    assert "holidays" in cli("info", "greeting").stdout
    assert "is scheduled, next " in cli("resume", "greeting").stdout


def test_cancel_keeps_the_history(cli: Cli) -> None:
    """A cancelled job is gone from the list, and its history is readable."""
    cli.greeting()
    cli("run", "greeting", "--allow", "chores")
    cli("cancel", "greeting")
    assert cli.data("list")["count"] == 0
    assert cli.data("history", "greeting")["count"] == 1


def test_stop_and_start(cli: Cli) -> None:
    """`stop` holds for whoever opens the database next, until `start`."""
    assert "nothing fires until `agentool start`" in cli("stop").stdout
    assert cli.data("status")["stopped"]
    assert "started" in cli("start").stdout


def test_restart_leaves_it_started(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """`restart` is stop and start in one."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    cli("stop")
    assert "started" in cli("restart").stdout


def test_cancelling_names_those_that_are_left(cli: Cli) -> None:
    """Whoever cancels a job is told which others wait for it in vain."""
    for name, when in (("first", "every day"), ("second", "after first")):
        cli("schedule", name, when, "queue", "operation=list_queues")
    assert "Nothing starts 'second' any more" in cli("cancel", "first").stdout


def test_status_says_that_nobody_serves(cli: Cli) -> None:
    """Without a serving process the status says how to start one."""
    assert "none: `agentool serve` starts one" in cli("status").stdout


def test_input_that_is_no_field_is_refused(cli: Cli) -> None:
    """A word without = is no field."""
    assert "Write key=value" in cli("schedule", "a", "1 hour", "function", "nothing", code=2).stderr


def test_input_that_is_no_object_is_refused(cli: Cli) -> None:
    """--input takes a JSON object."""
    assert "is not a JSON object" in cli("schedule", "a", "1 hour", "function", "--input", "[1]", code=2).stderr
    assert "is not JSON" in cli("schedule", "a", "1 hour", "function", "--input", "{", code=2).stderr


def test_a_setting_that_cannot_be_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with an impossible value is the user's mistake."""
    monkeypatch.setenv("AGENTOOL_CONCURRENCY", "many")
    assert "AGENTOOL_CONCURRENCY" in cli("list", code=2).stderr


def test_a_list_that_is_no_json_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that begins as a JSON list is one."""
    monkeypatch.setenv("AGENTOOL_FUNCTIONS", '["chores"')
    assert "JSON" in cli("list", code=2).stderr


def test_a_database_that_cannot_be_opened_is_a_failure(cli: Cli, folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no mistake of the command ends with 1."""
    monkeypatch.setenv("AGENTOOL_DATABASE", "chores.py/agentool.db")
    assert "cannot be opened" in cli("list", code=1).stderr


def test_info_says_by_whom_in_words(cli: Cli) -> None:
    """Who made and who changed a job is a name and a door, as it is in the list of changes."""
    cli.greeting()
    cli.greeting("greeting", "2 hours", "--replace")
    output = cli("info", "greeting").stdout
    assert "{'" not in output
    assert [" ".join(line.split()) for line in output.splitlines() if "ed_by" in line] == ["created_by code, cli", "changed_by code, cli"]


def test_info_shows_what_is_nested_as_json(cli: Cli) -> None:
    """Lists and objects are shown as they are given on the command line."""
    gate = '{"agentool_name": "queue", "input_data": {"operation": "list_queues"}}'
    cli.greeting("greeting", "1 hour", "--gate", gate, "--tag", "a", "--tag", "b")
    output = cli("info", "greeting").stdout
    assert gate in output
    assert '["a", "b"]' in output


@pytest.mark.parametrize("words", [("show", "nightly"), ("cancel-execution", "nightly")])
def test_an_unknown_execution_names_the_command(cli: Cli, words: tuple[str, ...]) -> None:
    """The way out is a command, where a command was mistaken."""
    error = cli(*words, code=2).stderr
    assert ("`agentool history`" in error, "operation" in error) == (True, False)


def test_a_wrong_input_names_the_command_that_shows_the_fields(cli: Cli) -> None:
    """The way out of a command is a command, and no call in Python."""
    error = cli("schedule", "look", "1 hour", "queue", "operation=lok", code=2).stderr
    assert ("`agentool tools queue`" in error, "injector" in error) == (True, False)


def test_a_job_that_is_paused_until_a_time_shows_when_it_goes_on(cli: Cli) -> None:
    """The list has its next due time after the pause; one paused for good has none."""
    cli.greeting("once", "every day at 9am")
    cli.greeting("good", "every day at 9am")
    cli("pause", "once", "--until", "2030-01-02")
    cli("pause", "good")
    lines = {line.split()[0]: line for line in cli("list").stdout.splitlines()}
    assert ("2030-01-02 09:00" in lines["once"], "09:00" in lines["good"]) == (True, False)


def test_info_says_what_a_paused_job_waits_for(cli: Cli) -> None:
    """It is not said never to run: somebody can resume it."""
    cli.greeting()
    cli("pause", "greeting")
    (line,) = [line for line in cli("info", "greeting").stdout.splitlines() if line.startswith("next")]
    assert line.split(maxsplit=1)[1] == "when it is resumed"


def test_a_paused_job_that_is_scheduled_again_has_no_times(cli: Cli) -> None:
    """As `info` says: it is due again when somebody resumes it."""
    cli.greeting()
    cli("pause", "greeting")
    output = cli.greeting().stdout
    assert ("Already there: greeting, paused" in output, "next   when it is resumed" in output) == (True, True), output


def test_many_that_wait_for_the_same_are_told_in_one_line(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    """Three of them are named, and the others counted."""
    waiting = {"state": "active", "agentool_name": "gone", "schedule_type": "interval", "schedule": "1 hour", "timezone": "UTC"}
    made = [JobSummary(job_id=f"j{number}", job_name=f"j{number}", next_run=None, reason="it waits", **waiting) for number in range(5)]
    print_jobs(made)
    assert capsys.readouterr().out.splitlines()[-1] == "j0, j1, j2 and 2 other jobs: it waits."


@pytest.mark.parametrize(("said", "told"), [("in 2 days", " +00:00."), ("2099-01-01T09:00:00-05:00", "Thu 2099-01-01 14:00 +00:00")])
def test_the_end_of_a_pause_is_told_as_it_was_understood(cli: Cli, said: str, told: str) -> None:
    """With its date and in the job's zone, whatever was typed."""
    cli.greeting("greeting", "1 hour", "--timezone", "UTC")
    answer = cli("pause", "greeting", "--until", said).stdout
    assert told in answer
    assert said not in answer


def test_a_range_that_ends_before_it_begins_is_told_so(cli: Cli) -> None:
    """And not that nothing was due in it; an empty one too."""
    cli.greeting()
    for end in ("2026-01-01", "2026-01-08"):
        assert "TO: 2026-01-0" in (refused := cli("backfill", "greeting", "2026-01-08", end, code=2).stderr)
        assert "is not after 2026-01-08" in refused


def test_a_new_database_that_a_setting_names_is_told(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped path would look like lost jobs; it is told once, and of the usual place never."""
    assert "the database is new" not in cli("list").stderr
    monkeypatch.setenv("AGENTOOL_DATABASE", str(tmp_path / "none" / "mistyped.db"))
    assert "mistyped.db" in cli("list").stderr
    assert "the database is new" not in cli("history").stderr


def test_a_place_to_export_to_that_is_none_is_a_mistake(cli: Cli, tmp_path: Path) -> None:
    """As a file to import that is not there."""
    assert "There is no folder" in cli("export", "-o", str(tmp_path / "none" / "all.jsonl"), code=2).stderr
    assert "cannot be read" in cli("import", "jsonl", str(tmp_path / "none"), code=2).stderr


def test_the_names_of_applied_tasks_are_whole(cli: Cli) -> None:
    """A program that reads them can use them, however long they are."""
    name = "a-task-with-a-name-of-more-than-forty-letters"
    Path("tasks.yaml").write_text(f"tasks:\n  - name: {name}\n    schedule: every hour\n    function: chores:greet\n")
    assert name in cli("tasks", "apply", "tasks.yaml", "--allow", "chores").stdout
