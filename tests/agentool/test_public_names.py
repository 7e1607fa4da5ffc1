"""The names that `agentool` promises are those it has and those its page documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import agentool

PAGE = Path(__file__).parents[2] / "docs" / "CRAFTING_AGENTOOLS.md"


def test_public_names_are_listed() -> None:
    """Every name that is listed in ``__all__`` can be had, and nothing else is offered."""
    assert dir(agentool) == list(agentool.__all__)
    assert all(getattr(agentool, name) is not None for name in agentool.__all__)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        agentool.nothing_of_the_kind  # noqa: B018  asked for is enough


def test_public_names_are_listed_once_and_in_order() -> None:
    """The list of public names is sorted and has no name twice."""
    assert list(agentool.__all__) == sorted(set(agentool.__all__))


@pytest.mark.parametrize("name", agentool.__all__)
def test_a_public_name_has_a_docstring(name: str) -> None:
    """Each public name says what it is."""
    assert getattr(agentool, name).__doc__


@pytest.mark.parametrize("name", agentool.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    """Each public name occurs on the page about crafting AgenTools."""
    assert re.search(rf"\b{name}\b", PAGE.read_text(encoding="utf-8"))


def test_documented_import_paths_hold() -> None:
    """The import paths that documents name lead to the same objects."""
    from agentool.core.injector import get_injector

    assert get_injector is agentool.get_injector


def test_making_an_agentool_loads_little() -> None:
    """Neither an event loop nor OpenTelemetry is loaded before a call needs one: with them it took a fifth longer."""
    code = "import sys; from agentool import create_agentool; print(*{'asyncio', 'opentelemetry', 'pydantic_ai'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
