"""A toolkit whose time stands still until it is moved, for conversations with scripted models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_ai import models

from agentool import Injector
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

models.ALLOW_MODEL_REQUESTS = False

SUNDAY = datetime(2026, 11, 29, 13, 2, tzinfo=UTC)


@pytest.fixture
def time() -> ManualTime:
    """Sunday afternoon in Berlin, 14:02."""
    return ManualTime(SUNDAY)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings of the toolkit; a test may change them before it asks for `kit`."""
    return {"timezone": "Europe/Berlin"}


@pytest.fixture
async def kit(time: ManualTime, settings: dict[str, Any]) -> AsyncIterator[TestToolkit]:
    """A toolkit in memory."""
    async with TestToolkit(Settings(**settings), time, Injector()) as kit:
        yield kit
