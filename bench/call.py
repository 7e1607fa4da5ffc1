"""One call of an AgenTool, validated, routed and with its span, beside pydantic's validation and an await alone."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from bench.harness import Bar, Side, compare

CALLS = 30_000
PAYLOAD = {"operation": "echo", "message": "hello", "meta": {"a": 1, "b": [1, 2, 3]}}


class EchoInput(BaseOperationInput):
    operation: Literal["echo"]
    message: str = "x"
    meta: dict[str, Any] | None = None


class FloorInput(BaseModel):
    model_config = ConfigDict(extra="forbid")
    operation: Literal["echo"]
    message: str = "x"
    meta: dict[str, Any] | None = None


class EchoOutput(BaseModel):
    echo: str


async def echo(ctx: RunContext, message: str = "x", meta: dict[str, Any] | None = None) -> EchoOutput:
    return EchoOutput(echo=message)


async def handle(data: FloorInput) -> EchoOutput:
    return EchoOutput(echo=data.message)


def measured(call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[float]]:
    async def microseconds() -> float:
        for _ in range(300):
            await call()
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        return (time.perf_counter() - began) / CALLS * 1e6

    return microseconds


async def run() -> bool:
    injector = Injector()
    create_agentool("echo", EchoInput, {"echo": echo}, injector=injector)
    routes = {"echo": {"echo": handle}}

    async def floor() -> None:
        data = FloorInput.model_validate(PAYLOAD)
        if not isinstance(await routes["echo"][data.operation](data), EchoOutput):
            raise TypeError

    return await compare(
        "One call of an AgenTool",
        "µs",
        Side("injector.run", measured(lambda: injector.run("echo", PAYLOAD))),
        Side("floor: model_validate, a dict, an await", measured(floor)),
        Bar("at most", 6),
    )
