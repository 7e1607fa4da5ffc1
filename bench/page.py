"""Writes what benches print into ``docs/explanation/performance.md``: ``python -m bench.page``, or ``python -m bench.page idle memory``.

Each block of the page that a bench made stands between two comments that name it.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

from bench import __main__ as comparisons
from bench import day, growing_tools, growth, growth_pages, growth_pauses, workers

PAGE = Path(__file__).parents[1] / "docs/explanation/performance.md"


async def _day() -> None:
    await day.measure(24, 24)


async def _growth() -> None:
    await growth.main([])
    await growing_tools.measure_all(["memory", "sqlite", "postgres"], [100, 10_000, 100_000], growth.POSTGRES)


async def _pages() -> None:
    await growth_pages.main([])
    await growth_pages.main(["--stale"])


async def _pauses() -> None:
    await growth_pauses.main([])


async def _workers() -> None:
    await workers.run(growth.POSTGRES)


TABLES: dict[str, Callable[[], Awaitable[object]]] = {
    "day": _day,
    "growth": _growth,
    "pages": _pages,
    "pauses": _pauses,
    "workers": _workers,
}
"""They print tables of the page's own kind; all others print text."""


def put(page: str, name: str, block: str) -> str:
    """Return a page with another block of this name. Raises `KeyError` if it has none."""
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not between.search(page):
        raise KeyError(f"{PAGE.name} has no block between <!-- {name} --> and <!-- /{name} -->")
    return between.sub(lambda found: f"{found[1]}{block}\n{found[2]}", page)


async def made(name: str) -> str:
    """Run a bench and return its block: when it ran on what, and what it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        await (TABLES[name] if name in TABLES else comparisons.comparison(name))()
    told = printed.getvalue().strip()
    shown = told if name in TABLES else f"```text\n{told}\n```"
    return f"{datetime.now(UTC):%Y-%m-%d}, {' · '.join(comparisons.conditions().splitlines())}\n\n{shown}"


async def main(names: list[str]) -> None:
    for name in names or [*comparisons.ALL, *TABLES]:
        block = await made(name)
        print(block, flush=True)
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, block), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
