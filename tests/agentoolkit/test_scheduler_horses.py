"""A keeper that has the store open, and a horse that calls handlers for it: here in one process, with a socket between them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.core.injector import Injector, get_injector
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.engine.horses import Claim, Horses, Link, carry_out_orders
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution
from agentoolkit.wiring import Toolkit


class WorkInput(BaseOperationInput):
    operation: Literal["run"]


class Pair:
    """Both processes, and an execution of a job whose handler is called in the horse."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(database=str(folder / "jobs.db"), timezone="UTC")
        self.started = asyncio.Event()
        self._horses = Horses()
        self._injectors = Injector(), Injector()
        self.keeper = Toolkit(self.settings, injector=self._injectors[0], runs_jobs=False, carry_out=self._horses.carry_out)
        self.horse = Toolkit(self.settings, injector=self._injectors[1], runs_jobs=False, starts=False)

    async def run(self, handler: Callable[[], Any], meanwhile: Callable[[Pair], Any] | None = None, **policies: Any) -> Execution:
        """Carry out one execution, and return it as it is in the store."""

        async def work_run(ctx: RunContext[None]) -> Any:
            self.started.set()
            return await handler()

        for injector in self._injectors:
            create_agentool("work", WorkInput, {"run": work_run}, injector=injector)
        async with self.keeper as keeper:
            asked = {"operation": "schedule", "job_id": "job", "schedule": "every hour", "agentool_name": "work"}
            await keeper.injector.run("scheduler", {**asked, "input_data": {"operation": "run"}, **policies})
            started = await keeper.injector.run("scheduler", {"operation": "start_run", "job_id": "job", "run_key": "one"})
            execution_id: str = started.data["execution_id"]
            await self._carry_out([execution_id], meanwhile)
            while (row := await keeper.scheduler.store.execution(execution_id)).status.value == "running":  # noqa: ASYNC110  writes tell nothing
                await asyncio.sleep(0)
        return row

    async def _carry_out(self, execution_ids: list[str], meanwhile: Callable[[Pair], Any] | None) -> None:
        mine, theirs = [Link(*await asyncio.open_unix_connection(sock=end)) for end in socket.socketpair()]
        serving = asyncio.create_task(self._horses.serve(theirs, self.keeper.scheduler.executions.run_claimed))
        mine.send(Claim(execution_ids))
        async with self.horse as kit:
            orders = asyncio.create_task(carry_out_orders(mine, kit.scheduler.parts))
            if meanwhile is not None:
                await self.started.wait()
                await meanwhile(self)
            try:
                assert await orders
            finally:
                await mine.close()
                await serving


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def test_a_result_comes_back_as_it_was(pair: Pair):
    """Also one that is more than a piece of what a connection holds."""

    async def handler() -> Any:
        return {"name": "café", "many": ["x" * 1_000] * 200}

    row = await pair.run(handler)
    assert (row.status.value, row.result) == ("success", {"name": "café", "many": ["x" * 1_000] * 200})


class Busy(Exception):
    retry_after = 3_000.0


async def test_whether_to_try_again_is_asked_of_the_error(pair: Pair):
    """What the error says of its next attempt is known where it was raised alone, and holds."""

    async def handler() -> Any:
        raise Busy("come back later")

    row = await pair.run(handler, max_retries=1)
    assert (row.status.value, row.attempt, row.attempts[0].error.type) == ("retrying", 2, "Busy")
    assert (row.retry_at - row.attempts[0].finished_at).total_seconds() == pytest.approx(3_000, abs=1)


async def test_a_failure_is_recorded_with_its_own_words(pair: Pair):
    """Type, message and traceback are those of the handler's error, also with text that is no valid Unicode, as of a file's name."""

    async def handler() -> Any:
        raise LookupError("no caf\udce9")

    row = await pair.run(handler)
    assert (row.status.value, row.error.type, row.error.message) == ("failed", "LookupError", "no caf\udce9")
    assert "in handler" in row.error.traceback


async def test_what_is_cancelled_ends_where_it_runs(pair: Pair):
    """Its handler is cancelled in the horse, and its record has the reason."""
    ended = asyncio.Event()

    async def handler() -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def cancel(pair: Pair) -> None:
        (row,) = await pair.keeper.scheduler.store.executions(None, 10)
        await pair.keeper.injector.run(
            "scheduler", {"operation": "cancel_execution", "execution_id": row.execution_id, "reason": "not needed"}
        )

    row = await pair.run(handler, cancel)
    assert (row.status.value, row.reason, ended.is_set()) == ("cancelled", "not needed", True)


async def test_a_handler_has_its_time_and_no_more(pair: Pair):
    """The keeper watches it: a handler that takes longer is cancelled in the horse, and has failed."""

    async def handler() -> Any:
        await asyncio.sleep(60)

    row = await pair.run(handler, timeout=0.1)
    assert (row.status.value, row.error.type, row.error.message) == (
        "failed",
        "HandlerTimeout",
        "The handler did not end within its timeout of 0.1 s.",
    )


async def test_a_horse_opens_the_store_when_a_handler_asks_for_it(pair: Pair):
    """Not before; and what the handler schedules is there for all."""
    opened: list[bool] = []

    async def handler() -> Any:
        opened.append(pair.horse.database.is_open)
        more = {"operation": "schedule", "job_id": "more", "schedule": "every hour", "agentool_name": "metrics"}
        await get_injector().run("scheduler", {**more, "input_data": {"operation": "export"}})
        opened.append(pair.horse.database.is_open)

    row = await pair.run(handler)
    assert (row.status.value, opened) == ("success", [False, True])


async def test_a_handler_that_would_wait_for_itself_is_told_so(pair: Pair):
    """In a horse too: its engine has the execution not, and knows it all the same."""

    async def handler() -> Any:
        asked = {"operation": "run_now", "agentool_name": "work", "input_data": {"operation": "run"}, "job_id": "job"}
        await get_injector().run("scheduler", asked)

    row = await pair.run(handler)
    assert row.status.value == "failed"
    assert "would wait for itself" in row.error.message


async def test_what_cannot_be_claimed_is_said(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """The horse's message fails with what the keeper's store says."""

    async def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("the database is away")

    async def handler() -> Any:
        """Never called."""

    monkeypatch.setattr(pair.keeper.scheduler.store, "claim_executions", refuse)
    with pytest.raises(SchedulerError, match="the database is away"):
        await pair.run(handler)
