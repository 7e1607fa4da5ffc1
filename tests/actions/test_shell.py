"""The AgenTool ``shell`` with real programs: what it runs, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from agentool import Injector, InvalidInput
from agentoolkit.actions import process_group
from agentoolkit.actions.processes import Command, run_command
from agentoolkit.actions.shell import CommandFailed, CommandNotAllowed, CommandTimedOut, create_shell_agent
from agentoolkit.settings import ShellSettings

PYTHON = sys.executable
RULES = {"programs": (PYTHON, "echo", "cat", "sleep", "yes", "env", "pwd", "sh"), "timeout": 20.0}

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        if len(sys.argv) > 1:
            os.setsid()
        while True:
            time.sleep(1)
print("ready", flush=True)
while True:
    time.sleep(1)
"""
"""A program that ignores SIGTERM, with three children that do too."""


def shell(**rules):
    injector = Injector()
    create_shell_agent(ShellSettings(**{**RULES, **rules}), injector=injector)

    async def run(command, **fields):
        return await injector.run("shell", {"operation": "run", "command": command, **fields})

    run.check = lambda command, **fields: injector.get("shell").check({"operation": "run", "command": command, **fields})
    return run


def running(mark: str) -> list[psutil.Process]:
    """Processes, other than zombies, whose command line holds a mark."""
    listed = psutil.process_iter(["cmdline", "status"])
    alive = [process for process in listed if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in alive if mark in " ".join(process.info["cmdline"] or ())]


async def running_soon(mark: str, number: int) -> None:
    """Wait until so many processes bear the mark, five seconds at most."""
    for _ in range(250):
        if len(running(mark)) == number:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{len(running(mark))} processes run instead of {number}")


# What it runs


async def test_a_list_is_program_and_arguments():
    """A list of words reaches the program as it is, whatever characters are in it."""
    output = await shell()([PYTHON, "-c", "import sys; print(sys.argv[1:])", "a b", "$HOME; rm *"])
    assert (output.exit_code, output.stdout) == (0, "['a b', '$HOME; rm *']\n")


async def test_a_string_is_split_and_not_given_to_a_shell():
    """A string is split at spaces with respect to quotes, and nothing in it is expanded."""
    assert (await shell()("echo 'a  b' $HOME *")).stdout == "a  b $HOME *\n"


@pytest.mark.parametrize("command", ["echo a | cat", "echo a && echo b", "echo a > file", "echo a ; echo b"])
def test_a_string_for_a_shell_is_refused(command):
    """Pipes, lists and redirections are refused with a way out, and not passed on as arguments."""
    with pytest.raises(InvalidInput, match=r"none here.*sequence"):
        shell().check(command)


@pytest.mark.parametrize("command", ["", "   ", [], [""], ["echo", "a\0b"], "echo 'open"])
def test_no_command_is_refused(command):
    """Nothing, an open quote and a null character are no command."""
    with pytest.raises(InvalidInput):
        shell().check(command)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("stdin", {"command": ["sleep", "4101"], "stdin": "\ud800"}),
        ("command", {"command": ["sleep", "4101", "\ud800"]}),
        ("command", {"command": "sleep 4101 \ud800"}),
        ("command", {"command": ["sleep", "4101\0"]}),
        ("env", {"command": ["sleep", "4101"], "env": {"MODE": "a\0b"}}),
        ("env", {"command": ["sleep", "4101"], "env": {"MODE": "\udfff"}}),
        ("cwd", {"command": ["sleep", "4101"], "cwd": "a\0b"}),
        ("cwd", {"command": ["sleep", "4101"], "cwd": "\ud800"}),
        ("cwd", {"command": ["sleep", "4101"], "cwd": "~nobody-of-this-name"}),
        ("cwd", {"command": ["sleep", "4101"], "cwd": "a" * 5000}),
    ],
)
async def test_text_that_no_program_can_be_given_is_refused(tmp_path, monkeypatch, field, fields):
    """Half a character pair, a null character and a home of nobody are refused by field and remedy, and nothing is started."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as refused:
        await shell(variables=("MODE",), folders=(str(tmp_path),))(**fields)
    assert (refused.value.field, bool(refused.value.remedy), running("4101")) == (field, True, [])


async def test_a_null_character_in_stdin_reaches_the_program():
    """What a program reads may hold any character."""
    assert (await shell()(["cat"], stdin="a\0b")).stdout == "a\0b"


async def test_a_program_that_cannot_be_fed_is_ended(tmp_path):
    """Whatever goes wrong after the start, the program does not outlive it."""
    wrong = {"stdin": "text in place of bytes", "executable": Path(PYTHON), "cwd": tmp_path, "env": {}}
    arguments = ("-c", "import time; time.sleep(4102)")
    with pytest.raises((TypeError, AssertionError)):
        await run_command(Command(**wrong, arguments=arguments, timeout=20.0, output_limit=1000))
    await running_soon("4102", 0)


def test_a_circle_of_links_is_no_program(tmp_path):
    """A path that leads round in a circle is a program that is not allowed."""
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(CommandNotAllowed):
        shell().check([str(tmp_path / "round" / "echo")])


async def test_stdin_reaches_the_program():
    """Text given as stdin is what the program reads, to its end."""
    assert (await shell()(["cat"], stdin="ä\n" * 50_000)).stdout == "ä\n" * 50_000


async def test_without_stdin_the_program_reads_nothing():
    """A program that reads its standard input meets its end at once."""
    assert (await shell()(["cat"])).stdout == ""


async def test_a_program_that_does_not_read_its_stdin_ends_well():
    """Input that nobody reads is no failure."""
    assert (await shell()(["echo", "a"], stdin="x" * 1_000_000)).exit_code == 0


async def test_bytes_that_are_no_text_are_replaced():
    """Output that is not UTF-8 comes with replacement characters."""
    assert (await shell()([PYTHON, "-c", "import os; os.write(1, b'a\\xffb')"])).stdout == "a\ufffdb"


# Failure


async def test_another_exit_code_than_0_is_a_failure():
    """The failure tells the exit code and the end of stderr."""
    code = "import sys; print('x' * 5000, 'disk full', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandFailed, match="exit code 3") as failed:
        await shell()([PYTHON, "-c", code])
    assert (failed.value.exit_code, len(failed.value.output), failed.value.output[-9:]) == (3, 2000, "disk full")


async def test_check_false_accepts_any_exit_code():
    """With check false the exit code is part of the answer."""
    assert (await shell()([PYTHON, "-c", "import sys; sys.exit(3)"], check=False)).exit_code == 3


async def test_a_signal_is_named():
    """A program that a signal ended fails with the signal's name."""
    with pytest.raises(CommandFailed, match="SIGKILL"):
        await shell()([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"])


async def test_a_signal_without_a_name_is_numbered():
    """A program that a real-time signal ended fails like any other, with the signal's number."""
    with pytest.raises(CommandFailed, match="signal 35") as failed:
        await shell()([PYTHON, "-c", "import os; os.kill(os.getpid(), 35)"])
    assert failed.value.exit_code == -35


async def test_a_file_that_is_no_program_fails(tmp_path):
    """An allowed file that cannot be executed is a failure that says why."""
    script = tmp_path / "script"
    script.write_text("not a program")
    with pytest.raises(CommandFailed, match="Permission denied"):
        await shell(programs=(str(script),))([str(script)])


# What is allowed


def test_without_a_list_every_program_is_refused():
    """By default nothing runs, and the refusal names the setting."""
    with pytest.raises(CommandNotAllowed, match=r"none.*`programs`"):
        shell(programs=()).check("echo a")


def test_a_program_that_is_not_listed_is_refused():
    """The refusal names what is allowed."""
    with pytest.raises(CommandNotAllowed, match="'rm' is not allowed; allowed are echo"):
        shell(programs=("echo",)).check("rm -rf /")


@pytest.mark.parametrize("program", ["no-such-program", "cleanup.sh", "größe"])
def test_a_program_that_is_allowed_and_not_there_is_said_to_be_missing(program):
    """It is no question of what is allowed, so no setting is advised."""
    with pytest.raises(InvalidInput, match="is allowed, but not found") as refused:
        shell(programs=(program,)).check([program])
    assert "AGENTOOL_PROGRAMS" not in str(refused.value)


def test_a_file_of_the_same_name_elsewhere_is_refused(tmp_path):
    """What counts is the file that would be run, not what it is called."""
    fake = tmp_path / "echo"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    with pytest.raises(CommandNotAllowed):
        shell().check([str(fake)])


def test_a_path_to_an_allowed_program_may_be_written_in_another_way(tmp_path):
    """A detour to the very file that is allowed is allowed."""
    detour = Path(PYTHON).parent / ".." / Path(PYTHON).parent.name / Path(PYTHON).name
    assert shell().check([str(detour), "-V"])


async def test_a_listed_path_can_be_called_by_its_name(tmp_path):
    """A script that is listed with its path can be called without it."""
    script = tmp_path / "backup.sh"
    script.write_text("#!/bin/sh\necho saved $1\n")
    script.chmod(0o755)
    assert (await shell(programs=(str(script),))("backup.sh all")).stdout == "saved all\n"


async def test_a_command_works_in_an_allowed_folder(tmp_path):
    """The first allowed folder is where a command works, and those inside of it can be chosen."""
    (tmp_path / "inner").mkdir()
    run = shell(folders=(str(tmp_path),))
    assert (await run("pwd")).stdout.strip() == str(tmp_path)
    assert (await run("pwd", cwd=str(tmp_path / "inner"))).stdout.strip() == str(tmp_path / "inner")


@pytest.mark.parametrize("cwd", ["/", "..", "link"])
def test_a_folder_elsewhere_is_refused(tmp_path, cwd):
    """Neither a path, nor dots, nor a link lead out of the allowed folders."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to("/")
    with pytest.raises(CommandNotAllowed, match="shell_folders"):
        shell(folders=(str(allowed),)).check("pwd", cwd=str(allowed / cwd))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    """A folder is looked for when the command is scheduled."""
    with pytest.raises(InvalidInput, match="no folder"):
        shell(folders=(str(tmp_path),)).check("pwd", cwd=str(tmp_path / "gone"))


async def test_the_environment_is_clean(monkeypatch):
    """A command gets a few basic variables and the named ones, and no secret of this process."""
    monkeypatch.setenv("API_SECRET", "hidden")
    monkeypatch.setenv("REGION", "north")
    lines = (await shell(variables=("REGION", "MODE"))("env", env={"MODE": "fast"})).stdout.splitlines()
    assert {"REGION=north", "MODE=fast"} <= set(lines)
    assert not any("hidden" in line for line in lines)


def test_a_variable_that_is_not_named_is_refused():
    """A call sets only variables whose names are allowed."""
    with pytest.raises(CommandNotAllowed, match="LD_PRELOAD"):
        shell(variables=("MODE",)).check("env", env={"LD_PRELOAD": "x.so"})


# Limits


async def test_whoever_listens_hears_what_is_beyond_the_limit():
    """The end of what a program writes, which tells most, is told as it comes; a character that comes in two pieces is one."""
    heard = list[str]()
    script = (
        "import os, time; [os.write(1, b'x' * 99) for _ in range(100)]; os.write(1, 'ü'.encode()[:1]); time.sleep(0.05);"
        "os.write(1, 'ü'.encode()[1:]); os.write(2, '€'.encode()[:2])"
    )
    limits = {"executable": Path(PYTHON), "cwd": Path.cwd(), "env": {}, "stdin": None, "timeout": 20.0, "output_limit": 1000}
    ended = await run_command(Command(**limits, arguments=["-S", "-c", script], heard=heard.append))
    said = "".join(heard)
    assert (len(ended.stdout), said.count("x"), said.count("ü"), said.count("�")) == (1000, 9900, 1, 1)


async def test_output_beyond_the_limit_is_dropped_and_counted():
    """Of each stream the beginning is kept, and the answer says how much is not."""
    output = await shell(output_limit=1000)([PYTHON, "-c", "print('x' * 99_999)"])
    assert (len(output.stdout), output.dropped) == (1000, 99_000)


async def test_a_call_cannot_take_longer_than_the_setting():
    """The setting's limit holds whatever a call asks for."""
    with pytest.raises(CommandTimedOut, match=r"within 0\.1 s"):
        await shell(timeout=0.1)("sleep 30", timeout=60)


# Nothing is left behind


async def test_endless_output_ends_in_time_and_within_the_limit():
    """`yes` is ended when its time is up, with no more kept than the limit."""
    began = time.monotonic()
    with pytest.raises(CommandTimedOut) as failed:
        await shell(output_limit=1000)("yes endless-7f3a", timeout=0.3)
    assert time.monotonic() - began < 8
    assert len(failed.value.output) <= 1000
    assert running("endless-7f3a") == []


async def test_endless_output_leaves_the_event_loop_to_others():
    """While a program writes without end, timers are late by some milliseconds, save for what a busy machine adds to one or another."""
    flood = asyncio.ensure_future(shell(output_limit=1000)("yes", timeout=0.5))
    late: list[float] = []
    while not flood.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        late.append(time.monotonic() - before - 0.01)
    assert isinstance(flood.exception(), CommandTimedOut)
    assert median(late) < 0.5


@pytest.mark.parametrize("leaves", ["in the group", "in sessions of their own"])
async def test_a_program_and_its_children_that_ignore_sigterm_are_ended(leaves, figure):
    """Within two seconds of the limit nothing is left of a tree that ignores SIGTERM, even if it left the group."""
    mark = f"stubborn-{leaves[-3:]}-91c"
    began = time.monotonic()
    with pytest.raises(CommandTimedOut):
        await shell()([PYTHON, "-c", f"#{mark}\n{STUBBORN}", *(["apart"] if "own" in leaves else [])], timeout=0.5)
    took, left = time.monotonic() - began - 0.5, running(mark)
    figure(29, f"children {leaves} that ignore SIGTERM: {len(left)} left {took:.2f} s after the limit")
    assert took < 8
    assert left == []


async def test_the_table_of_processes_is_read_a_few_times_only(monkeypatch):
    """While a program that ignores SIGTERM is waited for, all of the machine's processes are looked through a few times at most."""
    looked, original = [], process_group.ProcessGroup._members
    monkeypatch.setattr(process_group.ProcessGroup, "_members", lambda group: looked.append(group) or original(group))
    with pytest.raises(CommandTimedOut):
        await shell()([PYTHON, "-c", STUBBORN, "apart"], timeout=0.5)
    assert len(looked) <= 6


async def test_a_timeout_does_not_promise_more_than_was_done():
    """A child that left its session with an empty environment cannot be found, so the error speaks of those that could."""
    with pytest.raises(CommandTimedOut, match=r"was ended, with the children that could be found\."):
        await shell(timeout=0.1)("sleep 30")


async def test_a_cancelled_call_ends_its_program():
    """Cancelling the caller ends the program and its children, as a timeout does."""
    call = asyncio.ensure_future(shell()([PYTHON, "-c", f"#cancelled-55e\n{STUBBORN}"]))
    await running_soon("cancelled-55e", 4)
    call.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - began < 8
    assert running("cancelled-55e") == []


@pytest.mark.parametrize("turns", range(1, 7))
async def test_a_call_cancelled_while_it_starts_ends_its_program(turns):
    """However early a call is cancelled, it ends soon, and nothing of its program is left."""
    call = asyncio.ensure_future(shell()([PYTHON, "-c", f"#early-55e\n{STUBBORN}"]))
    for _ in range(turns):
        await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251  the program has its children before the event loop knows that it was started
    call.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await call
    await running_soon("early-55e", 0)


async def test_a_call_cancelled_twice_ends_its_program_at_once():
    """A caller that cannot wait for SIGTERM to work leaves nothing behind either."""
    call = asyncio.ensure_future(shell()([PYTHON, "-c", f"#twice-55e\n{STUBBORN}"]))
    await running_soon("twice-55e", 4)
    call.cancel()
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await running_soon("twice-55e", 0)
    for _ in range(50):  # until the event loop has noticed
        await asyncio.sleep(0.01)
        if not psutil.Process().children():
            break


async def test_what_a_program_leaves_in_the_background_is_ended_with_it():
    """A program that ends well while a child of its holds the output open is not waited for."""
    began = time.monotonic()
    output = await shell()(["sh", "-c", "sleep 3117 & echo done"])
    assert output.stdout == "done\n"
    assert time.monotonic() - began < 8
    assert running("sleep 3117") == []


async def test_a_program_that_cleans_up_may_do_so():
    """SIGTERM comes first, so a program can end in good order."""
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (print('cleaned up', flush=True), sys.exit()))\ntime.sleep(60)"
    )
    with pytest.raises(CommandTimedOut) as failed:
        await shell()([PYTHON, "-c", code], timeout=0.5)
    assert failed.value.output == "cleaned up"


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("echo a; echo b", ";"),
        ("echo a|wc", "|"),
        ("echo a >file", ">"),
        ("echo a>>file", ">>"),
        ("echo a&&rm b", "&&"),
        ("echo a&", "&"),
        ("(echo a)", "( )"),
        ("echo a 2>&1", ">&"),
        ("echo a\nrm b", "a line break"),
        ("echo $(date)", "$( )"),
        ('echo "it is $(date)"', "$( )"),
        ("echo `date`", "`"),
        ("echo 'a' \\'; rm b", ";"),
    ],
)
def test_what_only_a_shell_could_carry_out_is_refused(command, found):
    """Operators and substitutions that are not quoted, with or without spaces around them, and the refusal names them."""
    with pytest.raises(InvalidInput) as refused:
        shell().check(command)
    assert f"written for a shell ({found})" in str(refused.value)


@pytest.mark.parametrize(
    ("command", "split"),
    [
        ("echo '|' f", ["|", "f"]),
        ("echo \"a; b\" 'c && d'", ["a; b", "c && d"]),
        ("echo a\\;b \\| x", ["a;b", "|", "x"]),
        ("echo $HOME * a#b", ["$HOME", "*", "a#b"]),
        ("echo 'a\nb'\n", ["a\nb"]),
    ],
)
async def test_what_is_quoted_is_text(command, split):
    """The same characters, quoted or escaped, are arguments, as a POSIX shell would read them."""
    assert (await shell()(command)).command[1:] == split
