"""A small AgenTool that the tests of the framework call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from pydantic import BaseModel

from agentool import AgenTool, BaseOperationInput, Injector, RunContext, create_agentool


class CounterInput(BaseOperationInput):
    operation: Literal["add", "read", "break"]
    name: str | None = None
    by: int = 1


class CounterOutput(BaseModel):
    name: str
    value: int


Counts = dict[str, int]


async def counter_add(ctx: RunContext[Counts], name: str, by: int = 1) -> CounterOutput:
    """Add to a counter."""
    ctx.deps[name] = ctx.deps.get(name, 0) + by
    return CounterOutput(name=name, value=ctx.deps[name])


async def counter_read(ctx: RunContext[Counts], name: str) -> CounterOutput:
    """Read a counter."""
    return CounterOutput(name=name, value=ctx.deps[name])


async def counter_break(ctx: RunContext[Counts]) -> CounterOutput:
    """Fail."""
    raise ZeroDivisionError("broken on purpose")


HANDLERS = {"add": counter_add, "read": counter_read, "break": counter_break}


@pytest.fixture
def injector() -> Iterator[Injector]:
    """A new injector, the current one during the test."""
    with Injector().activate() as injector:
        yield injector


@pytest.fixture
def counter(injector: Injector) -> AgenTool[Counts]:
    """The AgenTool ``counter``, whose deps are its counts."""
    return create_agentool("counter", CounterInput, HANDLERS, deps={}, description="Counts things.")
