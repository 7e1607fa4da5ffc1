"""What is said of an option or an argument that cannot be read: in plain words, and by its own name."""

from __future__ import annotations

import pytest

from .conftest import Cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history", "--limit", "many"), "history: Invalid value for '--limit' / '-n': it should be a whole number. See"),
        (("preview", "1 hour", "--count", "500"), "it should be less than or equal to 100. See"),
        (("schedule", "a", "1 hour", "metrics", "--max-retries", "x"), "'--max-retries': it should be a whole number. See"),
    ],
)
def test_what_an_option_takes_is_said_in_plain_words(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """In one sentence, which ends, and not in those of a library."""
    assert said in cli(*words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("info", "nobody"), "JOB: No job has the id or name 'nobody'."),
        (("show", "nobody@now"), "ID: No job has the id or name 'nobody'."),
        (("dead-letters", "nobody"), "QUEUE: No queue is named 'nobody'."),
        (("preview", "evry day"), "WHEN: 'evry' is not understood."),
        (("update", "greeting", "--schedule", "evry day"), "--schedule: 'evry' is not understood."),
        (("schedule", "a", "1 hour", "metrisc", "operation=list"), "TOOL: No AgenTool is named 'metrisc'."),
        (("schedule", "greeting", "1 day", "metrics", "operation=list"), "NAME: A different job has the id 'greeting'"),
        (("import", "crontab", "nowhere"), "FILE: nowhere cannot be read"),
        (("mcp", "config", "claude"), "CLIENT: Unknown client 'claude'."),
        (("retry",), "Name executions or jobs, or give a query."),
        (("update", "greeting"), "Nothing is to be changed."),
    ],
)
def test_a_refusal_names_the_argument(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """As the help of the command writes it, and not by a field of the scheduler that nobody typed."""
    cli.greeting()
    assert cli(*words, code=2).stderr.startswith(f"agentool: {said}")


def test_a_taken_name_is_told_with_the_option_that_takes_it_over(cli: Cli) -> None:
    """The way out can be typed as it stands."""
    cli.greeting()
    said = cli("schedule", "greeting", "1 day", "metrics", "operation=list", code=2).stderr
    assert said.endswith("Change it with `agentool update` or with --replace, cancel it first, or choose another NAME.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-retries", "-1"), "got -1. Give for example --max-retries 3."),
        (("--priority", "urgent"), "got 'urgent'. Give for example --priority 'high'."),
        (("--max-instances", "0", "--max-runs", "0"), "Give for example --max-instances 2, --max-runs 10."),
    ],
)
def test_an_example_can_be_typed(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """It is an option with its value, and no field of a program."""
    assert said in cli("schedule", "a", "1 hour", "metrics", "operation=list", *words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shell", "command=ls"), "agentool: command: AgenTool 'shell' would refuse this input: Program 'ls' is not allowed"),
        (("notification", "mesage=a"), "agentool: AgenTool 'notification' would refuse this input: mesage: is not a field."),
    ],
)
def test_a_field_of_the_input_is_named_as_it_is_typed(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """Neither as a part of --input nor as one of input_data, which a command line does not have."""
    assert cli("schedule", "a", "1 hour", *words, code=2).stderr.startswith(said)


def test_a_way_out_is_told_once(cli: Cli) -> None:
    """Of several faults with the same way out, after the last one."""
    said = cli("schedule", "a", "1 hour", "notification", "mesage=a", code=2).stderr
    assert said.endswith("'message'? message: is required for operation 'send'. `agentool tools notification` shows what it takes.\n")
    assert said.count("agentool tools") == 1


@pytest.mark.parametrize("words", [("preview", "0", "9", "1", "1", "1"), ("schedule", "a", "0", "9", "1", "1", "1", "metrics")])
def test_a_schedule_without_quotes_is_told_of_them(cli: Cli, words: tuple[str, ...]) -> None:
    """The shell takes it apart before the command sees it."""
    assert "Put quotes around a schedule: '0 9 * * 1-5'." in cli(*words, code=2).stderr


@pytest.mark.parametrize(
    ("word", "command"),
    [("delete", "cancel"), ("rm", "cancel"), ("jobs", "list"), ("edit", "update"), ("help", "--help"), ("version", "--version")],
)
def test_the_usual_word_of_another_program_is_told_ours(cli: Cli, word: str, command: str) -> None:
    """Letters alone would suggest `dead-letters` for `delete`."""
    assert cli(word, "a", code=2).stderr == f"agentool: No such command '{word}'. It is `agentool {command}` here.\n"


def test_a_misspelt_end_of_a_pause_is_told_the_word(cli: Cli) -> None:
    """The suggestion of the schedule's reader is handed on."""
    cli.greeting()
    said = cli("pause", "greeting", "--until", "tomorow", code=2).stderr
    assert said == "agentool: --until: 'tomorow' is not understood. Did you mean 'tomorrow'?\n"


@pytest.mark.parametrize(
    ("bounds", "said"), [(("2030", "x"), "agentool: FROM: '2030' is no time."), (("2030-01-01", "x"), "agentool: TO: 'x' is no time.")]
)
def test_an_argument_is_called_as_the_help_does(cli: Cli, bounds: tuple[str, str], said: str) -> None:
    """Not by the field that it sets."""
    cli.greeting()
    assert said in cli("backfill", "greeting", *bounds, code=2).stderr
