"""What the pages say is true: their code runs, their tasks are read, their commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agentool import AgenTool, Injector
from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.observability.metrics import create_metrics_agent
from agentoolkit.storage.fs import create_storage_fs_agent
from agentoolkit.storage.kv import create_storage_kv_agent
from agentoolkit.system.config import create_config_agent
from agentoolkit.system.logging import create_logging_agent
from agentoolkit.system.queue import create_queue_agent
from agentoolkit.system.scheduler import create_scheduler_agent
from agentoolkit.system.templates import create_templates_agent

from .commands import check_command, command_lines
from .pages import PAGES, ROOT, blocks
from .running import Session


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


CREATE = (
    create_scheduler_agent,
    create_queue_agent,
    create_config_agent,
    create_logging_agent,
    create_metrics_agent,
    create_storage_fs_agent,
    create_storage_kv_agent,
    create_templates_agent,
)
AGENTOOLS: list[AgenTool[Any]] = [create(injector=Injector()) for create in CREATE]
OPERATIONS = [(agentool.name, operation) for agentool in AGENTOOLS for operation in agentool.operations]
TASK_FILES = [
    pytest.param(block.text, id=f"{name(page)}:{block.line}")
    for page in PAGES
    for block in blocks(page.read_text(encoding="utf-8"), "yaml")
    if re.match(r"(\s*#[^\n]*\n|\s*\n)*tasks:", block.text)
]
COMMANDS = [
    pytest.param(words, id=f"{name(page)}:{block.line}: {' '.join(words)}")
    for page in PAGES
    for block in blocks(page.read_text(encoding="utf-8"), "bash", "console")
    for words in command_lines(block.text)
]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_code_of_a_page_runs(page: Path, empty_folder: Path) -> None:
    """Every Python block of a page runs, in order, and prints what it says it prints."""
    Session(name(page)).run(blocks(page.read_text(encoding="utf-8"), "python"))


@pytest.mark.parametrize("text", TASK_FILES)
def test_a_task_file_on_a_page_is_read(text: str) -> None:
    """Every task file shown is one that `agentool` accepts."""
    assert read_tasks(text)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_on_a_page_exists(words: list[str]) -> None:
    """Every call of `agentool` shown has a subcommand and options that exist."""
    check_command(words)


@pytest.mark.parametrize(("agentool", "operation"), OPERATIONS)
def test_an_operation_is_documented(agentool: str, operation: str) -> None:
    """Each operation has a heading or a row of a table on the page of its AgenTool."""
    page = (ROOT / "docs" / "agentoolkits" / f"{agentool}.md").read_text(encoding="utf-8")
    assert re.search(rf"^(#+ +`?{operation}\b|\| *`?{operation}`? *\|)", page, re.MULTILINE)
