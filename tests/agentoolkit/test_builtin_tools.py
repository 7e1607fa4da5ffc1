"""Each AgenTool of the toolkit has what a newcomer needs: a page with every operation, and examples that it accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

PAGES = Path(__file__).parents[2] / "docs" / "agentoolkits"
ON_ANOTHER_PAGE = {"after": "scheduler"}
"""AgenTools that exist only beside another one."""

KIT = Toolkit(Settings.from_values({"timezone": "UTC"}), runs_jobs=False)


@pytest.mark.parametrize("name", KIT.injector.names())
def test_an_agentool_has_a_page_with_every_operation(name: str) -> None:
    """``docs/agentoolkits/NAME.md`` exists, and has each operation in a heading, a row of a table, or a field's type."""
    page = (PAGES / f"{ON_ANOTHER_PAGE.get(name, name)}.md").read_text(encoding="utf-8")
    if name in ON_ANOTHER_PAGE:
        assert f"!ref:{name}:" in page
        return
    places = (rf"^#+ +`?{each}\b|^\| *`?{each}`? *\||Literal\[.*'{each}'" for each in KIT.injector.get(name).operations)
    assert [place for place in places if not re.search(place, page, re.MULTILINE)] == []


@pytest.mark.parametrize("name", KIT.injector.names())
def test_an_agentool_has_examples_that_it_takes(name: str) -> None:
    """There is one at least, of an operation that exists, and no field of it is refused."""
    agentool = KIT.injector.get(name)
    assert agentool.examples
    for example in agentool.examples:
        validated = agentool.validate(example)
        agentool.operation(validated).arguments(validated)
