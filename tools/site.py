"""What makes a site of the pages: README.md is its home, folders are its chapters, and links to code are text.

MkDocs calls these functions by their names; `make site` runs it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHAPTERS = {
    "tutorial": "Tutorial",
    "howto": "How-to",
    "reference": "Reference",
    "agentoolkits": "AgenTools",
    "explanation": "Explanation",
    "decisions": "Decisions",
}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Order the chapters as they are read; within one, pages by their names."""
    docs = Path(config["docs_dir"])
    above = [page.name for page in sorted(docs.glob("*.md"))]
    chapters = [{title: [f"{folder}/{page.name}" for page in sorted((docs / folder).glob("*.md"))]} for folder, title in CHAPTERS.items()]
    config["nav"] = [{"Home": "index.md"}, *chapters, {"More": above}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Make README.md the first page, with its links as they are from there."""
    from mkdocs.structure.files import File

    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Show links that lead out of the pages, to code and tests, as text: they are no part of the site."""
    docs = Path(config["docs_dir"]).resolve()
    here = (docs / page.file.src_uri).parent

    def shown(found: re.Match[str]) -> str:
        target = found["target"]
        if "://" in target or ((here / target).resolve().is_relative_to(docs) and (here / target).exists()):
            return found[0]
        return found["text"] if (ROOT / target).exists() or (here / target).exists() else found[0]

    return _LINK.sub(shown, markdown)
