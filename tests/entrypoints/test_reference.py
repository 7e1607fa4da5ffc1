"""The page of the command line is the program's own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import fields_page
from .reference import page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(("name", "made"), [("command-line.md", page), ("job-fields.md", fields_page.page)])
def test_the_page_is_up_to_date(name: str, made: Callable[[], str]) -> None:
    """Pages of docs/reference are what the program says of itself; REGENERATE_DOCS=1 writes them anew."""
    if os.environ.get("REGENERATE_DOCS"):
        (REFERENCE / name).write_text(made(), encoding="utf-8")
    assert (REFERENCE / name).read_text(encoding="utf-8") == made()


def test_every_command_explains_itself() -> None:
    """No command, argument or option is without a word."""
    assert "|  |" not in page()
    assert "\n\n\n" not in page()


def test_help_imports_nothing_heavy() -> None:
    """`agentool --help` is quick, because what is heavy is imported by the commands."""
    code = "import sys; from agentoolkit.entrypoints.cli import app; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "apscheduler", "rich.console", "asyncio", "sqlite3", "yaml"} & set(modules)


@pytest.mark.parametrize("words", [["--help"], ["schedule", "--help"]])
def test_help_is_quick(words: list[str]) -> None:
    """Help takes no five seconds of the processor, also where nothing is compiled; what else a machine does is not counted."""
    command = [sys.executable, "-c", "from agentoolkit.entrypoints.cli import main; main()", *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert subprocess.run(command, capture_output=True, timeout=100, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
