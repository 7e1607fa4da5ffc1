"""The pages as a site: every link leads somewhere, search knows them, and nothing is loaded from another host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import PAGES, ROOT

_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?P<src>[^\"]+)|<link\b[^>]*rel=\"(?:stylesheet|preload|icon|preconnect)\"[^>]*>"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link that leads nowhere, or an anchor that is not there, ends it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    return folder


def test_every_page_is_there_and_is_found(site: Path) -> None:
    """Each page of docs is one of the site and in its index of search; the README is the first."""
    index = json.loads((site / "search" / "search_index.json").read_text())
    known = {entry["location"].partition("#")[0] for entry in index["docs"]}
    expected = {page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for page in PAGES if page.name != "README.md"}
    assert expected | {"index.html"} <= known | {"decisions/index.html"}
    assert all((site / name).exists() for name in expected)


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    """No script, style, picture or font of a page has an address of its own."""
    foreign = [
        (page.name, found[0])
        for page in site.glob("**/*.html")
        for found in _LOADED.finditer(page.read_text(encoding="utf-8"))
        if "://" in found[0] or '="//' in found[0]
    ]
    styles = [sheet.name for sheet in site.glob("**/*.css") if re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text())]
    assert (foreign, styles) == ([], [])


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    """The check would find one."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[nowhere](nowhere.md) [no such place](#nothing)\n")
    settings = (ROOT / "mkdocs.yml").read_text().replace("hooks: [tools/site.py]\n", "")
    (tmp_path / "mkdocs.yml").write_text(settings)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=tmp_path, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert built.returncode == 1
    assert ("nowhere.md" in built.stderr, "#nothing" in built.stderr) == (True, True)
