"""Functions that jobs of the tests call."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from agentool.core.injector import Injector

registered_in: list[int] = []
"""Processes in which `register` was called."""


def register(injector: Injector) -> None:
    """As a plugin's function, which might open a connection."""
    registered_in.append(os.getpid())


async def touch(file: str) -> None:
    Path(file).touch()  # noqa: ASYNC240  a test's own small file


async def rest(file: str) -> None:
    Path(file).touch()  # noqa: ASYNC240
    await asyncio.sleep(60)
