"""The tables of docs/agentoolkits are the program's own declarations."""

from __future__ import annotations

import os
from typing import Any

import pytest

from agentool import AgenTool
from agentoolkit.builtin_tools import BUILTIN_TOOLS
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

from .pages import ROOT
from .tool_pages import page, parts_of

PAGES = ROOT / "docs" / "agentoolkits"
TOOLS = ("scheduler", *BUILTIN_TOOLS)


@pytest.fixture(scope="module")
def kit() -> Toolkit:
    """A toolkit that is never opened: it describes its AgenTools, and runs none."""
    return Toolkit(Settings.from_values({}))


@pytest.mark.parametrize("name", TOOLS)
def test_the_tables_of_a_page_are_up_to_date(kit: Toolkit, name: str) -> None:
    """A page tells operations, fields and answers as the program declares them; REGENERATE_DOCS=1 writes them anew."""
    place, agentool = PAGES / f"{name}.md", kit.injector.get(name)
    text = place.read_text(encoding="utf-8")
    if os.environ.get("REGENERATE_DOCS"):
        place.write_text(page(text, agentool), encoding="utf-8")
    assert place.read_text(encoding="utf-8") == page(text, agentool)


@pytest.mark.parametrize("name", TOOLS)
def test_every_page_has_operations_and_fields(name: str) -> None:
    """No AgenTool is without the two tables that its callers need."""
    assert {"operations", "fields"} <= set(parts_of((PAGES / f"{name}.md").read_text(encoding="utf-8")))


def test_every_page_is_of_an_agentool() -> None:
    """No page is left of an AgenTool that there is not."""
    assert {place.stem for place in PAGES.glob("*.md")} == set(TOOLS)


def test_a_line_by_hand_is_found(kit: Toolkit) -> None:
    """What is written by hand into a table is not kept."""
    agentool: AgenTool[Any] = kit.injector.get("shell")
    text = (PAGES / "shell.md").read_text(encoding="utf-8")
    edited = text.replace("| `run` |", "| `run` | by hand |", 1)
    assert edited != text
    assert page(edited, agentool) == text
