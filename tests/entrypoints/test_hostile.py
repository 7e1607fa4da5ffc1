"""What a stranger wrote into a result, an error or a description is shown as text on whatever terminal it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoolkit.entrypoints.cli.printing import say_lines

from .conftest import Cli

HOSTILE = "\x1b]0;x\x07\x1b[2J\x9b31m\u2028X\n\r01:40:19 forged success"
CHORES = f"""
def answer():
    return {HOSTILE!r}


def fail():
    raise ValueError({HOSTILE!r})
"""
TASKS = """
tasks:
  - {name: answering, schedule: now, function: "chores:answer"}
  - {name: failing, schedule: now, function: "chores:fail"}
"""


def is_shown(output: str) -> bool:
    """Is every line printable, and is what the stranger wrote no line of its own?"""
    lines = output.split("\n")
    return all(map(str.isprintable, lines)) and not any(line.startswith("01:40:19") for line in lines)


@pytest.fixture
def served(cli: Cli) -> str:
    """The output of `serve`, after a job that answered and one that failed."""
    Path("chores.py").write_text(CHORES)
    return cli.serve(TASKS, "--for", "1").output


def test_serve_shows_executions_as_text(served: str) -> None:
    """A line is a line, whatever the result or the error says."""
    assert (is_shown(served), "forged" in served) == (True, True)


@pytest.mark.parametrize("words", [("history",), ("info", "answering"), ("info", "failing"), ("history", "--json"), ("doctor",)])
def test_the_history_is_shown_as_text(cli: Cli, served: str, words: tuple[str, ...]) -> None:
    """Results and errors out of the history as well, also as JSON."""
    assert is_shown(cli(*words).output)


@pytest.mark.parametrize("words", [("list",), ("info", "greeting"), ("info", "greeting", "--json")])
def test_a_definition_is_shown_as_text(cli: Cli, words: tuple[str, ...]) -> None:
    """Descriptions and inputs too."""
    cli.greeting("greeting", "1 hour", "kwargs=" + '{"name": "\x9b2J"}', "--description", HOSTILE)
    assert is_shown(cli(*words).output)


def test_a_tag_is_one_line(cli: Cli) -> None:
    """A tag that would move the cursor, or begin a line, is refused, and shown as text in the refusal."""
    told = cli.greeting("greeting", "1 hour", "--tag", HOSTILE, code=2).stderr
    assert ("tag" in told, "leave it out" in told, is_shown(told)) == (True, True, True)


def test_an_error_is_one_line(cli: Cli) -> None:
    """An error that quotes what was given shows it as text."""
    (line, end) = cli("info", HOSTILE, code=2).stderr.split("\n")
    assert (line.isprintable(), end) == (True, "")


def test_a_text_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A result of several lines is printed as such, and gives the terminal no orders."""
    say_lines("a\nb\x1b[2J")
    assert capsys.readouterr().out == "a\nb\\x1b[2J\n"
