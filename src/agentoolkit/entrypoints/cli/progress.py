"""A progress bar on a terminal, for work of more than a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

PATIENCE = 1.0
"""Seconds until the bar is shown."""


@contextmanager
def progress(done: str, total: int | None = None) -> Generator[Callable[[], None]]:
    """Give a function to call after each finished item. On a terminal a bar on stderr counts the items, after `PATIENCE` seconds.

    Args:
        done: Label of the finished items, such as "applied".
        total: Number of items; None if it is unknown.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from agentoolkit.entrypoints.cli.terminal import PlainConsole

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    bar = Progress(*columns, console=PlainConsole(stderr=True), transient=True)
    task = bar.add_task(done, total=total)
    began, shown = monotonic(), False

    def advance() -> None:
        nonlocal shown
        bar.advance(task)
        if not shown and monotonic() - began > PATIENCE:
            shown = True
            bar.start()

    try:
        yield advance
    finally:
        if shown:
            bar.stop()
