"""The page of the command line is the program's own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.core import TyperCommand
from typer.main import get_group

from agentoolkit.entrypoints.cli.app import app, app_for

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


@pytest.mark.parametrize("words", ["--help", "schedule --help"])
def test_help_reads_no_markdown_and_prints_no_traceback(words: str) -> None:
    """What typer imports for these, and this program's help never shows, is not imported for it: it was a third of the time."""
    code = "import atexit, sys; from agentoolkit.entrypoints.cli import main; atexit.register(lambda: print(*sys.modules)); main()"
    shown = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True).stdout
    assert "typer.rich_utils" in shown.split()
    assert not {"rich.markdown", "rich.traceback", "markdown_it", "pygments"} & set(shown.split())


def test_who_uses_what_help_left_out_gets_it() -> None:
    """What typer got in its place reads Markdown and prints tracebacks as rich does; who imports rich's own gets rich's own."""
    code = """
from agentoolkit.entrypoints.cli.quick_start import import_help
import_help()
from rich.markdown import Markdown
from rich.traceback import Traceback
from typer import rich_utils
print(type(rich_utils.Markdown("*a*")) is Markdown, rich_utils.Traceback.from_exception == Traceback.from_exception)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True True\n"


def test_the_command_that_is_named_is_put_together_alone() -> None:
    """It takes what it takes among the others; where no command is named, or a group of them, all are there."""
    whole = get_group(app_for([]))
    for name in [command.name for command in app.registered_commands]:
        alone = get_group(app_for([name]))
        assert list(alone.commands) == [name]
        assert _taken(alone.commands[name]) == _taken(whole.commands[name])
    assert set(get_group(app_for(["tasks"])).commands) == set(get_group(app_for(["--version"])).commands) == set(whole.commands)


def _taken(command: TyperCommand) -> list[tuple[object, ...]]:
    return [(found.name, found.opts, found.metavar, found.default, found.help) for found in command.params]


@pytest.mark.parametrize("words", [["--help"], ["schedule", "--help"]])
def test_help_is_quick(words: list[str]) -> None:
    """Help takes no five seconds of the processor, also where nothing is compiled; what else a machine does is not counted."""
    command = [sys.executable, "-c", "from agentoolkit.entrypoints.cli import main; main()", *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert subprocess.run(command, capture_output=True, timeout=100, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
