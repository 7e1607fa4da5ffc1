"""A process of the scheduler on each kind of database, whose time is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .lives import Life


@pytest.fixture
async def life(emptied_database_url: str, nothing_left: None) -> AsyncIterator[Life]:
    """One that has been opened on a database without jobs."""
    life = Life(emptied_database_url)
    await life.open()
    yield life
    await life.close()
