"""The toolkit for tests: it touches nothing outside memory, and its clock waits for real work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from pydantic_ai import Agent
from tests.agents.scripts import scripted

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit.actions.agent import register_agent
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, RealWorkHangs, TestToolkit, toolkit
from agentoolkit.waits_in_real_time import RealWork
from agentoolkit.wiring import Toolkit

DAYS = 30


class WorkInput(BaseOperationInput):
    operation: Literal[
        "program", "connection", "socket", "threads", "anyio_threads", "many_turns", "event", "pause", "bounded", "long_pause"
    ]


class WorkOutput(BaseOperationInput):
    operation: str = "done"


async def program(ctx: RunContext[Any]) -> WorkOutput:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(0.1)")
    assert await process.wait() == 0
    return WorkOutput()


async def connection(ctx: RunContext[Any]) -> WorkOutput:
    reader, writer = await asyncio.open_connection("127.0.0.1", ctx.deps)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert await reader.read()
    writer.close()
    await writer.wait_closed()
    return WorkOutput()


async def bare_socket(ctx: RunContext[Any]) -> WorkOutput:
    loop = asyncio.get_running_loop()
    with socket.socket() as asking:
        asking.setblocking(False)
        await loop.sock_connect(asking, ("127.0.0.1", ctx.deps))
        await loop.sock_recv(asking, 100)
    return WorkOutput()


async def threads(ctx: RunContext[Any]) -> WorkOutput:
    await asyncio.gather(asyncio.to_thread(time.sleep, 0.02), asyncio.to_thread(time.sleep, 0.03))
    return WorkOutput()


async def anyio_threads(ctx: RunContext[Any]) -> WorkOutput:
    """One after another, so that a thread is used again, then two at once, past the default limiter."""
    await anyio.to_thread.run_sync(time.sleep, 0.02)
    limiter = anyio.CapacityLimiter(2)
    await asyncio.gather(*(anyio.to_thread.run_sync(time.sleep, 0.02, limiter=limiter) for _ in range(2)))
    return WorkOutput()


async def many_turns(ctx: RunContext[Any]) -> WorkOutput:
    for _ in range(500):
        await asyncio.sleep(0)
    return WorkOutput()


async def pause(ctx: RunContext[Any]) -> WorkOutput:
    await asyncio.sleep(0.02)
    return WorkOutput()


async def bounded(ctx: RunContext[Any]) -> WorkOutput:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            await asyncio.Event().wait()
    return WorkOutput()


async def long_pause(ctx: RunContext[Any]) -> WorkOutput:
    await asyncio.sleep(3600)
    return WorkOutput()


async def event(ctx: RunContext[Any]) -> WorkOutput:
    await asyncio.Event().wait()
    return WorkOutput()


HANDLERS = {
    "program": program,
    "connection": connection,
    "socket": bare_socket,
    "threads": threads,
    "anyio_threads": anyio_threads,
    "many_turns": many_turns,
    "event": event,
    "pause": pause,
    "bounded": bounded,
    "long_pause": long_pause,
}


async def statuses(kit: TestToolkit, agentool_name: str, input_data: dict[str, Any], days: int = DAYS) -> list[str]:
    """Run a job once a day and return how each execution ended."""
    job = {"operation": "schedule", "job_id": "job", "schedule": "1 day", "agentool_name": agentool_name, "input_data": input_data}
    await kit.injector.run("scheduler", job)
    await kit.advance(days=days, hours=1)
    found = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "job", "limit": 100})
    return [record["status"] for record in found.data["history"]]


async def test_the_clock_waits_for_an_agents_plain_functions() -> None:
    """A tool that is a plain function runs in a thread, and two that a model calls at once in two."""
    agent = Agent(scripted(("look", {}), [("look", {}), ("look", {})], "done"))

    @agent.tool_plain
    def look() -> str:
        time.sleep(0.02)
        return "seen"

    async with toolkit() as kit:
        register_agent("a", agent)
        assert await statuses(kit, "agent", {"operation": "run", "agent": "a", "prompt": "go"}, 1) == ["success"]


@pytest.mark.parametrize("work", ["program", "threads", "anyio_threads", "many_turns", "pause", "bounded"])
async def test_the_clock_waits_for_real_work_of_a_handler(work: str) -> None:
    """While a handler waits for a program or threads, pauses for a moment, or simply takes many turns, the time stands."""
    async with toolkit() as kit:
        create_agentool("work", WorkInput, HANDLERS, deps=None)
        assert await statuses(kit, "work", {"operation": work}, 10) == ["success"] * 10


async def test_the_clock_waits_for_connections() -> None:
    """While a handler waits for an answer over the network, the time stands."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nx")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, toolkit() as kit:
        create_agentool("work", WorkInput, HANDLERS, deps=server.sockets[0].getsockname()[1])
        assert await statuses(kit, "work", {"operation": "connection"}, 10) == ["success"] * 10


async def test_the_clock_waits_for_bare_sockets() -> None:
    """While a handler waits on a socket of its own, for an answer from elsewhere, the time stands."""

    class Slow(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            time.sleep(0.02)
            self.request.sendall(b"x")

    with socketserver.TCPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        async with toolkit() as kit:
            create_agentool("work", WorkInput, HANDLERS, deps=server.server_address[1])
            found = await statuses(kit, "work", {"operation": "socket"}, 10)
        server.shutdown()
    assert found == ["success"] * 10


async def test_the_clock_waits_for_templates() -> None:
    """A template is rendered by another process, 30 of 30 times."""
    async with toolkit() as kit:
        assert await statuses(kit, "templates", {"operation": "render", "template": "{{ 1 + 1 }}"}) == ["success"] * DAYS


async def test_the_clock_waits_for_commands() -> None:
    """The shell AgenTool's programs end in time, 5 of 5 times."""
    async with toolkit(settings=Settings(timezone="UTC", programs=(sys.executable,))) as kit:
        call = {"operation": "run", "command": [sys.executable, "-c", "import time; time.sleep(0.1)"]}
        assert await statuses(kit, "shell", call, 5) == ["success"] * 5


async def test_the_clock_waits_for_functions() -> None:
    """A function that blocks ends in time."""
    async with toolkit(settings=Settings(timezone="UTC", functions=("time",))) as kit:
        call = {"operation": "call", "function": "time:sleep", "args": [0.02]}
        assert await statuses(kit, "function", call, 5) == ["success"] * 5


@pytest.mark.parametrize("work", ["event", "long_pause"])
async def test_what_waits_for_nothing_real_is_timed_out_in_moved_time(work: str) -> None:
    """A handler that waits for an event nobody sets, or sleeps for an hour, is cancelled by its timeout."""
    async with toolkit() as kit:
        create_agentool("work", WorkInput, HANDLERS, deps=None)
        assert set(await statuses(kit, "work", {"operation": work}, 3)) == {"failed"}


async def test_the_clock_waits_for_a_database(tmp_path: Path) -> None:
    """Where one is opened by code, what is due at an instant is done and written down at that instant."""
    async with toolkit(settings=Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "kept.db")})) as kit:
        call = {"agentool_name": "storage_kv", "input_data": {"operation": "increment", "key": "a"}}
        await kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "1 second", **call})
        await kit.clock.advance(seconds=5)
        rows = await kit.scheduler.store.executions("job", 10)
        assert [(row.started_at, row.finished_at) for row in rows] == [(row.scheduled_at, row.scheduled_at) for row in rows]
        assert len(rows) == 5


async def test_a_real_hang_is_found() -> None:
    """A handler whose program does not end is named after a limit in real time."""
    async with toolkit(settings=Settings(timezone="UTC", programs=(sys.executable,))) as kit:
        kit.clock.real_work = RealWork(kit.scheduler.subscribe, lambda: False, seconds=0.3)
        with pytest.raises(RealWorkHangs, match=r"job@.* 0.3 s of real time"):
            await statuses(kit, "shell", {"operation": "run", "command": [sys.executable, "-c", "import time; time.sleep(60)"]}, 2)


async def kept_job(database: str) -> str:
    async with Toolkit(Settings(database=database, timezone="UTC")) as kit:
        job = {"operation": "schedule", "job_id": "kept", "schedule": "1 day", "agentool_name": "storage_kv"}
        made = await kit.injector.run("scheduler", {**job, "input_data": {"operation": "set", "key": "a", "value": 1}})
        return made.data["next_run"]


@pytest.mark.parametrize("where", ["variable", ".env"])
async def test_the_applications_database_is_not_touched(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With AGENTOOL_DATABASE set, days of moved time run no kept job and move none."""
    monkeypatch.chdir(tmp_path)
    database = str(tmp_path / "real.db")
    next_run = await kept_job(database)
    if where == "variable":
        monkeypatch.setenv("AGENTOOL_DATABASE", database)
    else:
        (tmp_path / ".env").write_text(f"AGENTOOL_DATABASE={database}\n")
    for settings in (None, Settings(timezone="UTC")):
        async with toolkit(settings=settings) as kit:
            await kit.advance(days=2)
            assert kit.database is None
            assert (await kit.injector.run("scheduler", {"operation": "list"})).data["count"] == 0
    monkeypatch.delenv("AGENTOOL_DATABASE", raising=False)
    (tmp_path / ".env").unlink(missing_ok=True)
    async with Toolkit(Settings(database=database, timezone="UTC"), runs_jobs=False) as kit:
        job = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "kept"})).data
    assert job["next_run"] == next_run


async def test_no_ping_and_no_program_of_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the application count for nothing here."""
    monkeypatch.setenv("AGENTOOL_PING_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AGENTOOL_PROGRAMS", "rm")
    async with toolkit(settings=Settings(timezone="UTC")) as kit:
        assert kit.settings.ping.url is None
        assert kit.settings.shell.programs == ()


async def test_no_configuration_of_the_applications_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``AGENTOOL_CONFIG__…`` says is not found here; what a test sets is."""
    monkeypatch.setenv("AGENTOOL_CONFIG__SMTP__HOST", "mail.example.org")
    async with toolkit() as kit:
        assert (await kit.injector.run("config", {"operation": "list"})).values == []
        await kit.injector.run("config", {"operation": "set", "key": "smtp.host", "value": "here"})
        assert (await kit.injector.run("config", {"operation": "get", "key": "smtp.host"})).value == "here"


NAIVE = datetime.fromisoformat("2030-01-01T12:00:00")


@pytest.mark.parametrize("set_clock", [ManualTime, ManualTime(NAIVE.replace(tzinfo=UTC)).jump, lambda at: ManualTime(at.isoformat())])
def test_a_naive_time_sets_no_clock(set_clock: Callable[[datetime], object]) -> None:
    """It would be another instant on each machine, so that a test would pass on one of them only."""
    with pytest.raises(ValueError, match="has no time zone"):
        set_clock(NAIVE)


@pytest.mark.parametrize("length", [{"seconds": -1}, {"minutes": 1, "seconds": -61}, {"days": -1}])
async def test_time_does_not_advance_backwards(length: dict[str, float]) -> None:
    """Nothing would come due and no time would pass: a test of what then happens would pass for nothing."""
    async with toolkit() as kit:
        with pytest.raises(ValueError, match="lead back"):
            await kit.advance(**length)
