"""Functions that jobs of the tests call."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def touch(file: str) -> None:
    Path(file).touch()  # noqa: ASYNC240  a test's own small file


async def rest(file: str) -> None:
    Path(file).touch()  # noqa: ASYNC240
    await asyncio.sleep(60)
