"""What README.md shows of the first minute is what the program prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .pages import ROOT, blocks

SHOWN = next(block.text for block in blocks((ROOT / "README.md").read_text(encoding="utf-8"), "text") if "bundled example" in block.text)


_TIME = re.compile(r"\b(?:[A-Z][a-z]{2} \d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d)?\b")
"""With its day, where it is not today."""
_DAY = re.compile(r"\b[A-Z][a-z]+day \d{4}-\d\d-\d\d\b")


def shape(text: str) -> list[str]:
    """Return the lines up to the first execution, with times, days and blanks made alike."""
    lines = text.partition("\n\n")[0].splitlines()
    return [re.sub(" +", " ", _TIME.sub("TIME", _DAY.sub("DAY", line))).strip() for line in lines]


def test_the_start_of_the_example_is_shown_as_it_is(tmp_path: Path) -> None:
    """Line by line, but for times."""
    without = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
    said = subprocess.run(
        [sys.executable, "-m", "agentool", "serve", "--for", "0.1"],
        env={**without, "HOME": str(tmp_path), "UV": "uv"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert shape(said) == shape(SHOWN)
