"""The page of the command line is the program's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def test_the_page_is_up_to_date() -> None:
    """docs/reference/command-line.md is what the program says of itself; REGENERATE_DOCS=1 writes it anew."""
    if os.environ.get("REGENERATE_DOCS"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


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
    """Help takes no second, even on a busy machine."""
    command = [sys.executable, "-c", "from agentoolkit.entrypoints.cli import main; main()", *words]
    assert subprocess.run(command, capture_output=True, timeout=5, check=True).stdout
