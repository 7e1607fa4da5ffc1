"""A bar for what takes more than a second, where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

PATIENCE = 1.0
"""Seconds without a bar."""


@contextmanager
def progress(done: str, total: int | None = None) -> Generator[Callable[[], None]]:
    """Give a function to call for each thing that is done. On a terminal a bar on stderr shows it, after `PATIENCE` seconds.

    Args:
        done: What has become of a thing: a participle.
        total: Things there are; None: nobody knows.
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
