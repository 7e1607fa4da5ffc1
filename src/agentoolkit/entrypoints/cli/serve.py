"""``agentool serve``: a toolkit, the tasks of a file, and a line for each execution."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.live import LiveLog
from agentoolkit.entrypoints.taskfile import Task, load_tasks
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

EXAMPLE_FUNCTIONS = "agentoolkit.example"


def serve_file(path: Path | None, allowed: Sequence[str], seconds: float | None) -> int:
    """Serve until a signal comes or the time is over. Return the exit code: 0, or 2 if nothing could be served."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        tasks, allowed = _tasks(path, allowed)
        asyncio.run(_serve(console, tasks, allowed, seconds))
    except AgenToolError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]agentool:[/] {error}", soft_wrap=True)
        return 2
    return 0


def _tasks(path: Path | None, allowed: Sequence[str]) -> tuple[Sequence[Task], Sequence[str]]:
    if path is not None:
        return load_tasks(path), allowed
    with as_file(files("agentoolkit.example") / "tasks.yaml") as example:
        return load_tasks(example), [*allowed, EXAMPLE_FUNCTIONS]


async def _serve(console: Console, tasks: Sequence[Task], allowed: Sequence[str], seconds: float | None) -> None:
    settings = Settings()
    settings = settings.model_copy(update={"functions": (*settings.functions, *allowed)})
    stopped = _stop_on_signals()
    async with Toolkit(settings) as kit:
        log = LiveLog(console)
        unsubscribe = kit.scheduler.subscribe(log.show)
        for task in tasks:
            if task.enabled:
                log.scheduled(await kit.injector.run("scheduler", task.scheduler_input()))
        console.print("[dim]Ctrl-C ends it.[/]")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stopped.wait()
        console.print("[dim]Stopping…[/]")
        await kit.scheduler.stop()
        unsubscribe()
    log.summary()


def _stop_on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped
