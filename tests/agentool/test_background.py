"""Calls without an event loop share one: one bad call does not end it for the others."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool


class EndInput(BaseOperationInput):
    operation: Literal["exit", "interrupt", "close", "fail", "later", "cancel"]


class Later:
    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None


async def exit_(ctx: RunContext[Later]) -> None:
    raise SystemExit(3)


async def interrupt(ctx: RunContext[Later]) -> None:
    raise KeyboardInterrupt


async def close(ctx: RunContext[Later]) -> None:
    raise GeneratorExit


async def fail(ctx: RunContext[Later]) -> None:
    raise LookupError("no")


async def later(ctx: RunContext[Later]) -> None:
    ctx.deps.task = asyncio.get_running_loop().create_task(asyncio.sleep(60))


async def cancel(ctx: RunContext[Later]) -> None:
    raise asyncio.CancelledError


@pytest.fixture
def made() -> tuple[Injector, Later]:
    injector, held = Injector(), Later()
    handlers: dict[str, Any] = {"exit": exit_, "interrupt": interrupt, "close": close, "fail": fail, "later": later, "cancel": cancel}
    create_agentool("end", EndInput, handlers, deps=held, injector=injector)
    return injector, held


@pytest.mark.parametrize(
    ("operation", "raised"), [("exit", SystemExit), ("interrupt", KeyboardInterrupt), ("close", GeneratorExit), ("fail", LookupError)]
)
def test_what_a_call_raises_is_raised_to_its_caller_only(made: tuple[Injector, Later], operation: str, raised: type[BaseException]) -> None:
    """The loop that all share goes on, with what earlier calls left there."""
    injector, held = made
    injector.run_sync("end", {"operation": "later"})
    with pytest.raises(raised):
        injector.run_sync("end", {"operation": operation})
    assert held.task is not None
    assert not held.task.done()
    injector.run_sync("end", {"operation": "later"})
    assert held.task.get_loop().is_running()
