"""What commands find, change and retry: queries, records, queues, and output for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentoolkit.entrypoints.cli import app
from agentoolkit.entrypoints.cli.completion import complete_execution, complete_job
from agentoolkit.system.scheduler.stores.sql import few_jobs, keyset_pages

from .conftest import Cli


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def failed(cli: Cli) -> str:
    """A job whose execution has failed, and that one's id."""
    cli("schedule", "wrong", "1 hour", "function", "operation=call", "function=chores:fail", "--allow", "chores", "--tag", "nightly")
    cli("run", "wrong", "--allow", "chores", code=1)
    found: str = cli.data("history", "wrong")["history"][0]["execution_id"]
    return found


def test_a_query_chooses_jobs(cli: Cli, failed: str) -> None:
    """Words and conditions of the search grammar, by themselves or as options."""
    cli.greeting("fine", "1 hour", "--tag", "daily")
    asked = ["status:failed tag:nightly", "job:wr*", "wrong", "job:* -tag:daily"]
    assert [[row["job_id"] for row in rows_of(cli("list", query, "-o", "csv").stdout)] for query in asked] == [["wrong"]] * 4
    assert cli("list", "--tag", "daily", "--owner", "me", "-o", "csv").stdout.count("\n") == 2
    assert cli("list", "tag:none").stdout == "No job matches.\n"


def test_a_query_that_cannot_be_read_is_refused(cli: Cli) -> None:
    """The key is named, and the nearest one that there is."""
    assert "Did you mean 'status'?" in cli("list", "statu:failed", code=2).stderr


def test_a_query_chooses_executions(cli: Cli, failed: str) -> None:
    """`history --query` compares what executions know, and the labels of their jobs."""
    cli.greeting("fine")
    cli("run", "fine", "--allow", "chores")
    for query in ("status:failed", 'error:"cannot be done"', "tag:nightly", "since:1h job:wrong"):
        assert [record["execution_id"] for record in cli.data("history", "--query", query)["history"]] == [failed]


def test_a_formula_is_not_run_by_a_spreadsheet(cli: Cli) -> None:
    """A cell that begins like a formula comes behind an apostrophe."""
    cli.greeting("greeting", "1 hour", "--description", "=cmd|' /C calc'!A0")
    assert rows_of(cli("list", "-o", "csv").stdout)[0]["description"] == "'=cmd|' /C calc'!A0"


def test_what_is_due_next_comes_first(cli: Cli) -> None:
    """In the order of due times, as a table and for programs; where nothing is due, that is said."""
    assert cli("upcoming").stdout == "Nothing is due any more.\n"
    for name, when in (("late", "1 week"), ("soon", "1 hour"), ("then", "1 day")):
        cli.greeting(name, when)
    assert [job["job_id"] for job in cli.data("upcoming")["jobs"]] == ["soon", "then", "late"]
    assert [row["job_id"] for row in rows_of(cli("upcoming", "-n", "2", "-o", "csv").stdout)] == ["soon", "then"]
    assert cli("upcoming", "--limit", "1").stdout.splitlines()[1].startswith("soon")


def test_update_takes_back_what_clear_names(cli: Cli) -> None:
    """An option that may be repeated, with the names that `info` shows."""
    cli.greeting("greeting", "1 hour", "--max-retries", "3", "--end-at", "2100-01-01", "--timeout", "5")
    cli("update", "greeting", "--clear", "end_at", "--clear", "max_retries", "--allow", "chores")
    about = cli.data("info", "greeting")["info"]
    assert (about["end_at"], about["max_retries"], about["timeout"]) == (None, 0, 5.0)


def test_update_changes_what_it_names(cli: Cli) -> None:
    """The other fields stay as they are, the input included; the id stays."""
    cli.greeting("greeting", "1 hour", "--max-retries", "3")
    assert "Changed greeting" in cli("update", "greeting", "--schedule", "2 hours", "--timeout", "5", "--allow", "chores").stdout
    about = cli.data("info", "greeting")["info"]
    assert (about["schedule"], about["timeout"], about["max_retries"], about["input_data"]["function"]) == (
        "2 hours",
        5.0,
        3,
        "chores:greet",
    )


def test_update_gives_new_input(cli: Cli) -> None:
    """`key=value` words are the job's whole input from now on, checked at once."""
    cli.greeting()
    cli("update", "greeting", "operation=call", "function=chores:rest", "--allow", "chores")
    assert cli.data("info", "greeting")["info"]["input_data"] == {"operation": "call", "function": "chores:rest"}


def test_a_failure_is_retried_once(cli: Cli, failed: str) -> None:
    """By its id or its job's name the same execution is meant, and one runs in its place."""
    (first,) = cli.data("retry", failed)["started"]
    assert cli.data("retry", "wrong")["started"] == [first]
    assert cli.data("show", first)["status"] == "queued"


def test_a_retry_that_nobody_runs_is_told_so(cli: Cli, failed: str) -> None:
    """As a backfill is: no process serves the database."""
    assert "They wait for a process that serves: agentool serve" in cli("retry", failed).stdout


def test_all_that_fit_are_retried(cli: Cli, failed: str) -> None:
    """A query retries whatever it finds, and says how many that were."""
    said = cli("retry", "--query", "status:failed since:1h").stdout
    assert said.endswith("1 execution retried, 0 refused.\nThey wait for a process that serves: agentool serve\n")


@pytest.mark.parametrize(
    "words", [("fine",), ("fine@2030-01-01T00:00:00+00:00",), (), ("a", "--query", "status:failed"), ("--query", ""), ("--query", " ")]
)
def test_what_cannot_be_retried(cli: Cli, words: tuple[str, ...]) -> None:
    """A job without a failure, an execution that is not there, nothing, both at once, and a query that says nothing are mistakes."""
    cli.greeting("fine")
    assert cli("retry", *words, code=2).stderr


def test_the_audit_names_the_door(cli: Cli) -> None:
    """What was done here was done by the command line."""
    cli.greeting()
    cli("pause", "greeting", "--reason", "holidays")
    entries = cli.data("audit", "greeting")["entries"]
    assert [(entry["action"], entry["caller"]["door"]) for entry in entries] == [("paused", "cli"), ("created", "cli")]
    assert "code, cli" in cli("audit").stdout


def test_events_that_are_kept(cli: Cli) -> None:
    """The latest ones that fit a pattern, the newest last, as lines of JSON for programs."""
    cli("events")  # from their first reader on, the scheduler's events are kept
    for name in ("first", "second", "third"):
        cli.greeting(name)
    lines = cli("events", "scheduler.task.*", "-n", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["payload"]["task_id"] for line in lines] == ["second", "third"]
    assert cli("events", "nothing.*").stdout == "No event of that name is kept.\n"


def test_queues_and_their_messages(cli: Cli) -> None:
    """A queue is a row; with its name, its messages are."""
    assert "No queues" in cli("queues").stdout
    cli.greeting("greeting", "1 hour", "--result-queue", "done")
    cli("schedule", "put", "1 hour", "queue", "operation=enqueue", "queue_name=done", "message=hello")
    cli("run", "put")
    assert [(row["queue_name"], row["ready"]) for row in rows_of(cli("queues", "-o", "csv").stdout)] == [("done", "1")]
    assert "hello" in cli("queues", "done").stdout


def test_dead_letters_are_put_back(cli: Cli) -> None:
    """They are listed with the reason; one or all of them go back into their queue, and one and all is a mistake."""
    for number in ("1", "2"):
        cli("schedule", f"put{number}", "1 hour", "queue", "operation=enqueue", "queue_name=work", f"message_id={number}", "message=x")
        cli("run", f"put{number}")
        dead = ("operation=move_to_dlq", "queue_name=work", f"message_id={number}", "reason=broken")
        cli("schedule", f"bury{number}", "1 hour", "queue", *dead)
        cli("run", f"bury{number}")
    assert [row["reason"] for row in rows_of(cli("dead-letters", "work", "-o", "csv").stdout)] == ["broken", "broken"]
    assert "--requeue-all: It contradicts --requeue." in cli("dead-letters", "work", "--requeue", "1", "--requeue-all", code=2).stderr
    assert cli("dead-letters", "work", "--requeue", "1").stdout == "Put 1 message back into work.\n"
    assert cli("dead-letters", "work", "--requeue-all").stdout == "Put 1 message back into work.\n"
    assert cli("dead-letters", "work").stdout == "No dead letters.\n"


def test_nothing_waits_for_a_person(cli: Cli) -> None:
    """An empty list says so in a sentence, and is a list for programs."""
    assert cli("approvals", "list").stdout == "Nothing waits for a person.\n"
    assert cli.data("approvals", "list")["approvals"] == []


def test_a_view_is_a_query_under_a_name(cli: Cli, failed: str) -> None:
    """It is kept, listed, joined with a further query, and forgotten; one that is not there is named."""
    cli.greeting("fine")
    cli("views", "save", "broken", "status:failed", "--page", "executions")
    cli("views", "save", "nightly", "tag:nightly")
    assert [view["name"] for view in cli.data("views", "list")["views"]] == ["broken", "nightly"]
    assert [row["job_id"] for row in rows_of(cli("list", "--view", "nightly", "-o", "csv").stdout)] == ["wrong"]
    assert cli("list", "job:fine", "--view", "nightly").stdout == "No job matches.\n"
    assert [record["execution_id"] for record in cli.data("history", "--view", "broken")["history"]] == [failed]
    cli("views", "delete", "nightly")
    assert "No view of jobs is named 'nightly'" in cli("list", "--view", "nightly", code=2).stderr


def test_a_job_that_ran_once_and_failed_is_found(cli: Cli) -> None:
    """It is done, and is listed where failures are asked for."""
    cli("schedule", "once", "in 1 second", "function", "operation=call", "function=chores:fail", "--allow", "chores")
    cli("serve", "--allow", "chores", "--for", "2")
    assert [row["job_id"] for row in rows_of(cli("list", "--status", "failed", "-o", "csv").stdout)] == ["once"]


def test_programs_and_people_call_a_status_otherwise(cli: Cli) -> None:
    """A list shows the word that it is searched by; the word of programs is understood too."""
    cli.greeting()
    for word in ("scheduled", "active"):
        assert cli("list", f"status:{word}").stdout.splitlines()[1].split()[1] == "scheduled"


def test_a_beginning_of_an_id_is_looked_for_in_further_pages(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page of a search looks at a part of the jobs, and holds none that begins so."""
    for name in ("first", "second", "third"):
        cli.greeting(name, "1 hour")
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": 0, "executions": 0})
    monkeypatch.setattr(keyset_pages, "WINDOW", 1)
    assert cli.data("info", "thi")["job_id"] == "third"


def test_a_beginning_of_an_id_will_do(cli: Cli, failed: str) -> None:
    """Where only one job, or execution, begins so; what is cancelled is found as well. Nothing is changed by half a name."""
    assert cli.data("show", failed[:-4])["execution_id"] == failed
    cli("cancel", "wrong")
    assert cli.data("info", "wro")["job_id"] == "wrong"
    cli.greeting("wrought")
    assert "No job has the id" in cli("info", "wro", code=2).stderr
    assert "No job has the id" in cli("pause", "wroug", code=2).stderr


def test_history_takes_a_job_and_a_query(cli: Cli, failed: str) -> None:
    """A first word that is no condition names the job; conditions need no option."""
    for words in (["wrong"], ["status:failed"], ["wrong", "status:failed", "since:1h"]):
        assert [record["execution_id"] for record in cli.data("history", *words)["history"]] == [failed]
    assert cli("history", "wrong", "status:success").stdout == "No execution matches.\n"


def test_update_without_anything_says_so(cli: Cli) -> None:
    """A change of nothing is a mistake, and nothing is said to be as it was."""
    cli.greeting()
    assert "Nothing is to be changed." in cli("update", "greeting", code=2).stderr


def test_the_shell_completes_ids_and_values(cli: Cli, failed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of jobs, of executions and of what an option takes."""
    job, _, _ = failed.partition("@")
    for line, offered in (("info wr", job), (f"show {failed[:-6]}", failed), ("show wr", f"{job}@"), ("list --status pau", "paused")):
        monkeypatch.setenv("COMP_WORDS", f"agentool {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
        monkeypatch.setenv("_AGENTOOL_COMPLETE", "complete_bash")
        assert CliRunner().invoke(app, [], prog_name="agentool").stdout.split() == [offered]


def test_completion_makes_no_database(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of jobs and of executions: who only looks leaves nothing behind."""
    place = tmp_path / "none.db"
    monkeypatch.setenv("AGENTOOL_DATABASE", str(place))
    assert (complete_job("w"), complete_execution("wrong@2030"), complete_execution("w"), place.exists()) == ([], [], [], False)


def test_help_has_a_short_option(cli: Cli) -> None:
    """-h is --help, of every command."""
    assert cli("-h").stdout == cli("--help").stdout
    assert cli("info", "-h").stdout == cli("info", "--help").stdout


@pytest.mark.parametrize(
    "words", [("history", "--status", "failed", "typo"), ("history", "typo", "status:failed"), ("audit", "typo"), ("retry", "typo")]
)
def test_a_mistyped_job_is_told(cli: Cli, words: tuple[str, ...]) -> None:
    """Whatever is asked of it: an empty list would say that all is well."""
    cli.greeting()
    assert "No job has the id or name 'typo'" in cli(*words, code=2).stderr


@pytest.mark.parametrize("operation", ["pause", "run", "cancel"])
def test_a_cancelled_job_is_told_as_one(cli: Cli, operation: str) -> None:
    """It is not said that there is no such job, for `info` shows it."""
    cli.greeting()
    cli("cancel", "greeting")
    assert "Job 'greeting' was cancelled on" in cli(operation, "greeting", code=2).stderr


def test_a_list_without_rows_has_its_columns(cli: Cli) -> None:
    """A program that reads CSV finds the same header as with rows."""
    cli.greeting("one", "1 hour", "--result-queue", "work")
    cli("pause", "one")
    empty = {words: cli(*words, "-o", "csv").stdout.splitlines()[0] for words in (("list", "--tag", "no"), ("history",), ("queues",))}
    cli("schedule", "put", "1 hour", "queue", "operation=enqueue", "queue_name=work", "message=x")
    cli("run", "put")
    assert cli("queues", "-o", "csv").stdout.splitlines()[0] == empty[("queues",)]
    assert cli("dead-letters", "work", "-o", "csv").stdout.splitlines()[0] == cli("queues", "work", "-o", "csv").stdout.splitlines()[0]
    assert cli("list", "-o", "csv").stdout.splitlines()[0] == empty[("list", "--tag", "no")]
    assert cli("history", "-o", "csv").stdout.splitlines()[0] == empty[("history",)]


def test_no_event_is_told_in_a_sentence(cli: Cli) -> None:
    """As by every other list; programs get no line."""
    assert cli("events").stdout == "No event is kept.\n"
    assert cli("events", "--json").stdout == ""


VALUES = [
    (("token", "create", "maria", "--scope", "bogus"), "'bogus' is no scope."),
    (("serve", "--http", "foo"), "Invalid address 'foo'. Write for example 127.0.0.1:8000."),
    (("schedule", "a", "1 hour", "notification", "message=hi", "--tag", ""), "--tag.0: it is empty, got ''."),
    (("scheduler", "schedule", "shell_comand", "1 hour"), "'shell_comand' is no type of a task. Did you mean 'shell_command'?"),
    (("views", "delete", "Mine"), "no view of jobs named 'Mine'. It is one of executions."),
]


@pytest.mark.parametrize(("words", "said"), VALUES, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_a_refusal_names_the_value_and_the_way_out(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """At whichever command."""
    cli("views", "save", "Mine", "status:failed", "--page", "executions")
    assert said in cli(*words, code=2).stderr
