"""`agentool import` and `agentool export`."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentoolkit.entrypoints.cli.app import app_for
from agentoolkit.entrypoints.taskfile import load_tasks, read_tasks

from .conftest import Cli


def test_a_crontab_is_printed_as_a_task_file(cli: Cli) -> None:
    """The task file goes to stdout, and notes go to stderr."""
    Path("crontab").write_text("MAILTO=me\n0 3 * * * backup.sh\n")
    result = cli("import", "crontab", "crontab")
    assert read_tasks(result.stdout)[0].name == "backup"
    assert result.stderr.splitlines() == [
        "agentool: line 1: MAILTO=me is not carried over; --notify TARGET adds a notification of each failure",
        "agentool: before you serve it: export AGENTOOL_PROGRAMS='[\"backup.sh\"]'",
    ]


def test_what_is_left_out_ends_with_1(cli: Cli) -> None:
    """An entry that could not be translated is named, and the exit code tells a script."""
    result = cli("import", "crontab", "-", code=1, stdin="@fortnightly start\n0 3 * * * backup.sh\n")
    assert "line 1: not translated: @fortnightly start" in result.stderr
    assert len(read_tasks(result.stdout)) == 1


def test_scheduler_tasks_are_printed_as_a_task_file(cli: Cli) -> None:
    """The other scheduler's file becomes one of ours."""
    Path("tasks.json").write_text('{"tasks": {"a": {"cron_expression": "0 3 * * *", "config": {"command": "x"}}}}')
    assert read_tasks(cli("import", "scheduler-tasks", "tasks.json").stdout)[0].schedule == "0 3 * * *"


def test_a_file_that_is_not_there_is_the_users_mistake(cli: Cli) -> None:
    """A missing file ends with 2."""
    cli("import", "crontab", "nowhere", code=2)


def test_export_and_import(cli: Cli, monkeypatch: object, folder: Path) -> None:
    """What one database exports, another one imports, once."""
    cli.greeting()
    cli("run", "greeting", "--allow", "chores")
    cli("export", "--output", "all.jsonl")
    assert cli("export").stdout.splitlines()[1:] == Path("all.jsonl").read_text().splitlines()[1:]
    (folder / "home" / "agentool.db").rename(folder / "before.db")
    for name in ("agentool.db-wal", "agentool.db-shm"):
        (folder / "home" / name).unlink(missing_ok=True)
    assert "Added 1 job, 1 execution, 0 outcomes" in cli("import", "jsonl", "all.jsonl").stdout
    assert "Added 0 jobs, 0 executions, 0 outcomes" in cli("import", "jsonl", "all.jsonl").stdout


def test_import_that_leaves_out_a_job_says_so(cli: Cli, folder: Path) -> None:
    """It names the job, counts what was added, and ends with 1: a script must not take it for whole."""
    cli.greeting()
    cli("export", "--output", "all.jsonl")
    text = Path("all.jsonl").read_text()
    Path("all.jsonl").write_text(text.replace('"job_id":"greeting"', '"job_id":"other"'))
    imported = cli("import", "jsonl", "all.jsonl", code=1)
    assert "Added 0 jobs" in imported.stdout
    assert "job other was left out, with its executions" in imported.stderr


FAILS = [(OSError(28, "No space left on device"), 1), (BrokenPipeError(32, "Broken pipe"), 1), (KeyboardInterrupt(), 130)]


@pytest.mark.parametrize(("error", "code"), FAILS)
def test_an_export_that_fails_leaves_the_old_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, folder: Path, error: BaseException, code: int
) -> None:
    """A file is replaced when all of it is written; where that fails the old one is there, and nothing else."""

    async def some_lines(*_: object) -> AsyncIterator[str]:
        yield "{}"
        raise error

    Path("all.jsonl").write_text("old")
    monkeypatch.setattr("agentoolkit.transfer.export_lines", some_lines)
    before = {path.name for path in folder.iterdir()} | {"home"}
    assert cli("export", "-o", "all.jsonl", code=code).stderr.count("\n") <= 1
    assert Path("all.jsonl").read_text() == "old"
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_export_into_a_full_device_is_one_line_that_names_it(cli: Cli) -> None:
    """A device is written to itself; what it says is told with its name."""
    told = cli("export", "-o", "/dev/full", code=1).stderr
    assert (told.count("\n"), "/dev/full" in told, Path("/dev/full").is_char_device()) == (1, True, True)


def test_an_export_is_its_owners_and_keeps_the_mode_of_a_file_that_is_there(cli: Cli) -> None:
    """It has everything that the database has, which is its owner's alone; links are followed."""
    cli("export", "-o", "new.jsonl")
    Path("old.jsonl").write_text("old")
    Path("old.jsonl").chmod(0o640)
    Path("link.jsonl").symlink_to("old.jsonl")
    cli("export", "-o", "link.jsonl")
    modes = [Path(name).stat().st_mode & 0o777 for name in ("new.jsonl", "old.jsonl")]
    assert (modes, Path("link.jsonl").is_symlink(), Path("old.jsonl").read_text()[0]) == ([0o600, 0o640], True, "{")


def test_line_breaks_within_texts_are_no_lines(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with a line break of another alphabet comes back as it was exported."""
    cli.greeting("greeting", "1 hour", "--description", "a\u2028b\x85c\x0bd\x1ce")
    cli("export", "-o", "all.jsonl")
    monkeypatch.setenv("AGENTOOL_DATABASE", "other.db")
    assert "Added 1 job" in cli("import", "jsonl", "all.jsonl").stdout
    assert cli.data("info", "greeting")["info"]["description"] == "a\u2028b\x85c\x0bd\x1ce"


def test_what_is_allowed_already_is_not_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are allowed stay in the setting that is to be exported; where nothing lacks, none is."""
    Path("crontab").write_text("0 3 * * * true\n")
    monkeypatch.setenv("AGENTOOL_PROGRAMS", '["true"]')
    assert cli("import", "crontab", "crontab").stderr == ""
    Path("crontab").write_text("0 3 * * * true\n0 4 * * * ./Back up.sh\n0 5 * * * a | b\n")
    assert cli("import", "crontab", "crontab", "--shell").stderr.splitlines() == [
        f'agentool: before you serve it: export AGENTOOL_PROGRAMS=\'["true", "{Path.home()}/Back", "sh"]\'',
        "agentool: before you serve it: export AGENTOOL_SHELL_FOLDERS='[\"~\"]'",
    ]


@pytest.mark.parametrize("command", ["cd app && ./poll now", "app/poll now", "./app/poll | cat"])
def test_the_settings_that_are_asked_for_allow_what_is_relative(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, folder: Path, command: str
) -> None:
    """A program is allowed by its place in the home folder, where cron ran it, and not by one in the folder of the server."""
    (folder / "me" / "app").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder / "me"))
    Path("crontab").write_text(f"0 3 * * * {command}\n")
    asked = cli("import", "crontab", "crontab", "--shell").stderr
    for name, value in re.findall(r"export (\w+)='(.*)'", asked):
        monkeypatch.setenv(name, value)
    assert asked
    assert cli("import", "crontab", "crontab", "--shell").stderr == ""


@pytest.mark.parametrize("command", ["crontab", "scheduler-tasks", "jsonl"])
def test_a_file_that_is_not_utf8_is_one_line(cli: Cli, command: str) -> None:
    """The line is named, and the exit code is not 0."""
    Path("odd").write_bytes('\n{"tasks": {"ä": 1}}'.encode("latin-1"))
    result = cli("import", command, "odd", code=1 if command == "crontab" else 2)
    assert (result.stderr.count("\n"), "line 2" in result.stderr) == (1, True)


def test_stdin_is_read_as_bytes(cli: Cli) -> None:
    """One letter of Latin-1 on stdin costs its line, and is no half character."""
    result = cli("import", "crontab", "-", code=1, stdin="0 1 * * * first\n0 2 * * * grüßen\n".encode("latin-1"))
    assert [task.name for task in read_tasks(result.stdout)] == ["first"]
    assert "line 2: not translated: it is not UTF-8: byte 13 is 0xFC" in result.stderr


def test_an_export_says_what_stays_behind(cli: Cli) -> None:
    """On stderr, so that what is written is whole; and in the help."""
    told = cli("export").stderr
    assert "jobs that were cancelled, the audit and tokens" in told
    assert "events, and conversations, approvals and spending of agents" in told
    assert "Cancelled jobs, the audit and tokens stay behind." in " ".join(cli("export", "--help").stdout.split())


ODD = "a → b é 😀 \\ \u2028"
CHARSETS = ["utf-8", "latin-1", "ascii", "cp1252"]


def piped(charset: str, *words: str) -> bytes:
    """Return what a command writes where stdout has this encoding."""
    result = CliRunner(charset=charset).invoke(app_for(words[:1]), list(words))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout_bytes


@pytest.mark.parametrize("charset", CHARSETS)
def test_an_export_is_whole_whatever_the_encoding_of_stdout_is(cli: Cli, monkeypatch: pytest.MonkeyPatch, charset: str) -> None:
    """No letter is replaced by a similar one, and an import reads the file."""
    cli.greeting("greeting", "1 hour", "--description", ODD)
    Path("all.jsonl").write_bytes(piped(charset, "export"))
    monkeypatch.setenv("AGENTOOL_DATABASE", "other.db")
    assert "Added 1 job" in cli("import", "jsonl", "all.jsonl").stdout
    assert cli.data("info", "greeting")["info"]["description"] == ODD


@pytest.mark.parametrize("charset", CHARSETS)
def test_json_is_utf8_whatever_the_encoding_of_stdout_is(cli: Cli, charset: str) -> None:
    """Programs read JSON as UTF-8, also in a country of Latin-1."""
    cli.greeting("greeting", "1 hour", "--description", "grüßen")
    assert json.loads(piped(charset, "info", "greeting", "--json").decode())["info"]["description"] == "grüßen"


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_task_file_can_be_served_whatever_the_encoding_of_stdout_is(cli: Cli, charset: str) -> None:
    """Task files are read as UTF-8."""
    Path("crontab").write_text("# grüßen\n0 3 * * * true é\n")
    Path("tasks.yaml").write_bytes(piped(charset, "import", "crontab", "crontab"))
    (task,) = load_tasks(Path("tasks.yaml"))
    assert (task.description, (task.input_data or {})["command"]) == ("grüßen", ["true", "é"])
