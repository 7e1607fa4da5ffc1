"""The command as it is called: usage errors, version, examples, fields, results, and odd terminals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from .conftest import Cli

ODD = """
import os, subprocess, sys

def chatter() -> dict:
    print("printed")
    sys.stdout.write("written\\n")
    os.system("echo from a program")
    return {"answer": 42, "text": "grüße → 😀"}

def broken() -> None:
    raise ValueError("it cannot\\nbe done")
"""


def agentool(*words: str, stdout: int = subprocess.PIPE, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "agentool", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **variables}, timeout=30, check=False)


def odd_job(cli: Cli, name: str) -> None:
    Path("odd.py").write_text(ODD)
    cli("schedule", name, "1 hour", "function", f"function=odd:{name}", "--allow", "odd")


# Usage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("schedule", "a"), "schedule: Missing argument 'WHEN'. See `agentool schedule --help`."),
        (("list", "--jsn"), "list: No such option: --jsn"),
        (("lst",), "No such command 'lst'. Did you mean 'list'?"),
        (("--bogus",), "No such option: --bogus"),
        (("history", "-n", "many"), "history: Invalid value for '--limit' / '-n'"),
        (("import", "crontb", "x"), "import: No such command 'crontb'. Did you mean 'crontab'?"),
        (("info", "a", "b"), "info: Got unexpected extra argument"),
    ],
)
def test_a_usage_error_is_one_line(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """It names the command and where its help is, and ends with 2."""
    result = cli(*words, code=2)
    assert result.stderr.startswith(f"agentool: {said}")
    assert (result.stderr.count("\n"), result.stdout) == (1, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history", "--status", "happy"), "--status: input should be 'queued', 'running'"),
        (("schedule", "a", "1 hour", "queue", "operation=list_queues", "--max-retries", "-3"), "--max-retries: "),
        (("preview", "1 hour", "--timezone", "Mars/Base"), "--timezone: "),
        (("pause", "a", "--until", "soon"), "--until: "),
    ],
)
def test_a_refused_option_is_called_as_it_is_written(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """Not by the field that it sets."""
    cli.greeting("a")
    assert cli(*words, code=2).stderr.startswith(f"agentool: {said}")


def test_the_version(cli: Cli) -> None:
    """--version prints it and nothing else."""
    assert cli("--version").stdout == "agentool 0.1.0\n"


def test_help_has_an_example(cli: Cli) -> None:
    """Each command that takes words shows how."""
    assert "Example: agentool history nightly --status failed" in cli("history", "--help").stdout


def test_the_module_is_the_command() -> None:
    """`python -m agentool` does what the command does."""
    assert agentool("--version").stdout == b"agentool 0.1.0\n"


# Fields


@pytest.mark.parametrize("text", ["2027", "true", "null", "[1]", "1e3", "007", '{"a": 1}', '"quoted"'])
def test_a_field_that_is_text_takes_text(cli: Cli, text: str) -> None:
    """What looks like JSON is text where the field is."""
    cli("schedule", "a", "1 hour", "notification", f"message={text}")
    assert cli.data("info", "a")["info"]["input_data"] == {"operation": "send", "message": text}


def test_the_only_operation_may_be_left_out(cli: Cli) -> None:
    """Where a tool has several, it is missed as before."""
    cli("schedule", "a", "1 hour", "function", "function=chores:greet", "--allow", "chores")
    assert cli.data("info", "a")["info"]["input_data"]["operation"] == "call"
    assert "operation" in cli("schedule", "b", "1 hour", "queue", "queue_name=a", code=2).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("message=a", "message=b"),
        ("--input", '{"message": "a", "message": "b"}'),
        ("--input", '{"message": "a"}', "message=b"),
    ],
)
def test_a_field_given_twice_is_refused(cli: Cli, words: tuple[str, ...]) -> None:
    """Neither of the two is dropped in silence."""
    assert "given twice" in cli("schedule", "a", "1 hour", "notification", *words, code=2).stderr


@pytest.mark.parametrize("words", [("kwargs=" + "[" * 100_000,), ("--input", "[" * 100_000), ("--input", '{"a":' * 100_000)])
def test_what_is_nested_too_deeply_is_one_line(cli: Cli, words: tuple[str, ...]) -> None:
    """No traceback."""
    assert cli("schedule", "a", "1 hour", "function", *words, code=2).stderr.count("\n") == 1


# Results


def test_json_stays_json_when_a_handler_prints(cli: Cli) -> None:
    """What a handler prints, and what its programs print, goes to stderr."""
    odd_job(cli, "chatter")
    ended = agentool("run", "chatter", "--allow", "odd", "--json")
    assert ended.stdout.startswith(b'{\n  "job_id": "chatter"')
    assert all(text in ended.stderr for text in (b"printed", b"written", b"from a program"))


def test_show_prints_the_whole_execution(cli: Cli) -> None:
    """Its id comes out of the history; the error has its traceback, and the result is whole."""
    cli.greeting("greeting", "1 hour", 'kwargs={"name": "%s"}' % ("x" * 500))
    cli("run", "greeting", "--allow", "chores")
    execution_id = cli("history").stdout.split()[-1]
    output = cli("show", execution_id).stdout
    assert "x" * 500 in output
    assert "run_now" in output


def test_show_prints_the_error(cli: Cli) -> None:
    """With its own line breaks and its traceback."""
    odd_job(cli, "broken")
    cli("run", "broken", "--allow", "odd", code=1)
    output = cli("show", cli.data("history")["history"][0]["execution_id"]).stdout
    assert "ValueError: it cannot\nbe done\n" in output
    assert "Traceback" in output


def test_show_of_nothing_is_the_users_mistake(cli: Cli) -> None:
    """An id without a record is one line."""
    assert cli("show", "nobody@now", code=2).stderr.count("\n") == 1


def test_logs_print_what_programs_wrote(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs of the latest executions, whole, each below its own line."""
    monkeypatch.setenv("AGENTOOL_PROGRAMS", '["printf"]')
    cli("schedule", "print", "1 hour", "shell", 'command=["printf", "one\\ntwo\\n"]')
    for _ in range(2):
        cli("run", "print")
    lines = cli("logs", "print").stdout.splitlines()
    assert [line for line in lines if not line.startswith("── ")] == ["one", "two", "one", "two"]
    assert "Nothing has run yet." in cli("logs", "print", "-n", "1").stdout or len(cli("logs", "print", "-n", "1").stdout.splitlines()) == 3


# Terminals


def test_names_and_ids_are_whole_in_a_pipe(cli: Cli) -> None:
    """A program that reads the list or the history has what it needs."""
    name = "a-name-that-is-much-longer-than-any-column-of-a-table"
    cli.greeting(name)
    cli("run", name, "--allow", "chores")
    assert all(name in cli(command).stdout for command in ("list", "history"))
    assert cli.data("history")["history"][0]["execution_id"] in cli("history").stdout


COMMANDS = [("doctor",), ("tools",), ("list",), ("history",), ("serve", "--for", "0.2"), ("--help",)]


@pytest.mark.parametrize(
    ("encoding", "words"), [*[("ascii", words) for words in COMMANDS], ("cp1252", COMMANDS[0]), ("latin-1", COMMANDS[1])]
)
def test_any_encoding_can_be_written(cli: Cli, encoding: str, words: tuple[str, ...]) -> None:
    """What an encoding does not have is written in plain letters; nothing ends in a traceback."""
    odd_job(cli, "chatter")
    cli("run", "chatter", "--allow", "odd")
    ended = agentool(*words, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert b"Traceback" not in ended.stdout + ended.stderr
    assert ended.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_is_json_in_any_encoding(cli: Cli, encoding: str) -> None:
    """Letters beyond the encoding are JSON's own escapes, also those of two halves."""
    import json

    odd_job(cli, "chatter")
    cli("run", "chatter", "--allow", "odd")
    ended = agentool("history", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert json.loads(ended.stdout.decode(encoding))["history"][0]["result"]["result"]["text"] == "grüße → 😀"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("list",), ("export",), ("tools", "--json")])
def test_a_full_disk_is_one_line(words: tuple[str, ...]) -> None:
    """What cannot be written is said once, and the exit code is 1."""
    with open("/dev/full", "wb") as full:
        ended = agentool(*words, stdout=full.fileno())
    assert (ended.returncode, ended.stderr.count(b"\n")) == (1, 1), ended.stderr


def test_an_export_into_nothing_is_one_line(cli: Cli) -> None:
    """A folder that is not there is named."""
    assert cli("export", "-o", "nowhere/all.jsonl", code=2).stderr.count("\n") == 1


def test_a_plugin_that_ends_the_process_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that exits while it is imported is a plugin that cannot be registered."""
    Path("leaving.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.setenv("AGENTOOL_PLUGINS", '["leaving:register"]')
    assert "Plugin 'leaving:register'" in cli("list", code=2).stderr


def test_a_log_file_that_cannot_be_written_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is named."""
    monkeypatch.setenv("AGENTOOL_LOG_FILE", "chores.py/agentool.log")
    result = cli("serve", "--memory", "--for", "0.1", code=2)
    assert "chores.py" in result.stderr


def on_a_terminal(*words: str, **variables: str) -> str:
    """Run the command on a terminal of 80 columns, and return what it shows."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    surroundings = {**os.environ, **variables}
    surroundings.pop("COLUMNS", None)
    command = [sys.executable, "-W", "error", "-m", "agentool", *words]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=surroundings) as running:
        os.close(follower)
        shown = bytearray()
        with contextlib.suppress(OSError):  # how a terminal without anybody ends
            while part := os.read(leader, 4096):
                shown += part
        running.wait(30)
    os.close(leader)
    return shown.decode()


@pytest.mark.parametrize(
    "variables", [{"TERM": "xterm-256color"}, {"TERM": "xterm", "COLORTERM": "truecolor"}, {"TERM": "dumb"}, {"TERM": "vt100"}]
)
def test_a_terminal_shows_the_list_in_80_columns(cli: Cli, variables: dict[str, str]) -> None:
    """Whatever its colours: tool and schedule are there, and no line is wider."""
    cli.greeting("a-name-that-is-much-longer-than-any-column-of-a-table", "every weekday at 9am")
    cli("run", "a-name-that-is-much-longer-than-any-column-of-a-table", "--allow", "chores")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("list", **variables))
    line = plain.splitlines()[1]
    assert len(line) <= 80
    assert all(text in line for text in ("a-name-that-is-mu…", "scheduled", "success", "function", "0 9 * * 1-5"))


@pytest.mark.parametrize("words", [("history",), ("tools",), ("preview", "1 hour"), ("serve", "--for", "0.5"), ("info", "greeting")])
def test_a_terminal_shows_every_page(cli: Cli, words: tuple[str, ...]) -> None:
    """Nothing ends in a traceback on a terminal with colours."""
    cli("schedule", "greeting", "now", "function", "function=agentoolkit.example.work:check_file")
    cli("run", "greeting")
    shown = on_a_terminal(*words, TERM="xterm-256color")
    assert (len(shown) > 40, "Traceback" in shown, "agentool: " in shown) == (True, False, False)
