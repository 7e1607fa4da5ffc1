"""The table of faults: each has tests, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NUMBERS = [f"{part}{number}" for part, last in (("A", 24), ("B", 25), ("C", 11)) for number in range(1, last + 1)]


def rows() -> dict[str, list[str]]:
    """Return the tests of each fault."""
    lines = (TESTS / "faults.md").read_text(encoding="utf-8").splitlines()
    cells = [line.strip("|").split("|") for line in lines if re.match(r"\| \**[ABC]\d", line)]
    return {fault.strip(" *"): tests.replace(" ", "").split(",") for fault, _, tests in cells}


def test_every_fault_has_tests_that_exist():
    """No fault is without a test, and no test that is named is missing."""
    sources = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))
    assert list(rows()) == NUMBERS
    assert {fault: missing for fault, tests in rows().items() if (missing := set(tests) - there)} == {}
