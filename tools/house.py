"""How the house looks, in figures: ``python tools/house.py [SRC …]``. Several sources are shown side by side.

Everything but the last two lines is read from the syntax trees; no package is needed for it. The last two run one firing in
memory with the package in that source, and count the calls and the files of this project that it enters.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LONG_FUNCTION = 40
SHORT_FUNCTION = 20
LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
LONGEST_FILES = 5
PACKAGES = ("agentool", "agentoolkit")


def main(sources: list[Path]) -> None:
    """Print a table with a column for each source."""
    columns = [figures(source) for source in sources]
    width = max(len(name) for name in columns[0])
    print(f"{'':{width}}  " + "  ".join(f"{source.parent.name or source.name:>28}" for source in sources))
    for name in columns[0]:
        print(f"{name:{width}}  " + "  ".join(f"{column.get(name, ''):>28}" for column in columns))


def figures(source: Path) -> dict[str, str]:
    """Measure one source."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for package in PACKAGES for path in sorted((source / package).rglob("*.py"))}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in trees}
    lengths = sorted(end - start + 1 for tree in trees.values() for start, end in _functions(tree))
    helpers = [name for tree in trees.values() for name in _private_helpers(tree)]
    once = [name for tree in trees.values() for name in _private_helpers(tree) if _uses(tree, name) == 1]
    short = [name for tree in trees.values() for name in _private_helpers(tree) if _uses(tree, name) == 1 and _fits_its_caller(tree, name)]
    classes = Counter(name for tree in trees.values() for name in _classes(tree))
    twice = sorted(name for name, count in classes.items() if count > 1)
    longest = sorted(lines, key=lambda path: -lines[path])[:LONGEST_FILES]
    calls, files = _firing(source)
    return {
        "files": f"{len(trees):,}",
        "lines": f"{sum(lines.values()):,}",
        "file length, median / max": f"{median(lines.values()):.0f} / {max(lines.values())}",
        "functions": f"{len(lengths):,}",
        "function length, median / p90 / max": f"{median(lengths):.0f} / {lengths[int(len(lengths) * 0.9)]} / {lengths[-1]}",
        f"functions over {LONG_FUNCTION} lines": str(sum(length > LONG_FUNCTION for length in lengths)),
        "private helpers": f"{len(helpers):,} ({len(helpers) / len(lengths):.0%} of functions)",
        "helpers used once": f"{len(once):,} ({len(once) / len(lengths):.0%} of functions)",
        f"of them, fit a caller of {SHORT_FUNCTION} lines": f"{len(short):,} ({len(short) / len(lengths):.0%} of functions)",
        "class names used twice": f"{len(twice)}{': ' + ' '.join(twice[:3]) if twice else ''}",
        **{f"longest file {place}": f"{path.name} {lines[path]}" for place, path in enumerate(longest, 1)},
        "a firing in memory, calls": calls,
        "a firing in memory, files": files,
    }


def _functions(tree: ast.Module) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            yield node.lineno, node.end_lineno or node.lineno


def _private_helpers(tree: ast.Module) -> list[str]:
    """Return the private functions and methods of a file, special methods aside."""
    names = [node.name for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    return [name for name in names if name.startswith("_") and not name.startswith("__")]


def _classes(tree: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def _uses(tree: ast.AST, name: str) -> int:
    """Count where a file, or a part of it, names something, besides its definition."""
    return sum(getattr(node, "id", None) == name or getattr(node, "attr", None) == name for node in ast.walk(tree))


def _fits_its_caller(tree: ast.Module, name: str) -> bool:
    """Tell whether a helper used once could be written where it is called, and its caller would still be short.

    One that is passed on instead of called, is called in a comprehension, or returns in several places, could not.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]  # the outer ones first
    helper = next(node for node in functions if node.name == name)
    caller = next((node for node in reversed(functions) if _uses(node, name)), None)
    if caller is None or any(_uses(node, name) for node in ast.walk(caller) if isinstance(node, LOOPS)):
        return False
    is_called = any(_uses(node.func, name) for node in ast.walk(caller) if isinstance(node, ast.Call))
    exits = sum(isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)) for node in ast.walk(helper))
    length = sum((node.end_lineno or node.lineno) - node.lineno for node in (helper, caller)) + 1
    return is_called and exits <= 1 and length <= SHORT_FUNCTION


def _firing(source: Path) -> tuple[str, str]:
    run = [sys.executable, str(Path(__file__).with_name("firing.py")), str(source)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if done.returncode:
        return "not run", (done.stderr.strip().splitlines() or ["not run"])[-1][:28]
    found = json.loads(done.stdout)
    return str(found["calls"]), str(found["files"])


if __name__ == "__main__":
    main([Path(given).resolve() for given in sys.argv[1:]] or [Path(__file__).parents[1] / "src"])
