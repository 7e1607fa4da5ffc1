"""The toolkit in the background: called from many threads, blocked, forked, and ended in the middle of something."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from threading import enumerate as threads

import pytest
from bench import fleet_tool
from tests.background import work

from agentool.caller import OWN, Caller, acting_as
from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentoolkit import background
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import SchedulerError

STOP_SECONDS = 5.0
JOB = {"operation": "schedule", "schedule": "every hour", "agentool_name": "metrics", "input_data": {"operation": "export"}}


def settings(**values: object) -> Settings:
    return Settings.from_values({"timezone": "UTC", "functions": ("tests.background.work",), **values})


@pytest.fixture
def kit() -> Iterator[BackgroundToolkit]:
    with background(settings()) as kit:
        yield kit


def call(name: str, **keywords: object) -> dict[str, object]:
    """A job that calls a function of `work`, at once."""
    data = {"operation": "call", "function": f"tests.background.work:{name}", "kwargs": keywords}
    return {"operation": "schedule", "job_name": name, "schedule": "now", "agentool_name": "function", "input_data": data}


def test_sixteen_threads_call_it_at_once(kit: BackgroundToolkit) -> None:
    """Each call is answered, and nothing is lost."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: kit.run("scheduler", {**JOB, "job_name": f"job {number}"}), range(160)))
    assert {answer.data["created"] for answer in answers} == {True}
    assert kit.run("scheduler", {"operation": "list"}).data["count"] == 160


def test_jobs_run_between_calls(kit: BackgroundToolkit, tmp_path: Path) -> None:
    """Nobody waits for them."""
    file = tmp_path / "done"
    kit.run("scheduler", call("touch", file=str(file)))
    wait_for(file)


async def test_it_is_called_where_an_event_loop_runs(kit: BackgroundToolkit) -> None:
    """As in the cell of a notebook, which has one; and by `call`, which lets that loop go on."""
    assert kit.run("scheduler", {"operation": "status"}).data["running"] is True
    answer = await kit.call(lambda there: there.injector.run("scheduler", {"operation": "status"}))
    assert answer.data["running"] is True


def test_it_does_not_wait_for_itself(kit: BackgroundToolkit) -> None:
    """A handler that calls `run` is told what to write instead."""

    async def inside(_: object) -> object:
        return kit.run("scheduler", {"operation": "status"})

    with pytest.raises(ConfigurationError, match="would wait for itself"):
        kit.run_work(inside)


def test_what_a_call_raises_is_raised_to_its_caller(kit: BackgroundToolkit) -> None:
    """With its own type."""
    with pytest.raises(SchedulerError, match="No job has the id"):
        kit.run("scheduler", {"operation": "get_job", "job_id": "nothing"})


def test_a_call_is_made_as_its_thread_s_caller(kit: BackgroundToolkit) -> None:
    """An owner sees its own jobs only."""
    kit.run("scheduler", {**JOB, "job_name": "everybody's"})
    with acting_as(Caller("maria", "code", OWN)):
        kit.run("scheduler", {**JOB, "job_name": "maria's"})
        jobs = kit.run("scheduler", {"operation": "list"}).data["jobs"]
    assert [job["job_name"] for job in jobs] == ["maria's"]


def test_it_ends_with_its_block_and_leaves_no_thread() -> None:
    """And it can be started again."""
    before = {thread.name for thread in threads()}
    kit = BackgroundToolkit(settings())
    for _ in range(2):
        kit.start()
        kit.start()
        assert kit.is_alive
        kit.stop()
        kit.stop()
        assert not kit.is_alive
    assert {thread.name for thread in threads()} <= before


def test_a_handler_that_runs_is_ended_in_time(tmp_path: Path) -> None:
    """It is cancelled after three seconds."""
    with background(settings()) as kit:
        kit.run("scheduler", call("rest", file=str(tmp_path / "resting")))
        wait_for(tmp_path / "resting")
        started = time.monotonic()
    assert time.monotonic() - started < STOP_SECONDS


def test_a_handler_that_blocks_the_event_loop_is_left_behind(tmp_path: Path) -> None:
    """The end does not wait for it, and while it blocks it is known that it does."""
    released = Event()
    kit = BackgroundToolkit(settings())
    kit.start()

    async def block(_: object) -> None:
        released.wait(30)

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(kit.run_work, block)
        started = time.monotonic()
        kit.stop()
        took = time.monotonic() - started
        released.set()
        blocked.exception(5)
    assert took < STOP_SECONDS + 0.5


def test_a_toolkit_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    """To whoever starts it."""
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match=r"jobs\.db"), background(settings(database=str(tmp_path / "file" / "jobs.db"))):
        pass


def test_a_process_that_is_forked_off_has_its_own(kit: BackgroundToolkit) -> None:
    """Its first call starts another on the same settings, and the forking process goes on."""
    kit.run("scheduler", {**JOB, "job_name": "before"})
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            count = kit.run("scheduler", {"operation": "list"}).data["count"]
            kit.stop()
            os.write(write, f"jobs: {count}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"jobs: 0"
    assert kit.run("scheduler", {"operation": "list"}).data["count"] == 1
    os.close(read)
    os.close(write)


def test_processes_that_are_forked_off_after_preparation_share_no_identity(tmp_path: Path) -> None:
    """Each has an id and a process number of its own, and calls the plugins' functions itself; a tool added meanwhile is there."""
    kit = BackgroundToolkit(settings(database=str(tmp_path / "jobs.db"), plugins=("tests.background.work:register",)))
    kit.prepare()
    assert work.registered_in == []
    fleet_tool.register(late := Injector())
    kit.add_tool(late.get("noop"))
    read, write = os.pipe()
    for _ in range(2):
        if (pid := os.fork()) == 0:
            try:
                owners = kit.run_work(lambda toolkit: toolkit.scheduler.store.owners())
                mine = [owner.owner for owner in owners if owner.pid == os.getpid()]
                is_own = mine == [kit.kit.scheduler.store.owner] and "noop" in kit.kit.injector and work.registered_in == [os.getpid()]
                kit.stop()
                os.write(write, f"{mine[0]} {is_own}\n".encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    told = os.read(read, 1_000).decode().split()
    assert (told[1::2], len(set(told[::2]))) == (["True", "True"], 2)
    os.close(read)
    os.close(write)


def test_a_start_after_preparation_imports_nothing_of_ours(tmp_path: Path) -> None:
    """A process that is forked off finds everything imported, also what each AgenTool needs."""
    program = f"""
import sys
from agentoolkit.builtin_tools import BUILTIN_TOOLS
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.settings import Settings

kit = BackgroundToolkit(Settings(database={str(tmp_path / "jobs.db")!r}, plugins=("tests.background.work:register",)), runs_jobs=False)
kit.prepare()
before = set(sys.modules)
kit.start()
for name in BUILTIN_TOOLS:
    kit.kit.injector.get(name)
kit.stop()
print([name for name in set(sys.modules) - before if name.startswith(("agentool", "tests"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_preparation_leaves_nothing_open(tmp_path: Path) -> None:
    """However often: no file, no socket and no thread, which a process that is forked off would share or lack."""
    kit = BackgroundToolkit(settings(database=str(tmp_path / "jobs.db")))
    before = len(os.listdir("/dev/fd")), len(threads())
    kit.prepare()
    kit.prepare()
    assert (len(os.listdir("/dev/fd")), len(threads()), list(tmp_path.iterdir())) == (*before, [])


def test_tool_that_is_added_after_preparation_takes_the_place_of_ours() -> None:
    """As one that is added before a start."""
    kit = BackgroundToolkit(settings())
    kit.prepare()
    fleet_tool.register(made := Injector())
    own = replace(made.get("noop"), name="queue")
    kit.add_tool(own)
    kit.start()
    try:
        assert kit.kit.injector.get("queue") is own
    finally:
        kit.stop()


@pytest.mark.parametrize("database", [None, "jobs.db"])
@pytest.mark.parametrize("ending", ["", "time.sleep(0.3)", "kit.run('scheduler', resting); time.sleep(0.3)"])
def test_a_program_that_just_ends_does_so_within_five_seconds(tmp_path: Path, database: str | None, ending: str) -> None:
    """Without a `with` block, in the middle of something, and with nothing on stderr: also where no thread can be begun any more,
    as on Python 3.12."""
    stored = None if database is None else str(tmp_path / database)
    program = f"""
import threading, time

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

threading._register_atexit(lambda: setattr(threading.Thread, "start", refuse))

from agentoolkit.entrypoints.background import BackgroundToolkit
from tests.background.test_background import JOB, call, settings

kit = BackgroundToolkit(settings(**{{"database": {stored!r}}} if {stored!r} else {{}}))
kit.run("scheduler", {{**JOB, "job_name": "hourly"}})
resting = call("rest", file={str(tmp_path / "resting")!r})
{ending}
started = time.monotonic()
print(started)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=Path.cwd())
    assert (ran.returncode, ran.stderr) == (0, "")
    assert time.monotonic() - float(ran.stdout) < STOP_SECONDS + 1


def test_a_program_that_used_run_sync_and_a_thread_ends_quietly() -> None:
    """`asyncio.to_thread` leaves threads behind, which no further thread waits for."""
    program = """
import asyncio, threading

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

threading._register_atexit(lambda: setattr(threading.Thread, "start", refuse))

from typing import Literal
from agentool import BaseOperationInput, create_agentool, get_injector

class AskInput(BaseOperationInput):
    operation: Literal["ask"]

async def ask(ctx: object) -> str:
    return await asyncio.to_thread(lambda: "answer")

create_agentool("asker", AskInput, {"ask": ask})
print(get_injector().run_sync("asker", {"operation": "ask"}))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "answer\n", "")


def wait_for(file: Path) -> None:
    """Wait until a file is there, for ten seconds."""
    deadline = time.monotonic() + 10
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_many_tasks_of_one_event_loop_call_it(kit: BackgroundToolkit) -> None:
    """They do not wait for one another."""
    jobs = [{**JOB, "job_name": f"job {number}"} for number in range(50)]
    await asyncio.gather(*(kit.call(lambda there, job=job: there.injector.run("scheduler", job)) for job in jobs))
    assert kit.run("scheduler", {"operation": "list"}).data["count"] == 50
