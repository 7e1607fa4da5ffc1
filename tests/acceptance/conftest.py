"""A stage for real processes, on each kind of database."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from .stage import ROOT, Stage

LACKS = "scheduler.COUNTS_BY_STATEMENT"
"""A migration that the older release does not know, nor those after it."""


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


@pytest.fixture(scope="session")
def older_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the release before some migrations, as the history of this one has it."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here, which keeps the older releases")
    log = ["git", "log", "--format=%H", f"-S{LACKS}", "--", "src/agentoolkit/database/migrations.py"]
    found = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    wanted = ["git", "archive", f"{found[-1]}^" if found else "none", "src", "tests/acceptance"]
    archive = subprocess.run(wanted, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"no older release is in the history here: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.fixture
def older_stage(tmp_path: Path, postgres_database: str, older_release: Path) -> Iterator[Stage]:
    """Processes of an older release on one PostgreSQL database, which has no tables yet."""
    stage = Stage(tmp_path, postgres_database)
    stage.release = older_release
    yield stage
    stage.close()
