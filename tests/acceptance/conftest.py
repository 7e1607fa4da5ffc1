"""A stage for real processes, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import Stage


@pytest.fixture
def postgres_url(emptied_postgres_url: str) -> str:
    """A database that has its tables already: migrations are tried elsewhere."""
    return emptied_postgres_url


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Processes on one SQLite file."""
    stage = Stage(tmp_path, str(tmp_path / "agentool.db"))
    yield stage
    stage.close()


@pytest.fixture
def postgres_stage(tmp_path: Path, postgres_url: str) -> Iterator[Stage]:
    """Processes on one PostgreSQL database."""
    stage = Stage(tmp_path, postgres_url)
    yield stage
    stage.close()
