"""Errors whose own code raises where their record is made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


@pytest.mark.parametrize("base", [ValueError, BaseException, asyncio.CancelledError])
@pytest.mark.parametrize("asked", ["__cause__", "__suppress_context__"])
async def test_an_error_that_cannot_be_read_has_failed(kit: Any, scheduler: Any, probe: Any, base: type[BaseException], asked: str):
    """Whatever kind it is of, its execution is left running nowhere, and its record names it."""

    def refuse(self: BaseException) -> None:
        raise RuntimeError("not to be read")

    probe.raises = type("Odd", (base,), {asked: property(refuse)})()
    await scheduler.add("now", job_id="job")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("job")
    assert (record["status"], record["reason"]) == ("failed", "raised Odd")
