"""Who listens to `serve`, and what is reported of processes that ended."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agentool import ConfigurationError
from agentoolkit.interrupts import is_interrupt
from agentoolkit.settings import Settings
from agentoolkit.system.events import EventMessage, get_event_bus
from agentoolkit.system.scheduler.events import Event
from agentoolkit.testing import toolkit
from agentoolkit.wiring import Toolkit

from .conftest import SECONDS, Cli, Server, wait_until

QUICK = """
tasks:
  - {name: greeting, schedule: 1 second, function: "chores:greet"}
"""
REST = """
tasks:
  - {name: resting, schedule: now, function: "chores:rest"}
"""
Start = Callable[..., Server]


@pytest.mark.parametrize("lines", [1, 6])
def test_a_reader_that_leaves_stops_nothing(cli: Cli, lines: int) -> None:
    """`serve | head` goes on, says so once on stderr, and ends with 0; no outcome is lost."""
    Path("tasks.yaml").write_text(QUICK)
    command = [sys.executable, "-W", "error", "-m", "agentool", "serve", "tasks.yaml", "--allow", "chores", "--for", "3.5"]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert serving.stdout is not None
    for _ in range(lines):
        serving.stdout.readline()
    serving.stdout.close()
    assert serving.stderr is not None
    with serving.stderr:
        said = serving.stderr.read().decode()
    assert (serving.wait(SECONDS), "Traceback" in said, said.count("nothing more is printed")) == (0, False, 1)
    assert [record["status"] for record in cli.data("history")["history"]].count("success") >= 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_stops_nothing(cli: Cli) -> None:
    """What serve prints cannot be written, and jobs run all the same."""
    Path("tasks.yaml").write_text(QUICK)
    command = [sys.executable, "-m", "agentool", "serve", "tasks.yaml", "--allow", "chores", "--for", "2.5"]
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False)
    assert cli.data("history")["count"] >= 1


class Otherwise(BaseException):
    """What no library knows."""


@pytest.mark.parametrize("error", [SystemExit(1), BrokenPipeError(), GeneratorExit(), RuntimeError(), KeyboardInterrupt(), Otherwise()])
async def test_a_listener_ends_nothing(error: BaseException) -> None:
    """Whatever it raises: the next listener hears, and the job runs on."""
    heard: list[str] = []

    def listen(event: Event) -> None:
        raise error

    async with toolkit() as kit:
        kit.scheduler.subscribe(listen)
        kit.scheduler.subscribe(lambda event: heard.append(event.type))
        call = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "a", "schedule": "1 second", **call})
        await kit.advance(seconds=3)
        history = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "a"})).data["history"]
    assert [record["status"] for record in history] == ["success"] * 3
    assert heard.count("scheduler.task.success") == 3


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), Otherwise(), asyncio.CancelledError()])
async def test_a_subscriber_of_the_bus_ends_nothing_but_its_call(error: BaseException) -> None:
    """Whatever it raises, async or not, it is told of the next event."""
    heard: list[str] = []

    async def listen(event: EventMessage) -> None:
        heard.append(event.type)
        raise error

    def hear(event: EventMessage) -> None:
        heard.append(event.type)
        raise error

    async with toolkit() as kit:
        for listener in (listen, hear):
            kit.events.subscribe("mine.*", listener)
        for _ in range(2):
            kit.events.publish("mine.done", "tests")
            await kit.events.wait_idle()
    assert heard == ["mine.done"] * 4


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C does as in a terminal, also where the tests are run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run_plainly(program: Coroutine[Any, Any, None]) -> None:
    """Run a program on an event loop that does not care for Ctrl-C, and end what it has begun."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(program)
    finally:
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()


LISTENERS = {
    "scheduler": lambda kit, press: kit.scheduler.subscribe(lambda event: press()),
    "bus": lambda kit, press: kit.events.subscribe("scheduler.*", press),
    "notification": lambda kit, press: kit.injector.get("notification").deps.subscribe(lambda notification: press()),
}


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("where", LISTENERS)
@pytest.mark.parametrize("run", [asyncio.run, run_plainly])
def test_ctrl_c_ends_the_program_whoever_listens(run: Callable[[Coroutine[Any, Any, None]], None], where: str) -> None:
    """A person's Ctrl-C is not lost in the listener in which it arrives. `asyncio.run` takes the first to cancel the program."""
    presses, pressed, went_on = 2 if run is asyncio.run else 1, list[int](), list[str]()

    def press() -> None:
        while len(pressed) < presses:
            pressed.append(1)
            signal.raise_signal(signal.SIGINT)

    async def press_here(event: EventMessage) -> None:
        press()

    async def program() -> None:
        async with Toolkit(Settings(timezone="UTC"), stop_seconds=1) as kit:
            LISTENERS[where](kit, press_here if where == "bus" else press)
            notify = {"agentool_name": "notification", "input_data": {"operation": "send", "message": "m", "targets": ["event"]}}
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "a", "schedule": "now", **notify})
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.uncancel() == 0 and presses == 2:
                    await asyncio.sleep(0.3)  # which the second ends
                    went_on.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        run(program())
    assert went_on == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_code_raises_itself_is_its_own() -> None:
    """Within `asyncio.run` a person's Ctrl-C is told from what a handler raises, by where it comes from."""
    told = list[bool]()

    async def program() -> None:
        for press in (lambda: signal.raise_signal(signal.SIGINT), lambda: signal.default_int_handler(signal.SIGINT, None)) * 2:
            try:
                press()
            except KeyboardInterrupt as error:
                told.append(is_interrupt(error))

    with suppress(KeyboardInterrupt):
        asyncio.run(program())
    assert told == [False, True, False]


@pytest.mark.parametrize("listener", [5, "print", [print], object(), lambda: None, lambda event, more: None])
async def test_what_cannot_be_called_with_an_event_is_no_listener(listener: Any) -> None:
    """At every door that takes one it is refused at once, with the reason."""
    async with toolkit() as kit:
        doors = (
            kit.scheduler.subscribe,
            kit.injector.get("notification").deps.subscribe,
            lambda found: get_event_bus(kit.injector).subscribe("task.*", found),
        )
        for subscribe in doors:
            with pytest.raises(ConfigurationError, match="cannot be called"):
                subscribe(listener)
            subscribe(print)


async def test_an_asynchronous_listener_is_refused() -> None:
    """It would be called and never awaited; an object that is called like one, too."""

    async def listen(event: Event) -> None: ...

    class Listener:
        async def __call__(self, event: Event) -> None: ...

    async with toolkit() as kit:
        for listener in (listen, Listener()):
            with pytest.raises(ConfigurationError, match="called and not awaited"):
                kit.scheduler.subscribe(listener)  # type: ignore[arg-type]


def test_a_killed_process_serves_nothing_any_more(start: Start, cli: Cli) -> None:
    """At once after kill -9: neither status nor doctor reports it, and what it ran is not said to run."""
    server = start(REST)
    wait_until(Path("resting").exists)
    wait_until(lambda: cli.data("status")["leader"] is not None)
    assert (cli.data("status")["running"], cli.data("status")["scheduler_state"]) == (True, 1)
    server.stop(signal.SIGKILL)
    status = cli.data("status")
    assert (status["leader"], status["running"], status["scheduler_state"]) == (None, False, 0)
    findings = {found["layer"]: found for found in json.loads(cli("doctor", "--json").stdout)}
    assert (findings["leader"]["state"], findings["processes"]["told"]) == ("warning", "none besides this one")
    assert re.search(r"running +0\n", cli("status").stdout)
    (record,) = cli.data("history")["history"]
    assert record["reason"] == "its process has ended; the next process that serves settles it"
    execution_id = record["execution_id"]
    assert "its process has ended" in cli("show", execution_id).stdout
    assert "its process has ended" in cli("history").stdout
    assert "Its process has ended" in cli("cancel-execution", execution_id).stdout


def test_what_serve_says_is_in_the_log(start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own lines have time and level, and are records of the log file too, and of stderr not a second time."""
    monkeypatch.setenv("AGENTOOL_LOG_FILE", str(folder / "agentool.log"))
    server = start(QUICK)
    output = server.wait_for("Ctrl-C ends it.")
    server.stop()
    (line,) = [line for line in output.splitlines() if "Ctrl-C ends it." in line]
    assert line.split()[1] == "INFO"
    records = [json.loads(line) for line in (folder / "agentool.log").read_text().splitlines()]
    assert ("INFO", "Ctrl-C ends it.") in [(record["level"], record["message"]) for record in records]
    assert output.count("Ctrl-C ends it.") == 1
