"""Durable runs: what a killed or failed run has finished is not done again."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS, DBOSConfig
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.messages import ModelMessage, ToolReturn
from tests.agents.durable import STEPS, Witness, ended, opened
from tests.agents.scripts import scripted

from agentool import ConfigurationError
from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.durable_runs import DurableRuns
from agentoolkit.agents.recorded_steps import RecordedSteps
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.testing import TestToolkit
from agentoolkit.time_source import SystemTime

DEATHS = pytest.mark.parametrize("deaths", [STEPS[:2], STEPS[2:4], STEPS[4:]], ids="-".join)


async def repeats_no_finished_step(database: Path | str, log: Path, deaths: tuple[str, ...]) -> None:
    """Kill a run in each of these steps in turn, and let it go on."""
    for step in deaths:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.agents.durable", str(database), str(log), step)
        assert await asyncio.wait_for(process.wait(), 120) == -signal.SIGKILL
    witness = Witness(log)
    async with opened(database, witness) as kit:
        run = await ended(kit)
    assert (run["status"], run["attempt"], run["result"]["output"]) == ("success", len(deaths) + 1, "done in 3 turns")
    assert witness.noted == [step for step in STEPS for _ in range(2 if step in deaths else 1)]


@DEATHS
async def test_a_killed_run_repeats_no_finished_step(tmp_path: Path, deaths: tuple[str, ...]) -> None:
    """A run of five steps, killed in one and then in the next, does each other step once: no finished request is paid twice."""
    await repeats_no_finished_step(tmp_path / "jobs.db", tmp_path / "log", deaths)


@DEATHS
@pytest.mark.long_form
async def test_a_killed_run_on_postgresql_repeats_none_either(tmp_path: Path, postgres_url: str, deaths: tuple[str, ...]) -> None:
    """Its steps are in a schema of their own, in the database of the jobs."""
    await repeats_no_finished_step(postgres_url, tmp_path / "log", deaths)


async def test_a_retry_begins_with_the_step_that_failed(tmp_path: Path) -> None:
    """Where a request failed, the next attempt repeats that request and nothing before it; the ledger counts one run."""
    witness = Witness(tmp_path / "log", fails_in="ask 2")
    async with opened(tmp_path / "jobs.db", witness) as kit:
        run = await ended(kit)
        spent = await kit.injector.get("agent").deps.ledger.spent("a", "code", run["finished_at"][:10], "j", SystemTime().now())
    assert (run["status"], run["attempt"]) == ("success", 2)
    assert witness.noted == ["ask 1", "call 1", "ask 2", "ask 2", "call 2", "ask 3"]
    assert spent[1].runs == 1


async def test_a_durable_run_that_is_cancelled_ends(tmp_path: Path) -> None:
    """Cancelling a durable run ends it in the middle of a step, and its toolkit ends after it."""
    witness = Witness(tmp_path / "log", waits_in="ask 2")
    async with opened(tmp_path / "jobs.db", witness) as kit:
        async with asyncio.timeout(30):
            await witness.waits.wait()
        (running,) = (await kit.injector.run("scheduler", {"operation": "list_executions", "job_id": "j"})).data["history"]
        await kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": running["execution_id"]})
        run = await ended(kit)
    assert (run["status"], witness.noted) == ("cancelled", ["ask 1", "call 1", "ask 2"])


async def test_what_dbos_keeps_is_json(tmp_path: Path) -> None:
    """The file beside the database holds no pickles, and is its owner's alone."""
    async with opened(tmp_path / "jobs.db", Witness(tmp_path / "log")) as kit:
        await ended(kit)
    kept = tmp_path / "jobs.db.runs"
    with closing(sqlite3.connect(kept)) as connection:
        outputs = [row[0] for row in connection.execute("SELECT output FROM operation_outputs")]
    assert kept.stat().st_mode & 0o077 == 0
    assert len(outputs) == len(STEPS)
    assert all(json.loads(output) for output in outputs)


# What a step keeps.


class Journal:
    """Keeps steps in a list; a second run reads them."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []
        self._left: list[tuple[str, str]] = []

    def again(self) -> None:
        """Let a run begin anew with what is kept."""
        self._left = list(self.kept)

    async def step(self, name: str, work: Callable[[], Awaitable[str]]) -> str:
        """Do a step, or return what is kept of it."""
        if self._left:
            kept, text = self._left.pop(0)
            assert kept == name
            return text
        self.kept.append((name, await work()))
        return self.kept[-1][1]


def answers() -> Any:
    return ToolReturn({"a": 1}, content="for the model", metadata={"b": 2})


def retries() -> Any:
    raise ModelRetry("again, please")


def fails() -> Any:
    raise ToolFailed("no such thing")


@pytest.mark.parametrize("tool", [lambda: "text", lambda: Decimal("1.50"), lambda: b"bytes", lambda: None, answers, retries, fails])
async def test_a_step_that_is_kept_tells_the_model_the_same(tool: Callable[[], Any]) -> None:
    """Whatever a tool returns or raises for the model, a run that goes on tells it just that, without calling the tool."""
    journal, calls, said = Journal(), [], []

    def note(messages: list[ModelMessage]) -> str:
        said.append(
            [(type(part).__name__, str(part.content)) for message in messages for part in message.parts if hasattr(part, "content")]
        )
        return "done"

    model = scripted(("tool", {}), note, note)

    def agent() -> Agent[None, str]:
        made = Agent(model, capabilities=[RecordedSteps(journal.step)])

        @made.tool_plain(name="tool")
        def call() -> Any:
            calls.append(1)
            return tool()

        return made

    await agent().run("go")
    assert journal.kept.pop()[0] == "model"  # the process ended before the last answer
    journal.again()
    await agent().run("go")
    assert calls == [1]
    assert said[0] == said[1]
    assert [name for name, _ in journal.kept] == ["model", "tool tool", "model"]


# What is refused.


async def test_without_a_database_no_run_is_durable(kit: TestToolkit) -> None:
    """An agent that is to be durable in a toolkit in memory is refused, with what to set."""
    with pytest.raises(ConfigurationError, match="AGENTOOL_DATABASE"):
        register_agent("a", Agent(scripted()), durable="dbos")


async def test_an_applications_own_dbos_is_left_alone(tmp_path: Path) -> None:
    """A run is refused while the process uses DBOS for something else; the next one after it works, and nobody ended the other's."""
    theirs = DBOSConfig(name="theirs", application_version="1", system_database_url=f"sqlite:///{tmp_path}/theirs", log_level="CRITICAL")
    runs, execution = DurableRuns(str(tmp_path / "jobs.db"), SystemTime()), Execution("a@1", "a", "agent", SystemTime().now())

    async def work() -> int:
        return 3

    def launch() -> None:
        DBOS(config=theirs)
        DBOS.launch()

    try:
        await asyncio.to_thread(launch)
        with pytest.raises(ConfigurationError, match="something else"):
            await runs.run(execution, work)
        await runs.close()
        assert await asyncio.to_thread(DBOS.list_workflows) == []  # raises where there is no DBOS any more
        await asyncio.to_thread(DBOS.destroy)
        assert await runs.run(execution, work) == 3
        await runs.close()
    finally:
        DBOS.destroy()


class TestPrograms:
    """A program's steps are not known."""

    @pytest.fixture(autouse=True)
    def program(self, settings: dict[str, Any]) -> None:
        """A program that is to be durable."""
        settings["agents"] = {"a": {"command": ["true"], "durable": "dbos"}}

    async def test_a_program_is_not_durable(self, kit: TestToolkit) -> None:
        """An agent that is a program cannot be durable, and says so when a job is made for it."""
        with pytest.raises(ConfigurationError, match="its steps are not known here"):
            await kit.injector.run("agent", {"operation": "run", "agent": "a", "prompt": "go"})
