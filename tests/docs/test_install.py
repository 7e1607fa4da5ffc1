"""The page of installation names the extras that there are."""

from __future__ import annotations

import re
import tomllib

from .pages import ROOT


def test_every_extra_is_on_the_page_and_no_other() -> None:
    """The table has the optional dependencies of pyproject.toml."""
    page = (ROOT / "docs" / "howto" / "install.md").read_text(encoding="utf-8")
    table = page.partition("| extra |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(named) == sorted(project["optional-dependencies"])
