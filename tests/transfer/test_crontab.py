"""A crontab as a task file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agentool import InvalidInput
from agentoolkit.entrypoints.cli.apply_tasks import apply_tasks
from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.settings import Settings
from agentoolkit.testing import toolkit
from agentoolkit.transfer import CrontabOptions, Translation, as_task_file, read_crontab

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def translated(text: str | bytes, **options: Any) -> Translation:
    return read_crontab(text, now=NOW, options=CrontabOptions(**options))


def only(text: str, **options: Any) -> dict[str, Any]:
    """Translate a crontab that holds one entry."""
    (task,) = translated(text, **options).tasks
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


def test_a_zone_holds_for_the_entries_below() -> None:
    """CRON_TZ is the zone of what follows, and not of what stands before it."""
    before, after = translated("0 1 * * * first\nCRON_TZ = 'Europe/Berlin'\n0 2 * * * second").tasks
    assert (before.get("timezone"), after["timezone"]) == (None, "Europe/Berlin")


def test_entries_below_an_unknown_zone_are_not_guessed() -> None:
    """If a zone cannot be read, nothing is scheduled in another one."""
    assert "zone set above it" in refusal("CRON_TZ=Mars/Base\n0 1 * * * first")


def test_other_variables_are_mentioned() -> None:
    """A variable is not carried over, which is said and refuses nothing."""
    translation = translated("PATH=/bin\n0 1 * * * first")
    assert translation.is_complete
    assert "PATH" in translation.notes[0].told


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
    ("command", "stdin"),
    [
        ('mail -s "It\'s 10pm" joe%Joe,%%Where are your kids?%', "Joe,\n\nWhere are your kids?\n"),
        ("cat%a", "a\n"),
        ("cat%a%", "a\n"),
        ("cat%", ""),
        ("cat%%", "\n"),
    ],
)
def test_the_input_ends_with_one_line_feed(command: str, stdin: str) -> None:
    """As in crontab(5)'s own example: a line feed is added only where there is none."""
    assert only(f"0 22 * * 1-5 {command}")["input_data"]["stdin"] == stdin


@pytest.mark.parametrize(
    "command", ["echo '!ref:storage_kv:key'", "cat %!ref:storage_kv:key", "echo 'a !step:b.c'", "cd !ref:storage_kv:folder && ls"]
)
@pytest.mark.parametrize("shell", [False, True])
def test_a_text_that_would_become_a_reference_is_refused(command: str, shell: bool) -> None:
    """In a crontab it means itself; here it would be looked up, so the entry is named and not taken."""
    translation = translated(f"0 9 * * * {command}\n", shell=shell)
    if not shell or "%" in command or "!step:" in command:
        assert (list(translation.tasks), "would be a reference" in translation.notes[-1].told) == ([], True)


def test_reboot_is_at_every_start() -> None:
    """What cron runs when it starts is run when the scheduler starts."""
    task = only("@reboot start -x")
    assert (task["type"], task["schedule"], task["input_data"]["command"]) == ("after", "@reboot", ["start", "-x"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
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
        ("0 1 * * * ", "not a crontab entry"),
        ("@fortnightly a", "fortnightly"),
        ("hello", "not a crontab entry"),
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


# What changes its meaning is said


@pytest.mark.parametrize("value", ["Asia/Tokyo", "", "Mars/Base"])
def test_tz_moves_no_entry(value: str) -> None:
    """TZ is a variable of the commands: only CRON_TZ sets the zone of the times, as in cron."""
    translation = translated(f"TZ={value}\n0 1 * * * first")
    assert "timezone" not in translation.tasks[0]
    assert "CRON_TZ sets the zone of the times" in translation.notes[0].told


@pytest.mark.parametrize("user", ["root", "www-data", "nobody"])
def test_the_column_of_users_is_no_program(user: str) -> None:
    """In a system's crontab the sixth column is a user: it is taken off, and both are said."""
    translation = translated(f"0 1 * * * {user} /usr/bin/clean --all\n@daily root run-parts /etc/cron.daily")
    assert [task["input_data"]["command"][0] for task in translation.tasks] == ["/usr/bin/clean", "run-parts"]
    assert "sixth column" in translation.notes[0].told


@pytest.mark.parametrize("command", ["git pull", "sync now", "/opt/backup root", "backup.sh www-data"])
def test_a_program_is_no_user(command: str) -> None:
    """What can be a program is one, unless another entry shows that there is a column of users."""
    assert only(f"0 1 * * * {command}")["input_data"]["command"] == command.split()


def test_who_ran_it_is_said() -> None:
    """A task runs as another user than before, which is no refusal."""
    translation = translated("0 1 * * * someone clean", system=True)
    assert translation.is_complete
    assert translation.notes[-1].told == "it ran as someone; here it runs as the user of `agentool serve`"


def test_a_user_without_a_command_is_refused() -> None:
    """Where a column of users is asked for, an entry without one is named."""
    assert "a user and no command" in read_crontab("0 1 * * * clean", now=NOW, options=CrontabOptions(system=True)).notes[0].told


@pytest.mark.parametrize("comment", ["#0 5 * * * /opt/old", "# */5 * * * * poll --all", "#@daily /opt/old"])
def test_an_entry_commented_out_describes_nothing(comment: str) -> None:
    """It is left out, and said, and is not what the next entry is for."""
    translation = translated(f"{comment}\n0 1 * * * new")
    assert "description" not in translation.tasks[0]
    assert (translation.is_complete, "commented-out" in translation.notes[0].told) == (True, True)


@pytest.mark.parametrize("comment", ["# m h  dom mon dow   command", "# ---------", "#", "# minute hour dom"])
def test_headings_describe_nothing(comment: str) -> None:
    """Column names and rules are no description."""
    assert "description" not in only(f"{comment}\n0 1 * * * new")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_costs_no_entry(mark: bytes) -> None:
    """The first line is read with and without it."""
    assert len(translated(mark + b"0 1 * * * first\r\n0 2 * * * second\r\n").tasks) == 2


def test_one_line_that_is_not_utf8_costs_that_line() -> None:
    """It is named with the byte, all others are translated, and the translation is not complete."""
    translation = translated("# nett\n0 1 * * * first\n0 2 * * * grüßen\n0 3 * * * third".encode("latin-1"))
    assert [task["name"] for task in translation.tasks] == ["first", "third"]
    assert translation.notes[0] == ("line 3", "it is not UTF-8: byte 13 is 0xFC", True)


def test_entries_below_a_zone_that_is_not_utf8_are_not_guessed() -> None:
    """A zone that cannot be read is as good as unknown."""
    assert "zone set above it" in translated(b"CRON_TZ=Z\xfcrich\n0 1 * * * first").notes[-1].told


def test_half_a_character_is_named() -> None:
    """A surrogate that came in as text is no letter of a command."""
    assert "line 2" in str(translated("0 1 * * * first\n0 2 * * * a\ud800").notes[0])


def test_utf16_is_refused() -> None:
    """Nothing of such a file is guessed."""
    with pytest.raises(InvalidInput, match="UTF-16"):
        translated("0 1 * * * first".encode("utf-16"))


def test_other_line_breaks_end_no_line() -> None:
    """Only line feeds end the lines of a crontab."""
    assert only("0 1 * * * 'a\x0bb\u2028c'")["input_data"]["command"] == ["a\x0bb\u2028c"]


# Crontabs as they are


@pytest.mark.parametrize("line", ["a | b", "cd $HOME && ./poll > log 2>&1", "[ -x /bin/a ] && /bin/a", "FOO=1 a", "a >> /var/log/a.log"])
def test_a_shell_runs_what_needs_one(line: str) -> None:
    """With `shell` such a line is the argument of sh -c, as it is written."""
    assert only(f"0 1 * * * {line}", shell=True)["input_data"]["command"] == ["sh", "-c", line]


def test_what_needs_no_shell_gets_none() -> None:
    """With `shell`, too, an argument list is one."""
    assert only("0 1 * * * poll now", shell=True)["input_data"]["command"] == ["poll", "now"]


def test_the_shell_is_the_crontabs() -> None:
    """SHELL names another one; the task is named after its program."""
    task = only("SHELL=/bin/bash\n0 1 * * * /opt/a.sh | b%in", shell=True)
    assert (task["name"], task["input_data"]["command"], task["input_data"]["stdin"]) == ("a", ["/bin/bash", "-c", "/opt/a.sh | b"], "in\n")


def test_without_a_shell_the_way_is_named() -> None:
    """The refusal names the option."""
    assert "--shell" in refusal("0 1 * * * a | b")


@pytest.mark.parametrize("redirection", [">> /var/log/a.log 2>&1", "> a.log", "&>> a.log"])
def test_output_to_a_file_goes_to_the_log(redirection: str) -> None:
    """With `log` a second step writes into the log what the command printed."""
    translation = translated(f"0 1 * * * poll now {redirection}", log=True)
    first, second = translation.tasks[0]["input_data"]["steps"]
    assert first["input_data"]["command"] == ["poll", "now"]
    assert (second["agentool_name"], second["input_data"]["data"]["stdout"]) == ("logging", "!step:run.stdout")
    assert "is written into the log now" in translation.notes[0].told


def test_mailto_is_a_notification_of_failures() -> None:
    """With `notify`, each entry below an address has a task that tells of its failure; MAILTO="" ends that."""
    tasks = translated('MAILTO=me@example.com\n0 1 * * * a\nMAILTO=""\n0 2 * * * b', notify="mail").tasks
    assert [task["name"] for task in tasks] == ["a", "a-failed", "b"]
    assert (tasks[1]["schedule"], tasks[1]["input_data"]["targets"]) == ("after a failed", ["mail"])


def test_mailto_without_a_target_is_mentioned() -> None:
    """The option that carries it over is named."""
    assert "--notify TARGET" in translated("MAILTO=me@example.com\n0 1 * * * a").notes[0].told


async def test_what_is_translated_can_be_scheduled() -> None:
    """The scheduler takes the tasks of all options: programs are allowed, targets and references are known."""
    text = "MAILTO=me\n0 1 * * * true >> a.log\n0 2 * * * true | cat\n0 3 * * * cat%in"
    tasks = read_tasks(as_task_file(translated(text, shell=True, log=True, notify="log")))
    async with toolkit(settings=Settings(database=None, programs=("true", "sh", "cat"))) as kit:
        applied = await apply_tasks(kit.injector, tasks)
    assert [task.mark for task in applied] == ["new"] * 6


# What a shell would read otherwise


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("poll /srv/disk1>/dev/null", ["poll", "/srv/disk1"]),
        ("poll /srv/disk2>>/dev/null 2>&1", ["poll", "/srv/disk2"]),
        ("poll disk1 1>/dev/null", ["poll", "disk1"]),
        ("poll disk1 2>/dev/null", ["poll", "disk1"]),
    ],
)
def test_a_digit_at_a_words_end_is_no_stream(command: str, words: list[str]) -> None:
    """A shell takes a digit before > for a stream only if it stands by itself: else it belongs to the argument."""
    assert only(f"0 1 * * * {command}")["input_data"]["command"] == words


def test_a_digit_at_a_words_end_stays_when_output_went_to_a_file() -> None:
    """The same with `log`."""
    steps = only("0 1 * * * poll disk1>/tmp/out", log=True)["input_data"]["steps"]
    assert steps[0]["input_data"]["command"] == ["poll", "disk1"]


@pytest.mark.parametrize(
    "command",
    ["poll 2>/tmp/err", "poll 2>> /tmp/err", "poll 3>/dev/null", "poll 12>/dev/null", "poll >/tmp/out 2>/tmp/err", "poll <>/dev/null"],
)
@pytest.mark.parametrize("log", [False, True])
def test_what_redirects_another_stream_needs_a_shell(command: str, log: bool) -> None:
    """Only stdout can go to the log: the number of another stream must not become an argument."""
    translation = translated(f"0 1 * * * {command}", log=log)
    assert (translation.tasks, "needs a shell" in translation.notes[-1].told) == ([], True)


@pytest.mark.parametrize("command", ["echo a\\>/dev/null", "echo a\\> /tmp/b"])
def test_an_escaped_sign_redirects_nothing(command: str) -> None:
    """It is a letter of the argument."""
    (task,) = translated(f"0 1 * * * {command}", log=True).tasks
    assert ">" in task["input_data"]["command"][1]


@pytest.mark.parametrize("command", ["cp /etc/a{,.bak}", "rm /tmp/{a,b}", "touch {1..3}", "cd /srv/{a,b} && ./x", "cd /srv/app-* && ./x"])
def test_a_pattern_needs_a_shell(command: str) -> None:
    """Some shells write out braces: here they would be letters, and a folder's stars too."""
    assert "which needs a shell" in refusal(f"0 1 * * * {command}")


@pytest.mark.parametrize(
    "command", ["find /srv -name '*.log' -delete -exec ls {} +", 'curl -d \'{"a": 1, "b": 2}\' x', "git show HEAD@{1}"]
)
def test_other_braces_need_none(command: str) -> None:
    """Empty braces, quoted ones and those without a list are letters to every shell."""
    assert translated(f"0 1 * * * {command}").is_complete


@pytest.mark.parametrize("command", ["exec /opt/a", "source /opt/env", ". /opt/env", "umask 077", "eval ls", "! a"])
def test_a_command_of_the_shell_itself_needs_one(command: str) -> None:
    """There is no program of this name."""
    word = command.split()[0]
    assert f"it uses {word!r}, which needs a shell" in refusal(f"0 1 * * * {command}")
    assert only(f"0 1 * * * {command}", shell=True)["input_data"]["command"] == ["sh", "-c", command]


@pytest.mark.parametrize("word", ["1e3", "2E5", "on", "12:30", "a\x85b", "\u2028x", "0x1F"])
def test_a_task_file_has_the_words_of_the_crontab(word: str) -> None:
    """What is read from the file is what was translated: no word becomes a number or loses a letter."""
    translation = translated(f"0 1 * * * poll '{word}'")
    for ascii_only in (False, True):
        (task,) = read_tasks(as_task_file(translation, ascii_only=ascii_only))
        assert (task.input_data or {})["command"] == ["poll", word]


def test_a_task_may_be_named_like_a_number() -> None:
    """A program's name is text."""
    assert read_tasks(as_task_file(translated("0 1 * * * /opt/1e3")))[0].name == "1e3"


def test_a_long_comment_and_a_long_name_are_cut() -> None:
    """A task file takes descriptions and names up to a length; the crontab has no such limit."""
    tasks = read_tasks(as_task_file(translated(f"# {'c' * 3_000}\n0 1 * * * /opt/{'p' * 300}\n0 2 * * * /opt/{'p' * 300}")))
    assert [len(task.description or "") for task in tasks] == [2_000, 0]
    assert len({task.name for task in tasks}) == 2


# Where cron starts a command


@pytest.mark.parametrize(
    ("line", "cwd"),
    [
        ("0 1 * * * bin/poll now", "~"),
        ("0 1 * * * ./poll", "~"),
        ("0 1 * * * cd app && ./poll", "~/app"),
        ("0 1 * * * cd ../app && poll", "~/../app"),
        ("HOME=/srv/me\n0 1 * * * bin/poll", "/srv/me"),
        ("HOME=/srv/me\n0 1 * * * cd app && poll", "/srv/me/app"),
    ],
)
def test_a_relative_path_begins_in_the_home_folder(line: str, cwd: str) -> None:
    """Cron starts commands there, or in the folder that HOME names; the folder of the task file is another one."""
    assert only(line)["input_data"]["cwd"] == cwd


@pytest.mark.parametrize("command", ["/opt/poll", "poll", "poll a/b", "perl -c a/b", "sh -c 'a/b'"])
def test_a_command_without_a_relative_program_needs_no_folder(command: str) -> None:
    """Only a program's path and `cd` are known to be paths."""
    assert "cwd" not in only(f"0 1 * * * {command}")["input_data"]


@pytest.mark.parametrize(
    ("command", "cwd"), [("bin/poll | b", "~"), ("cd app && ./poll | b", "~"), ("cd /app && ./poll | b", None), ("a | bin/b", None)]
)
def test_a_shell_begins_in_the_home_folder_too(command: str, cwd: str | None) -> None:
    """With `shell`, where the line begins with a relative path."""
    assert only(f"0 1 * * * {command}", shell=True)["input_data"].get("cwd") == cwd


def test_another_users_home_folder_is_named() -> None:
    """In a system's crontab the home is that of the entry's user."""
    assert only("0 1 * * * someone bin/poll", system=True)["input_data"]["cwd"] == "~someone"


@pytest.mark.parametrize(("value", "jitter"), [("10", 600.0), ("'45'", 2_700.0), ("0", None)])
def test_a_random_delay_is_a_spread(value: str, jitter: float | None) -> None:
    """Minutes by which cron delays the entries below it; `@reboot` has no due time that could be delayed."""
    first, second, third = translated(f"0 1 * * * first\nRANDOM_DELAY={value}\n0 2 * * * second\n@reboot third").tasks
    assert (first.get("jitter"), second.get("jitter"), third.get("jitter")) == (None, jitter, None)


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "99999", "9" * 5_000])
def test_a_random_delay_that_cannot_be_read_is_mentioned(value: str) -> None:
    """The entries below it are translated without one, which is said."""
    translation = translated(f"RANDOM_DELAY={value}\n0 1 * * * first")
    assert ("jitter" in translation.tasks[0], "RANDOM_DELAY" in translation.notes[0].told) == (False, True)


async def test_a_random_delay_can_be_scheduled() -> None:
    """A task file takes it."""
    (task,) = read_tasks(as_task_file(translated("RANDOM_DELAY=10\n0 1 * * * true")))
    assert task.jitter == 600.0
