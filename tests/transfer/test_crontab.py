"""A crontab as a task file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.transfer import Translation, as_task_file, read_crontab

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def translated(text: str) -> Translation:
    return read_crontab(text, now=NOW)


def only(text: str) -> dict[str, Any]:
    """Translate a crontab that holds one entry."""
    (task,) = translated(text).tasks
    return task


def refusal(text: str) -> str:
    """Return why the last line of a crontab was not translated."""
    translation = translated(text)
    assert not translation.is_complete
    return translation.notes[-1].told


def test_an_entry_becomes_a_shell_task() -> None:
    """Five fields and a command become a task of the shell AgenTool, with an argument list."""
    task = only("0 3 * * 1-5 /opt/backup.sh --all 'my files'")
    assert (task["name"], task["schedule"], task["agentool_name"]) == ("backup", "0 3 * * 1-5", "shell")
    assert task["input_data"] == {"operation": "run", "command": ["/opt/backup.sh", "--all", "my files"]}


def test_the_result_is_a_task_file() -> None:
    """What is printed is what `agentool serve` reads."""
    text = as_task_file(translated("# nightly\n0 3 * * * backup\n@hourly poll 12:30 on\n*/5 * * * * poll\n"))
    assert [task.name for task in read_tasks(text)] == ["backup", "poll", "poll_2"]


def test_an_empty_crontab_is_an_empty_file() -> None:
    """Comments alone make no task."""
    assert translated("# nothing\n\n") == Translation([], [])


def test_a_comment_describes_the_entry_below() -> None:
    """The line above an entry says what it is for."""
    assert only("# nightly backup\n0 3 * * * backup")["description"] == "nightly backup"


@pytest.mark.parametrize("name", ["CRON_TZ", "TZ"])
def test_a_zone_holds_for_the_entries_below(name: str) -> None:
    """A zone variable is the zone of what follows, and not of what stands before it."""
    before, after = translated(f"0 1 * * * first\n{name} = 'Europe/Berlin'\n0 2 * * * second").tasks
    assert (before.get("timezone"), after["timezone"]) == (None, "Europe/Berlin")


def test_entries_below_an_unknown_zone_are_not_guessed() -> None:
    """If a zone cannot be read, nothing is scheduled in another one."""
    assert "zone set above it" in refusal("TZ=Mars/Base\n0 1 * * * first")


def test_other_variables_are_mentioned() -> None:
    """A variable is not carried over, which is said and refuses nothing."""
    translation = translated("MAILTO=me@example.com\n0 1 * * * first")
    assert translation.is_complete
    assert "MAILTO" in translation.notes[0].told


def test_a_folder_is_carried_over() -> None:
    """`cd folder && command` needs no shell."""
    assert only("0 1 * * * cd /srv/app && ./poll now")["input_data"] == {
        "operation": "run",
        "command": ["./poll", "now"],
        "cwd": "/srv/app",
    }


@pytest.mark.parametrize("silencer", [">/dev/null 2>&1", "> /dev/null", "&>/dev/null", "2>/dev/null", ">> /dev/null 2>&1"])
def test_throwing_output_away_is_mentioned(silencer: str) -> None:
    """Output that went nowhere is kept now, which is said."""
    translation = translated(f"0 1 * * * poll {silencer}")
    assert translation.tasks[0]["input_data"]["command"] == ["poll"]
    assert translation.is_complete
    assert "thrown away" in translation.notes[0].told


def test_a_percent_sign_begins_the_input() -> None:
    """As in cron, a bare % ends the command, further ones end lines, and an escaped one is itself."""
    task = only("0 1 * * * mail me%one%two 5\\%")
    assert task["input_data"] == {"operation": "run", "command": ["mail", "me"], "stdin": "one\ntwo 5%\n"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("@reboot start", "@reboot is no time"),
        ("0 1 * * * a | b", "'|'"),
        ("0 1 * * * a > file", "'>'"),
        ("0 1 * * * echo $HOME", "'$'"),
        ('0 1 * * * echo "`date`"', "'`'"),
        ("0 1 * * * ls *.txt", "'*'"),
        ("0 1 * * * ls ~/x", "'~'"),
        ("0 1 * * * a; b", "';'"),
        ("0 1 * * * FOO=1 a", "sets variables"),
        ("0 1 * * * echo 'open", "split into words"),
        ("61 * * * * a", "outside 0-59"),
        ("0 1 * * * ", "no entry"),
        ("@fortnightly a", "fortnightly"),
        ("hello", "no entry"),
    ],
)
def test_what_has_no_equal_is_refused_with_its_line(line: str, reason: str) -> None:
    """Each line that cannot be translated is named with the reason."""
    translation = translated(f"# first\n{line}")
    assert translation.notes[-1].where == "line 2"
    assert reason in refusal(line)
    assert not translation.tasks


@pytest.mark.parametrize("line", ["echo 'a|b $c *'", 'echo "a|b;c"', "echo a\\|b", "echo a#b x~y"])
def test_quoted_signs_need_no_shell(line: str) -> None:
    """Signs that a shell would take literally are literal."""
    assert translated(f"0 1 * * * {line}").is_complete
